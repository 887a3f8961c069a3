// SPDX-License-Identifier: MIT
// DESIGN: `warren run`: a worker whose handlers come from plugins. It only puts together what the
// library has: configuration, plugins, a log writer, and the run itself, which owns the signals.
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "idle.h"
#include "log.h"
#include "probe.h"
#include "say.h"
#include "warren/warren.h"
#include "when.h"

static int choose_log(const struct args *args, const warren *w, struct log_writer *writer)
{
    const char *level_name = args_value(args, "log-level");
    const char *format = args_value(args, "log-format");
    int level = warren_log_level(w);
    if (level_name && !log_level_of(level_name, &level)) {
        return say_usage("--log-level: got \"%s\", want error, warn, info or debug", level_name);
    }
    if (format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        return say_usage("--log-format: got \"%s\", want text or json", format);
    }
    if (!format) {
        format = warren_log_format(w);
    }
    bool is_auto = strcmp(format, "auto") == 0;
    writer->as_json = is_auto ? !isatty(STDERR_FILENO) : strcmp(format, "json") == 0;
    warren_log_to(log_write, writer, level);
    return EXIT_DONE;
}

static warren_status load_plugins(const struct args *args, warren *w, warren_error *err)
{
    size_t cursor = 0;
    const char *path;
    while ((path = args_next(args, "plugin", &cursor))) {
        warren_status rc = warren_load(w, path, err);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}

/* Those that warren_run reads: a thread that a plugin's open() starts would else take them, with what
 * they do by default. */
static void block_signals(sigset_t *out_before)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGTSTP, SIGCONT };
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&blocked, numbers[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &blocked, out_before);
}

/* `idle_ms`: how long it stays without a job; 0: for ever. */
static warren_status run(const struct args *args, warren *w, int64_t idle_ms, warren_error *err)
{
    sigset_t before;
    struct idle_watch watch = { .is_running = false };
    block_signals(&before);
    warren_status rc = load_plugins(args, w, err);
    if (!rc && idle_ms && !idle_watch_start(&watch, w, idle_ms)) {
        *err = (warren_error){ .status = WARREN_NO_MEMORY, .text = "no thread for --until-idle" };
        rc = WARREN_NO_MEMORY;
    }
    rc = rc ? rc : warren_run(w, err);
    idle_watch_stop(&watch);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* False, with a message, when --until-idle is no duration. */
static bool read_idle(const struct args *args, int64_t *out_ms)
{
    const char *given = args_value(args, "until-idle");
    if (!given || (when_duration(given, out_ms) && *out_ms > 0)) {
        return true;
    }
    (void)say_usage("--until-idle: got \"%s\", want a duration such as 60s", given);
    return false;
}

int cmd_run(const struct args *args)
{
    static struct log_writer writer; /* lines may come until the process ends */
    warren *w = NULL;
    warren_error err;
    int64_t idle_ms = 0;
    if (!read_idle(args, &idle_ms)) {
        return EXIT_USAGE;
    }
    if (warren_open(&w, args_config(args), &err)) {
        return say_failure(&err);
    }
    const char *probe = args_value(args, "probe");
    if (probe) {
        int answer = probe_worker(warren_http_address(w), probe);
        warren_close(w);
        return answer;
    }
    int code = choose_log(args, w, &writer);
    if (!code) {
        warren_status rc = run(args, w, idle_ms, &err);
        code = rc ? say_failure(&err) : EXIT_DONE;
    }
    warren_close(w);
    return code;
}
