// SPDX-License-Identifier: MIT
// DESIGN: who is whose parent. The context that a message carries is that of its creation, and stays
// as it is on every hop: a retry, a dead letter and a replay are the same message.
//
//     publish (producer) ◀──link── process, attempt 1 ◀──parent── settle
//      ▲     │           ◀──link── process, attempt 2 ◀──parent── settle, publish of the handler
//      │     └ traceparent of the message
//      └ parent: the caller's traceparent, or the span of the job whose handler publishes
//
// With trace.parent = "child" the processing spans are children of the publish, all in one trace; by
// default each is the root of a trace of its own that links to it, as OpenTelemetry's conventions for
// messaging have it. Whether a trace is recorded is decided at its root, by its id, and everyone
// after that respects the flag, over a link, too.
//
// Without a tracer a job costs one branch here. With one, what isn't sampled costs its ids only.
#include "engine/tracer.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/random.h"

enum { STOP_US = 400000 };

struct wr_tracer {
    const struct wr_settings *settings;
    const struct wr_clock *clock;
    struct wr_exporter *exporter;
};

/* --- ids --- */

static void make_span_id(struct wr_trace *trace)
{
    wr_span_id_make(trace->span, wr_random());
}

static struct wr_trace make_root(const struct wr_tracer *tracer)
{
    struct wr_trace root = { .flags = 0 };
    const uint64_t random[2] = { wr_random(), wr_random() };
    wr_trace_id_make(root.id, random);
    make_span_id(&root);
    root.flags = wr_trace_is_chosen(root.id, tracer->settings->trace_sample) ? WR_TRACE_SAMPLED : 0;
    return root;
}

static struct wr_trace make_child(const struct wr_trace *parent)
{
    struct wr_trace child = *parent;
    child.flags &= WR_TRACE_SAMPLED;
    make_span_id(&child);
    return child;
}

/* --- spans --- */

/* Begins a span, or gives NULL when its trace isn't sampled. */
static struct wr_span *begin(const struct wr_tracer *tracer, const struct wr_trace *trace,
                             enum wr_span_kind kind)
{
    if (!(trace->flags & WR_TRACE_SAMPLED)) {
        return NULL;
    }
    struct wr_span *span = wr_span_new(trace, kind);
    if (span) {
        span->start_us = wr_clock_mono_us(tracer->clock);
        span->start_wall_us = wr_clock_wall_us(tracer->clock);
    }
    return span;
}

static void end(struct wr_tracer *tracer, struct wr_span *span)
{
    span->took_us = wr_clock_mono_us(tracer->clock) - span->start_us;
    wr_exporter_push(tracer->exporter, span);
}

static void set_parent(struct wr_span *span, const struct wr_trace *parent)
{
    span->has_parent = true;
    memcpy(span->parent, parent->span, sizeof span->parent);
}

static void set_state(struct wr_span *span, struct wr_slice state)
{
    if (wr_tracestate_is_valid(state)) {
        wr_text_add(&span->state, state.data, state.size);
    }
}

/* What every span of messaging has: the operation, and where. `name` says the operation, too. */
static void describe(struct wr_span *span, const char *type, const char *name,
                     const struct wr_text *destination)
{
    struct wr_slice where = { destination->data, destination->size };
    wr_text_add_format(&span->name, "%s ", name);
    wr_text_add(&span->name, where.data, where.size);
    wr_span_add_string(span, "messaging.system", wr_slice_of("rabbitmq"));
    wr_span_add_string(span, "messaging.operation.type", wr_slice_of(type));
    wr_span_add_string(span, "messaging.operation.name", wr_slice_of(name));
    wr_span_add_string(span, "messaging.destination.name", where);
}

/* --- jobs --- */

/* exchange:type:queue, where the type is the routing key of the publish. What the delay ladder makes
 * of exchange and key differs with each wait and isn't told. */
static void write_destination(struct wr_text *out, const struct warren_job *job, const char *ns)
{
    const char *exchange = job->queue->exchange;
    struct wr_slice queue = wr_slice_of(job->queue->name);
    if (exchange && *exchange) {
        wr_text_add_string(out, exchange);
    } else {
        wr_text_add_format(out, "%s.jobs", ns);
    }
    if (job->settings && !wr_slice_is(queue, job->settings->type)) {
        wr_text_add_format(out, ":%s", job->settings->type);
    }
    wr_text_add_string(out, ":");
    wr_text_add(out, queue.data, queue.size);
}

static void describe_job(const struct wr_tracer *tracer, struct wr_span *span,
                         const struct warren_job *job, const char *type, const char *name)
{
    struct wr_text destination = { 0 };
    const struct wr_message *message = job->message;
    write_destination(&destination, job, tracer->settings->ns);
    describe(span, type, name, &destination);
    wr_text_done(&destination);
    wr_span_add_string(span, "messaging.message.id", job->id);
    if (message->present & WR_CORRELATION_ID) {
        wr_span_add_string(span, "messaging.message.conversation_id", message->correlation_id);
    }
    wr_span_add_string(span, "messaging.rabbitmq.destination.routing_key", message->key);
    wr_span_add_int(span, "messaging.rabbitmq.message.delivery_tag", (int64_t)job->tag);
    wr_span_add_string(span, "warren.job.type", job->type);
    wr_span_add_int(span, "warren.job.attempt", job->books.attempt + 1);
}

/* Puts the job into a trace, next to the one of its message. */
static void enter(const struct wr_tracer *tracer, struct warren_job *job)
{
    struct wr_trace origin;
    bool has_origin = wr_trace_read(job->books.traceparent, &origin);
    bool is_child = has_origin && tracer->settings->trace_as_child;
    job->trace = is_child ? make_child(&origin) : make_root(tracer);
    if (has_origin) {
        job->trace.flags = origin.flags & WR_TRACE_SAMPLED;
    }
    job->is_traced = true;
}

static void relate(const struct wr_tracer *tracer, struct wr_span *span,
                   const struct warren_job *job)
{
    struct wr_trace origin;
    if (!wr_trace_read(job->books.traceparent, &origin)) {
        return;
    }
    if (tracer->settings->trace_as_child) {
        set_parent(span, &origin);
    } else {
        span->has_linked = true;
        span->linked = origin;
    }
    set_state(span, job->books.tracestate);
}

void wr_tracer_begin(struct wr_tracer *tracer, struct warren_job *job)
{
    if (!tracer) {
        return;
    }
    enter(tracer, job);
    job->span = begin(tracer, &job->trace, WR_SPAN_CONSUMER);
    if (job->span) {
        relate(tracer, job->span, job);
        describe_job(tracer, job->span, job, "process", "process");
    }
}

static const char *outcome_of(warren_verdict verdict)
{
    static const char *const words[] = { "done", "retry", "dead", "discard", "snooze" };
    return verdict >= WARREN_DONE && verdict <= WARREN_SNOOZE ? words[verdict] : "bad_verdict";
}

void wr_tracer_end(struct wr_tracer *tracer, struct warren_job *job)
{
    struct wr_span *span = job->span;
    if (!span) {
        return;
    }
    const char *outcome = outcome_of(job->verdict);
    bool failed = job->verdict != WARREN_DONE && job->verdict != WARREN_SNOOZE &&
                  job->verdict != WARREN_DISCARD;
    job->span = NULL;
    wr_span_add_string(span, "warren.job.outcome", wr_slice_of(outcome));
    if (failed) {
        wr_span_fail(span, outcome, job->text);
    }
    end(tracer, span);
}

/* What settling means to the broker. */
static const char *settling_of(const struct warren_job *job)
{
    switch (job->settle) {
    case WR_SETTLE_REQUEUE:
        return "requeue";
    case WR_SETTLE_LEAVE:
        return "leave";
    case WR_SETTLE_ACK:
        break;
    }
    switch (job->verdict) {
    case WARREN_RETRY:
        return "retry";
    case WARREN_SNOOZE:
        return "snooze";
    case WARREN_DONE:
    case WARREN_DISCARD:
        return "ack";
    case WARREN_DEAD:
        break;
    }
    return "dead_letter";
}

void wr_tracer_conclude(struct wr_tracer *tracer, struct warren_job *job)
{
    if (!tracer) {
        return;
    }
    struct wr_trace trace;
    bool was_run = job->is_traced;
    if (!was_run) { /* what was condemned unread settles in a trace of its own */
        enter(tracer, job);
    }
    trace = was_run ? make_child(&job->trace) : job->trace;
    job->span = begin(tracer, &trace, WR_SPAN_CLIENT);
    if (!job->span) {
        return;
    }
    if (was_run) {
        set_parent(job->span, &job->trace);
    } else {
        relate(tracer, job->span, job);
    }
}

void wr_tracer_settle(struct wr_tracer *tracer, struct warren_job *job)
{
    struct wr_span *span = job->span;
    if (!span) {
        return;
    }
    job->span = NULL;
    describe_job(tracer, span, job, "settle", settling_of(job));
    if (job->reason) {
        wr_span_add_string(span, "warren.job.dead_reason", wr_slice_of(job->reason));
    }
    end(tracer, span);
}

/* --- messages --- */

static const char *header_of(const warren_message *message, const char *name)
{
    for (size_t i = 0; message->headers && i < message->header_count; i++) {
        const warren_header *header = &message->headers[i];
        if (header->name && strcmp(header->name, name) == 0) {
            return header->value ? header->value : "";
        }
    }
    return NULL;
}

static struct wr_slice job_header(const struct warren_job *job, const char *name)
{
    struct wr_field field;
    struct wr_slice value = { 0 };
    if ((job->message->present & WR_HEADERS) &&
        wr_table_find(job->message->headers, name, &field)) {
        (void)wr_field_string(&field, &value);
    }
    return value;
}

static void carry(struct wr_tracing *out, const struct wr_trace *trace)
{
    wr_trace_write(trace, out->parent);
    out->carried.parent = wr_slice_of(out->parent);
}

/* Nothing is traced here: the job's context goes on as it came. */
static void pass_on(const struct warren_job *job, struct wr_tracing *out)
{
    struct wr_trace origin;
    if (job && wr_trace_read(job->books.traceparent, &origin)) {
        carry(out, &origin);
        out->carried.state = job->books.tracestate;
        out->carried.baggage = job_header(job, WR_H_BAGGAGE);
    }
}

void wr_tracer_compose(struct wr_tracer *tracer, const struct warren_job *job,
                       const warren_message *message, struct wr_tracing *out)
{
    *out = (struct wr_tracing){ 0 };
    const char *given = header_of(message, WR_H_TRACEPARENT); /* the caller's stays as it is */
    if (!tracer) {
        if (!given) {
            pass_on(job, out);
        }
        return;
    }
    struct wr_trace parent;
    struct wr_trace trace;
    bool is_given = given && wr_trace_read(wr_slice_of(given), &parent);
    bool has_parent = is_given || (job && job->is_traced);
    if (!is_given && has_parent) {
        parent = job->trace;
    }
    trace = has_parent ? make_child(&parent) : make_root(tracer);
    out->ns = tracer->settings->ns;
    out->span = begin(tracer, &trace, WR_SPAN_PRODUCER);
    if (out->span && has_parent) {
        set_parent(out->span, &parent);
    }
    if (!given) {
        carry(out, &trace);
    }
    if (job && !given && tracer->settings->trace_as_child) { /* of the same trace */
        out->carried.state = job->books.tracestate;
    }
    if (job) {
        out->carried.baggage = job_header(job, WR_H_BAGGAGE);
    }
}

struct wr_span *wr_tracing_take(struct wr_tracing *tracing, const struct wr_parcel *parcel,
                                const warren_message *message)
{
    struct wr_span *span = tracing->span;
    tracing->span = NULL;
    if (!span) {
        return NULL;
    }
    struct wr_text destination = { 0 };
    if (message->exchange) {
        wr_text_add_format(&destination, "%s:%s", message->exchange, message->type);
    } else { /* also when it is delayed: the ladder isn't where it is to go */
        wr_text_add_format(&destination, "%s.jobs:%s", tracing->ns, message->type);
    }
    describe(span, "send", "publish", &destination);
    wr_text_done(&destination);
    wr_span_add_string(span, "messaging.message.id", parcel->message.message_id);
    wr_span_add_string(span, "messaging.message.conversation_id", parcel->message.correlation_id);
    wr_span_add_string(span, "messaging.rabbitmq.destination.routing_key",
                       wr_slice_of(parcel->key));
    wr_span_add_string(span, "warren.job.type", wr_slice_of(message->type));
    return span;
}

void wr_tracing_drop(struct wr_tracing *tracing)
{
    wr_span_free(tracing->span);
    tracing->span = NULL;
}

void wr_tracer_published(struct wr_tracer *tracer, struct wr_span *span, warren_status status,
                         const char *text)
{
    if (status) {
        wr_span_fail(span, warren_status_name(status), text);
    }
    end(tracer, span);
}

/* --- life --- */

warren_status wr_tracer_new(struct wr_tracer **out, const struct wr_settings *settings,
                            const struct wr_clock *clock, const char *name, warren_error *err)
{
    *out = NULL;
    if (!settings->trace_endpoint || !*settings->trace_endpoint) {
        return WARREN_OK;
    }
    struct wr_tracer *tracer = calloc(1, sizeof *tracer);
    if (!tracer) {
        return wr_no_memory(err);
    }
    bool is_named = settings->trace_service && *settings->trace_service;
    struct wr_exporter_options options = {
        .endpoint = settings->trace_endpoint,
        .resource = { is_named ? settings->trace_service : "warren", name },
    };
    tracer->settings = settings;
    tracer->clock = clock;
    warren_status rc = wr_exporter_new(&tracer->exporter, &options, err);
    if (rc) {
        free(tracer);
        return rc;
    }
    *out = tracer;
    return WARREN_OK;
}

warren_status wr_tracer_start(struct wr_tracer *tracer, warren_error *err)
{
    return tracer ? wr_exporter_start(tracer->exporter, err) : WARREN_OK;
}

struct wr_exporter *wr_tracer_exporter(const struct wr_tracer *tracer)
{
    return tracer ? tracer->exporter : NULL;
}

bool wr_tracer_stop(struct wr_tracer *tracer)
{
    return !tracer || wr_exporter_stop(tracer->exporter, STOP_US);
}

void wr_tracer_free(struct wr_tracer *tracer)
{
    if (tracer) {
        wr_exporter_free(tracer->exporter);
        free(tracer);
    }
}
