/* SPDX-License-Identifier: MIT */
/*
 * What must not travel on when Warren publishes a message again: the headers by which a broker
 * notes dead-lettering and redelivery, and the ones that make it route copies. Brokers up to 3.13
 * stop a whole delay level at a message that brings its own history along. Threads: pure functions.
 */
#ifndef WR_MODEL_STRIP_H
#define WR_MODEL_STRIP_H

#include "model/table.h"

/** Whether a header of this name is the broker's own, or one that makes it send copies. */
bool wr_strip_is_broker_header(struct wr_slice name);

/** Copies all headers but the broker's, byte for byte and in order. `CC` and `BCC` are kept as
 * `x-warren-cc` and `x-warren-bcc`, in place of older ones of those names. */
void wr_strip_copy(struct wr_table from, struct wr_text *to);

/** Whether the headers have an `x-death` that isn't one as brokers write it. RabbitMQ below 4.0
 * believes it and crashes when it has to dead-letter such a message. */
bool wr_strip_has_bad_death(struct wr_table headers);

#endif
