/* SPDX-License-Identifier: MIT */
/*
 * The ledger: an account of every message of a history, kept from what the broker saw and what the
 * handlers did, never from what the engine says of itself. Each publish call is a copy with a
 * number of its own, that travels in the header "copy". What must never be is noticed at the moment
 * it happens; the first such thing stands in `failure` and ends the history.
 *
 *   - an acknowledgement is for a delivery whose handler was done with it (and whose own messages
 *     the broker has), or whose way on (retry, snooze, dead letter) the broker has: forward first
 *   - a way on is the one that the verdict asks for: attempts, snoozes, reason, delay, home
 *   - a run is of a message that the broker took, not before it is due, not after its expiry, not
 *     above its attempts, once a delivery; runs of one attempt are as many as the broker took of it
 *     and got back
 *   - what the engine knows to be given back is neither begun nor passed on
 *   - what is taken twice is explained by a connection that broke in between
 *   - at the end everything that was taken is done, discarded, dead or in the catch-all
 *
 * Threads: one.
 */
#ifndef TESTS_SIMULATION_LEDGER_H
#define TESTS_SIMULATION_LEDGER_H

#include "engine/source.h"
#include "io/memory.h"
#include "model/job.h"
#include "scene.h"

enum {
    LEDGER_COPIES = 256,
    LEDGER_STATES = 24,
    LEDGER_RUNS = 2048,
    LEDGER_OWN = 2,
    LEDGER_WORKERS = 128,
    LEDGER_PRODUCER = 0 /* the sender that is no worker; workers are numbered from 1 on */
};

enum outcome { IN_HAND, DONE, RETRY, RETRY_AFTER, SNOOZE, DEAD, DISCARD, BAD_VERDICT };

/** A message between two runs: how many were charged, and how often it snoozed. */
struct state {
    int attempt;
    int snoozes;
    int taken;    /* by the broker */
    int returned; /* deliveries that went back */
    int runs;
    int64_t due_us;
};

struct copy {
    int number;
    char id[24];
    int type;
    int sender;
    uint64_t hash; /* what its handlers do follows from it */
    int depth;     /* published by how many handlers one in another */
    int64_t delay_ms;
    int own_attempts;
    int own_backoff;
    int64_t expires_ms; /* on the wall clock; 0: never */
    int sender_ends;    /* how often its sender had lost its connection before */
    bool is_own;        /* published by a job, which answers for it */
    int answers;
    int status;
    int taken;
    int ends;                      /* done or discarded */
    int dead;                      /* dead letters that the broker has of it */
    int condemned[LEDGER_WORKERS]; /* of them, without a run and not yet acknowledged */
    struct state states[LEDGER_STATES];
    int state_count;
};

/** One call of a handler. */
struct run {
    struct copy *copy;
    int state;
    int worker;
    uint32_t generation;
    uint16_t channel;
    uint64_t tag;
    enum outcome outcome;
    int64_t asked_ms; /* retry after, snooze */
    int64_t ended_us;
    int sender_ends; /* how often its publisher had lost its connection, at the verdict */
    int forwards;    /* messages that the broker took for it */
    struct copy *own[LEDGER_OWN];
    int own_count;
    bool is_acked;
    bool is_returned;
    bool is_stale; /* at its verdict the engine knew that its channel was gone */
};

struct ledger {
    const struct wr_clock *clock;
    struct copy copies[LEDGER_COPIES];
    int copy_count;
    struct run runs[LEDGER_RUNS];
    int run_count;
    struct {
        const struct wr_source *sources; /* while it lives: whose channels have which epoch */
        size_t channels;                 /* how many they are; above them it only asks */
        int ends;                        /* of its publisher's connections */
        bool has_drained;                /* everything must have been settled */
    } workers[LEDGER_WORKERS];
    bool closes;     /* a channel is being closed on purpose */
    bool has_faults; /* something was made to fail by now */
    char failure[600];
};

void ledger_begin(struct ledger *ledger, const struct wr_clock *clock);

/** Notes the first failure. */
void ledger_fail(struct ledger *ledger, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** A copy that is about to be published: a filled one, but for number, id and what the ledger
 * counts. `twin` (may be NULL): it takes that one's id. NULL: no room. */
struct copy *ledger_publish(struct ledger *ledger, const struct copy *plan,
                            const struct copy *twin);

/** The answer that its publisher got. */
void ledger_answer(struct ledger *ledger, struct copy *copy, warren_status status);

/** A handler begins. NULL: failed. */
struct run *ledger_run(struct ledger *ledger, int worker, struct warren_job *job);

/** A handler ends. */
void ledger_verdict(struct ledger *ledger, struct run *run, enum outcome outcome, int64_t asked_ms);

/** The memory broker's watcher. `user` is the ledger. Connections are named "0p" (the producer),
 * "7c" and "7p" (consumer and publisher of worker 7). */
void ledger_watch(void *user, const struct wr_memory_sight *sight);

/** The end: nothing is under way any more. */
void ledger_close(struct ledger *ledger, struct wr_memory *server);

#endif
