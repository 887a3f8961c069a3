// SPDX-License-Identifier: MIT
// DESIGN: getopt_long does the splitting, driven by the command's rows; the messages are ours.
// Abbreviated long options are refused although getopt_long takes them: a script that relies on one
// would break with the next option that begins alike.
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

enum { OPTIONS_MOST = 40, FIRST_LONG = 256 };

/* A command's options in getopt_long's form; the value of a row is FIRST_LONG + its index. */
struct forms {
    struct option longs[OPTIONS_MOST + 1];
    char shorts[2 * OPTIONS_MOST + 3];
};

static const struct option_row *option_at(const struct command *command, size_t index)
{
    return command_option(command, &index);
}

static const char *option_name(void *user, size_t index)
{
    const struct option_row *row = option_at(user, index);
    return row ? row->name : NULL;
}

static void make_forms(struct forms *forms, const struct command *command)
{
    size_t cursor = 0;
    size_t count = 0;
    char *end = forms->shorts;
    const struct option_row *row;
    *end++ = ':'; /* a missing argument is told apart from an unknown option */
    while ((row = command_option(command, &cursor)) && count < OPTIONS_MOST) {
        forms->longs[count] =
            (struct option){ row->name, row->argument ? required_argument : no_argument, NULL,
                             FIRST_LONG + (int)count };
        count++;
        if (row->letter) {
            *end++ = row->letter;
        }
        if (row->letter && row->argument) {
            *end++ = ':';
        }
    }
    forms->longs[count] = (struct option){ 0 };
    *end = '\0';
}

static const struct option_row *find_option(const struct command *command, int value)
{
    size_t cursor = 0;
    const struct option_row *row;
    if (value >= FIRST_LONG) {
        return option_at(command, (size_t)(value - FIRST_LONG));
    }
    while ((row = command_option(command, &cursor))) {
        if (row->letter == value) {
            return row;
        }
    }
    return NULL;
}

/* The word that getopt_long stumbled over, without its dashes and its "=value". */
static void copy_word(char *out, size_t size, const char *word)
{
    while (*word == '-') {
        word++;
    }
    (void)snprintf(out, size, "%.*s", (int)strcspn(word, "="), word);
}

static int refuse_option(const struct command *command, const char *word)
{
    char name[64];
    copy_word(name, sizeof name, word);
    const char *nearest = say_nearest(name, option_name, (void *)command);
    if (nearest) {
        return say_usage("unknown option %s, did you mean --%s?", word, nearest);
    }
    return say_usage("unknown option %s for `warren %s%s%s`", word, command->noun,
                     command->verb ? " " : "", command->verb ? command->verb : "");
}

static bool is_abbreviated(const char *word, const struct option_row *row)
{
    char name[64];
    if (strncmp(word, "--", 2) != 0) {
        return false;
    }
    copy_word(name, sizeof name, word);
    return strcmp(name, row->name) != 0;
}

static int take_options(struct args *out, struct given *given, int argc, char **argv)
{
    struct forms forms;
    int value;
    make_forms(&forms, out->command);
    opterr = 0;
    optind = 0;
    for (;;) {
        /* The word in hand, unless a cluster of letters is being read. */
        value = getopt_long(argc, argv, forms.shorts, forms.longs, NULL);
        if (value == -1) {
            return 0;
        }
        const char *word = argv[optind - 1];
        if (value == ':') {
            return say_usage("option %s needs a value", word);
        }
        const struct option_row *row = value == '?' ? NULL : find_option(out->command, value);
        if (!row) {
            return refuse_option(out->command, word);
        }
        const char *written = row->argument && optarg == word ? argv[optind - 2] : word;
        if (value >= FIRST_LONG && is_abbreviated(written, row)) {
            return refuse_option(out->command, written);
        }
        given[out->given_count++] = (struct given){ row, row->argument ? optarg : NULL };
    }
}

static int check_operands(const struct args *args)
{
    const struct command *command = args->command;
    const char *space = command->verb ? " " : "";
    const char *verb = command->verb ? command->verb : "";
    if (args->operand_count < (size_t)command->least) {
        return say_usage("too few arguments: warren %s%s%s %s", command->noun, space, verb,
                         command->arguments);
    }
    if (args->operand_count > (size_t)command->most) {
        return say_usage("unexpected argument \"%s\": warren %s%s%s %s",
                         args->operands[command->most], command->noun, space, verb,
                         command->arguments);
    }
    return 0;
}

int args_parse(struct args *out, const struct command *command, int argc, char **argv,
               bool *out_wants_help)
{
    *out = (struct args){ .command = command };
    struct given *given = calloc((size_t)argc + 1, sizeof *given);
    if (!given) {
        say("out of memory");
        return EXIT_FAILED;
    }
    out->given = given;
    int rc = take_options(out, given, argc, argv);
    *out_wants_help = args_has(out, "help");
    if (rc || *out_wants_help) {
        return rc;
    }
    out->operands = (const char **)(argv + optind);
    out->operand_count = (size_t)(argc - optind);
    return check_operands(out);
}

void args_free(struct args *args)
{
    free((void *)args->given);
}

const char *args_operand(const struct args *args, size_t index)
{
    return index < args->operand_count ? args->operands[index] : NULL;
}

static const struct given *last_given(const struct args *args, const char *option)
{
    for (size_t i = args->given_count; i-- > 0;) {
        if (strcmp(args->given[i].option->name, option) == 0) {
            return &args->given[i];
        }
    }
    return NULL;
}

const char *args_value(const struct args *args, const char *option)
{
    const struct given *given = last_given(args, option);
    return given ? given->value : NULL;
}

bool args_has(const struct args *args, const char *option)
{
    return last_given(args, option) != NULL;
}

const char *args_next(const struct args *args, const char *option, size_t *cursor)
{
    while (*cursor < args->given_count) {
        const struct given *given = &args->given[(*cursor)++];
        if (strcmp(given->option->name, option) == 0) {
            return given->value;
        }
    }
    return NULL;
}

bool args_number(const struct args *args, const char *option, long least, long most, long *out)
{
    const char *text = args_value(args, option);
    char *end = NULL;
    if (!text) {
        return true;
    }
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most) {
        (void)say_usage("--%s: got \"%s\", want a whole number from %ld to %ld", option, text,
                        least, most);
        return false;
    }
    *out = value;
    return true;
}

/* A folder stands for its warren.cfg. */
static const char *name_file(const char *path)
{
    static char inside[PATH_MAX]; /* one thread reads the command line */
    struct stat facts;
    size_t size = strlen(path);
    bool is_folder = stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
    const char *slash = size && path[size - 1] == '/' ? "" : "/";
    bool fits = is_folder &&
                snprintf(inside, sizeof inside, "%s%swarren.cfg", path, slash) < (int)sizeof inside;
    return fits ? inside : path;
}

const char *args_find_config(const char *given)
{
    static const char *const places[] = { "config/warren.cfg", "warren.cfg" };
    const char *environment = getenv("WARREN_CONFIG");
    if (given) {
        return name_file(given);
    }
    if (environment && *environment) {
        return name_file(environment);
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], F_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

const char *args_config(const struct args *args)
{
    return args_find_config(args_value(args, "config"));
}
