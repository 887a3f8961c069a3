// SPDX-License-Identifier: MIT
// DESIGN: the property list of class basic, driven by one table of its fourteen properties in the
// order of the wire. The flag bits are the wire's own, so `present` is what was read and what will
// be written.
#include "model/message.h"

#include <stddef.h>

#include "base/error.h"

enum wire_form { SHORT_STRING, TABLE, OCTET, LONGLONG };

static const struct property_row {
    unsigned bit;
    enum wire_form form;
    size_t offset; /* in struct wr_message */
    const char *name;
    const char *sentence;
} properties[] = {
    { WR_CONTENT_TYPE, SHORT_STRING, offsetof(struct wr_message, content_type), "content_type",
      "application/json: the body is checked before a handler sees it, unless queue.json is raw; "
      "with anything else it is bytes" },
    { WR_CONTENT_ENCODING, SHORT_STRING, offsetof(struct wr_message, content_encoding),
      "content_encoding", "carried along, not looked at" },
    { WR_HEADERS, TABLE, offsetof(struct wr_message, headers), "headers",
      "others' headers, which are carried along, and Warren's own" },
    { WR_DELIVERY_MODE, OCTET, offsetof(struct wr_message, delivery_mode), "delivery_mode",
      "2: the broker keeps the message on disk, in queues of type classic, too" },
    { WR_PRIORITY, OCTET, offsetof(struct wr_message, priority), "priority",
      "for queues with priorities; carried along" },
    { WR_CORRELATION_ID, SHORT_STRING, offsetof(struct wr_message, correlation_id),
      "correlation_id", "for whoever matches answers to questions; the handler can ask for it" },
    { WR_REPLY_TO, SHORT_STRING, offsetof(struct wr_message, reply_to), "reply_to",
      "where a reply is wanted; the handler can ask for it" },
    { WR_EXPIRATION, SHORT_STRING, offsetof(struct wr_message, expiration), "expiration",
      "ms, as text: then the broker itself moves the message to the dead queue. Kept as a header "
      "when Warren passes the message on; x-warren-expires-ms is exact" },
    { WR_MESSAGE_ID, SHORT_STRING, offsetof(struct wr_message, message_id), "message_id",
      "the job's id; a UUIDv7 is made when there is none" },
    { WR_TIMESTAMP, LONGLONG, offsetof(struct wr_message, timestamp), "timestamp",
      "when it was published, unless x-warren-enqueued-ms says it" },
    { WR_TYPE, SHORT_STRING, offsetof(struct wr_message, type), "type", "the job type" },
    { WR_USER_ID, SHORT_STRING, offsetof(struct wr_message, user_id), "user_id",
      "who published it, which the broker checks. Kept as a header when Warren passes the message "
      "on" },
    { WR_APP_ID, SHORT_STRING, offsetof(struct wr_message, app_id), "app_id",
      "which program published it; carried along" },
    { WR_CLUSTER_ID, SHORT_STRING, offsetof(struct wr_message, cluster_id), "cluster_id",
      "of no meaning since AMQP 0-9-1; not carried along" },
};

enum { PROPERTIES = sizeof properties / sizeof properties[0] };

bool wr_property_at(size_t index, struct wr_property_row *out)
{
    static const char *const kinds[] = {
        [SHORT_STRING] = "string",
        [TABLE] = "table",
        [OCTET] = "0 to 255",
        [LONGLONG] = "seconds since 1970",
    };
    if (index >= PROPERTIES) {
        return false;
    }
    const struct property_row *row = &properties[index];
    *out = (struct wr_property_row){ row->name, kinds[row->form], row->sentence };
    return true;
}

static uint64_t read_number(const char *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | (unsigned char)at[i];
    }
    return value;
}

/* How many bytes stand before the payload, and how many the payload has. */
static bool measure(const struct property_row *row, struct wr_slice raw, size_t at,
                    size_t *out_prefix, size_t *out_size)
{
    static const size_t prefixes[] = { 1, 4, 0, 0 };
    size_t prefix = prefixes[row->form];
    if (raw.size - at < prefix) {
        return false;
    }
    *out_prefix = prefix;
    *out_size = prefix ? (size_t)read_number(raw.data + at, prefix) : row->form == OCTET ? 1 : 8;
    return raw.size - at - prefix >= *out_size;
}

static void set_property(struct wr_message *message, const struct property_row *row,
                         struct wr_slice payload)
{
    void *field = (char *)message + row->offset;
    switch (row->form) {
    case SHORT_STRING:
        *(struct wr_slice *)field = payload;
        break;
    case TABLE:
        *(struct wr_table *)field = (struct wr_table){ payload.data, payload.size };
        break;
    case OCTET:
        *(uint8_t *)field = (uint8_t)payload.data[0];
        break;
    case LONGLONG:
        *(uint64_t *)field = read_number(payload.data, 8);
        break;
    }
}

warren_status wr_message_read(struct wr_message *message, struct wr_slice raw, warren_error *err)
{
    *message = (struct wr_message){ 0 };
    if (raw.size < 2 ||
        (raw.data[1] & 1)) { /* the lowest bit announces more flags; class basic has none */
        return wr_fail(err, WARREN_INVALID, "message properties are malformed");
    }
    message->present = (unsigned)read_number(raw.data, 2);
    size_t at = 2;
    for (size_t i = 0; i < PROPERTIES; i++) {
        const struct property_row *row = &properties[i];
        size_t prefix;
        size_t size;
        if (!(message->present & row->bit)) {
            continue;
        }
        if (!measure(row, raw, at, &prefix, &size)) {
            return wr_fail(err, WARREN_INVALID, "message properties end too early");
        }
        set_property(message, row, (struct wr_slice){ raw.data + at + prefix, size });
        at += prefix + size;
    }
    return WARREN_OK;
}

static void add_number(struct wr_text *out, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        char byte = (char)(value >> (8 * i));
        wr_text_add(out, &byte, 1);
    }
}

static void add_property(const struct wr_message *message, const struct property_row *row,
                         struct wr_text *out)
{
    const void *field = (const char *)message + row->offset;
    switch (row->form) {
    case SHORT_STRING: {
        const struct wr_slice *value = field;
        out->failed = out->failed || value->size > 255;
        add_number(out, value->size, 1);
        wr_text_add(out, value->data, value->size);
        break;
    }
    case TABLE: {
        const struct wr_table *value = field;
        add_number(out, value->size, 4);
        wr_text_add(out, value->data, value->size);
        break;
    }
    case OCTET:
        add_number(out, *(const uint8_t *)field, 1);
        break;
    case LONGLONG:
        add_number(out, *(const uint64_t *)field, 8);
        break;
    }
}

void wr_message_write(const struct wr_message *message, struct wr_text *out)
{
    add_number(out, message->present, 2);
    for (size_t i = 0; i < PROPERTIES; i++) {
        if (message->present & properties[i].bit) {
            add_property(message, &properties[i], out);
        }
    }
}
