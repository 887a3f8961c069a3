/* SPDX-License-Identifier: MIT */
/*
 * A job: one delivery, decoded, with what is known about it and what became of it. It is made when
 * a delivery is decoded and freed when it is settled, in the same file (engine/consumer.c); between
 * the two it belongs to whoever holds the pointer, and only a mailbox or the pool hands it from
 * thread to thread.
 */
#ifndef WR_MODEL_JOB_H
#define WR_MODEL_JOB_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/list.h"
#include "model/header.h"
#include "model/message.h"
#include "model/settings.h"
#include "model/span.h"
#include "model/uuid.h"
#include "warren/job.h"

/** How a job leaves: what the consumer does with its delivery. */
enum wr_settle {
    WR_SETTLE_ACK,     /* done, or safely passed on */
    WR_SETTLE_REQUEUE, /* back to its queue, since it couldn't be passed on */
    WR_SETTLE_LEAVE,   /* nothing: the broker gives it to another when the connection ends */
};

/** What decoding has to know about the queue. All borrowed, and unchanged while deliveries come. */
struct wr_job_rules {
    const struct wr_settings *settings;
    const struct wr_queue_settings *queue;
    struct wr_slice jobs_exchange; /* a message that came through it has its type as key */
};

struct wr_json;

struct warren_job {
    struct wr_link link;
    struct wr_message *message; /* borrowed from the delivery */
    const struct wr_queue_settings *queue;
    const struct wr_job_settings *settings; /* of its type; NULL when the type isn't known */
    void *lane;                             /* the engine's; the pool knows it */
    void *source;                           /* the engine's; the consumer knows it */
    void *home;                             /* the engine's: whom `warren_job_publish` asks */
    void *delivery;                         /* owned: an io delivery, freed by the consumer */
    uint64_t tag;                           /* of the delivery */
    uint32_t generation;                    /* of the connection it came over */
    bool redelivered;
    bool is_held;   /* its type is paused: it goes into the ladder without a run */
    bool is_booked; /* the crash book knows of it */

    struct wr_bookkeeping books; /* as the message said */
    struct wr_slice type;
    struct wr_slice id;
    char made_id[WR_UUID_SIZE]; /* the id when the message had none; else "" */
    int64_t received_wall_ms;
    int64_t wall_ahead_us; /* of the wall clock to the monotonic one, when it came */

    /* The run. */
    const struct wr_clock *clock;
    int slot; /* the number of its thread, from 0 */
    int64_t started_us;
    int64_t ended_us;          /* its handler returned; 0: it has not, or never ran */
    int64_t deadline_us;       /* 0: none */
    const atomic_bool *drains; /* turns true when a drain begins */
    atomic_int open_publishes; /* of warren_job_publish, and 1 for the job itself */
    atomic_bool publish_failed;

    /* Its trace: while there is a tracer, from its run on. */
    bool is_traced;
    struct wr_trace trace; /* of its processing */
    struct wr_span
        *span; /* owned: its processing, then its settling, while that lasts; NULL: none */

    /* What became of it. */
    warren_verdict verdict;
    const char *reason; /* of a dead letter: a static word */
    char *text;         /* owned: what the handler said */
    int64_t delay_ms;   /* -1: by policy */
    enum wr_settle settle;

    struct wr_json *json;   /* owned: the body's tree once somebody asked */
    struct wr_list strings; /* owned: copies with a NUL, made on demand */
};

/**
 * Makes a job of a message. It comes back whatever the message holds: when the message can't be
 * taken, `reason` and `text` are set, the verdict is DEAD, and no handler must see it. NULL without
 * memory.
 */
struct warren_job *wr_job_decode(struct wr_message *message, const struct wr_job_rules *rules,
                                 int64_t wall_ms);

/** Frees the job, but not its delivery. */
void wr_job_free(struct warren_job *job);

/** Decides that the job is dead: a static reason word and a text (printf). The first such decision
 * stands. */
void wr_job_condemn(struct warren_job *job, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Sets what the handler said. Cut at 500 bytes, made UTF-8. */
void wr_job_say(struct warren_job *job, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

enum { WR_JOB_WHO_SIZE = 1600 };

/** The id of the trace that the job is in, in hex. False: it is in none. */
bool wr_job_trace_id(const struct warren_job *job, char out[WR_TRACE_ID_SIZE]);

/** Writes who a job is, as fields of a log line: queue, type, id, attempt, trace and span id if it has
 * them. `out` has WR_JOB_WHO_SIZE bytes. Returns `out`. */
const char *wr_job_who(const struct warren_job *job, char *out);

/** A copy of the slice with a NUL, that lives as long as the job. "" without memory. */
const char *wr_job_keep(struct warren_job *job, struct wr_slice slice);

/** The policy that holds for this job: its type's, with what its message says instead. False: the
 * message's words are no policy. */
bool wr_job_policy(const struct warren_job *job, struct wr_retry_policy *out, warren_error *err);

/* --- job_json.c: the only place that knows json-c --- */

/** Checks the body of a job that says it is JSON (strictly, RFC 8259: depth, no duplicate names,
 * numbers that fit) and keeps the tree. INVALID says where it is wrong. */
warren_status wr_job_check_json(struct warren_job *job, int depth, warren_error *err);

void wr_json_free(struct wr_json *json);

#endif
