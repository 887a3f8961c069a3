// SPDX-License-Identifier: MIT
// What stands in a handler.
#include <stdio.h>
#include <warren/warren.h>

warren_verdict page_handler(warren_job *job, void *user);

warren_verdict page_handler(warren_job *job, void *user)
{
    (void)user;
    // @block@
}
