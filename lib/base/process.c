// SPDX-License-Identifier: MIT
// DESIGN: a worker and a publisher on its own are called alike: by the host, which in a container is
// the container, and the number of the process.
#include "base/process.h"

#include <stdio.h>
#include <unistd.h>

const char *wr_process_name(char *out, size_t size)
{
    char host[64] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(out, size, "%s-%d", host, (int)getpid());
    return out;
}
