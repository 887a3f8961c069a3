// SPDX-License-Identifier: MIT
// DESIGN: the overview and a page a noun, written from the tables of commands, exit codes and
// environment variables.
#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "environment.h"
#include "help.h"
#include "man.h"
#include "man_text.h"

static void put_command_words(FILE *out, const struct command *command)
{
    fprintf(out, "warren %s%s%s", command->noun, command->verb ? " " : "",
            command->verb ? command->verb : "");
}

static void put_synopsis(FILE *out, const struct command *command)
{
    fputc('*', out);
    put_command_words(out, command);
    fputs("* [OPTIONS]", out);
    if (*command->arguments) {
        fputc(' ', out);
        man_text(out, command->arguments);
    }
}

static void put_option(FILE *out, const struct option_row *row)
{
    if (row->letter) {
        fprintf(out, "*-%c*, ", row->letter);
    }
    fprintf(out, "*--%s*", row->name);
    if (row->argument) {
        fputc(' ', out);
        man_text(out, row->argument);
    }
    fputs("\n\t", out);
    man_text(out, row->sentence);
    fputs("\n\n", out);
}

static void put_command(FILE *out, const struct command *command)
{
    size_t cursor = 0;
    const struct option_row *row;
    man_text(out, command->sentence);
    fputs("\n\n", out);
    if (command->details) {
        man_text(out, command->details);
        fputs("\n\n", out);
    }
    while ((row = command_option(command, &cursor))) {
        put_option(out, row);
    }
    fprintf(out, "Example%s:\n\n", strchr(command->examples, '\n') ? "s" : "");
    man_literal(out, command->examples);
    fputc('\n', out);
}

static void put_exit_codes(FILE *out)
{
    fputs("# EXIT STATUS\n\n", out);
    for (const struct exit_row *row = exit_rows; row->code; row++) {
        man_item(out, row->code, row->sentence);
    }
}

/* A page's nouns: the first command of each. */
static bool is_first(size_t index)
{
    return index == 0 || strcmp(commands[index].noun, commands[index - 1].noun) != 0;
}

static void put_nouns(FILE *out)
{
    fputs("# COMMANDS\n\n", out);
    for (size_t i = 0; i < command_count; i++) {
        if (is_first(i)) {
            fprintf(out, "*warren-%s*(1)\n\t", commands[i].noun);
            man_text(out, help_noun_sentence(commands[i].noun));
            fputs("\n\n", out);
        }
    }
}

static void put_environment(FILE *out)
{
    fputs("# ENVIRONMENT\n\n", out);
    for (const struct environment_row *row = environment_rows; row->name; row++) {
        man_item(out, row->name, row->sentence);
    }
    man_paragraph(out, "A configuration may ask for others, as ${env:NAME}: see warren.cfg(5).");
}

static void put_files(FILE *out)
{
    fputs("# FILES\n\n", out);
    man_literal(out, help_config);
    fputc('\n', out);
    man_item(out, "queues/*.cfg", "beside that file: the queues and their job types, a file each");
    man_item(
        out, "~/.local/state/warren",
        "notes of running jobs, by which a worker finds what crashed with another (state_dir)");
}

static void put_see_also(FILE *out)
{
    fputs("# SEE ALSO\n\n*warren.cfg*(5), *warren-message*(7), *warren*(3)", out);
    for (size_t i = 0; i < command_count; i++) {
        if (is_first(i)) {
            fprintf(out, ", *warren-%s*(1)", commands[i].noun);
        }
    }
    fputc('\n', out);
}

void man_overview(FILE *out)
{
    man_head(out, "warren", 1, "a job framework for RabbitMQ");
    fputs("# SYNOPSIS\n\n*warren* COMMAND [OPTIONS] [ARGUMENTS]\n\n*warren* *--help*\n\n*warren* "
          "*--version*\n\n# DESCRIPTION\n\n",
          out);
    man_paragraph(out,
                  "Runs workers, publishes jobs, and looks after queues, dead letters and running "
                  "workers.\nData goes to standard output and talk to standard error. `warren "
                  "COMMAND --help` shows the\noptions of a command and examples.");
    man_paragraph(
        out, "A job is a message of RabbitMQ with a type. A worker takes the jobs of its queues "
             "and runs a handler for\neach, which is a C function: in a service that links "
             "libwarren (warren(3)), or in a plugin that\n`warren run` loads. What fails runs "
             "again after a wait that the broker keeps, and what fails for good stands in\na "
             "dead queue, with its reason. Any AMQP client can publish jobs: see "
             "warren-message(7).");
    put_nouns(out);
    put_exit_codes(out);
    put_environment(out);
    put_files(out);
    put_see_also(out);
}

void man_noun(FILE *out, const char *noun)
{
    char name[64];
    (void)snprintf(name, sizeof name, "warren-%s", noun);
    man_head(out, name, 1, help_noun_sentence(noun));
    fputs("# SYNOPSIS\n\n", out);
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, noun) == 0) {
            put_synopsis(out, &commands[i]);
            fputs("\n\n", out);
        }
    }
    fputs("# DESCRIPTION\n\n", out);
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, noun) == 0) {
            if (commands[i].verb) {
                fputs("## ", out);
                put_command_words(out, &commands[i]);
                fputs("\n\n", out);
            }
            put_command(out, &commands[i]);
        }
    }
    put_exit_codes(out);
    fputs("# SEE ALSO\n\n*warren*(1), *warren.cfg*(5)\n", out);
}
