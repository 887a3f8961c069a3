// SPDX-License-Identifier: MIT
// A sink for log lines, and the call that makes it one.
#include <stdio.h>
#include <warren/warren.h>

// @block@

int main(void)
{
    warren_log_to(log_line, NULL, 2);
    return 0;
}
