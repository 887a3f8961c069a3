// SPDX-License-Identifier: MIT
// DESIGN: a walk over all jobs and their runs, once, when a row is over. A run that was cut off has no
// end and counts as running until its process writes no more lines, which is what a killed process
// does. Overlaps are beginnings and ends sorted by process and time.
#include "book_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edge {
    long pid;
    int64_t at_us;
    int step; /* 1: a run begins, -1: it ends */
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *left = a;
    const struct edge *right = b;
    if (left->pid != right->pid) {
        return left->pid < right->pid ? -1 : 1;
    }
    if (left->at_us != right->at_us) {
        return left->at_us < right->at_us ? -1 : 1;
    }
    return left->step - right->step; /* an end before a beginning at the same microsecond */
}

static bool is_of(const struct book *book, const struct run *run, const struct book_limits *limits)
{
    return !limits->type || strcmp(book->types[run->type].name, limits->type) == 0;
}

static size_t add_edges(const struct book *book, const struct entry *entry,
                        const struct book_limits *limits, struct edge *edges)
{
    size_t count = 0;
    for (const struct run *run = entry->first; run; run = run->next) {
        if (!is_of(book, run, limits)) {
            continue;
        }
        edges[count++] = (struct edge){ run->pid, run->began_us, 1 };
        if (run->ended_us) {
            edges[count++] = (struct edge){ run->pid, run->ended_us, -1 };
        }
    }
    return count;
}

static void sum_overlaps(const struct book *book, const struct book_limits *limits,
                         struct book_sum *out)
{
    struct edge *edges = book_need(calloc(2 * book->counts[BOOK_STARTED] + 1, sizeof *edges));
    size_t count = 0;
    for (size_t i = 0; i < book->slot_count; i++) {
        for (const struct entry *entry = book->slots[i]; entry; entry = entry->next) {
            count += add_edges(book, entry, limits, edges + count);
        }
    }
    qsort(edges, count, sizeof *edges, compare_edges);
    int now = 0;
    for (size_t i = 0; i < count; i++) {
        now = i && edges[i].pid != edges[i - 1].pid ? 0 : now;
        now += edges[i].step;
        out->at_once_most = now > out->at_once_most ? now : out->at_once_most;
        out->over_limit += limits->at_once && edges[i].step > 0 && now > limits->at_once;
    }
    free(edges);
}

/* The failure that a run of a later attempt follows: of the attempt before, by whatever process. */
static const struct run *failure_before(const struct entry *entry, const struct run *later)
{
    const struct run *found = NULL;
    for (const struct run *run = entry->first; run; run = run->next) {
        bool is_it = run->is_failed && run->attempt == later->attempt - 1;
        if (is_it && (!found || run->ended_us < found->ended_us)) {
            found = run;
        }
    }
    return found;
}

static bool is_early(const struct entry *entry, const struct run *run,
                     const struct book_limits *limits)
{
    const struct run *failure = failure_before(entry, run);
    int64_t latest_us = run->began_us + BOOK_TICK_US;
    if (entry->due_us && latest_us <= entry->due_us) {
        return true;
    }
    return limits->retry_least_us && failure &&
           latest_us <= failure->ended_us + limits->retry_least_us;
}

static int count_reruns(const struct entry *entry)
{
    int count = 0;
    for (const struct run *run = entry->first; run; run = run->next) {
        const struct run *other = entry->first;
        while (other != run && other->attempt != run->attempt) {
            other = other->next;
        }
        count += other != run;
    }
    return count;
}

static void sum_runs(const struct book *book, const struct entry *entry,
                     const struct book_limits *limits, struct book_sum *out)
{
    for (const struct run *run = entry->first; run; run = run->next) {
        if (is_of(book, run, limits)) {
            out->attempt_most = run->attempt > out->attempt_most ? run->attempt : out->attempt_most;
            out->over_attempts += limits->attempts && run->attempt > limits->attempts;
            out->early += is_early(entry, run, limits);
        }
    }
    out->reruns += (uint64_t)count_reruns(entry);
    if (entry->due_us && entry->first &&
        entry->first->began_us - entry->due_us > out->late_most_us) {
        out->late_most_us = entry->first->began_us - entry->due_us;
    }
}

static void sum_entry(const struct book *book, const struct entry *entry, struct book_sum *out)
{
    const struct book_job *job = &entry->job;
    int endings = job->done + job->dead;
    bool is_lost = book_is_open(book, entry);
    bool is_unexpected = endings && !job->attempted;
    out->lost += is_lost;
    out->unexpected += is_unexpected;
    out->duplicates += endings > 1 ? (uint64_t)(endings - 1) : 0;
    out->recovered += endings && job->attempted && !entry->parent && !job->is_confirmed;
    if (entry->answer_most_us > out->answer_most_us) {
        out->answer_most_us = entry->answer_most_us;
    }
    if (is_lost || is_unexpected) {
        (void)snprintf(out->example, sizeof out->example, "%s %s", is_lost ? "lost" : "unexpected",
                       entry->id);
    }
}

void book_close(const struct book *book, const struct book_limits *limits, struct book_sum *out)
{
    *out = (struct book_sum){ 0 };
    for (size_t i = 0; i < book->slot_count; i++) {
        for (const struct entry *entry = book->slots[i]; entry; entry = entry->next) {
            sum_entry(book, entry, out);
            sum_runs(book, entry, limits, out);
        }
    }
    sum_overlaps(book, limits, out);
}
