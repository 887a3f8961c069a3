// SPDX-License-Identifier: MIT
// DESIGN: `warren config`: what is wrong in the files, what is in effect, what a reload would change,
// what an option means. Problems are data here, so `check` prints them on standard output.
#include "warren/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "command.h"
#include "escape.h"
#include "kubernetes.h"
#include "output.h"
#include "say.h"

static const char *name_config(const struct args *args)
{
    const char *path = args_config(args);
    return path ? path : "the defaults";
}

static const struct column problem_columns[] = {
    { NULL, "problem", CELL_TEXT },
    { NULL, "note", CELL_BOOL },
};

enum { PROBLEM_COLUMNS = sizeof problem_columns / sizeof problem_columns[0] };

/* For people a line each, as compilers do it: editors jump to them. */
static void list_problem(struct output *output, const char *problem, bool is_note)
{
    if (output->format == OUTPUT_TABLE) {
        escape_text(stdout, problem, true);
        putchar('\n');
        return;
    }
    output_row(output,
               (struct cell[PROBLEM_COLUMNS]){ { .text = problem }, { .number = is_note } });
}

static int list_problems(const warren_config *config, const struct findings *findings,
                         enum output_format format)
{
    struct output output = { .format = format };
    size_t count = warren_config_problem_count(config);
    if (format != OUTPUT_TABLE) {
        output_begin(&output, format, problem_columns, PROBLEM_COLUMNS);
    }
    for (size_t i = 0; i < count; i++) {
        list_problem(&output, warren_config_problem(config, i),
                     warren_config_problem_is_note(config, i));
    }
    for (size_t i = 0; i < findings->count; i++) {
        list_problem(&output, findings->lines[i], false);
    }
    return format == OUTPUT_TABLE ? EXIT_DONE : output_end(&output);
}

static int report_problems(const warren_config *config, const char *name, enum output_format format)
{
    struct findings none = { 0 };
    size_t errors = warren_config_errors(config);
    int code = list_problems(config, &none, format);
    if (code) {
        return code;
    }
    if (errors) {
        say("%s: %zu error%s; a worker would not start", name, errors, errors == 1 ? "" : "s");
        return EXIT_CONFIG;
    }
    size_t queues = warren_config_queue_count(config);
    say("%s: no errors, %zu queue%s", name, queues, queues == 1 ? "" : "s");
    return EXIT_DONE;
}

/* --- with manifests --- */

static int find_differences(const char *path, const char *manifests, struct findings *findings)
{
    struct plan plan;
    struct kube kube = { 0 };
    int code = kube_open(&kube, &plan, path, findings);
    code = code ? code : kube_check(&kube, manifests, findings);
    kube_done(&kube);
    plan_done(&plan);
    return code;
}

/* The configuration is known to be right. */
static int report_differences(const warren_config *config, const char *path, const char *manifests,
                              enum output_format format)
{
    struct findings findings = { 0 };
    int code = find_differences(path, manifests, &findings);
    code = code ? code : list_problems(config, &findings, format);
    size_t count = findings.count + findings.left_out;
    if (!code && count) {
        say("%s and %s: %zu difference%s", path, manifests, count, count == 1 ? "" : "s");
        code = EXIT_CONFIG;
    } else if (!code) {
        say("%s and %s agree", path, manifests);
    }
    findings_done(&findings);
    return code;
}

int cmd_config_check(const struct args *args)
{
    warren_config *config = NULL;
    warren_error err;
    enum output_format format;
    const char *path = args_config(args);
    const char *manifests = args_value(args, "kubernetes");
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (manifests && !path) {
        return say_usage("no configuration: want --config FILE, the one that the pods have");
    }
    if (warren_config_open(&config, path, &err)) {
        return say_failure(&err);
    }
    int code = manifests && !warren_config_errors(config)
                   ? report_differences(config, path, manifests, format)
                   : report_problems(config, name_config(args), format);
    warren_config_close(config);
    return code;
}

int cmd_config_show(const struct args *args)
{
    warren_config *config = NULL;
    warren_error err;
    char *text = NULL;
    enum output_format format;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (warren_config_open(&config, args_config(args), &err)) {
        return say_failure(&err);
    }
    warren_status rc = warren_config_write(config, format != OUTPUT_TABLE, &text, &err);
    warren_config_close(config);
    if (rc) {
        return say_failure(&err);
    }
    size_t size = strlen(text);
    printf("%s%s", text, size && text[size - 1] == '\n' ? "" : "\n");
    free(text);
    return EXIT_DONE;
}

/* --- diff --- */

static const struct column difference_columns[] = {
    { "OPTION", "option", CELL_TEXT }, { "QUEUE", "queue", CELL_TEXT },
    { "TYPE", "type", CELL_TEXT },     { "FROM", "from", CELL_TEXT },
    { "TO", "to", CELL_TEXT },         { "LIVE", "live", CELL_BOOL },
};

enum { DIFFERENCE_COLUMNS = sizeof difference_columns / sizeof difference_columns[0] };

struct comparison {
    struct output output;
    size_t waiting; /* for a restart */
};

static void show_difference(void *user, const warren_config_difference *difference)
{
    struct comparison *comparison = user;
    comparison->waiting += difference->live ? 0 : 1;
    output_row(&comparison->output,
               (struct cell[DIFFERENCE_COLUMNS]){ { .text = difference->option },
                                                  { .text = difference->queue },
                                                  { .text = difference->type },
                                                  { .text = difference->from },
                                                  { .text = difference->to },
                                                  { .number = difference->live } });
}

static int compare(const warren_config *from, const warren_config *to, enum output_format format)
{
    struct comparison comparison = { .waiting = 0 };
    warren_error err;
    output_begin(&comparison.output, format, difference_columns, DIFFERENCE_COLUMNS);
    warren_status rc = warren_config_diff(from, to, show_difference, &comparison, &err);
    int code = output_end(&comparison.output);
    if (!rc && comparison.waiting) {
        say("%zu of them wait%s for a restart", comparison.waiting,
            comparison.waiting == 1 ? "s" : "");
    }
    return rc ? say_failure(&err) : code;
}

/* A folder stands for its warren.cfg. False: the name is too long. */
static bool name_file(char *out, size_t size, const char *operand)
{
    struct stat facts;
    bool is_folder = !stat(operand, &facts) && S_ISDIR(facts.st_mode);
    return snprintf(out, size, "%s%s", operand, is_folder ? "/warren.cfg" : "") < (int)size;
}

int cmd_config_diff(const struct args *args)
{
    char path[4096];
    warren_config *from = NULL;
    warren_config *to = NULL;
    warren_error err;
    enum output_format format;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (!name_file(path, sizeof path, args_operand(args, 0))) {
        return say_usage("the file's name is too long");
    }
    warren_status rc = warren_config_open(&from, args_config(args), &err);
    rc = rc ? rc : warren_config_open(&to, path, &err);
    int code = rc ? say_failure(&err) : compare(from, to, format);
    warren_config_close(from);
    warren_config_close(to);
    return code;
}

/* --- explain, schema --- */

static const struct column option_columns[] = {
    { NULL, "option", CELL_TEXT }, { NULL, "sentence", CELL_TEXT }, { NULL, "takes", CELL_TEXT },
    { NULL, "change", CELL_TEXT }, { NULL, "example", CELL_TEXT },  { NULL, "kind", CELL_TEXT },
    { NULL, "units", CELL_TEXT },  { NULL, "default", CELL_TEXT },  { NULL, "least", CELL_TEXT },
    { NULL, "most", CELL_TEXT },   { NULL, "words", CELL_TEXT },    { NULL, "required", CELL_BOOL },
    { NULL, "live", CELL_BOOL },
};

enum { OPTION_COLUMNS = sizeof option_columns / sizeof option_columns[0] };

static void show_option(void *user, const warren_config_option *option)
{
    output_row(user, (struct cell[OPTION_COLUMNS]){ { .text = option->path },
                                                    { .text = option->sentence },
                                                    { .text = option->takes },
                                                    { .text = option->change },
                                                    { .text = option->example },
                                                    { .text = option->kind },
                                                    { .text = option->units },
                                                    { .text = option->fallback },
                                                    { .text = option->least },
                                                    { .text = option->most },
                                                    { .text = option->words },
                                                    { .number = option->is_required },
                                                    { .number = option->is_live } });
}

static int list_options(const char *path, enum output_format format)
{
    struct output output;
    warren_error err;
    output_begin(&output, format, option_columns, OPTION_COLUMNS);
    warren_status rc = warren_config_options(path, show_option, &output, &err);
    if (rc) { /* not found, so there is no row */
        return say_failure(&err);
    }
    return output_end(&output);
}

/* Prints a text of the library, and frees it. */
static int print_text(char *text)
{
    fputs(text, stdout);
    free(text);
    return output_flush();
}

int cmd_config_explain(const struct args *args)
{
    char *text = NULL;
    warren_error err;
    enum output_format format;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (format != OUTPUT_TABLE) {
        return list_options(args_operand(args, 0), format);
    }
    if (warren_config_explain(args_operand(args, 0), &text, &err)) {
        return say_failure(&err);
    }
    return print_text(text);
}

int cmd_config_schema(const struct args *args)
{
    char *text = NULL;
    warren_error err;
    (void)args;
    return warren_config_schema(&text, &err) ? say_failure(&err) : print_text(text);
}
