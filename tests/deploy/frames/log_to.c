// SPDX-License-Identifier: MIT
// What stands between warren_open and warren_run.
#include <stdio.h>
#include <warren/warren.h>

static void log_line(void *user, int level, const char *event, const char *fields)
{
    (void)fprintf(user ? user : stderr, "%d %s %s\n", level, event, fields);
}

int main(void)
{
    warren *w = NULL;
    warren_error err = { 0 };
    warren_status rc = warren_open(&w, NULL, &err);
    // @block@
    rc = rc ? rc : warren_run(w, &err);
    warren_close(w);
    return warren_exit_code(rc);
}
