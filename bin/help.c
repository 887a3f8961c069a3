// SPDX-License-Identifier: MIT
// DESIGN: everything that tells what commands there are is printed from the command table: the
// overview, a command's help, its synopsis and the shell's completion.
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "say.h"

static const char exit_help[] =
    "Exit codes:\n"
    "    0  done\n"
    "    1  failed; the message says why\n"
    "    2  the command line is wrong\n"
    "    3  partly done: interrupted or failed on the way; the message says how to go on\n"
    "    4  not found: the queue, dead letter or option named\n"
    "    5  refused: not confirmed, or not allowed in this state\n"
    "    6  no broker answers, or it went away, or refuses password, vhost, rights or certificate\n"
    "    7  the configuration is invalid, or unlike what stands at the broker\n"
    "    8  timeout\n"
    "128+n  ended by signal n\n";

static const char config_help[] =
    "The configuration is the first of these that there is:\n"
    "    --config FILE\n"
    "    $WARREN_CONFIG\n"
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
    printf("  %-27s  %s\n", left, row->sentence);
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
        fputs(exit_help, stdout);
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
        printf("\n%s", config_help);
    }
    return EXIT_DONE;
}

/* --- completion --- */

static void print_words(const struct command *command)
{
    size_t cursor = 0;
    const struct option_row *row;
    while ((row = command_option(command, &cursor))) {
        printf(" --%s", row->name);
    }
}

static void print_verbs(void)
{
    const char *last = "";
    for (size_t i = 0; i < command_count; i++) {
        if (!commands[i].verb || strcmp(commands[i].noun, last) == 0) {
            continue;
        }
        last = commands[i].noun;
        printf("        %s) words='", last);
        for (size_t j = i; j < command_count && strcmp(commands[j].noun, last) == 0; j++) {
            printf("%s ", commands[j].verb);
        }
        printf("' ;;\n");
    }
}

static void print_nouns(void)
{
    const char *last = "";
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, last) != 0) {
            printf("%s ", commands[i].noun);
        }
        last = commands[i].noun;
    }
}

int cmd_completion(const struct args *args)
{
    if (strcmp(args_operand(args, 0), "bash") != 0) {
        return say_usage("completion: got \"%s\", want bash", args_operand(args, 0));
    }
    printf("# bash completion of warren\n_warren()\n{\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} words=''\n"
           "    if ((COMP_CWORD == 1)); then\n        words='");
    print_nouns();
    printf("'\n    elif ((COMP_CWORD == 2)) && [[ $current != -* ]]; then\n"
           "        case ${COMP_WORDS[1]} in\n");
    print_verbs();
    printf("        completion) words=bash ;;\n        esac\n    fi\n"
           "    if [[ $current == -* ]]; then\n"
           "        case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    for (size_t i = 0; i < command_count; i++) {
        printf("        '%s %s'*) words='", commands[i].noun,
               commands[i].verb ? commands[i].verb : "");
        print_words(&commands[i]);
        printf("' ;;\n");
    }
    printf("        esac\n    fi\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
           "    ((${#COMPREPLY[@]})) || compopt -o default\n}\n"
           "complete -F _warren warren\n");
    return EXIT_DONE;
}
