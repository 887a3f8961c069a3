// SPDX-License-Identifier: MIT
// DESIGN: `warren doctor`: the library's checks, fed with what the management API tells, a line
// each; under a line that isn't ok, what to do next. The API is asked first, with a share of the
// time, so that its silence costs the checks nothing else.
#include "warren/doctor.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "escape.h"
#include "management.h"
#include "output.h"
#include "say.h"

enum { STATES = WARREN_CHECK_UNKNOWN + 1, TIMEOUT_S = 30, NAME_WIDTH = 16 };

static const struct column columns[] = {
    { "STATE", "state", CELL_TEXT }, { "CHECK", "check", CELL_TEXT },
    { "FOUND", "found", CELL_TEXT }, { "ADVICE", "advice", CELL_TEXT },
    { "ABOUT", "about", CELL_TEXT },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

struct visit {
    enum output_format format;
    struct output output; /* JSON only */
    size_t counts[STATES];
};

/* A check is one line and perhaps one of advice: texts are too long for a table's columns. */
static void print_finding(const warren_finding *finding)
{
    printf("%-7s  %-*s  ", warren_check_state_name(finding->state), NAME_WIDTH, finding->check);
    escape_text(stdout, finding->found, false);
    putchar('\n');
    if (*finding->advice && finding->state != WARREN_CHECK_OK) {
        printf("%-7s  %-*s  -> ", "", NAME_WIDTH, "");
        escape_text(stdout, finding->advice, false);
        putchar('\n');
    }
    (void)fflush(stdout);
}

static bool take_finding(const warren_finding *finding, void *user)
{
    struct visit *visit = user;
    if ((size_t)finding->state < STATES) {
        visit->counts[finding->state]++;
    }
    if (visit->format == OUTPUT_TABLE) {
        print_finding(finding);
        return !say_is_interrupted();
    }
    output_row(&visit->output,
               (struct cell[COLUMNS]){ { .text = warren_check_state_name(finding->state) },
                                       { .text = finding->check },
                                       { .text = finding->found },
                                       { .text = finding->advice },
                                       { .text = finding->about } });
    return !say_is_interrupted();
}

/* --- the management API --- */

/* False when there are no facts; `*out_why` then says why, NULL: not configured. */
static bool ask_management(const char *config, long timeout_ms, struct management *out,
                           const char **out_why)
{
    warren_topology *topology = NULL;
    warren_management from = { 0 };
    bool has_facts = false;
    *out = (struct management){ 0 };
    *out_why = NULL;
    if (!warren_topology_open(&topology, config, NULL) &&
        !warren_topology_management(topology, &from, NULL) && from.url) {
        has_facts = management_ask(&from, timeout_ms, out);
        *out_why = has_facts ? NULL : out->problem;
    }
    warren_topology_close(topology);
    return has_facts;
}

/* --- the run --- */

static int64_t mono_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int judge(const struct visit *visit, warren_status rc)
{
    if (visit->format == OUTPUT_TABLE) {
        say("%zu ok, %zu warn, %zu fail, %zu unknown", visit->counts[WARREN_CHECK_OK],
            visit->counts[WARREN_CHECK_WARN], visit->counts[WARREN_CHECK_FAIL],
            visit->counts[WARREN_CHECK_UNKNOWN]);
    }
    if (rc) {
        return warren_exit_code(rc);
    }
    return visit->counts[WARREN_CHECK_FAIL] ? EXIT_FAILED : EXIT_DONE;
}

int cmd_doctor(const struct args *args)
{
    enum { ANSWER_MOST_MS = 5000, SHARES = 6 };
    struct visit visit = { 0 };
    struct management management;
    warren_doctor_options options = { .read_only = args_has(args, "read-only") };
    long timeout_s = TIMEOUT_S;
    if (!output_format_of(args, &visit.format) ||
        !args_number(args, "timeout", 1, 3600, &timeout_s)) {
        return EXIT_USAGE;
    }
    say_catch_interrupt();
    int64_t begun_ms = mono_ms();
    long share_ms = timeout_s * 1000 / SHARES;
    bool has_facts =
        ask_management(args_config(args), share_ms < ANSWER_MOST_MS ? share_ms : ANSWER_MOST_MS,
                       &management, &options.no_facts);
    options.facts = has_facts ? &management.facts : NULL;
    options.timeout_ms = timeout_s * 1000 - (mono_ms() - begun_ms);
    options.timeout_ms = options.timeout_ms > 0 ? options.timeout_ms : 1;
    if (visit.format != OUTPUT_TABLE) {
        output_begin(&visit.output, visit.format, columns, COLUMNS);
    }
    warren_status rc = warren_doctor_run(args_config(args), &options, take_finding, &visit, NULL);
    management_done(&management);
    int written = visit.format == OUTPUT_TABLE ? output_flush() : output_end(&visit.output);
    int code = judge(&visit, rc);
    return say_is_interrupted() ? EXIT_PARTLY : code ? code : written;
}
