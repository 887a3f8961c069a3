// SPDX-License-Identifier: MIT
// DESIGN: `warren generate`: files for the programs that watch a worker, filled from the configuration.
// A file is replaced as a whole or not at all, since another program may be reading it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "findings.h"
#include "generate.h"
#include "kubernetes.h"
#include "member.h"
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

/* The unit is read by another program, from another folder. */
static char *whole_path(const char *path)
{
    return path && path[0] != '/' ? realpath(path, NULL) : path ? strdup(path) : NULL;
}

/* As the manifests have it; 0 without a configuration. */
static bool find_memory(const struct plan *plan, const struct args *args, int64_t *out_mib)
{
    struct kube kube = { 0 };
    struct findings findings = { 0 };
    const char *job = args_value(args, "job-memory");
    int64_t job_bytes = KUBE_JOB_BYTES;
    bool is_known = !job || size_read(job, &job_bytes);
    if (is_known && plan->root) {
        is_known = kube_read(&kube, plan, args_config(args), &findings) == EXIT_DONE;
        *out_mib = is_known ? kube_memory_mib(&kube, job_bytes) : 0;
    }
    kube_done(&kube);
    findings_done(&findings); /* they are about pods */
    return is_known;
}

static bool write_systemd(FILE *out, const struct plan *plan, const struct args *args)
{
    char *config = whole_path(args_config(args));
    struct unit_wish wish = { .config = config, .is_template = args_has(args, "template") };
    bool is_whole = find_memory(plan, args, &wish.memory_mib) && systemd_write(out, plan, &wish);
    free(config);
    return is_whole;
}

int cmd_generate_systemd(const struct args *args)
{
    const char *job = args_value(args, "job-memory");
    int64_t bytes = 0;
    if (job && (!size_read(job, &bytes) || bytes < 1)) {
        return say_usage("--job-memory: got \"%s\", want a size such as 16MiB", job);
    }
    return generate(args, write_systemd);
}

int cmd_generate_alerts(const struct args *args)
{
    return generate(args, write_alerts);
}

int cmd_generate_dashboard(const struct args *args)
{
    return generate(args, write_dashboard);
}
