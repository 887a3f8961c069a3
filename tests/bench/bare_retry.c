// SPDX-License-Identifier: MIT
// DESIGN: what one writes to try a job again later: take it, publish it into another queue with
// confirms, and acknowledge it when it is confirmed there. With two passes that queue is one whose
// messages come back after a while, and the second time the job is done; with one it is where the
// failed ones stay. Confirms come on a channel of their own; what was published under which tag is
// known by counting.
//
//     bare_retry --queue NAME --to NAME --count N [--prefetch N] [--passes 1|2]
//
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
};

static void forward(struct again *again, const struct bare_event *event)
{
    unsigned char body[SIDE_BODY_BYTES] = { 0 };
    size_t size = event->body.len < sizeof body ? event->body.len : sizeof body;
    memcpy(body, event->body.bytes, size);
    again->taken[++again->published] = event->tag;
    bare_publish(again->connection, SENDING, "", again->to, body);
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
