// SPDX-License-Identifier: MIT
/*
 * A user's program, as small as can be: a handler, and what the library answers without a broker.
 */
#include <stdio.h>
#include <warren/warren.h>

static warren_verdict greet(warren_job *job, void *user)
{
    const char *name = warren_job_string(job, "name");
    (void)user;
    return name ? WARREN_DONE : warren_dead(job, "no 'name'");
}

int main(void)
{
    warren_handler *handler = greet;
    printf("%s %d\n", warren_status_name(WARREN_TIMEOUT), warren_exit_code(WARREN_TIMEOUT));
    return handler ? 0 : 1;
}
