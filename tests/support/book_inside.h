/* SPDX-License-Identifier: MIT */
/*
 * What book.c keeps and book_sum.c adds up: jobs, each with its runs. Threads: one.
 */
#ifndef TESTS_SUPPORT_BOOK_INSIDE_H
#define TESTS_SUPPORT_BOOK_INSIDE_H

#include "book.h"

enum { FILES_MOST = 16, REASONS_MOST = 32, TYPES_MOST = 32, WORD_BYTES = 96 };

struct run {
    struct run *next; /* of the same job */
    size_t type;      /* index into `types` */
    long pid;
    int attempt;
    bool is_failed;
    int64_t began_us;
    int64_t ended_us; /* 0: it has not */
};

struct entry {
    struct entry *next; /* of the same slot */
    char *id;
    char *parent;     /* of a job that a handler published */
    int64_t asked_us; /* the last A that has no answer yet; 0: none */
    int64_t due_us;
    int64_t answer_most_us;
    struct book_job job;
    struct run *first;
    struct run *last;
};

struct tally {
    char name[WORD_BYTES];
    uint64_t count;
    uint64_t ended;
};

struct book {
    struct entry **slots;
    size_t slot_count;
    size_t job_count;
    uint64_t counts[BOOK_COUNTS];
    struct tally reasons[REASONS_MOST];
    struct tally types[TYPES_MOST];
    struct {
        char *path;
        long offset;
    } files[FILES_MOST];
};

/** NULL when nobody ever spoke of it. */
struct entry *book_entry(const struct book *book, const char *id);

/** Confirmed or promised, and neither done nor dead. */
bool book_is_open(const struct book *book, const struct entry *entry);

/** Memory, or the end of the process. */
void *book_need(void *memory);

#endif
