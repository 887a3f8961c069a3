/* SPDX-License-Identifier: MIT */
/*
 * A message: AMQP's basic properties, headers and a body, as borrowed bytes. It is what the broker
 * hands in and what it is given to publish. A message owns nothing: a delivery or its writer keeps
 * the bytes. Threads: plain data.
 */
#ifndef WR_MODEL_MESSAGE_H
#define WR_MODEL_MESSAGE_H

#include "model/table.h"

/* Which properties are there: the flag bits of the wire (AMQP 0-9-1 section 4.2.6.1, class basic).
 */
enum wr_property {
    WR_CONTENT_TYPE = 1 << 15,
    WR_CONTENT_ENCODING = 1 << 14,
    WR_HEADERS = 1 << 13,
    WR_DELIVERY_MODE = 1 << 12,
    WR_PRIORITY = 1 << 11,
    WR_CORRELATION_ID = 1 << 10,
    WR_REPLY_TO = 1 << 9,
    WR_EXPIRATION = 1 << 8,
    WR_MESSAGE_ID = 1 << 7,
    WR_TIMESTAMP = 1 << 6,
    WR_TYPE = 1 << 5,
    WR_USER_ID = 1 << 4,
    WR_APP_ID = 1 << 3,
    WR_CLUSTER_ID = 1 << 2
};

struct wr_message {
    struct wr_slice exchange;
    struct wr_slice key;
    unsigned present; /* of enum wr_property; a property without its bit is not sent and reads as
                         empty */
    struct wr_slice content_type;
    struct wr_slice content_encoding;
    struct wr_table headers;
    uint8_t delivery_mode; /* 2 = persistent */
    uint8_t priority;
    struct wr_slice correlation_id;
    struct wr_slice reply_to;
    struct wr_slice expiration; /* milliseconds, as text */
    struct wr_slice message_id;
    uint64_t timestamp; /* seconds since 1970 */
    struct wr_slice type;
    struct wr_slice user_id;
    struct wr_slice app_id;
    struct wr_slice cluster_id;
    struct wr_slice body;
};

/** One property of class basic: its name, how it is written, and what it means to Warren. */
struct wr_property_row {
    const char *name;
    const char *kind; /* "string", "0 to 255", "seconds since 1970", "table" */
    const char *sentence;
};

/** The property of that number, in the order of the wire; false when there are not so many. */
bool wr_property_at(size_t index, struct wr_property_row *out);

/** Reads the property flags and list of a content header frame (what follows its body size).
 * Borrows from `raw`. */
warren_status wr_message_read(struct wr_message *message, struct wr_slice raw, warren_error *err);

/** Appends the same form. Used by the memory broker, tests and fuzzing. */
void wr_message_write(const struct wr_message *message, struct wr_text *out);

#endif
