// SPDX-License-Identifier: MIT
// DESIGN: what rows about messages ask for again and again: what stands in the dead queue and why, and
// whether the worker was calm. Dead letters are read with the library's own API, as an operator's
// command does it.
#include "letters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field_inside.h"

enum { READY_MS = 30000 };

typedef void letters_judge(struct field *field, const warren_dead_letter *letter,
                           const void *wanted);

struct reading {
    struct field *field;
    letters_judge *judge;
    const void *wanted;
    size_t count;
};

static bool read_letter(const warren_dead_letter *letter, void *user)
{
    struct reading *reading = user;
    reading->count++;
    reading->judge(reading->field, letter, reading->wanted);
    return true;
}

static warren_admin *open_admin(const char *config)
{
    warren_error err = { .status = WARREN_OK };
    warren_admin *admin = NULL;
    if (warren_admin_open(&admin, config, &err)) {
        (void)fprintf(stderr, "no admin: %s\n", err.text);
        exit(1);
    }
    return admin;
}

/* Judges each dead letter of the queue "work"; returns how many there are. */
size_t letters_read(struct field *field, const char *config, letters_judge *judge,
                    const void *wanted)
{
    warren_error err = { .status = WARREN_OK };
    struct reading reading = { field, judge, wanted, 0 };
    warren_dead_filter filter = { .queue = "work" };
    warren_admin *admin = open_admin(config);
    warren_status rc = warren_dead_each(admin, &filter, read_letter, &reading, &err);
    field_expect(field, !rc, "the dead letters cannot be read: %s", err.text);
    warren_admin_close(admin);
    return reading.count;
}

void letters_judge_plain(struct field *field, const warren_dead_letter *letter, const void *wanted)
{
    const struct letters_wanted *want = wanted;
    bool has_words = !want->words || strstr(letter->error, want->words);
    field_expect(field, strcmp(letter->reason, want->reason) == 0, "%s is dead by %s, not by %s",
                 letter->id, letter->reason, want->reason);
    field_expect(field, has_words, "%s: '%.80s' has no '%s'", letter->id, letter->error,
                 want->words);
    field_expect(field, letter->attempts == want->attempts, "%s has %d attempts, not %d",
                 letter->id, letter->attempts, want->attempts);
    field_expect(field, letter->error_count == want->errors, "%s has %zu errors, not %zu",
                 letter->id, letter->error_count, want->errors);
}

struct wanted_depth {
    struct field *field;
    const char *queue;
    int64_t least;
};

static bool has_depth(void *user)
{
    const struct wanted_depth *wanted = user;
    return field_depth(wanted->field, wanted->queue) >= wanted->least;
}

bool letters_wait(struct field *field, int64_t count, int deadline_ms)
{
    struct wanted_depth wanted = { field, "work.dead", count };
    bool holds = field_wait(field, has_depth, &wanted, deadline_ms);
    return field_expect(field, holds, "%" PRId64 " dead letters after %d ms, not %" PRId64,
                        field_depth(field, "work.dead"), deadline_ms, count);
}

void letters_replay(struct field *field, const char *config, size_t wanted)
{
    warren_error err = { .status = WARREN_OK };
    warren_dead_filter filter = { .queue = "work" };
    warren_admin *admin = open_admin(config);
    size_t count = 0;
    warren_status rc = warren_dead_replay(admin, &filter, NULL, NULL, &count, &err);
    field_expect(field, !rc && count == wanted, "%zu of %zu were replayed: %s", count, wanted,
                 rc ? err.text : "no more were there");
    warren_admin_close(admin);
}

struct field_process *letters_worker(struct field *field, const struct field_worker *how)
{
    struct field_process *worker = field_worker(field, how);
    (void)field_wait_gauge(field, worker, "ready", 1, 1, READY_MS);
    return worker;
}

/* Whatever the messages were, the worker was never shaken by them, and asked for each just once. */
void letters_expect_calm(struct field *field, const struct field_process *worker, int64_t received)
{
    field_expect(field, field_gauge(worker, "connections") == 1, "the worker lost its connection");
    field_expect(field, !field_gauge(worker, "redelivered"), "%" PRId64 " were delivered again",
                 field_gauge(worker, "redelivered"));
    field_expect(field, field_gauge(worker, "received") == received,
                 "%" PRId64 " deliveries, not %" PRId64, field_gauge(worker, "received"), received);
    field_expect(field, !worker->restarts && !field_log_count(worker, "crash"),
                 "the worker crashed");
}
