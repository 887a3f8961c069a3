/* SPDX-License-Identifier: MIT */
/*
 * What goes through the control plane: an order to workers, the answer to one, and a pause, which holds
 * until it is taken back. Each is a small JSON object. Routing keys say whom it is for:
 *
 *     order.all, order.<worker>      orders
 *     state.<queue>[/<type>]         pauses; kept in the stream NS.state, the last one of a key holds
 *     answer.<token>                 answers, to whoever asked
 *     news.<worker>                  what a worker does, every few seconds
 *
 * Threads: pure functions.
 */
#ifndef WR_MODEL_ORDER_H
#define WR_MODEL_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "warren/error.h"

/** More is not read. */
#define WR_ORDER_BYTES 16384

enum wr_order_verb {
    WR_ORDER_DESCRIBE, /* tell at once what you do */
    WR_ORDER_QUIET,    /* take no more jobs */
    WR_ORDER_RESUME,   /* take them again */
    WR_ORDER_DRAIN,    /* end, as at SIGTERM */
    WR_ORDER_RELOAD,   /* read the configuration again */
    WR_ORDER_DUMP,     /* write state and stacks to the log */
    WR_ORDER_SET,      /* another value for an option */
    WR_ORDER_VERBS
};

/** "describe", "quiet" … */
extern const char *const wr_order_words[WR_ORDER_VERBS];

/** Who wants something, and why: every order says it, and it goes to the log. */
struct wr_wish {
    char who[128];
    char why[256];
    int64_t at_ms; /* Unix time */
};

struct wr_order {
    enum wr_order_verb verb;
    struct wr_wish wish;
    char token[64]; /* whose answer is wanted; "": none is */
    /* Of `set`. */
    char queue[256];
    char type[256];  /* "": none */
    char option[64]; /* "concurrency", "prefetch", "log.level" */
    char value[64];
};

struct wr_pause {
    struct wr_wish wish;
    char queue[256];
    char type[256]; /* "": all of the queue */
    bool is_paused;
};

/** Appends it as JSON. */
void wr_order_write(const struct wr_order *order, struct wr_text *out);
void wr_pause_write(const struct wr_pause *pause, struct wr_text *out);

/** Reads what wr_order_write has written. INVALID says what is wrong. */
warren_status wr_order_read(struct wr_slice json, struct wr_order *out, warren_error *err);
warren_status wr_pause_read(struct wr_slice json, struct wr_pause *out, warren_error *err);

/** The routing key of a pause, written into `out`. False: longer than AMQP's 255 bytes. */
bool wr_pause_key(char *out, size_t size, const struct wr_pause *pause);

#endif
