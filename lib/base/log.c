// SPDX-License-Identifier: MIT
// DESIGN: one process-wide sink (the only writable global of the library, since a log line belongs
// to the process, not to a worker). It is set before threads start and read without a lock; the
// level and the limit may change while running. Whatever strangers sent, a line stays one line of
// limited length.
//
// A storm of lines of one event costs disk and hides all others, so each event has a rate of its own
// (base/rate). What it refuses is counted there, and told by whoever logs that event next, or by the
// flush of the watchdog when nobody does.
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rate.h"
#include "base/text.h"

enum { LINE_SIZE = 2048 };

static struct {
    _Atomic(wr_log_sink *) call;
    _Atomic(void *) user;
    atomic_int level;
    _Atomic uint32_t most; /* lines of an event a second; 0: all */
    _Atomic(const struct wr_clock *) clock;
    struct wr_rate rates[WR_LOG_EVENTS_MOST];
} sink;

void wr_log_to(wr_log_sink *call, void *user, enum wr_level level)
{
    atomic_store(&sink.user, user);
    atomic_store(&sink.level, (int)level);
    atomic_store(&sink.call, call);
}

void wr_log_set_level(enum wr_level level)
{
    atomic_store(&sink.level, (int)level);
}

void wr_log_limit(uint32_t most, const struct wr_clock *clock)
{
    atomic_store(&sink.clock, clock);
    atomic_store(&sink.most, most);
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

static void emit(enum wr_level level, const char *event, const char *fields)
{
    wr_log_sink *call = atomic_load(&sink.call);
    if (call) {
        call(atomic_load(&sink.user), (int)level, event, fields);
    }
}

/* --- the limit --- */

static void tell_left_out(const struct wr_log_event *event, uint32_t count)
{
    char fields[160];
    (void)snprintf(fields, sizeof fields, "of=%s lines=%lu window_ms=%d", event->name,
                   (unsigned long)count, (int)(WR_RATE_WINDOW_US / WR_US_PER_MS));
    if (wr_log_wants(event->level)) {
        emit(event->level, "log.left_out", fields);
    }
}

static struct wr_rate *rate_of(const struct wr_log_event *event)
{
    size_t count;
    return &sink.rates[event - wr_log_event_table(&count)];
}

static bool may_write(const char *name)
{
    uint32_t most = atomic_load_explicit(&sink.most, memory_order_relaxed);
    const struct wr_log_event *event = most ? wr_log_event_find(name) : NULL;
    if (!event) {
        return true;
    }
    uint32_t left_out = 0;
    bool may =
        wr_rate_take(rate_of(event), most, wr_clock_mono_us(atomic_load(&sink.clock)), &left_out);
    if (left_out) {
        tell_left_out(event, left_out);
    }
    return may;
}

void wr_log_flush(bool is_last)
{
    size_t count;
    const struct wr_log_event *events = wr_log_event_table(&count);
    uint32_t most = atomic_load_explicit(&sink.most, memory_order_relaxed);
    if (!most) {
        return;
    }
    int64_t now_us = wr_clock_mono_us(atomic_load(&sink.clock));
    for (size_t i = 0; i < count; i++) {
        uint32_t left_out = wr_rate_flush(&sink.rates[i], most, now_us, is_last);
        if (left_out) {
            tell_left_out(&events[i], left_out);
        }
    }
}

/* --- a line --- */

__attribute__((format(printf, 3, 0))) static void write_line(enum wr_level level, const char *event,
                                                             const char *format, va_list args)
{
    char raw[LINE_SIZE + 8]; /* longer than what is shown, so that showing it tells the cut */
    char fields[LINE_SIZE];
    (void)vsnprintf(raw, sizeof raw, format, args);
    (void)wr_text_show(fields, sizeof fields, wr_slice_of(raw), false);
    emit(level, event, fields);
}

void wr_log(enum wr_level level, const char *event, const char *format, ...)
{
    va_list args;
    if (wr_log_wants(level) && may_write(event)) {
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

const char *wr_log_word(char *out, unsigned long size, const char *text)
{
    bool is_plain = *text != '\0';
    for (const char *at = text; is_plain && *at; at++) {
        unsigned char byte = (unsigned char)*at;
        is_plain = byte > ' ' && byte != 0x7F && !strchr("\"'=\\", *at);
    }
    return is_plain ? text : wr_log_quote(out, size, text);
}
