// SPDX-License-Identifier: MIT
// DESIGN: the shells know nothing of Warren: at each tab they ask `warren completion words`, and the
// answer is looked up in the command table, here, once for all of them. What an option or an argument
// takes is told by its name in the table: words in small letters are those to choose from, QUEUE,
// TYPE, FILE and a few more are looked up. A word that a shell would have to quote is left out.
#include "complete.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "help.h"
#include "warren/config.h"

enum { WORD_MOST = 512 };

/* The line up to the word in question. */
struct line {
    const struct command *command; /* NULL: that word belongs to the command's name */
    const char *noun;
    const char *verb;
    const char *config;
    size_t operands; /* before it */
    bool is_only_operands;
    const struct option_row *pending; /* the option whose value it is */
    const char *current;
    size_t lead; /* how much of it, as "--type=", stands before the value */
    complete_visitor *visit;
    void *user;
};

/* --- words --- */

static bool is_plain(const char *word)
{
    for (const char *at = word; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f || strchr("\"'`$\\&;|<>()*?[]{}!#~", *at)) {
            return false;
        }
    }
    return *word != '\0';
}

static void offer(const struct line *line, const char *word, const char *sentence)
{
    char whole[WORD_MOST];
    int size = snprintf(whole, sizeof whole, "%.*s%s", (int)line->lead, line->current, word);
    if (size < (int)sizeof whole && is_plain(word) &&
        strncmp(whole, line->current, strlen(line->current)) == 0) {
        line->visit(line->user, whole, sentence);
    }
}

static void offer_choices(const struct line *line, const char *choices)
{
    char word[WORD_MOST];
    while (*choices) {
        size_t size = strcspn(choices, "|");
        (void)snprintf(word, sizeof word, "%.*s", (int)size, choices);
        offer(line, word, NULL);
        choices += size + (choices[size] == '|');
    }
}

static void offer_nouns(const struct line *line)
{
    const char *last = "";
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, last) != 0) {
            last = commands[i].noun;
            offer(line, last, help_noun_sentence(last));
        }
    }
}

static void offer_verbs(const struct line *line, const char *noun)
{
    for (size_t i = 0; i < command_count; i++) {
        if (commands[i].verb && strcmp(commands[i].noun, noun) == 0) {
            offer(line, commands[i].verb, commands[i].sentence);
        }
    }
}

static void offer_options(const struct line *line)
{
    char word[WORD_MOST];
    size_t cursor = 0;
    const struct option_row *row;
    while ((row = command_option(line->command, &cursor))) {
        (void)snprintf(word, sizeof word, "--%s", row->name);
        offer(line, word, row->sentence);
    }
}

/* --- names of the configuration --- */

/* What `warren config show -o json` prints; NULL without a configuration that can be read. */
static json_object *read_config(const char *path)
{
    warren_config *config = NULL;
    char *text = NULL;
    json_object *root = NULL;
    if (!warren_config_open(&config, path, NULL) &&
        !warren_config_write(config, true, &text, NULL)) {
        root = json_tokener_parse(text);
    }
    free(text);
    warren_config_close(config);
    return root;
}

static void offer_types(const struct line *line, json_object *queue)
{
    json_object *jobs = json_object_object_get(queue, "jobs");
    size_t count = jobs ? json_object_array_length(jobs) : 0;
    const char *name = json_object_get_string(json_object_object_get(queue, "name"));
    for (size_t i = 0; i < count; i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        offer(line, json_object_get_string(json_object_object_get(job, "type")), name);
    }
}

static void offer_queue(const struct line *line, json_object *queue)
{
    offer(line, json_object_get_string(json_object_object_get(queue, "name")), NULL);
}

static void offer_dead_queue(const struct line *line, json_object *queue)
{
    char word[WORD_MOST];
    const char *name = json_object_get_string(json_object_object_get(queue, "name"));
    (void)snprintf(word, sizeof word, "%s.dead", name);
    offer(line, name, NULL);
    offer(line, word, NULL);
}

static void offer_names(const struct line *line,
                        void (*offer_one)(const struct line *line, json_object *queue))
{
    json_object *root = read_config(args_find_config(line->config));
    json_object *queues = root ? json_object_object_get(root, "queues") : NULL;
    size_t count = queues ? json_object_array_length(queues) : 0;
    for (size_t i = 0; i < count; i++) {
        offer_one(line, json_object_array_get_idx(queues, i));
    }
    (void)json_object_put(root);
}

static void offer_setting(void *user, const warren_config_option *option)
{
    offer(user, option->path, option->sentence);
}

static void offer_settings(struct line *line)
{
    (void)warren_config_options(NULL, offer_setting, line, NULL);
}

/* --- what a value may be --- */

static void offer_topics(const struct line *line)
{
    if (line->operands == 0) {
        offer_nouns(line);
        offer(line, "exit", "The exit codes.");
        offer(line, "environment", "The environment variables.");
    } else {
        offer_verbs(line, line->verb);
    }
}

static bool is_one_of(const char *name, const char *first, const char *second)
{
    return strcmp(name, first) == 0 || strcmp(name, second) == 0;
}

/* `name`: what the table calls it. */
static void offer_values(struct line *line, const char *name)
{
    bool is_dead = strcmp(line->noun, "dead") == 0;
    if (*name >= 'a' && *name <= 'z') {
        offer_choices(line, name);
    } else if (is_one_of(name, "FOLDER", "FILE|FOLDER") || strcmp(name, "FILE") == 0) {
        line->visit(line->user, COMPLETE_FILES, NULL);
    } else if (strcmp(name, "QUEUE") == 0) {
        offer_names(line, offer_queue);
        if (is_dead) {
            offer(line, "unrouted", "What could not be brought home.");
        }
    } else if (strcmp(name, "TARGET") == 0) {
        offer_names(line, offer_dead_queue);
    } else if (strcmp(name, "TYPE") == 0) {
        offer_names(line, offer_types);
    } else if (strcmp(name, "OPTION") == 0) {
        offer_settings(line);
    } else if (strcmp(name, "TOPIC") == 0) {
        offer_topics(line);
    }
}

/* The name of the argument at this place: "ID" of "QUEUE [ID]". One with dots stands for the rest. */
static void name_argument(char *out, size_t size, const struct command *command, size_t index)
{
    const char *at = command->arguments;
    *out = '\0';
    while (*at) {
        size_t length = strcspn(at, " ");
        bool is_list = length > 3 && strncmp(at + length - 3, "...", 3) == 0;
        if (index == 0 || is_list) {
            (void)snprintf(out, size, "%.*s", (int)strcspn(at + (*at == '['), "] ."),
                           at + (*at == '['));
            return;
        }
        index--;
        at += length + (at[length] == ' ');
    }
}

/* --- the line --- */

static const struct option_row *option_of(const struct command *command, const char *word)
{
    size_t cursor = 0;
    const struct option_row *row;
    size_t size = strcspn(word, "=");
    while ((row = command_option(command, &cursor))) {
        bool is_long = size > 2 && strncmp(word, "--", 2) == 0 && strlen(row->name) == size - 2 &&
                       strncmp(word + 2, row->name, size - 2) == 0;
        if (is_long || (word[0] == '-' && row->letter && word[1] == row->letter && !word[2])) {
            return row;
        }
    }
    return NULL;
}

static void note_config(struct line *line, const struct option_row *row, const char *value)
{
    if (row->letter == 'c' && strcmp(row->name, "config") == 0) {
        line->config = value;
    }
}

static void read_word(struct line *line, const char *word)
{
    const struct option_row *row = NULL;
    if (line->pending) {
        note_config(line, line->pending, word);
        line->pending = NULL;
    } else if (line->is_only_operands || word[0] != '-' || !word[1]) {
        line->verb = line->operands++ == 0 && !line->command->verb ? word : line->verb;
    } else if (strcmp(word, "--") == 0) {
        line->is_only_operands = true;
    } else if ((row = option_of(line->command, word)) && row->argument) {
        const char *value = strchr(word, '=');
        line->pending = value ? NULL : row;
        if (value) {
            note_config(line, row, value + 1);
        }
    }
}

/* bash breaks words at "=": "--type", "=", "x". The sign is left out, and what follows one that stands
 * in a value, too. Gives how many words are left. */
static size_t join(const char **out, const char *const *words, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(words[i], "=") != 0) {
            out[left++] = words[i];
        } else if (strncmp(words[i - 1], "--", 2) == 0 && i + 1 == count) {
            out[left++] = "";
        } else if (strncmp(words[i - 1], "--", 2) != 0) {
            i++;
        }
    }
    return left;
}

static void offer_next(struct line *line)
{
    char name[64];
    const char *equals = strchr(line->current, '=');
    const struct option_row *row =
        equals && !line->is_only_operands ? option_of(line->command, line->current) : NULL;
    if (line->pending) {
        offer_values(line, line->pending->argument);
    } else if (row && row->argument) {
        line->lead = (size_t)(equals - line->current) + 1;
        offer_values(line, row->argument);
    } else if (line->current[0] == '-' && !line->is_only_operands) {
        offer_options(line);
    } else if (line->operands < (size_t)line->command->most) {
        name_argument(name, sizeof name, line->command, line->operands);
        offer_values(line, name);
    }
}

static void complete(struct line *line, const char *const *words, size_t count)
{
    line->current = words[count - 1];
    if (count == 1) {
        offer_nouns(line);
        offer(line, "--help", "Show all commands.");
        offer(line, "--version", "Show the version.");
        return;
    }
    line->noun = words[0];
    line->command = help_find(words[0], count > 2 ? words[1] : NULL);
    if (!line->command) {
        if (count == 2) {
            offer_verbs(line, line->noun);
        }
        return;
    }
    for (size_t i = line->command->verb ? 2 : 1; i + 1 < count; i++) {
        read_word(line, words[i]);
    }
    offer_next(line);
}

void complete_words(const char *const *words, size_t count, complete_visitor *visit, void *user)
{
    struct line line = { .visit = visit, .user = user };
    const char **joined = calloc(count + 1, sizeof *joined);
    if (!joined) {
        return;
    }
    size_t left = join(joined, words, count);
    if (left) {
        complete(&line, joined, left);
    }
    free((void *)joined);
}
