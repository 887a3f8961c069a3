// SPDX-License-Identifier: MIT
// DESIGN: reads the arguments, plays the benches that were named (or all), tells each as soon as it is
// played, and all of them in files at the end. tests/bench/run builds this and gives it a broker; its
// usage stands there.
//
// Exit: 0 all goals met (with --short: all works), 1 one was missed or something failed, 2 usage.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "contest.h"
#include "report.h"
#include "side.h"
#include "stage.h"
#include "warren/warren.h"

enum { USAGE_EXIT = 2, ROUNDS = 5 };

struct request {
    struct contest_options options;
    const char *json;
    const char *svg;
    char **names; /* up to a NULL */
};

static _Noreturn void refuse(const char *what)
{
    (void)fprintf(stderr, "bench: %s: see tests/bench/run --help\n", what);
    exit(USAGE_EXIT);
}

static long number_behind(char ***word, long least, long most)
{
    char *end = NULL;
    const char *name = **word;
    const char *text = *++*word;
    long number = text ? strtol(text, &end, 10) : 0;
    if (!text || *end || number < least || number > most) {
        refuse(name);
    }
    return number;
}

static const char *text_behind(char ***word)
{
    const char *name = **word;
    if (!*++*word) {
        refuse(name);
    }
    return **word;
}

static struct request read_request(char **words)
{
    struct request request = { .options.rounds = ROUNDS, .names = words };
    char **name = words;
    for (char **word = words; *word; word++) {
        if (strcmp(*word, "--pairs") == 0) {
            request.options.rounds = (int)number_behind(&word, 1, ROUNDS_MOST);
        } else if (strcmp(*word, "--jobs") == 0) {
            request.options.jobs = number_behind(&word, 2, 100000000);
        } else if (strcmp(*word, "--json") == 0) {
            request.json = text_behind(&word);
        } else if (strcmp(*word, "--svg") == 0) {
            request.svg = text_behind(&word);
        } else if (strcmp(*word, "--short") == 0) {
            request.options.is_short = true;
        } else if (**word == '-') {
            refuse(*word);
        } else {
            *name++ = *word;
        }
    }
    *name = NULL;
    return request;
}

/* What --short stands for: enough to see every way that jobs take. */
static void make_short(struct contest_options *options)
{
    enum { SHORT_JOBS = 200 };
    options->rounds = 1;
    child_be_short();
    options->jobs = options->jobs ? options->jobs : SHORT_JOBS;
}

static bool is_wanted(const struct request *request, const char *name)
{
    for (char **wanted = request->names; *wanted; wanted++) {
        if (strcmp(*wanted, name) == 0) {
            return true;
        }
    }
    return !*request->names;
}

static void check_names(const struct request *request, const struct bench *list, size_t count)
{
    for (char **wanted = request->names; *wanted; wanted++) {
        size_t i = 0;
        while (i < count && strcmp(list[i].name, *wanted) != 0) {
            i++;
        }
        if (i == count) {
            refuse(*wanted);
        }
    }
}

static struct report_place find_place(void)
{
    struct report_place place = { .broker = stage_broker_version(),
                                  .library = warren_version(),
                                  .cores = sysconf(_SC_NPROCESSORS_ONLN) };
    time_t now = time(NULL);
    struct tm parts;
    (void)getloadavg(&place.load, 1);
    if (gmtime_r(&now, &parts)) {
        (void)strftime(place.date, sizeof place.date, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return place;
}

static struct outcome *play(struct bench *bench, const struct request *request)
{
    struct outcome *outcome = calloc(1, sizeof *outcome);
    if (!outcome) {
        side_give_up(bench->name, "out of memory");
    }
    contest_play(bench, &request->options, outcome);
    if (request->options.is_short) {
        report_short(outcome);
    } else {
        report_table(outcome);
    }
    return outcome;
}

static void write_files(const struct request *request, const struct report_place *place,
                        struct outcome *const *outcomes, size_t count)
{
    if (request->json) {
        report_json(request->json, place, outcomes, count);
    }
    if (request->svg) {
        report_svg(request->svg, place, outcomes, count);
    }
}

static bool play_all(const struct request *request, struct bench *list, size_t count)
{
    bool is_met = true;
    size_t played = 0;
    struct outcome **outcomes = calloc(count, sizeof *outcomes);
    struct report_place place = find_place();
    report_place(&place);
    for (size_t i = 0; outcomes && i < count; i++) {
        if (is_wanted(request, list[i].name)) {
            outcomes[played] = play(&list[i], request);
            is_met = contest_is_met(outcomes[played++]) && is_met;
        }
    }
    write_files(request, &place, outcomes, played);
    for (size_t i = 0; i < played; i++) {
        free(outcomes[i]);
    }
    free(outcomes);
    return is_met || request->options.is_short;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    struct request request = read_request(argv + (argc > 0));
    struct bench *list = benches(request.options.is_short, &count);
    check_names(&request, list, count);
    if (request.options.is_short) {
        make_short(&request.options);
    }
    stage_open();
    return play_all(&request, list, count) ? EXIT_SUCCESS : EXIT_FAILURE;
}
