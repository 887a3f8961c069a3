/* SPDX-License-Identifier: MIT */
/*
 * The command table: every command of `warren` with its arguments, options, one sentence and
 * examples. Parser, help, synopsis, completion and the manual pages all read it, so that they can't
 * disagree.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/** Exit codes (DESIGN section 10) that are no warren_status. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PARTLY = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_REFUSED = 5,
    EXIT_CONFIG = 7
};

/** One option. */
struct option_row {
    const char *name;     /* "config", given as --config */
    char letter;          /* its short form; 0: none */
    const char *argument; /* what it takes, "FILE" or "text|json"; NULL: it takes nothing */
    const char *sentence;
};

struct args;

/** One command: `warren NOUN VERB ARGUMENTS`. */
struct command {
    const char *noun;
    const char *verb;      /* NULL: the noun is the whole command */
    const char *arguments; /* "QUEUE [ID]"; "" for none */
    int least;             /* how many of them must, and may, be given */
    int most;
    const char *sentence;
    const struct option_row *const *options; /* groups, the last one NULL */
    const char *details;                     /* more to say in its help, or NULL */
    const char *examples;                    /* lines, each without its newline's prompt */
    int (*run)(const struct args *args);     /* gives the exit code */
};

/** All commands, in the order of the help. */
extern const struct command commands[];
extern const size_t command_count;

/** What the verbs of a noun are for; nouns that are commands of their own have no row. The last row
 * has no name. */
struct noun_row {
    const char *noun;
    const char *sentence;
};
extern const struct noun_row nouns[];

/** The exit codes, as text for people; the last row has none. */
struct exit_row {
    const char *code;
    const char *sentence;
};
extern const struct exit_row exit_rows[];

/** Walks through all options of a command; NULL at the end. `*cursor` starts at 0. */
const struct option_row *command_option(const struct command *command, size_t *cursor);

/* The commands' functions, one file a noun. */
int cmd_run(const struct args *args);
int cmd_config_check(const struct args *args);
int cmd_config_show(const struct args *args);
int cmd_config_diff(const struct args *args);
int cmd_config_explain(const struct args *args);
int cmd_config_schema(const struct args *args);
int cmd_config_init(const struct args *args);
int cmd_topology_plan(const struct args *args);
int cmd_topology_apply(const struct args *args);
int cmd_topology_migrate(const struct args *args);
int cmd_topology_export(const struct args *args);
int cmd_publish(const struct args *args);
int cmd_queue_list(const struct args *args);
int cmd_queue_show(const struct args *args);
int cmd_queue_purge(const struct args *args);
int cmd_queue_pause(const struct args *args);
int cmd_queue_resume(const struct args *args);
int cmd_worker_list(const struct args *args);
int cmd_worker_show(const struct args *args);
int cmd_worker_quiet(const struct args *args);
int cmd_worker_resume(const struct args *args);
int cmd_worker_drain(const struct args *args);
int cmd_worker_reload(const struct args *args);
int cmd_worker_dump(const struct args *args);
int cmd_worker_set(const struct args *args);
int cmd_dead_list(const struct args *args);
int cmd_dead_show(const struct args *args);
int cmd_dead_groups(const struct args *args);
int cmd_dead_edit(const struct args *args);
int cmd_dead_export(const struct args *args);
int cmd_dead_import(const struct args *args);
int cmd_dead_move(const struct args *args);
int cmd_dead_replay(const struct args *args);
int cmd_dead_drop(const struct args *args);
int cmd_top(const struct args *args);
int cmd_generate_alerts(const struct args *args);
int cmd_generate_dashboard(const struct args *args);
int cmd_generate_kubernetes(const struct args *args);
int cmd_generate_systemd(const struct args *args);
int cmd_doctor(const struct args *args);
int cmd_bench(const struct args *args);
int cmd_generate_man(const struct args *args);
int cmd_completion_bash(const struct args *args);
int cmd_completion_zsh(const struct args *args);
int cmd_completion_fish(const struct args *args);
int cmd_completion_words(const struct args *args);
int cmd_help(const struct args *args);

#endif
