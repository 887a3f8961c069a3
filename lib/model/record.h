/* SPDX-License-Identifier: MIT */
/*
 * A dead letter as a line of JSON that holds all of it, so that it can be kept in a file, edited, and
 * put back as it was: properties, every header with its kind, body. Text is text; what isn't UTF-8 is
 * base64, in a member whose name ends in `base64`.
 *
 *   {"warren_letter":1,"queue":"emails","exchange":"","routing_key":"emails.dead",
 *    "properties":{"content_type":"application/json","delivery_mode":2,"message_id":"…"},
 *    "headers":[{"name":"x-warren-attempt","type":"int64","value":5},
 *               {"name":"raw","type":"bytes","base64":"AAE="}],
 *    "body":"{\"to\":\"ada@example.org\"}"}
 *
 * Kinds of headers: string, bytes, bool, int8, uint8, int16, uint16, int32, uint32, int64, float,
 * double, decimal, timestamp, table and array (their value is a list like `headers`; an array's members
 * have no name), void. A member `note`, for people, is passed over. Any kind may have its bytes as base64 instead of a value.
 *
 * Threads: pure functions. Ownership: a record owns what its message points to.
 */
#ifndef WR_MODEL_RECORD_H
#define WR_MODEL_RECORD_H

#include "model/message.h"

/** The longest line that is read; a body of 128 MiB, the most that is ever read, fits as base64. */
#define WR_RECORD_MOST ((size_t)192 * 1024 * 1024)

/** Headers that a broker's frame can hold together. */
#define WR_RECORD_HEADERS_MOST ((size_t)100 * 1024)

/** Appends a message as one line, without its newline. Left out is what the broker counts at each
 * look (x-delivery-count). `queue` is the configured queue, or "unrouted". */
void wr_record_write(const struct wr_message *message, const char *queue, struct wr_text *out);

struct wr_record {
    struct wr_message message; /* exchange and key as in the line: where it was */
    const char *queue;
    struct wr_text headers;
    struct wr_text bytes; /* decoded base64 */
    void *tree;
};

/** Reads a line. INVALID says which member is wrong, and what was wanted. Done with wr_record_done. */
warren_status wr_record_read(struct wr_record *out, struct wr_slice line, warren_error *err);

void wr_record_done(struct wr_record *record);

/* --- shared by record_write.c and record_read.c --- */

/** A property that is a short string. */
struct wr_record_property {
    const char *name;
    enum wr_property bit;
    size_t offset; /* of its slice in struct wr_message */
};

/** All of them. Static memory. */
const struct wr_record_property *wr_record_properties(size_t *out_count);

/** A kind of header value: the wire's letter, the name in a line, the bytes of a whole number (0: it is
 * none) and whether it has a sign. */
struct wr_record_kind {
    char kind;
    const char *name;
    int bytes;
    bool is_signed;
};

/** All of them. Static memory. */
const struct wr_record_kind *wr_record_kinds(size_t *out_count);

#endif
