// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <warren/plugin.h>

static warren_verdict part(warren_job *job, void *user)
{
    const char *name = warren_job_string(job, "name");
    (void)user;
    if (!name)
        return warren_dead(job, "no 'name' in the body");
    printf("goodbye, %s\n", name);
    return WARREN_DONE;
}

WARREN_PLUGIN("hello", { "part", part });
