// SPDX-License-Identifier: MIT
// DESIGN: the command `warren`. It finds the command in the table, parses what follows and calls
// its function; the rest is in the file of each noun. It uses the public headers only: what it
// can't do with them, a user of the library couldn't either.
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "help.h"
#include "output.h"
#include "say.h"
#include "warren/warren.h"

static int run(const struct command *command, int argc, char **argv)
{
    struct args args;
    bool wants_help = false;
    say_command(command);
    int rc = args_parse(&args, command, argc, argv, &wants_help);
    if (!rc && wants_help) {
        help_command(command);
    } else if (!rc) {
        rc = command->run(&args);
    }
    args_free(&args);
    int flushed = output_flush();
    return rc ? rc : flushed;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_overview(NULL, stderr);
        return EXIT_USAGE;
    }
    const char *noun = argv[1];
    const char *verb = argc > 2 ? argv[2] : NULL;
    if (is_help(noun)) {
        help_overview(NULL, stdout);
        return EXIT_DONE;
    }
    if (strcmp(noun, "--version") == 0 || strcmp(noun, "-V") == 0) {
        printf("warren %s\n", warren_version());
        return EXIT_DONE;
    }
    const struct command *command = help_find(noun, verb);
    if (command) {
        int words = command->verb ? 2 : 1;
        return run(command, argc - words, argv + words);
    }
    if (verb && is_help(verb) && help_has_noun(noun)) {
        help_overview(noun, stdout);
        return EXIT_DONE;
    }
    return help_unknown(noun, verb);
}
