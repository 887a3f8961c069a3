// SPDX-License-Identifier: MIT
// DESIGN: the loop that one writes by hand, at its best: one thread takes jobs and does nothing with
// them, and acknowledges either each one or, once a quarter of the prefetch has come, all at once.
// What is left over is acknowledged when nothing has come for a moment, so that no job waits for the
// next; a moment of no length at all, that is whenever the socket is empty, cost a sixth of the rate.
// Several queues have a channel each. With --threaded a second thread starts the jobs.
//
//     bare_consume --queue NAME [--queues N] --count N [--prefetch N] [--ack each|multiple]
//                  [--idle-us N] [--stamps] [--delay-ms N] [--threaded]
//
// With --queues the names are NAME.0, NAME.1 …; with --delay-ms the rate is that of jobs that come
// home so long after they were published.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "hand.h"
#include "side.h"

enum { NAME_BYTES = 256, QUEUES_MOST = 1000 };

struct taker {
    amqp_connection_state_t connection;
    long ack_every;
    long idle_us;
    long unacked;   /* on all channels */
    long *behind;   /* by channel: taken and not acknowledged */
    uint64_t *last; /* by channel: the last tag taken */
    long channels;
    struct hand *hand; /* starts the jobs; NULL: this thread does */
    long passed;       /* to it */
};

static void consume_all(struct taker *taker, char **words)
{
    char name[NAME_BYTES];
    const char *queue = side_word(words, "--queue", "");
    long prefetch = side_number(words, "--prefetch", 250);
    long queues = side_number(words, "--queues", 0);
    for (long i = 0; i < taker->channels; i++) {
        bare_qos(taker->connection, (amqp_channel_t)(i + 1), prefetch);
    }
    for (long i = 0; i < taker->channels; i++) {
        (void)snprintf(name, sizeof name, queues ? "%s.%ld" : "%s", queue, i);
        bare_consume(taker->connection, (amqp_channel_t)(i + 1), name);
    }
}

static void ack_channel(struct taker *taker, long channel)
{
    bare_ack(taker->connection, (amqp_channel_t)channel, taker->last[channel],
             taker->behind[channel] > 1);
    taker->unacked -= taker->behind[channel];
    taker->behind[channel] = 0;
}

static void flush(struct taker *taker)
{
    for (long i = 1; i <= taker->channels && taker->unacked; i++) {
        if (taker->behind[i]) {
            ack_channel(taker, i);
        }
    }
}

static void take(struct taker *taker, const struct bare_event *event)
{
    taker->last[event->channel] = event->tag;
    taker->unacked++;
    if (++taker->behind[event->channel] >= taker->ack_every) {
        ack_channel(taker, event->channel);
    }
}

/* True for the last one. */
static bool start(struct taker *taker, struct side_gauge *gauge, const void *body)
{
    if (!taker->hand) {
        return side_start(gauge, body);
    }
    hand_pass(taker->hand, body);
    return ++taker->passed == gauge->count;
}

static void run(struct taker *taker, struct side_gauge *gauge)
{
    struct bare_event event = { 0 };
    bool is_last = false;
    while (!is_last) {
        bare_next(taker->connection, taker->unacked ? taker->idle_us : BARE_PATIENT, &event);
        if (event.kind == BARE_NOTHING) {
            flush(taker);
            continue;
        }
        is_last = start(taker, gauge, event.body.bytes);
        take(taker, &event);
    }
    if (taker->hand) {
        hand_join(taker->hand);
    }
    flush(taker);
    side_linger();
}

int main(int argc, char **argv)
{
    struct side_gauge gauge = { 0 };
    struct taker taker = { 0 };
    (void)argc;
    side_open(&gauge, argv);
    long queues = side_number(argv, "--queues", 0);
    long delay_ms = side_number(argv, "--delay-ms", 0);
    bool is_each = strcmp(side_word(argv, "--ack", "multiple"), "each") == 0;
    taker.channels = queues ? queues : 1;
    taker.ack_every = is_each ? 1 : side_number(argv, "--prefetch", 250) / 4;
    taker.idle_us = side_number(argv, "--idle-us", 1000);
    taker.behind = calloc((size_t)taker.channels + 1, sizeof *taker.behind);
    taker.last = calloc((size_t)taker.channels + 1, sizeof *taker.last);
    if (taker.channels > QUEUES_MOST || !taker.behind || !taker.last) {
        side_give_up("--queues", "too many");
    }
    taker.connection = bare_open((int)taker.channels);
    taker.hand = side_has(argv, "--threaded") ? hand_start(&gauge) : NULL;
    consume_all(&taker, argv);
    side_ready();
    run(&taker, &gauge);
    bare_close(taker.connection);
    if (delay_ms) {
        side_say_arrivals(&gauge, delay_ms);
    } else {
        side_say_gauge(&gauge);
    }
    side_end();
    free(taker.behind);
    free(taker.last);
    free(gauge.got);
    free(gauge.started_ns);
    return 0;
}
