// SPDX-License-Identifier: MIT
// DESIGN: one process-wide sink (the only writable global of the library, since a log line belongs
// to the process, not to a worker). It is set before threads start and read without a lock; the
// level may change while running.
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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

void wr_log(enum wr_level level, const char *event, const char *format, ...)
{
    if (!wr_log_wants(level)) {
        return;
    }
    char fields[LINE_SIZE];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(fields, sizeof fields, format, args);
    va_end(args);
    if (wanted >= (int)sizeof fields) {
        memcpy(fields + sizeof fields - 4, "...", 4);
    }
    wr_log_sink *call = atomic_load(&sink.call);
    if (call) {
        call(atomic_load(&sink.user), (int)level, event, fields);
    }
}

const char *wr_log_quote(char *out, unsigned long size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;
    if (size < 8) {
        return "";
    }
    out[used++] = '"';
    for (; *text && used + 6 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7F) {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[c >> 4];
            out[used++] = hex[c & 15];
            continue;
        }
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
        }
        out[used++] = (char)c;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}

const char *wr_level_name(enum wr_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    return names[level];
}
