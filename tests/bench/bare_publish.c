// SPDX-License-Identifier: MIT
// DESIGN: publishes with a window of unconfirmed messages; with nothing but trust; or so many a
// second, stamped with the time. The confirms are read when the window is full: then one is waited
// for, and those that have come with it are read, too. The measured time ends with the last confirm,
// without confirms when the broker has answered a question behind the last message.
//
//     bare_publish [--exchange NAME] --key KEY [--keys N] --count N
//                  [--window N] [--rate N] [--stamps]
//
// Without a window nothing is confirmed; what the queue hasn't taken in when the channel is closed can
// be lost then.
// With --keys the keys are KEY.0, KEY.1 … in turn.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bare.h"
#include "side.h"

enum { KEY_BYTES = 300, NS_A_S = 1000000000 };

struct sender {
    amqp_connection_state_t connection;
    const char *exchange;
    const char *key;
    long keys;
    long window; /* 0: no confirms */
    long rate;   /* a second; 0: as fast as possible */
    long count;
    bool stamps;
    bool *is_confirmed; /* by tag */
    long confirmed;     /* how many */
    uint64_t all_up_to; /* by the last multiple confirm */
    unsigned char body[SIDE_BODY_BYTES];
};

static void publish_one(struct sender *sender, long number)
{
    char key[KEY_BYTES];
    const char *name = sender->key;
    if (sender->keys) {
        (void)snprintf(key, sizeof key, "%s.%ld", sender->key, number % sender->keys);
        name = key;
    }
    if (sender->stamps) {
        const struct side_stamp stamp = { .sent_ns = side_now_ns(), .number = number };
        memcpy(sender->body, &stamp, sizeof stamp);
    }
    bare_publish(sender->connection, 1, sender->exchange, name, NULL, sender->body);
}

static void settle(struct sender *sender, uint64_t tag)
{
    if (tag <= (uint64_t)sender->count && !sender->is_confirmed[tag]) {
        sender->is_confirmed[tag] = true;
        sender->confirmed++;
    }
}

static void read_confirm(struct sender *sender)
{
    struct bare_event event = { 0 };
    bare_next(sender->connection, BARE_PATIENT, &event);
    if (event.kind != BARE_CONFIRM) {
        side_give_up("publish", "something else than a confirm came back");
    }
    for (uint64_t tag = event.is_multiple ? sender->all_up_to + 1 : event.tag; tag < event.tag;
         tag++) {
        settle(sender, tag);
    }
    settle(sender, event.tag);
    if (event.is_multiple) {
        sender->all_up_to = event.tag;
    }
}

/* Waits for one confirm, and reads what has come with it. */
static void make_room(struct sender *sender, long sent, long window)
{
    while (sent - sender->confirmed >= window) {
        read_confirm(sender);
        while (amqp_data_in_buffer(sender->connection) && sender->confirmed < sent) {
            read_confirm(sender);
        }
    }
}

static void pass_until(int64_t ns)
{
    const struct timespec at = { .tv_sec = ns / NS_A_S, .tv_nsec = ns % NS_A_S };
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void send_all(struct sender *sender)
{
    int64_t began_ns = side_now_ns();
    for (long i = 0; i < sender->count; i++) {
        if (sender->rate) {
            pass_until(began_ns + i * (NS_A_S / sender->rate));
        }
        if (sender->window) {
            make_room(sender, i, sender->window);
        }
        publish_one(sender, i);
    }
    if (sender->window) {
        make_room(sender, sender->count, 1);
    } else {
        bare_sync(sender->connection);
    }
}

static void open_sender(struct sender *sender, char **words)
{
    *sender = (struct sender){ .exchange = side_word(words, "--exchange", ""),
                               .key = side_word(words, "--key", ""),
                               .keys = side_number(words, "--keys", 0),
                               .window = side_number(words, "--window", 0),
                               .rate = side_number(words, "--rate", 0),
                               .count = side_number(words, "--count", 0),
                               .stamps = side_has(words, "--stamps") };
    memset(sender->body, 'w', sizeof sender->body);
    sender->is_confirmed = calloc((size_t)sender->count + 1, sizeof *sender->is_confirmed);
    if (!sender->is_confirmed) {
        side_give_up("--count", "out of memory");
    }
    sender->connection = bare_open(1);
    if (sender->window) {
        bare_confirm(sender->connection, 1);
    }
}

int main(int argc, char **argv)
{
    struct sender sender;
    (void)argc;
    open_sender(&sender, argv);
    side_ready();
    struct side_moment first = side_moment();
    send_all(&sender);
    side_say_publishes(sender.count, first, side_moment());
    side_end();
    bare_close(sender.connection);
    free(sender.is_confirmed);
    return 0;
}
