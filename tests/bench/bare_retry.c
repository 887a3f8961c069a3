// SPDX-License-Identifier: MIT
// DESIGN: what one writes to try a job again later: take it, publish it into another queue with
// confirms, and acknowledge it when it is confirmed there. With two passes that queue is one whose
// messages come back after a while, and the second time the job is done; with one it is where the
// failed ones stay. Confirms come on a channel of their own; what was published under which tag is
// known by counting.
//
//     bare_retry --queue NAME --to NAME --count N [--prefetch N] [--passes 1|2] [--headers]
//
// With --headers each message has an id, a type and a table like that of a retry of Warren, for what
// these cost the broker.
// The measured time ends with the last job that is done, with one pass with the last confirm.
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "side.h"

enum { TAKING = 1, SENDING = 2 };

struct again {
    amqp_connection_state_t connection;
    const char *to;
    uint64_t *taken;    /* by publishing tag: the delivery tag; 0: confirmed already */
    uint64_t published; /* the last publishing tag */
    uint64_t all_up_to; /* by the last multiple confirm */
    long confirmed;
    const amqp_basic_properties_t *properties; /* NULL: none */
};

/* --- properties ----------------------------------------------------------------------------------- */

static amqp_table_entry_t number(const char *name, int64_t value)
{
    return (amqp_table_entry_t){ .key = amqp_cstring_bytes(name),
                                 .value = { .kind = AMQP_FIELD_KIND_I64, .value.i64 = value } };
}

static amqp_table_entry_t text(const char *name, const char *value)
{
    return (amqp_table_entry_t){ .key = amqp_cstring_bytes(name),
                                 .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                            .value.bytes = amqp_cstring_bytes(value) } };
}

/* The same for all messages: the broker reads what is in them, whether it differs or not. */
static const amqp_basic_properties_t *make_properties(void)
{
    static const int64_t at_ms = 1700000000000;
    static amqp_table_entry_t error[4];
    static amqp_field_value_t errors[1];
    static amqp_table_entry_t headers[5];
    static amqp_basic_properties_t properties;
    error[0] = number("at-ms", at_ms);
    error[1] = number("attempt", 1);
    error[2] = text("worker", "worker-12345");
    error[3] = text("text", "not now");
    errors[0] = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_TABLE, .value.table = { 4, error } };
    headers[0] = number("x-warren-attempt", 1);
    headers[1] = number("x-warren-first-failed-at", at_ms);
    headers[2] = number("x-warren-delay-ms", 125);
    headers[3] = number("x-warren-run-at-ms", at_ms);
    headers[4] = (amqp_table_entry_t){ .key = amqp_cstring_bytes("x-warren-errors"),
                                       .value = { .kind = AMQP_FIELD_KIND_ARRAY,
                                                  .value.array = { 1, errors } } };
    properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .delivery_mode = 2,
        .message_id = amqp_cstring_bytes("01890a5d-ac96-774b-bcce-b302099a8057"),
        .type = amqp_cstring_bytes("retry.job"),
        .headers = { 5, headers },
    };
    return &properties;
}

/* --- passing on ----------------------------------------------------------------------------------- */

static void forward(struct again *again, const struct bare_event *event)
{
    unsigned char body[SIDE_BODY_BYTES] = { 0 };
    size_t size = event->body.len < sizeof body ? event->body.len : sizeof body;
    memcpy(body, event->body.bytes, size);
    again->taken[++again->published] = event->tag;
    bare_publish(again->connection, SENDING, "", again->to, again->properties, body);
}

static void settle(struct again *again, uint64_t tag)
{
    if (again->taken[tag]) {
        bare_ack(again->connection, TAKING, again->taken[tag], false);
        again->taken[tag] = 0;
        again->confirmed++;
    }
}

static void take_confirm(struct again *again, const struct bare_event *event)
{
    for (uint64_t tag = event->is_multiple ? again->all_up_to + 1 : event->tag; tag < event->tag;
         tag++) {
        settle(again, tag);
    }
    settle(again, event->tag);
    if (event->is_multiple) {
        again->all_up_to = event->tag;
    }
}

static void run_twice(struct again *again, struct side_gauge *gauge)
{
    struct bare_event event = { 0 };
    bool is_last = false;
    while (!is_last) {
        bare_next(again->connection, BARE_PATIENT, &event);
        if (event.kind == BARE_CONFIRM) {
            take_confirm(again, &event);
        } else if (event.was_dead) {
            is_last = side_start(gauge, NULL);
            bare_ack(again->connection, TAKING, event.tag, false);
        } else {
            side_begin(gauge);
            forward(again, &event);
        }
    }
}

static void run_once(struct again *again, struct side_gauge *gauge)
{
    struct bare_event event = { 0 };
    while (again->confirmed < gauge->count) {
        bare_next(again->connection, BARE_PATIENT, &event);
        if (event.kind == BARE_CONFIRM) {
            take_confirm(again, &event);
        } else {
            (void)side_start(gauge, NULL);
            forward(again, &event);
        }
    }
    gauge->last = side_moment();
}

int main(int argc, char **argv)
{
    struct side_gauge gauge = { 0 };
    struct again again = { .to = side_word(argv, "--to", "") };
    (void)argc;
    side_open(&gauge, argv);
    again.properties = side_has(argv, "--headers") ? make_properties() : NULL;
    /* More than the jobs: what a connection before left behind comes, too. */
    again.taken = calloc((size_t)gauge.count * 2 + 100000, sizeof *again.taken);
    if (!again.taken) {
        side_give_up("--count", "out of memory");
    }
    again.connection = bare_open(2);
    bare_confirm(again.connection, SENDING);
    bare_qos(again.connection, TAKING, side_number(argv, "--prefetch", 250));
    bare_consume(again.connection, TAKING, side_word(argv, "--queue", ""));
    side_ready();
    if (side_number(argv, "--passes", 2) == 2) {
        run_twice(&again, &gauge);
    } else {
        run_once(&again, &gauge);
    }
    side_linger();
    bare_close(again.connection);
    side_say_gauge(&gauge);
    side_end();
    free(again.taken);
    return 0;
}
