// SPDX-License-Identifier: MIT
// DESIGN: the counters are looked at a few times within the patience. A worker is idle while it is ready,
// holds no job and has received none; anything else begins the patience anew, and so does a connection
// that is lost: jobs may wait where it can't see them. The end is a SIGTERM as anybody may send, so
// that there is one way to drain.
#include "idle.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 20, LOOK_LEAST_MS = 10, LOOK_MOST_MS = 1000, MS = 1000, NS_PER_MS = 1000000 };

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS + now.tv_nsec / NS_PER_MS;
}

static int64_t pause_of(int64_t patience_ms)
{
    int64_t ms = patience_ms / LOOKS;
    return ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : ms > LOOK_MOST_MS ? LOOK_MOST_MS : ms;
}

/* False when the watch is to end. */
static bool wait_a_bit(struct idle_watch *watch)
{
    int64_t until_ms = now_ms() + pause_of(watch->patience_ms);
    struct timespec until = { .tv_sec = until_ms / MS, .tv_nsec = until_ms % MS * NS_PER_MS };
    int rc = 0;
    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping && rc == 0) {
        rc = pthread_cond_timedwait(&watch->stopped, &watch->lock, &until);
    }
    bool goes_on = !watch->is_stopping;
    (void)pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

static void *look(void *user)
{
    struct idle_watch *watch = user;
    int64_t since_ms = now_ms();
    uint64_t received = 0;
    while (wait_a_bit(watch)) {
        warren_stats_data stats = { .size = sizeof stats };
        warren_stats(watch->w, &stats);
        bool is_idle = stats.ready && !stats.in_flight && stats.received == received;
        received = stats.received;
        since_ms = is_idle ? since_ms : now_ms();
        if (now_ms() - since_ms >= watch->patience_ms) {
            (void)kill(getpid(), SIGTERM);
            break;
        }
    }
    return NULL;
}

bool idle_watch_start(struct idle_watch *watch, const warren *w, int64_t patience_ms)
{
    pthread_condattr_t clock;
    *watch = (struct idle_watch){ .w = w, .patience_ms = patience_ms };
    (void)pthread_mutex_init(&watch->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->stopped, &clock);
    (void)pthread_condattr_destroy(&clock);
    watch->is_running = pthread_create(&watch->thread, NULL, look, watch) == 0;
    return watch->is_running;
}

void idle_watch_stop(struct idle_watch *watch)
{
    if (!watch->is_running) {
        return;
    }
    (void)pthread_mutex_lock(&watch->lock);
    watch->is_stopping = true;
    (void)pthread_cond_signal(&watch->stopped);
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_join(watch->thread, NULL);
    (void)pthread_cond_destroy(&watch->stopped);
    (void)pthread_mutex_destroy(&watch->lock);
    watch->is_running = false;
}
