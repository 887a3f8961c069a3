// SPDX-License-Identifier: MIT
// DESIGN: `warren generate`: files for the programs that watch a worker, filled from the configuration.
// A file is replaced as a whole or not at all, since another program may be reading it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "generate.h"
#include "output.h"
#include "say.h"

/* Where the pages stand in Warren's sources. */
#define RUNBOOKS "docs/runbooks/"

typedef bool write_all(FILE *out, const struct plan *plan, const struct args *args);

static int fail_file(const char *path)
{
    say("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

static bool write_and_close(FILE *file, write_all *write, const struct plan *plan,
                            const struct args *args)
{
    bool is_whole = write(file, plan, args);
    return (fclose(file) == 0) && is_whole;
}

static int write_file(const char *path, write_all *write, const struct plan *plan,
                      const struct args *args)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.new", path) < 0) {
        say("out of memory");
        return EXIT_FAILED;
    }
    FILE *file = fopen(beside, "we");
    int code = file ? EXIT_DONE : fail_file(beside);
    if (file && (!write_and_close(file, write, plan, args) || rename(beside, path) != 0)) {
        code = fail_file(path);
        (void)unlink(beside);
    }
    free(beside);
    return code;
}

static int generate(const struct args *args, write_all *write)
{
    struct plan plan;
    const char *path = args_value(args, "output");
    int code = plan_read(&plan, args_config(args));
    if (!code && path) {
        code = write_file(path, write, &plan, args);
    } else if (!code) {
        code = write(stdout, &plan, args) ? output_flush() : EXIT_FAILED;
    }
    plan_done(&plan);
    return code;
}

static bool write_alerts(FILE *out, const struct plan *plan, const struct args *args)
{
    const char *runbooks = args_value(args, "runbooks");
    return alerts_write(out, plan, args_has(args, "rabbitmq"), runbooks ? runbooks : RUNBOOKS);
}

static bool write_dashboard(FILE *out, const struct plan *plan, const struct args *args)
{
    (void)args;
    return dashboard_write(out, plan);
}

int cmd_generate_alerts(const struct args *args)
{
    return generate(args, write_alerts);
}

int cmd_generate_dashboard(const struct args *args)
{
    return generate(args, write_dashboard);
}
