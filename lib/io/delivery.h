/* SPDX-License-Identifier: MIT */
/*
 * A delivery: a message as a broker handed it in, with its place there. One heap block, owned by whoever holds the
 * pointer. Threads: plain data.
 */
#ifndef WR_IO_DELIVERY_H
#define WR_IO_DELIVERY_H

#include "base/list.h"
#include "model/message.h"

/** A message with its place at the broker. One heap block; freed with wr_delivery_free by whoever
 * holds it. */
struct wr_delivery {
    struct wr_link link;
    struct wr_message message; /* its bytes lie in the same block */
    uint64_t tag;
    uint16_t channel;
    bool redelivered;
    size_t bytes; /* of the block */
};

/** Makes a delivery block: copies exchange, key and raw properties, leaves room for the body
 * (`out->message.body.data` is writable through `*out_body` until the delivery is handed on).
 * INVALID when the properties can't be read. */
warren_status wr_delivery_new(struct wr_delivery **out, struct wr_slice exchange,
                              struct wr_slice key, struct wr_slice raw_properties, size_t body_size,
                              char **out_body);

/** NULL is fine. */
void wr_delivery_free(struct wr_delivery *delivery);

#endif
