// SPDX-License-Identifier: MIT
// DESIGN: a manual page a noun, an overview, and the settings, all written from tables: that of the
// commands, and that of the settings by way of `warren config explain`. scdoc turns them into roff;
// what it would take for markup is escaped here, and backquotes become bold.
#include "man.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "help.h"
#include "warren/config.h"
#include "warren/warren.h"

/* --- text --- */

/* One line or several. scdoc has markup of its own at the beginning of a line. */
static void put_text(FILE *out, const char *text)
{
    bool is_start = true;
    for (const char *at = text; *at; at++) {
        if (*at == '`') {
            fputc('*', out);
        } else if (strchr("\\*_+<>[]~", *at) || (is_start && strchr("#-.|;'", *at))) {
            fprintf(out, "\\%c", *at);
        } else {
            fputc(*at, out);
        }
        is_start = *at == '\n';
    }
}

static void put_literal(FILE *out, const char *text)
{
    size_t size = strlen(text);
    fprintf(out, "```\n%s%s```\n", text, size && text[size - 1] == '\n' ? "" : "\n");
}

static void put_bold(FILE *out, const char *text)
{
    fputc('*', out);
    put_text(out, text);
    fputc('*', out);
}

static void put_head(FILE *out, const char *name, int section, const char *sentence)
{
    fprintf(out, "%s(%d) \"Warren %s\" \"Warren\"\n\n# NAME\n\n%s - ", name, section,
            warren_version(), name);
    put_text(out, sentence);
    fprintf(out, "\n\n");
}

/* --- commands --- */

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
        put_text(out, command->arguments);
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
        put_text(out, row->argument);
    }
    fputs("\n\t", out);
    put_text(out, row->sentence);
    fputs("\n\n", out);
}

static void put_command(FILE *out, const struct command *command)
{
    size_t cursor = 0;
    const struct option_row *row;
    put_text(out, command->sentence);
    fputs("\n\n", out);
    if (command->details) {
        put_text(out, command->details);
        fputs("\n\n", out);
    }
    while ((row = command_option(command, &cursor))) {
        put_option(out, row);
    }
    fprintf(out, "Example%s:\n\n", strchr(command->examples, '\n') ? "s" : "");
    put_literal(out, command->examples);
    fputc('\n', out);
}

static void put_exit_codes(FILE *out)
{
    fputs("# EXIT STATUS\n\n", out);
    for (const struct exit_row *row = exit_rows; row->code; row++) {
        put_bold(out, row->code);
        fputs("\n\t", out);
        put_text(out, row->sentence);
        fputs("\n\n", out);
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
            put_text(out, help_noun_sentence(commands[i].noun));
            fputs("\n\n", out);
        }
    }
}

void man_overview(FILE *out)
{
    put_head(out, "warren", 1, "a job framework for RabbitMQ");
    fputs("# SYNOPSIS\n\n*warren* COMMAND [OPTIONS] [ARGUMENTS]\n\n*warren* *--help*\n\n*warren* "
          "*--version*\n\n# DESCRIPTION\n\n",
          out);
    put_text(out, "Runs workers, publishes jobs, and looks after queues, dead letters and running "
                  "workers.\nData goes to standard output and talk to standard error. `warren "
                  "COMMAND --help` shows the\noptions of a command and examples.\n\n");
    put_nouns(out);
    put_exit_codes(out);
    fputs("# FILES\n\n", out);
    put_literal(out, help_config);
    fputs("\n# SEE ALSO\n\n*warren.cfg*(5)\n", out);
}

void man_noun(FILE *out, const char *noun)
{
    char name[64];
    (void)snprintf(name, sizeof name, "warren-%s", noun);
    put_head(out, name, 1, help_noun_sentence(noun));
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

/* --- settings --- */

struct settings_page {
    FILE *out;
    char group[64]; /* the last one */
};

static void put_paragraph(FILE *out, const char *text)
{
    fputc('\t', out);
    put_text(out, text);
    fputs("\n\n", out);
}

/* A heading where another group begins. */
static void put_group(struct settings_page *page, const char *path)
{
    char group[sizeof page->group];
    const char *dot = strrchr(path, '.');
    (void)snprintf(group, sizeof group, "%.*s", dot ? (int)(dot - path) : 0, path);
    if (strcmp(group, page->group) == 0) {
        return;
    }
    const char *sentence = warren_config_group(group);
    fprintf(page->out, "## %s\n\n", group);
    put_text(page->out, sentence ? sentence : "");
    fputs("\n\n", page->out);
    memcpy(page->group, group, sizeof group);
}

static void put_setting(void *user, const warren_config_option *option)
{
    struct settings_page *page = user;
    put_group(page, option->path);
    put_bold(page->out, option->path);
    fputc('\n', page->out);
    put_paragraph(page->out, option->sentence);
    fputs("\tTakes ", page->out);
    put_text(page->out, option->takes);
    fputs(". ", page->out);
    put_text(page->out, option->change);
    fputs("\n\n", page->out);
    put_paragraph(page->out, option->example);
}

static warren_status put_settings(FILE *out, warren_error *err)
{
    struct settings_page page = { .out = out };
    fputs("## at the top\n\n", out);
    return warren_config_options(NULL, put_setting, &page, err);
}

warren_status man_settings(FILE *out, warren_error *err)
{
    char *example = NULL;
    warren_status rc = warren_config_template(WARREN_CONFIG_FILE_QUEUE, &example, err);
    if (!rc) {
        put_head(out, "warren.cfg", 5, "the configuration of Warren, and its queue files");
        fputs("# DESCRIPTION\n\n", out);
        put_text(out,
                 "One file for a service, and one for each queue, in the folder that `queues` "
                 "names. Both are read by libconfig:\n`name = value;`, groups in braces, lists "
                 "in parentheses. Options whose path begins with `queue.` stand in\na queue "
                 "file, all others in warren.cfg. An unknown option is an error. "
                 "`warren config init` writes files\nto start from, `warren config check` "
                 "says what is wrong in them.\n\n");
        fputs("# FILES\n\n", out);
        put_literal(out, help_config);
        fputs("\n# OPTIONS\n\n", out);
        rc = put_settings(out, err);
        fputs("# EXAMPLE\n\nA queue file:\n\n", out);
        put_literal(out, example);
        fputs("\n# SEE ALSO\n\n*warren*(1), *warren-config*(1)\n", out);
    }
    free(example);
    return rc;
}
