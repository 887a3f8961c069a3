// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <warren/warren.h>

static warren_verdict greet(warren_job *job, void *user)
{
    const char *name = warren_job_string(job, "name");
    if (!name)
        return warren_dead(job, "no 'name' in the body");
    fprintf(user, "hello, %s\n", name);
    return WARREN_DONE;
}

int main(int argc, char **argv)
{
    warren *w = NULL;
    warren_error err = { 0 };
    warren_status rc = warren_open(&w, argc > 1 ? argv[1] : NULL, &err);
    rc = rc ? rc : warren_handle(w, "greet", greet, stdout, &err);
    rc = rc ? rc : warren_run(w, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.text);
    warren_close(w);
    return warren_exit_code(rc);
}
