// SPDX-License-Identifier: MIT
// DESIGN: a ring under a lock with a condition, as everybody would write it.
#include "hand.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096 };

struct hand {
    struct side_gauge *gauge;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t has_job;
    size_t passed;
    size_t taken;
    struct side_stamp slots[SLOTS];
};

static struct side_stamp take(struct hand *hand)
{
    (void)pthread_mutex_lock(&hand->lock);
    while (hand->taken == hand->passed) {
        (void)pthread_cond_wait(&hand->has_job, &hand->lock);
    }
    struct side_stamp stamp = hand->slots[hand->taken++ % SLOTS];
    (void)pthread_mutex_unlock(&hand->lock);
    return stamp;
}

static void *work(void *user)
{
    struct hand *hand = user;
    struct side_stamp stamp;
    do {
        stamp = take(hand);
    } while (!side_start(hand->gauge, &stamp));
    return NULL;
}

struct hand *hand_start(struct side_gauge *gauge)
{
    struct hand *hand = calloc(1, sizeof *hand);
    if (!hand) {
        side_give_up("a thread", "no memory");
    }
    hand->gauge = gauge;
    (void)pthread_mutex_init(&hand->lock, NULL);
    (void)pthread_cond_init(&hand->has_job, NULL);
    if (pthread_create(&hand->thread, NULL, work, hand)) {
        side_give_up("a thread", "it doesn't start");
    }
    return hand;
}

void hand_pass(struct hand *hand, const void *body)
{
    (void)pthread_mutex_lock(&hand->lock);
    if (hand->passed - hand->taken == SLOTS) {
        side_give_up("--threaded", "more jobs wait than it has room for: a smaller --prefetch");
    }
    memcpy(&hand->slots[hand->passed++ % SLOTS], body, sizeof hand->slots[0]);
    (void)pthread_mutex_unlock(&hand->lock);
    (void)pthread_cond_signal(&hand->has_job);
}

void hand_join(struct hand *hand)
{
    (void)pthread_join(hand->thread, NULL);
    (void)pthread_cond_destroy(&hand->has_job);
    (void)pthread_mutex_destroy(&hand->lock);
    free(hand);
}
