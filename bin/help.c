// SPDX-License-Identifier: MIT
// DESIGN: everything that tells what commands there are is printed from the command table: here the
// overview, a command's help and its synopsis; completion and manual pages have files of their own.
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "environment.h"
#include "say.h"

enum { LEFT_WIDTH = 27 }; /* of an option; a longer one has a line of its own */

const char help_config[] =
    "The configuration is the first of these that there is:\n"
    "    --config FILE, or its folder: then FOLDER/warren.cfg\n"
    "    $WARREN_CONFIG, likewise\n"
    "    config/warren.cfg, then warren.cfg, in the current folder\n"
    "    the defaults: RabbitMQ at $WARREN_AMQP_URL or on this machine, and one queue, default\n"
    "`warren config init` writes one to start from, `warren config explain` knows every option.\n";

static void print_option(const struct option_row *row)
{
    char left[64];
    char letter[4] = "";
    if (row->letter) {
        (void)snprintf(letter, sizeof letter, "-%c,", row->letter);
    }
    (void)snprintf(left, sizeof left, "%3s --%s%s%s", letter, row->name, row->argument ? " " : "",
                   row->argument ? row->argument : "");
    if (strlen(left) > LEFT_WIDTH) {
        printf("  %s\n", left);
        left[0] = '\0';
    }
    printf("  %-*s  %s\n", LEFT_WIDTH, left, row->sentence);
}

static void print_environment(void)
{
    printf("Environment variables:\n");
    for (const struct environment_row *row = environment_rows; row->name; row++) {
        printf("  %-16s %s\n", row->name, row->sentence);
    }
}

static void print_exit_codes(void)
{
    printf("Exit codes:\n");
    for (const struct exit_row *row = exit_rows; row->code; row++) {
        printf("%5s  %s\n", row->code, row->sentence);
    }
}

void help_synopsis(const struct command *command, FILE *file)
{
    fprintf(file, "warren %s%s%s [OPTIONS]%s%s", command->noun, command->verb ? " " : "",
            command->verb ? command->verb : "", *command->arguments ? " " : "", command->arguments);
}

static void print_indented(const char *lines)
{
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        printf("  %.*s\n", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
}

void help_command(const struct command *command)
{
    size_t cursor = 0;
    const struct option_row *row;
    printf("%s\n\nUsage: ", command->sentence);
    help_synopsis(command, stdout);
    if (command->details) {
        printf("\n\n%s", command->details);
    }
    printf("\n\nOptions:\n");
    while ((row = command_option(command, &cursor))) {
        print_option(row);
    }
    printf("\nExamples:\n");
    print_indented(command->examples);
}

static bool is_noun(const struct command *command, const char *noun)
{
    return !noun || strcmp(command->noun, noun) == 0;
}

void help_overview(const char *noun, FILE *file)
{
    char left[80];
    if (!noun) {
        fprintf(file, "Warren: a job framework for RabbitMQ.\n\n"
                      "Usage: warren COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    }
    fprintf(file, "Commands:\n");
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (is_noun(command, noun)) {
            (void)snprintf(left, sizeof left, "%s%s%s %s", command->noun, command->verb ? " " : "",
                           command->verb ? command->verb : "", command->arguments);
            fprintf(file, "  %-24s %s\n", left, command->sentence);
        }
    }
    fprintf(
        file,
        "\n`warren COMMAND --help` shows its options and examples; `warren help exit` the exit "
        "codes,\n`warren help config` where the configuration is looked for. `warren --version` "
        "tells the version.\n\nExample:\n  warren publish email.welcome '{\"to\": "
        "\"ada@example.org\"}'\n");
}

const struct command *help_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (strcmp(command->noun, noun) == 0 &&
            (!command->verb || (verb && strcmp(command->verb, verb) == 0))) {
            return command;
        }
    }
    return NULL;
}

bool help_has_noun(const char *noun)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, noun) == 0) {
            return true;
        }
    }
    return false;
}

const char *help_noun_sentence(const char *noun)
{
    for (const struct noun_row *row = nouns; row->noun; row++) {
        if (strcmp(row->noun, noun) == 0) {
            return row->sentence;
        }
    }
    const struct command *command = help_find(noun, NULL);
    return command ? command->sentence : NULL;
}

static const char *noun_at(void *user, size_t index)
{
    (void)user;
    return index < command_count ? commands[index].noun : NULL;
}

static const char *verb_at(void *user, size_t index)
{
    const char *noun = user;
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, noun) == 0 && index-- == 0) {
            return commands[i].verb;
        }
    }
    return NULL;
}

int help_unknown(const char *noun, const char *verb)
{
    bool has_noun = help_has_noun(noun);
    const char *wanted = has_noun ? verb : noun;
    if (noun[0] == '-') {
        return say_usage("options stand behind the command: warren COMMAND %s", noun);
    }
    if (!wanted) {
        help_overview(noun, stderr);
        return EXIT_USAGE;
    }
    const char *nearest =
        has_noun ? say_nearest(verb, verb_at, (void *)noun) : say_nearest(noun, noun_at, NULL);
    return say_usage("unknown command \"%s%s%s\"%s%s%s%s%s", noun, has_noun ? " " : "",
                     has_noun ? verb : "", nearest ? ", did you mean `warren " : "",
                     nearest && has_noun ? noun : "", nearest && has_noun ? " " : "",
                     nearest ? nearest : "", nearest ? "`?" : "");
}

int cmd_help(const struct args *args)
{
    const char *noun = args_operand(args, 0);
    const char *verb = args_operand(args, 1);
    if (!noun) {
        help_overview(NULL, stdout);
        return EXIT_DONE;
    }
    if (strcmp(noun, "exit") == 0) {
        print_exit_codes();
        return EXIT_DONE;
    }
    if (strcmp(noun, "environment") == 0) {
        print_environment();
        return EXIT_DONE;
    }
    const struct command *command = help_find(noun, verb);
    if (command) {
        help_command(command);
        return EXIT_DONE;
    }
    if (verb || !help_has_noun(noun)) {
        return help_unknown(noun, verb);
    }
    help_overview(noun, stdout);
    if (strcmp(noun, "config") == 0) {
        printf("\n%s", help_config);
    }
    return EXIT_DONE;
}
