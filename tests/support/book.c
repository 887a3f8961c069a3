// SPDX-License-Identifier: MIT
// DESIGN: a table of jobs by id, each with a list of its runs in the order of the ledger. Counts are
// kept as lines come in, so that a row can wait for one of them; what needs a look at all runs
// (overlaps, early ones) is worked out once, in book_sum.c.
#include "book_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MOST = 8 };

static void give_up(const char *what, const char *which)
{
    (void)fprintf(stderr, "book: %s: %s\n", what, which);
    exit(1);
}

void *book_need(void *memory)
{
    if (!memory) {
        give_up("out of memory", "");
    }
    return memory;
}

struct book *book_new(void)
{
    struct book *book = book_need(calloc(1, sizeof *book));
    book->slot_count = 4096;
    book->slots = book_need(calloc(book->slot_count, sizeof *book->slots));
    return book;
}

static void free_entry(struct entry *entry)
{
    while (entry->first) {
        struct run *run = entry->first;
        entry->first = run->next;
        free(run);
    }
    free(entry->id);
    free(entry->parent);
    free(entry);
}

void book_free(struct book *book)
{
    if (!book) {
        return;
    }
    for (size_t i = 0; i < book->slot_count; i++) {
        while (book->slots[i]) {
            struct entry *entry = book->slots[i];
            book->slots[i] = entry->next;
            free_entry(entry);
        }
    }
    for (size_t i = 0; i < FILES_MOST; i++) {
        free(book->files[i].path);
    }
    free(book->slots);
    free(book);
}

/* --- the table ------------------------------------------------------------------------------------ */

static size_t slot_of(const struct book *book, const char *id)
{
    uint64_t hash = 1469598103934665603U;
    for (; *id; id++) {
        hash = (hash ^ (unsigned char)*id) * 1099511628211U;
    }
    return (size_t)(hash % book->slot_count);
}

static void grow(struct book *book)
{
    struct entry **old = book->slots;
    size_t count = book->slot_count;
    book->slot_count = count * 4;
    book->slots = book_need(calloc(book->slot_count, sizeof *book->slots));
    for (size_t i = 0; i < count; i++) {
        while (old[i]) {
            struct entry *entry = old[i];
            old[i] = entry->next;
            size_t slot = slot_of(book, entry->id);
            entry->next = book->slots[slot];
            book->slots[slot] = entry;
        }
    }
    free(old);
}

struct entry *book_entry(const struct book *book, const char *id)
{
    struct entry *entry = book->slots[slot_of(book, id)];
    while (entry && strcmp(entry->id, id) != 0) {
        entry = entry->next;
    }
    return entry;
}

static struct entry *find_or_add(struct book *book, const char *id)
{
    struct entry *entry = book_entry(book, id);
    if (entry) {
        return entry;
    }
    if (book->job_count++ > book->slot_count) {
        grow(book);
    }
    size_t slot = slot_of(book, id);
    entry = book_need(calloc(1, sizeof *entry));
    entry->id = book_need(strdup(id));
    entry->job.id = entry->id;
    entry->next = book->slots[slot];
    book->slots[slot] = entry;
    return entry;
}

static size_t tally_of(struct tally *tallies, size_t most, const char *name)
{
    for (size_t i = 0; i < most; i++) {
        if (!*tallies[i].name) {
            (void)snprintf(tallies[i].name, sizeof tallies[i].name, "%s", name);
        }
        if (strncmp(tallies[i].name, name, sizeof tallies[i].name - 1) == 0) {
            return i;
        }
    }
    give_up("too many different names", name);
    return 0;
}

static const struct tally *known(const struct tally *tallies, size_t most, const char *name)
{
    static const struct tally none;
    for (size_t i = 0; i < most && *tallies[i].name; i++) {
        if (strncmp(tallies[i].name, name, sizeof tallies[i].name - 1) == 0) {
            return &tallies[i];
        }
    }
    return &none;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static int64_t number(const char *word)
{
    return word ? strtoll(word, NULL, 10) : 0;
}

static void note_asked(struct book *book, struct entry *entry, char *words[])
{
    if (!entry->job.attempted++) {
        book->counts[BOOK_ATTEMPTED]++;
        entry->due_us = number(words[4]);
    }
    entry->asked_us = number(words[3]);
}

static void note_answer(struct entry *entry, const char *at)
{
    int64_t took_us = number(at) - entry->asked_us;
    if (entry->asked_us && took_us > entry->answer_most_us) {
        entry->answer_most_us = took_us;
    }
    entry->asked_us = 0;
}

static void note_confirmed(struct book *book, struct entry *entry, char *words[])
{
    note_answer(entry, words[2]);
    book->counts[BOOK_CONFIRMED] += !entry->job.is_confirmed;
    entry->job.is_confirmed = true;
}

static void note_unknown(struct book *book, struct entry *entry, char *words[])
{
    note_answer(entry, words[2]);
    book->counts[BOOK_UNKNOWN]++;
    entry->job.is_unknown = true;
}

static void note_refused(struct book *book, struct entry *entry, char *words[])
{
    note_answer(entry, words[2]);
    book->counts[BOOK_REFUSED]++;
    entry->job.is_refused = true;
}

static void note_promised(struct book *book, struct entry *entry, char *words[])
{
    (void)book; /* it counts when it ends */
    entry->job.attempted++;
    if (!entry->parent) {
        entry->parent = book_need(strdup(words[2]));
    }
}

static void note_started(struct book *book, struct entry *entry, char *words[])
{
    struct run *run = book_need(calloc(1, sizeof *run));
    run->type = tally_of(book->types, TYPES_MOST, words[2]);
    run->began_us = number(words[3]);
    run->pid = (long)number(words[4]);
    run->attempt = (int)number(words[5]);
    *(entry->last ? &entry->last->next : &entry->first) = run;
    entry->last = run;
    entry->job.started++;
    if (run->attempt > entry->job.attempt_most) {
        entry->job.attempt_most = run->attempt;
    }
    int returns = (int)number(words[6]);
    if (returns > entry->job.returns_most) {
        entry->job.returns_most = returns;
    }
    book->counts[BOOK_STARTED]++;
    book->types[run->type].count++;
}

/* The youngest run of that process which has no end yet. */
static struct run *open_run(const struct entry *entry, long pid)
{
    struct run *found = NULL;
    for (struct run *run = entry->first; run; run = run->next) {
        if (run->pid == pid && !run->ended_us) {
            found = run;
        }
    }
    return found;
}

static void end_run(struct book *book, struct entry *entry, char *words[], bool is_failed)
{
    struct run *run = open_run(entry, (long)number(words[4]));
    if (!run) {
        book->counts[BOOK_BROKEN]++;
        return;
    }
    run->ended_us = number(words[3]);
    run->is_failed = is_failed;
}

static void note_done(struct book *book, struct entry *entry, char *words[])
{
    end_run(book, entry, words, false);
    if (!entry->job.done++) {
        book->counts[BOOK_DONE]++;
        book->types[tally_of(book->types, TYPES_MOST, words[2])].ended++;
    }
}

static void note_failed(struct book *book, struct entry *entry, char *words[])
{
    end_run(book, entry, words, true);
    entry->job.failed++;
    book->counts[BOOK_FAILED]++;
}

struct kind {
    char letter;
    size_t words; /* at least, with the letter */
    void (*note)(struct book *book, struct entry *entry, char *words[]);
};

static const struct kind kinds[] = {
    { 'A', 5, note_asked },   { 'C', 3, note_confirmed }, { 'U', 4, note_unknown },
    { 'R', 4, note_refused }, { 'P', 5, note_promised },  { 'S', 6, note_started },
    { 'D', 5, note_done },    { 'F', 7, note_failed },
};

static size_t split(char *line, char *words[])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word && count < WORDS_MOST;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    return count;
}

void book_line(struct book *book, const char *line)
{
    char *words[WORDS_MOST + 1] = { NULL };
    char *copy = book_need(strdup(line));
    size_t count = split(copy, words);
    const struct kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (count >= kinds[i].words && words[0][0] == kinds[i].letter && !words[0][1]) {
            kind = &kinds[i];
        }
    }
    if (kind) {
        kind->note(book, find_or_add(book, words[1]), words);
    } else {
        book->counts[BOOK_BROKEN]++;
    }
    free(copy);
}

static long *offset_of(struct book *book, const char *path)
{
    for (size_t i = 0; i < FILES_MOST; i++) {
        if (!book->files[i].path) {
            book->files[i].path = book_need(strdup(path));
        }
        if (strcmp(book->files[i].path, path) == 0) {
            return &book->files[i].offset;
        }
    }
    give_up("too many ledgers", path);
    return NULL;
}

void book_read(struct book *book, const char *path)
{
    long *offset = offset_of(book, path);
    FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT) {
        return;
    }
    if (!file || fseek(file, *offset, SEEK_SET)) {
        give_up("cannot read", path);
    }
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, file)) > 0 && line[length - 1] == '\n') {
        line[length - 1] = '\0';
        *offset += length;
        book_line(book, line);
    }
    free(line);
    (void)fclose(file);
}

void book_dead(struct book *book, const char *id, const char *reason)
{
    book->counts[BOOK_DEAD]++;
    book->reasons[tally_of(book->reasons, REASONS_MOST, *reason ? reason : "none")].count++;
    if (*id) {
        find_or_add(book, id)->job.dead++;
    }
}

void book_forget_dead(struct book *book)
{
    book->counts[BOOK_DEAD] = 0;
    memset(book->reasons, 0, sizeof book->reasons);
    for (size_t i = 0; i < book->slot_count; i++) {
        for (struct entry *entry = book->slots[i]; entry; entry = entry->next) {
            entry->job.dead = 0;
        }
    }
}

/* --- questions ------------------------------------------------------------------------------------ */

bool book_is_open(const struct book *book, const struct entry *entry)
{
    if (entry->job.done || entry->job.dead) {
        return false;
    }
    if (entry->job.is_confirmed) {
        return true;
    }
    const struct entry *parent = entry->parent ? book_entry(book, entry->parent) : NULL;
    return parent && !parent->job.dead; /* a job whose messages fail is retried, and may end dead */
}

static uint64_t count_open(const struct book *book)
{
    uint64_t count = 0;
    for (size_t i = 0; i < book->slot_count; i++) {
        for (const struct entry *entry = book->slots[i]; entry; entry = entry->next) {
            count += book_is_open(book, entry);
        }
    }
    return count;
}

uint64_t book_count(const struct book *book, enum book_count what)
{
    return what == BOOK_OPEN ? count_open(book) : book->counts[what];
}

uint64_t book_dead_by(const struct book *book, const char *reason)
{
    return known(book->reasons, REASONS_MOST, reason)->count;
}

uint64_t book_started_of(const struct book *book, const char *type)
{
    return known(book->types, TYPES_MOST, type)->count;
}

uint64_t book_done_of(const struct book *book, const char *type)
{
    return known(book->types, TYPES_MOST, type)->ended;
}

bool book_find(const struct book *book, const char *id, struct book_job *out)
{
    const struct entry *entry = book_entry(book, id);
    if (entry) {
        *out = entry->job;
    }
    return entry;
}

void book_each(const struct book *book, book_visitor *visit, void *user)
{
    for (size_t i = 0; i < book->slot_count; i++) {
        for (const struct entry *entry = book->slots[i]; entry; entry = entry->next) {
            visit(&entry->job, user);
        }
    }
}
