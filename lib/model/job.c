// SPDX-License-Identifier: MIT
// DESIGN: what a delivery becomes. Decoding never refuses: strangers can send anything, and what
// can't be taken must still travel to the dead queue whole, so a condemned job is a job like any
// other, with its verdict given already. The order of the checks is the order in which things can
// be trusted: first the shape of the headers, then the bookkeeping in them, then the type, then the
// limits that the type's owner set.
#include "model/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/random.h"
#include "model/uuid.h"

enum { TEXT_MOST = 500, OWN_HEADERS_MOST = 8192 + 512, CARRIED_SLACK = 512, TABLE_DEPTH = 8 };

struct kept_string {
    struct wr_link link;
    char text[];
};

const char *wr_job_keep(struct warren_job *job, struct wr_slice slice)
{
    struct kept_string *kept = malloc(sizeof *kept + slice.size + 1);
    if (!kept) {
        return "";
    }
    if (slice.size) {
        memcpy(kept->text, slice.data, slice.size);
    }
    kept->text[slice.size] = '\0';
    wr_list_push(&job->strings, &kept->link);
    return kept->text;
}

/* Ends a longer text within what the history has room for, not in the middle of a character. */
static void cut_text(char *text, size_t size)
{
    if (size <= TEXT_MOST) {
        return;
    }
    size_t end = TEXT_MOST - 3;
    for (int i = 0; i < 3 && ((unsigned char)text[end] & 0xC0) == 0x80; i++) {
        end--;
    }
    memcpy(text + end, "...", 4);
}

void wr_job_say(struct warren_job *job, const char *format, va_list args)
{
    char raw[TEXT_MOST + 2];
    int wanted = vsnprintf(raw, sizeof raw, format, args);
    if (wanted > 0) {
        cut_text(raw, (size_t)wanted);
    }
    struct wr_text text = { 0 };
    struct wr_slice said = wr_slice_of(raw);
    if (wr_text_is_utf8(said)) {
        wr_text_add(&text, said.data, said.size);
    } else {
        wr_text_add_json(&text, said);
        cut_text(text.data, text.size); /* escapes have made it longer */
    }
    free(job->text);
    job->text = wr_text_take(&text);
}

void wr_job_condemn(struct warren_job *job, const char *reason, const char *format, ...)
{
    if (job->reason) {
        return;
    }
    va_list args;
    va_start(args, format);
    wr_job_say(job, format, args);
    va_end(args);
    job->reason = reason;
    job->verdict = WARREN_DEAD;
}

static void check_headers(struct warren_job *job, const struct wr_settings *settings)
{
    WR_UNCLEARED warren_error err;
    wr_error_clear(&err);
    struct wr_table_limits limits = { 0, TABLE_DEPTH };
    if (wr_table_check(job->message->headers, limits, &err)) {
        const char *reason = strstr(err.text, "too deep") ? "headers_too_large" : "bad_message";
        wr_job_condemn(job, reason, "%s", err.text);
        return;
    }
    if (wr_bookkeeping_read(job->message->headers, &job->books, &err)) {
        wr_job_condemn(job, "bad_message", "%s", err.text);
    }
    const struct wr_bookkeeping *books = &job->books;
    if (books->foreign_count > (size_t)settings->headers_most) {
        wr_job_condemn(job, "headers_too_large", "%zu headers, at most %d are taken",
                       books->foreign_count, settings->headers_most);
    }
    size_t most = (size_t)settings->headers_bytes; /* CC and such get longer names on their way */
    if (books->foreign_bytes > most || books->carried_bytes > most + CARRIED_SLACK ||
        books->own_bytes > OWN_HEADERS_MOST) {
        wr_job_condemn(job, "headers_too_large", "%zu bytes of headers, at most %lld are taken",
                       books->foreign_bytes + books->carried_bytes + books->own_bytes,
                       (long long)settings->headers_bytes);
    }
}

/* DESIGN section 6: property, header, routing key through a jobs exchange, the queue's default. */
static struct wr_slice find_type(const struct warren_job *job, const struct wr_job_rules *rules)
{
    const struct wr_message *message = job->message;
    if ((message->present & WR_TYPE) && message->type.size) {
        return message->type;
    }
    if (job->books.type.size) {
        return job->books.type;
    }
    if (message->key.size && wr_slice_equals(message->exchange, rules->jobs_exchange)) {
        return message->key;
    }
    return wr_slice_of(rules->queue->default_type);
}

static void set_id(struct warren_job *job, int64_t wall_ms)
{
    if ((job->message->present & WR_MESSAGE_ID) && job->message->message_id.size) {
        job->id = job->message->message_id;
        return;
    }
    uint64_t random[2] = { wr_random(), wr_random() };
    wr_uuid_write(job->made_id, wall_ms, random);
    job->id = wr_slice_of(job->made_id);
}

struct warren_job *wr_job_decode(struct wr_message *message, const struct wr_job_rules *rules,
                                 int64_t wall_ms)
{
    struct warren_job *job = calloc(1, sizeof *job);
    if (!job) {
        return NULL;
    }
    job->message = message;
    job->queue = rules->queue;
    job->received_wall_ms = wall_ms;
    job->delay_ms = -1;
    atomic_init(&job->open_publishes, 1);
    set_id(job, wall_ms);
    if (message->body.size > (size_t)rules->settings->body_most) { /* it had to be read: broker.h */
        wr_job_condemn(job, "body_too_large", "%zu bytes of body, at most %lld are taken",
                       message->body.size, (long long)rules->settings->body_most);
    }
    if (message->present & WR_HEADERS) {
        check_headers(job, rules->settings);
    }
    job->type = find_type(job, rules);
    if (!job->type.size) {
        wr_job_condemn(job, "unknown_type",
                       "the message says no type: neither property type, nor header " WR_H_TYPE
                       ", nor did it come through exchange %.*s, and the queue has no default_type",
                       WR_SLICE(rules->jobs_exchange));
    }
    return job;
}

void wr_job_free(struct warren_job *job)
{
    if (!job) {
        return;
    }
    for (struct wr_link *link; (link = wr_list_take(&job->strings));) {
        free(WR_OF(link, struct kept_string, link));
    }
    wr_json_free(job->json);
    wr_span_free(job->span);
    free(job->text);
    free(job);
}

bool wr_job_policy(const struct warren_job *job, struct wr_retry_policy *out, warren_error *err)
{
    *out = job->settings->retry;
    if (job->books.max_attempts > WR_RETRY_ATTEMPTS_MOST) {
        (void)wr_fail(err, WARREN_INVALID, "header %s is %lld, at most %d are taken",
                      WR_H_MAX_ATTEMPTS, (long long)job->books.max_attempts,
                      WR_RETRY_ATTEMPTS_MOST);
        return false;
    }
    if (job->books.max_attempts > 0) {
        out->attempts = (int)job->books.max_attempts;
    }
    if (job->books.backoff.size && !wr_retry_parse(job->books.backoff, out)) {
        (void)wr_fail(
            err, WARREN_INVALID,
            "header %s is not a backoff; want \"exponential 1s 2.0 10m\", \"fixed 30s\" or "
            "\"list 5s 1m\"",
            WR_H_BACKOFF);
        return false;
    }
    return true;
}

/* --- the public view --- */

/* Public accessors take a const job, but may make a NUL-terminated copy inside it. */
static const char *string_of(const struct warren_job *job, enum wr_property bit,
                             struct wr_slice slice)
{
    if (!(job->message->present & bit) || !slice.size) {
        return "";
    }
    return wr_job_keep((struct warren_job *)(uintptr_t)job, slice);
}

const char *warren_job_id(const warren_job *job)
{
    return job->made_id[0] ? job->made_id
                           : wr_job_keep((struct warren_job *)(uintptr_t)job, job->id);
}

const char *warren_job_type(const warren_job *job)
{
    return job->settings ? job->settings->type : "";
}

const char *warren_job_queue(const warren_job *job)
{
    return job->queue->name;
}

int warren_job_attempt(const warren_job *job)
{
    return (int)job->books.attempt + 1;
}

int warren_job_max_attempts(const warren_job *job)
{
    struct wr_retry_policy policy;
    return wr_job_policy(job, &policy, NULL) ? policy.attempts : job->settings->retry.attempts;
}

int warren_job_snoozes(const warren_job *job)
{
    return (int)job->books.snoozes;
}

bool warren_job_redelivered(const warren_job *job)
{
    return job->redelivered;
}

int64_t warren_job_enqueued_ms(const warren_job *job)
{
    if (job->books.enqueued_ms) {
        return job->books.enqueued_ms;
    }
    bool is_said = job->message->present & WR_TIMESTAMP;
    uint64_t said_s = is_said ? job->message->timestamp : 0;
    return said_s <= (uint64_t)(INT64_MAX / 1000) ? (int64_t)said_s * 1000 : 0;
}

bool warren_job_cancelled(const warren_job *job)
{
    if (job->drains && atomic_load_explicit(job->drains, memory_order_relaxed)) {
        return true;
    }
    return job->deadline_us && wr_clock_mono_us(job->clock) >= job->deadline_us;
}

const void *warren_job_body(const warren_job *job, size_t *out_size)
{
    if (out_size) {
        *out_size = job->message->body.size;
    }
    return job->message->body.data;
}

const char *warren_job_content_type(const warren_job *job)
{
    return string_of(job, WR_CONTENT_TYPE, job->message->content_type);
}

const char *warren_job_correlation_id(const warren_job *job)
{
    return string_of(job, WR_CORRELATION_ID, job->message->correlation_id);
}

const char *warren_job_reply_to(const warren_job *job)
{
    return string_of(job, WR_REPLY_TO, job->message->reply_to);
}

const char *warren_job_header(const warren_job *job, const char *name, size_t *out_size)
{
    struct wr_field field;
    struct wr_slice value;
    if (!wr_table_find(job->message->headers, name, &field) || !wr_field_string(&field, &value)) {
        return NULL;
    }
    if (out_size) {
        *out_size = value.size;
    }
    return value.data;
}

bool warren_job_header_int(const warren_job *job, const char *name, int64_t *out)
{
    struct wr_field field;
    return wr_table_find(job->message->headers, name, &field) && wr_field_int(&field, out);
}

warren_verdict warren_retry(warren_job *job, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    wr_job_say(job, format, args);
    va_end(args);
    job->delay_ms = -1;
    return WARREN_RETRY;
}

warren_verdict warren_retry_after(warren_job *job, int64_t delay_ms, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    wr_job_say(job, format, args);
    va_end(args);
    job->delay_ms = delay_ms > 0 ? delay_ms : 0;
    return WARREN_RETRY;
}

warren_verdict warren_dead(warren_job *job, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    wr_job_say(job, format, args);
    va_end(args);
    return WARREN_DEAD;
}

warren_verdict warren_discard(warren_job *job, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    wr_job_say(job, format, args);
    va_end(args);
    return WARREN_DISCARD;
}

warren_verdict warren_snooze(warren_job *job, int64_t delay_ms)
{
    job->delay_ms = delay_ms > 0 ? delay_ms : 0;
    return WARREN_SNOOZE;
}
