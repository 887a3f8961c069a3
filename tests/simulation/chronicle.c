// SPDX-License-Identifier: MIT
// DESIGN: two histories are the same when every line is, times included; so one hash (FNV-1a) over
// all lines compares them. Formatting costs more than the history itself, so it is left out unless
// somebody looks.
#include "chronicle.h"

#include <stdarg.h>
#include <stdio.h>

#include "warren/worker.h"

static struct {
    const struct wr_clock *clock;
    bool prints;
    bool hashes;
    uint64_t hash;
} chronicle;

static void add(const char *line)
{
    if (chronicle.prints) {
        printf("  %9.3f %s\n", (double)wr_clock_mono_us(chronicle.clock) / 1e6, line);
    }
    for (const char *at = line; *at; at++) {
        chronicle.hash = (chronicle.hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    }
    int64_t now_us = wr_clock_mono_us(chronicle.clock);
    chronicle.hash = (chronicle.hash ^ (uint64_t)now_us) * UINT64_C(0x100000001b3);
}

static void take_log_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    chronicle_note("    log %d %s %s", level, event, fields);
}

void chronicle_begin(const struct wr_clock *clock, bool prints, bool hashes)
{
    chronicle.clock = clock;
    chronicle.prints = prints;
    chronicle.hashes = hashes;
    chronicle.hash = UINT64_C(0xcbf29ce484222325);
    warren_log_to(prints || hashes ? take_log_line : NULL, NULL, 3);
}

void chronicle_note(const char *format, ...)
{
    if (!chronicle.prints && !chronicle.hashes) {
        return;
    }
    char line[1200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    add(line);
}

uint64_t chronicle_hash(void)
{
    return chronicle.hash;
}

void chronicle_end(void)
{
    warren_log_to(NULL, NULL, 0);
    chronicle.prints = chronicle.hashes = false;
}
