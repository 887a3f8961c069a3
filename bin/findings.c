// SPDX-License-Identifier: MIT
// DESIGN: lines, not a type with members: they are told to people, in one form with the problems of a
// configuration.
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void findings_add(struct findings *findings, const char *where, const char *got, const char *want,
                  const char *next)
{
    if (findings->count == FINDINGS_MOST) {
        findings->left_out++;
        return;
    }
    if (!findings->lines) {
        findings->lines = calloc(FINDINGS_MOST, sizeof *findings->lines);
    }
    char *line = NULL;
    if (!findings->lines ||
        asprintf(&line, "%s: got %s, want %s; %s", where, got, want, next) < 0) {
        findings->failed = true;
        return;
    }
    findings->lines[findings->count++] = line;
}

const char *finding_text(char out[FINDING_TEXT], const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vsnprintf(out, FINDING_TEXT, format, values);
    va_end(values);
    return out;
}

void findings_done(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->lines[i]);
    }
    free(findings->lines);
    *findings = (struct findings){ 0 };
}
