/* SPDX-License-Identifier: MIT */
/*
 * The ground of the stories about dead letters on the real broker: a configuration with one queue,
 * its topology, a connection to look and to publish with, and an admin. What cannot be opened or
 * declared ends the test process with a sentence; the rest asserts. Threads: the test's one.
 */
#ifndef TESTS_SUPPORT_GRAVEYARD_H
#define TESTS_SUPPORT_GRAVEYARD_H

#include "io/broker.h"
#include "model/settings.h"
#include "warren/queue.h"

/** The connection's channel, with confirms. Others are free. */
enum { GRAVEYARD_CHANNEL = 1 };

/** All zero before it is opened. */
struct graveyard {
    char *config; /* path of warren.cfg; NULL after graveyard_connect alone */
    struct wr_settings *settings;
    struct wr_broker *broker;
    warren_admin *admin;
    /* Publishes on the channel, and the last of them that the broker has. */
    uint64_t published;
    uint64_t confirmed;
};

/** Opens with a configuration of its own and declares it: the queue `emails`, which takes `a.job`
 * and, isolated, `apart`. */
void graveyard_open(struct graveyard *yard);

/** Only opens the connection and the admin, with a configuration that is there. */
void graveyard_connect(struct graveyard *yard, const char *config);

/** After either. */
void graveyard_close(struct graveyard *yard);

/** Declares the topology, again when a story has deleted some of it. */
void graveyard_declare(struct graveyard *yard);

/** Empties emails, emails.apart and emails.dead. */
void graveyard_empty(struct graveyard *yard);

/** Publishes a persistent message; its key is `queue`. */
void graveyard_publish(struct graveyard *yard, const char *queue, const struct wr_message *wanted);

/** Waits until the broker has all that was published. */
void graveyard_await_confirms(struct graveyard *yard);

/** Puts `count` letters of a type into emails.dead and waits for the confirms. Id and body are the
 * number in six digits, from `first` on. */
void graveyard_bury(struct graveyard *yard, int first, int count, const char *type);

/** How many messages are ready in a queue. */
uint64_t graveyard_depth(struct graveyard *yard, const char *queue);

/** Waits up to 10 s until a queue has this depth. */
bool graveyard_settles_at(struct graveyard *yard, const char *queue, uint64_t depth);

#endif
