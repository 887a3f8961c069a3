/* SPDX-License-Identifier: MIT */
/*
 * What is wrong between two things that should agree, as lines for people: what, where, got, want, and
 * what to do next.
 */
#ifndef FINDINGS_H
#define FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum { FINDINGS_MOST = 200 };

struct findings {
    char **lines; /* owned */
    size_t count;
    size_t left_out; /* beyond FINDINGS_MOST */
    bool failed;     /* no memory */
};

/** Notes one: "where: got …, want …; next". `got` and `want` are formatted by the caller. */
void findings_add(struct findings *findings, const char *where, const char *got, const char *want,
                  const char *next);

/** Writes a text of up to 511 bytes to `out` and gives it back: for the arguments of findings_add. */
enum { FINDING_TEXT = 512 };
const char *finding_text(char out[FINDING_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void findings_done(struct findings *findings);

#endif
