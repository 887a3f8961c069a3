// SPDX-License-Identifier: MIT
// DESIGN: one process-wide sink (the only writable global of the library, since a log line belongs
// to the process, not to a worker). It is set before threads start and read without a lock; the
// level may change while running. Whatever strangers sent, a line stays one line of limited length.
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/text.h"

enum { LINE_SIZE = 2048 };

static struct {
    _Atomic(wr_log_sink *) call;
    _Atomic(void *) user;
    atomic_int level;
} sink;

void wr_log_to(wr_log_sink *call, void *user, enum wr_level level)
{
    atomic_store(&sink.user, user);
    atomic_store(&sink.level, (int)level);
    atomic_store(&sink.call, call);
}

bool wr_log_wants(enum wr_level level)
{
    return atomic_load_explicit(&sink.call, memory_order_relaxed) &&
           (int)level <= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

enum wr_level wr_log_level(void)
{
    return (enum wr_level)atomic_load(&sink.level);
}

void wr_log_set_level(enum wr_level level)
{
    atomic_store(&sink.level, (int)level);
}

static void write_line(enum wr_level level, const char *event, const char *format, va_list args)
{
    char raw[LINE_SIZE + 8]; /* longer than what is shown, so that showing it tells the cut */
    char fields[LINE_SIZE];
    (void)vsnprintf(raw, sizeof raw, format, args);
    (void)wr_text_show(fields, sizeof fields, wr_slice_of(raw), false);
    wr_log_sink *call = atomic_load(&sink.call);
    if (call) {
        call(atomic_load(&sink.user), (int)level, event, fields);
    }
}

void wr_log(enum wr_level level, const char *event, const char *format, ...)
{
    va_list args;
    if (wr_log_wants(level)) {
        va_start(args, format);
        write_line(level, event, format, args);
        va_end(args);
    }
}

void wr_log_asked(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(WR_INFO, event, format, args);
    va_end(args);
}

const char *wr_log_quote(char *out, unsigned long size, const char *text)
{
    return size < 8 ? "" : wr_text_quote(out, size, wr_slice_of(text));
}

const char *wr_level_name(enum wr_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    return names[level];
}
