// SPDX-License-Identifier: MIT
// DESIGN: rabbitmq-c sends without a deadline, and before 0.14 it can wait for ever in a publish.
// What goes in is asked first whether it can (broker_amqp_call.c); the moments that are left end
// here: a step of a connection's owner that takes longer than the broker may be silent is taken
// for stuck, and its socket is shut down under it. The call then fails, the connection counts as
// lost, and everything goes on as after any other loss.
#include "engine/watchdog.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"

enum { LOOK_EVERY_US = 250000, STACK_BYTES = 256 << 10 };

struct wr_watchdog {
    struct wr_watch *watches[WR_WATCHES_MOST];
    size_t count;
    struct wr_thread thread;
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool stops; /* under lock */
};

static void look(struct wr_watchdog *dog)
{
    int64_t now_us = wr_clock_mono_us(NULL);
    for (size_t i = 0; i < dog->count; i++) {
        if (wr_watch_look(dog->watches[i], now_us)) {
            wr_log(WR_ERROR, "connection.stuck",
                   "role=%s cause=\"a call of the AMQP library did not return\" now=cut",
                   dog->watches[i]->role);
        }
    }
}

static void *loop(void *user)
{
    struct wr_watchdog *dog = user;
    (void)pthread_mutex_lock(&dog->lock);
    while (!dog->stops) {
        (void)wr_cond_wait(&dog->end, &dog->lock, LOOK_EVERY_US);
        look(dog);
        wr_log_flush(false); /* what nobody else tells */
    }
    (void)pthread_mutex_unlock(&dog->lock);
    return NULL;
}

warren_status wr_watchdog_new(struct wr_watchdog **out, struct wr_watch *const *watches,
                              size_t count, warren_error *err)
{
    struct wr_watchdog *dog = calloc(1, sizeof *dog);
    if (!dog) {
        return wr_no_memory(err);
    }
    dog->count = count < WR_WATCHES_MOST ? count : WR_WATCHES_MOST;
    for (size_t i = 0; i < dog->count; i++) {
        dog->watches[i] = watches[i];
    }
    (void)pthread_mutex_init(&dog->lock, NULL);
    wr_cond_init(&dog->end);
    warren_status rc = wr_thread_start(&dog->thread, "warren-watch", STACK_BYTES, loop, dog, err);
    if (rc) {
        wr_watchdog_free(dog);
        return rc;
    }
    *out = dog;
    return WARREN_OK;
}

void wr_watchdog_free(struct wr_watchdog *dog)
{
    if (!dog) {
        return;
    }
    {
        WR_SCOPED_LOCK(&dog->lock);
        dog->stops = true;
        (void)pthread_cond_signal(&dog->end);
    }
    wr_thread_join(&dog->thread);
    (void)pthread_mutex_destroy(&dog->lock);
    (void)pthread_cond_destroy(&dog->end);
    free(dog);
}
