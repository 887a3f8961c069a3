// SPDX-License-Identifier: MIT
// DESIGN: the public calls, on top of the engine's requests. A message becomes a parcel that owns
// copies of everything, so the caller's memory is free as soon as a call returns. A blocking
// publish is an asynchronous one and a wait; when the caller's time is up first it leaves, and the
// answer that comes later frees the errand.
//
// A caller waits when a window of messages is unconfirmed and a quarter as many wait behind it. When a
// quarter of all that has gone, one of those who wait is called, who may fill it again; while half of it is
// free, another at each confirm. Whoever is awake and finds room takes it.
//
// Locks: one a publisher, for callers who wait, and one an errand that somebody waits for; never both at
// once.
#include "front/publisher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/random.h"
#include "base/thread.h"
#include "engine/tracer.h"
#include "engine/watchdog.h"
#include "model/parcel.h"

struct warren_publisher {
    struct wr_publisher *publisher;
    const struct wr_settings *settings;
    const struct wr_clock *clock;
    struct wr_tracer *tracer;         /* NULL: none; owned by one that was opened on its own */
    struct wr_settings *own_settings; /* of one that was opened on its own */
    bool is_own;
    struct wr_watch watch; /* of one that was opened on its own: over its connection */
    struct wr_watchdog *dog;
    void (*pump)(void *user); /* NULL: the engine has a thread */
    void *pump_user;
    _Atomic size_t open;    /* asynchronous messages under way */
    atomic_int waiting;     /* callers; written under lock */
    atomic_bool has_called; /* one of them, since there was no room; written under lock */
    pthread_mutex_t lock;   /* for those who wait */
    pthread_cond_t has_room;
};

/* One asynchronous message. */
struct errand {
    struct wr_request request;
    struct warren_publisher *publisher;
    warren_confirmed *done;
    void *user;
};

static warren_status compose(const warren_publisher *publisher, struct wr_request *request,
                             const warren_message *message, warren_error *err)
{
    const struct wr_settings *settings = publisher->settings;
    struct wr_tracing tracing;
    wr_tracer_compose(publisher->tracer, NULL, message, &tracing);
    struct wr_compose how = { settings->ns, settings->delay_max_ms, settings->body_most,
                              wr_clock_wall_ms(publisher->clock), tracing.carried };
    warren_status rc = wr_parcel_compose(&request->parcel, message, &how, err);
    if (!rc && wr_parcel_keep(&request->parcel)) {
        wr_parcel_done(&request->parcel);
        rc = wr_no_memory(err);
    }
    if (rc) {
        wr_tracing_drop(&tracing);
        return rc;
    }
    request->tracer = publisher->tracer;
    request->span = wr_tracing_take(&tracing, &request->parcel, message);
    return WARREN_OK;
}

void wr_front_publisher_wait(const warren_publisher *publisher, pthread_cond_t *cond,
                             pthread_mutex_t *lock, int64_t timeout_us)
{
    if (!publisher->pump) {
        (void)wr_cond_wait(cond, lock, timeout_us);
        return;
    }
    (void)pthread_mutex_unlock(lock);
    publisher->pump(publisher->pump_user);
    (void)pthread_mutex_lock(lock);
}

static int64_t deadline_us(const warren_publisher *publisher)
{
    return wr_clock_mono_us(publisher->clock) +
           publisher->settings->publish_timeout_ms * WR_US_PER_MS;
}

/* --- asynchronous --- */

static bool is_quarter_empty(size_t open, size_t most)
{
    return open <= most - (most + 3) / 4;
}

static bool wants_call(const warren_publisher *publisher, size_t open, size_t most)
{
    bool is_time =
        open <= most / 2 || (is_quarter_empty(open, most) && !atomic_load(&publisher->has_called));
    return is_time && atomic_load(&publisher->waiting);
}

static void call_one(warren_publisher *publisher)
{
    WR_SCOPED_LOCK(&publisher->lock); /* or he could have looked and not be asleep yet */
    atomic_store(&publisher->has_called, true);
    (void)pthread_cond_signal(&publisher->has_room);
}

static void release_room(warren_publisher *publisher)
{
    size_t open = atomic_fetch_sub(&publisher->open, 1) - 1;
    if (wants_call(publisher, open, wr_front_publisher_room(publisher))) {
        call_one(publisher);
    }
}

static void confirmed(struct wr_request *request, warren_status status, const warren_error *error)
{
    struct errand *errand = WR_OF(request, struct errand, request);
    warren_publisher *publisher = errand->publisher;
    if (errand->done) {
        errand->done(errand->user, status, error);
    }
    wr_parcel_done(&errand->request.parcel);
    free(errand);
    release_room(publisher);
}

/* Where few confirms come, any room will do after this. */
enum { PATIENCE_US = 50000 };

static bool take_room(warren_publisher *publisher, size_t most)
{
    size_t open = atomic_load(&publisher->open);
    while (open < most) {
        if (atomic_compare_exchange_weak(&publisher->open, &open, open + 1)) {
            return true;
        }
    }
    return false;
}

/* Waits while there is no room. The engine ends each at its deadline, so this ends too. */
static void wait_for_room(warren_publisher *publisher)
{
    size_t most = wr_front_publisher_room(publisher);
    if (take_room(publisher, most)) {
        return;
    }
    {
        WR_SCOPED_LOCK(&publisher->lock);
        atomic_fetch_add(&publisher->waiting, 1);
        while (!take_room(publisher, most)) {
            atomic_store(&publisher->has_called, false);
            wr_front_publisher_wait(publisher, &publisher->has_room, &publisher->lock, PATIENCE_US);
        }
        atomic_fetch_sub(&publisher->waiting, 1);
    }
    if (atomic_load(&publisher->open) <= most / 2 && atomic_load(&publisher->waiting)) {
        call_one(publisher);
    }
}

warren_status warren_publish_async(warren_publisher *publisher, const warren_message *message,
                                   warren_confirmed *done, void *user, warren_error *err)
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand) {
        return wr_no_memory(err);
    }
    wait_for_room(publisher);
    warren_status rc = compose(publisher, &errand->request, message, err);
    if (rc) {
        release_room(publisher);
        free(errand);
        return rc;
    }
    errand->publisher = publisher;
    errand->done = done;
    errand->user = user;
    errand->request.done = confirmed;
    errand->request.deadline_us = deadline_us(publisher);
    wr_publisher_submit(publisher->publisher, &errand->request);
    return WARREN_OK;
}

/* --- blocking --- */

/* A message that a caller waits for. Freed by whoever comes last: the caller or the answer. */
struct wait {
    struct wr_request request;
    pthread_mutex_t lock;
    pthread_cond_t is_answered;
    bool has_answer;    /* under lock */
    bool is_abandoned;  /* under lock: the caller has left */
    warren_error error; /* under lock */
};

static void free_wait(struct wait *wait)
{
    wr_parcel_done(&wait->request.parcel);
    (void)pthread_mutex_destroy(&wait->lock);
    (void)pthread_cond_destroy(&wait->is_answered);
    free(wait);
}

static void answered(struct wr_request *request, warren_status status, const warren_error *error)
{
    struct wait *wait = WR_OF(request, struct wait, request);
    bool is_abandoned;
    {
        WR_SCOPED_LOCK(&wait->lock);
        is_abandoned = wait->is_abandoned;
        wait->has_answer = true;
        wait->error.status = status;
        if (error) {
            wait->error = *error;
        }
        (void)pthread_cond_signal(&wait->is_answered);
    }
    if (is_abandoned) {
        free_wait(wait);
    }
}

static warren_status wait_for_answer(const warren_publisher *publisher, struct wait *wait,
                                     int64_t timeout_us, warren_error *err)
{
    int64_t until_us = wr_clock_mono_us(publisher->clock) + timeout_us;
    warren_status rc;
    {
        WR_SCOPED_LOCK(&wait->lock);
        int64_t left_us = timeout_us;
        while (!wait->has_answer && left_us > 0) {
            wr_front_publisher_wait(publisher, &wait->is_answered, &wait->lock, left_us);
            left_us = until_us - wr_clock_mono_us(publisher->clock);
        }
        if (!wait->has_answer) {
            wait->is_abandoned = true;
            return wr_fail(
                err, WARREN_TIMEOUT,
                "no answer from the broker within publish.timeout: the message may be there "
                "or not; publish it again with the same id");
        }
        rc = wait->error.status;
        if (rc && err) {
            *err = wait->error;
        }
    }
    free_wait(wait);
    return rc;
}

warren_status warren_publish(warren_publisher *publisher, const warren_message *message,
                             warren_error *err)
{
    enum { SLACK_US = 200000 }; /* the engine's own answer at the deadline is the better one */
    struct wait *wait = calloc(1, sizeof *wait);
    if (!wait) {
        return wr_no_memory(err);
    }
    warren_status rc = compose(publisher, &wait->request, message, err);
    if (rc) {
        free(wait);
        return rc;
    }
    (void)pthread_mutex_init(&wait->lock, NULL);
    wr_cond_init(&wait->is_answered);
    wait->request.done = answered;
    wait->request.deadline_us = deadline_us(publisher);
    wr_publisher_submit(publisher->publisher, &wait->request);
    return wait_for_answer(publisher, wait,
                           publisher->settings->publish_timeout_ms * WR_US_PER_MS + SLACK_US, err);
}

/* --- life --- */

size_t wr_front_publisher_room(const warren_publisher *publisher)
{
    size_t window = (size_t)publisher->settings->publish_window;
    return window + window / 4;
}

warren_status wr_front_publisher_new(warren_publisher **out, struct wr_publisher *publisher,
                                     const struct wr_settings *settings,
                                     const struct wr_clock *clock, warren_error *err)
{
    warren_publisher *front = calloc(1, sizeof *front);
    if (!front) {
        return wr_no_memory(err);
    }
    front->publisher = publisher;
    front->settings = settings;
    front->clock = clock;
    (void)pthread_mutex_init(&front->lock, NULL);
    wr_cond_init(&front->has_room);
    *out = front;
    return WARREN_OK;
}

void wr_front_publisher_trace(warren_publisher *publisher, struct wr_tracer *tracer)
{
    publisher->tracer = tracer;
}

void wr_front_publisher_pump(warren_publisher *publisher, void (*pump)(void *user), void *user)
{
    publisher->pump = pump;
    publisher->pump_user = user;
}

void wr_front_publisher_free(warren_publisher *publisher)
{
    if (publisher) {
        (void)pthread_mutex_destroy(&publisher->lock);
        (void)pthread_cond_destroy(&publisher->has_room);
        free(publisher);
    }
}

/* The engine's half of one that stands on its own. */
static warren_status start_own(warren_publisher *own, warren_error *err)
{
    static const char name[] = "warren publisher";
    const struct wr_settings *settings = own->own_settings;
    struct wr_broker_options broker_options = { .settings = &settings->broker,
                                                .name = name,
                                                .watch = &own->watch };
    struct wr_publisher_options options = { .settings = settings,
                                            .name = name,
                                            .watch = &own->watch };
    struct wr_broker *broker = NULL;
    warren_status rc = wr_broker_open(&broker, &broker_options, err);
    wr_watch_end(&own->watch);
    if (rc) {
        return rc;
    }
    rc = wr_publisher_new(&own->publisher, &options, broker, err);
    if (rc) {
        wr_broker_close(broker);
        return rc;
    }
    char instance[128];
    rc = wr_tracer_new(&own->tracer, settings, NULL, wr_process_name(instance, sizeof instance),
                       err);
    rc = rc ? rc : wr_tracer_start(own->tracer, err);
    if (rc) {
        return rc;
    }
    struct wr_watch *const watches[] = { &own->watch };
    rc = wr_watchdog_new(&own->dog, watches, 1, err);
    return rc ? rc : wr_publisher_start(own->publisher, err);
}

/* What hangs in a call that can't be cut keeps what it uses. */
static void free_own(warren_publisher *own, int64_t timeout_us)
{
    struct wr_settings *settings = own->own_settings;
    bool is_free = !own->publisher || wr_publisher_stop(own->publisher, timeout_us);
    (void)wr_publisher_free(own->publisher);
    wr_watchdog_free(own->dog);
    is_free = wr_tracer_stop(own->tracer) && is_free; /* no request is left that has a span */
    if (is_free) {
        wr_tracer_free(own->tracer);
        wr_watch_done(&own->watch);
        wr_settings_free(settings);
        wr_front_publisher_free(own);
    }
}

warren_status warren_publisher_open(warren_publisher **out, const char *config, warren_error *err)
{
    struct wr_settings *settings = NULL;
    warren_publisher *own = NULL;
    warren_status rc = wr_settings_load(&settings, config, NULL, err);
    rc = rc ? rc : wr_front_publisher_new(&own, NULL, settings, NULL, err);
    if (rc) {
        wr_settings_free(settings);
        return rc;
    }
    own->own_settings = settings;
    own->is_own = true;
    wr_log_limit((uint32_t)settings->log_rate, NULL);
    wr_watch_init(&own->watch, "publisher");
    rc = start_own(own, err);
    if (rc) {
        free_own(own, 0);
        return rc;
    }
    *out = own;
    return WARREN_OK;
}

void warren_publisher_close(warren_publisher *publisher)
{
    if (!publisher || !publisher->is_own) {
        return;
    }
    free_own(publisher, publisher->settings->publish_timeout_ms * WR_US_PER_MS);
}

void warren_make_id(char out[37])
{
    uint64_t random[2] = { wr_random(), wr_random() };
    wr_uuid_write(out, wr_clock_wall_ms(NULL), random);
}
