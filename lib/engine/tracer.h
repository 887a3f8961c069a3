/* SPDX-License-Identifier: MIT */
/*
 * The tracer: which trace a job and a message are in, and the spans of publishing, processing and
 * settling. It decides who is whose parent or link; the exporter sends.
 *
 * A tracer may be NULL: then nothing is traced, but a job's trace is carried on to what its handler
 * publishes. Threads: any; a job's spans by whoever holds the job.
 */
#ifndef WR_ENGINE_TRACER_H
#define WR_ENGINE_TRACER_H

#include "base/clock.h"
#include "engine/exporter.h"
#include "model/job.h"
#include "model/parcel.h"
#include "warren/message.h"

struct wr_tracer;

/** What a message to be published has to do with traces. */
struct wr_tracing {
    struct wr_carried
        carried; /* headers for wr_parcel_compose; borrow from here and from the job */
    char parent[WR_TRACEPARENT_SIZE];
    struct wr_span *span; /* of the publish, NULL: none */
    const char *ns;       /* the namespace; set when there is a span */
};

/** Makes one, with its exporter; `*out` becomes NULL when `trace.endpoint` is empty. `name` is this
 * process's (host and pid). CONFIG: nothing can be sent to there. */
warren_status wr_tracer_new(struct wr_tracer **out, const struct wr_settings *settings,
                            const struct wr_clock *clock, const char *name, warren_error *err);

/** Starts the exporter's thread. NULL is fine. */
warren_status wr_tracer_start(struct wr_tracer *tracer, warren_error *err);

/** The exporter, for tests and counts; NULL without a tracer. */
struct wr_exporter *wr_tracer_exporter(const struct wr_tracer *tracer);

/** A job's handler is about to be called, and has returned. */
void wr_tracer_begin(struct wr_tracer *tracer, struct warren_job *job);
void wr_tracer_end(struct wr_tracer *tracer, struct warren_job *job);

/** The job's verdict is carried out now; and it is about to be settled that way (a word: ack, retry,
 * …). */
void wr_tracer_conclude(struct wr_tracer *tracer, struct warren_job *job);
void wr_tracer_settle(struct wr_tracer *tracer, struct warren_job *job);

/** A message is about to be composed: by a handler of `job`, or outside of one (NULL). */
void wr_tracer_compose(struct wr_tracer *tracer, const struct warren_job *job,
                       const warren_message *message, struct wr_tracing *out);

/** It was composed: the span learns what it is. Gives the span, for the request; NULL: none. */
struct wr_span *wr_tracing_take(struct wr_tracing *tracing, const struct wr_parcel *parcel,
                                const warren_message *message);

/** It was not composed after all. */
void wr_tracing_drop(struct wr_tracing *tracing);

/** A publish has ended. Takes the span. */
void wr_tracer_published(struct wr_tracer *tracer, struct wr_span *span, warren_status status,
                         const char *text);

/** Sends what is left, for a bounded time. False: nothing of it may be freed. NULL is fine. */
bool wr_tracer_stop(struct wr_tracer *tracer);

/** NULL is fine. */
void wr_tracer_free(struct wr_tracer *tracer);

#endif
