// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <warren/plugin.h>

static warren_verdict greet(warren_job *job, void *user)
{
    const char *name = warren_job_string(job, "name");
    (void)user;
    if (!name)
        return warren_dead(job, "no 'name' in the body");
    printf("hello from a plugin, %s\n", name);
    return WARREN_DONE;
}

WARREN_PLUGIN("hello", { "greet", greet });
