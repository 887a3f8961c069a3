// SPDX-License-Identifier: MIT
// DESIGN: a worker without threads. Its parts are stepped in turn, on a memory broker of their own
// and a virtual clock that both share, until none of them has anything to do: no event waits in a
// connection, no letter in a mailbox, no job may start. Only then does time pass, and only up to
// the next moment at which a part or the broker has something to do, so that every wait is exact
// and none takes time.
//
//     consumer ─▶ pool ─▶ publisher ─▶ … until nothing moves ─▶ clock to the next due time ─▶ …
//
// The worker starts at the first run or publish, so that handlers can be registered before. A
// publish of the test, or a blocking one inside a handler, drives the publisher itself.
#include "front/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/delay.h"

enum { JOBS_MOST = 1000000, LEAST_STEP_US = 1000 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t now_us(const warren_test *test)
{
    return wr_clock_mono_us(&test->clock);
}

/* --- counting --- */

static struct wr_test_count *find_count(const warren_test *test, struct wr_slice type)
{
    for (size_t i = 0; i < test->count_count; i++) {
        if (wr_slice_is(type, test->counts[i].type)) {
            return &test->counts[i];
        }
    }
    return NULL;
}

static struct wr_test_count *add_count(warren_test *test, struct wr_slice type)
{
    struct wr_test_count *grown =
        realloc(test->counts, (test->count_count + 1) * sizeof *test->counts);
    char *name = grown ? wr_slice_copy(type) : NULL;
    test->counts = grown ? grown : test->counts;
    if (!name) {
        test->lost_count = true;
        return NULL;
    }
    grown[test->count_count] = (struct wr_test_count){ .type = name };
    return &grown[test->count_count++];
}

static void count_published(void *user, const struct wr_message *message)
{
    warren_test *test = user;
    struct wr_test_count *found = find_count(test, message->type);
    found = found ? found : add_count(test, message->type);
    if (found) {
        found->count++;
    }
}

/* --- time --- */

static void pass_until(warren_test *test, int64_t until_us)
{
    int64_t by_us = until_us - now_us(test);
    wr_clock_advance(&test->clock, by_us > LEAST_STEP_US ? by_us : LEAST_STEP_US);
}

/* For a publish that waits: moves the publisher, or else time. */
static void pump(void *user)
{
    warren_test *test = user;
    struct wr_publisher *publisher = test->worker->publisher;
    if (!wr_publisher_has_work(publisher)) {
        pass_until(test, least(test->due_us, wr_memory_deadline_us(test->server)));
    }
    test->due_us = wr_publisher_step(publisher, now_us(test));
}

/* How often a handler was called. */
static uint64_t count_runs(const warren *w)
{
    struct wr_tally_sum sum = { .last_done_ms = 0 };
    uint64_t runs = 0;
    for (size_t i = 0; i < w->roster.lane_count; i++) {
        wr_tally_gather(&w->roster.lanes[i].tally, &sum);
    }
    for (int i = 0; i < WR_HISTOGRAM_BUCKETS; i++) {
        runs += sum.run.buckets[i];
    }
    return runs;
}

int wr_test_round(warren_test *test)
{
    warren *w = test->worker;
    uint64_t before = count_runs(w);
    int64_t consumer_us = wr_consumer_step(w->consumer, now_us(test));
    while (wr_pool_step(w->pool)) {
    }
    test->due_us = least(consumer_us, wr_publisher_step(w->publisher, now_us(test)));
    return (int)(count_runs(w) - before);
}

bool wr_test_has_work(warren_test *test)
{
    return wr_consumer_has_work(test->worker->consumer) ||
           wr_publisher_has_work(test->worker->publisher) ||
           wr_pool_counts(test->worker->pool).waiting > 0;
}

/* Everything that is due now. */
static warren_status run_due(warren_test *test, int *ran, warren_error *err)
{
    do {
        *ran += wr_test_round(test);
        if (*ran > test->jobs_most) {
            return wr_fail(err, WARREN_FAILED,
                           "more than %d jobs ran in one call: a handler publishes without end",
                           test->jobs_most);
        }
    } while (wr_test_has_work(test));
    return WARREN_OK;
}

/* --- life --- */

static warren_status set_broker(warren_test *test, warren_error *err)
{
    struct wr_settings *settings = test->worker->settings;
    char url[64];
    (void)snprintf(url, sizeof url, "memory:test-%p", (void *)test);
    char *copy = strdup(url);
    test->server = copy ? wr_memory_open(url + strlen("memory:"), &test->clock) : NULL;
    if (!test->server) {
        free(copy);
        return wr_no_memory(err);
    }
    free(settings->broker.url);
    settings->broker.url = copy;
    settings->topology_check = false; /* a fresh broker has nothing to be checked */
    return WARREN_OK;
}

warren_status warren_test_open(warren_test **out, const char *config, warren_error *err)
{
    warren_test *test = calloc(1, sizeof *test);
    if (!test) {
        return wr_no_memory(err);
    }
    test->jobs_most = JOBS_MOST;
    wr_clock_init(&test->clock, wr_clock_wall_ms(NULL));
    warren_status rc = warren_open(&test->worker, config, err);
    rc = rc ? rc : set_broker(test, err);
    if (rc) {
        warren_test_close(test);
        return rc;
    }
    test->worker->clock = &test->clock;
    test->worker->is_stepped = true;
    test->worker->confirmed = count_published;
    test->worker->confirmed_user = test;
    *out = test;
    return WARREN_OK;
}

static void forget_letter(warren_test *test)
{
    if (test->delivery) {
        wr_letter_done(&test->letter);
        wr_delivery_free(test->delivery);
        test->delivery = NULL;
    }
}

void warren_test_close(warren_test *test)
{
    if (!test) {
        return;
    }
    forget_letter(test);
    warren_close(test->worker);
    wr_memory_close(test->server);
    for (size_t i = 0; i < test->count_count; i++) {
        free(test->counts[i].type);
    }
    free(test->counts);
    free(test);
}

warren *warren_test_worker(warren_test *test)
{
    return test->worker;
}

warren_status wr_test_start(warren_test *test, warren_error *err)
{
    if (test->worker->state != WR_WORKER_NEW) {
        return test->worker->state == WR_WORKER_RUNNING
                   ? WARREN_OK
                   : wr_fail(err, WARREN_STATE, "the test's worker could not start, or has ended");
    }
    warren_status rc = wr_worker_start(test->worker, NULL, err);
    if (!rc) {
        wr_front_publisher_pump(test->worker->front, pump, test);
    }
    return rc;
}

/* --- running --- */

warren_status warren_test_publish(warren_test *test, const warren_message *message,
                                  warren_error *err)
{
    forget_letter(test);
    warren_status rc = wr_test_start(test, err);
    return rc ? rc : warren_publish(test->worker->front, message, err);
}

int warren_test_run(warren_test *test, warren_error *err)
{
    return warren_test_advance(test, 0, err);
}

int warren_test_advance(warren_test *test, int64_t by_ms, warren_error *err)
{
    int ran = 0;
    forget_letter(test);
    if (by_ms < 0 || by_ms > INT64_MAX / WR_US_PER_MS / 2) {
        return wr_fail(err, WARREN_INVALID, "time passes by 0 ms or more, not by %lld",
                       (long long)by_ms);
    }
    int64_t target_us = now_us(test) + by_ms * WR_US_PER_MS;
    warren_status rc = wr_test_start(test, err);
    rc = rc ? rc : run_due(test, &ran, err);
    while (!rc && now_us(test) < target_us) {
        int64_t due_us = least(test->due_us, wr_memory_deadline_us(test->server));
        pass_until(test, least(due_us, target_us));
        rc = run_due(test, &ran, err);
    }
    return rc ? (int)rc : ran;
}

int64_t warren_test_now_ms(const warren_test *test)
{
    return now_us(test) / WR_US_PER_MS;
}

/* --- looking --- */

size_t warren_test_waiting(warren_test *test, const char *queue)
{
    uint64_t ready = 0;
    uint64_t out = 0; /* what the worker has already been sent, but nothing has run yet */
    return wr_memory_depth(test->server, queue, &ready, &out) ? (size_t)(ready + out) : 0;
}

size_t warren_test_delayed(warren_test *test)
{
    size_t sum = 0;
    for (int level = 0; level < WR_DELAY_LEVELS; level++) {
        char name[WR_DELAY_KEY_SIZE];
        if (wr_delay_level_name(name, sizeof name, test->worker->settings->ns, level)) {
            sum += warren_test_waiting(test, name);
        }
    }
    return sum;
}

size_t warren_test_published(const warren_test *test, const char *type)
{
    const struct wr_test_count *found = find_count(test, wr_slice_of(type));
    return found ? found->count : 0;
}

static const struct wr_letter *find_letter(warren_test *test, const char *queue, size_t index)
{
    const struct wr_letter_place place = { .queue = queue, .ns = test->worker->settings->ns };
    char name[WR_NAME_SIZE];
    forget_letter(test);
    (void)snprintf(name, sizeof name, "%s.dead", queue);
    test->delivery = wr_memory_peek(test->server, name, index);
    if (!test->delivery) {
        return NULL;
    }
    if (wr_letter_read(&test->letter, &test->delivery->message, &place)) {
        wr_delivery_free(test->delivery);
        test->delivery = NULL;
        return NULL;
    }
    return &test->letter;
}

const char *warren_test_dead_reason(warren_test *test, const char *queue, size_t index)
{
    const struct wr_letter *letter = find_letter(test, queue, index);
    return letter ? letter->data.reason : NULL;
}

const char *warren_test_dead_error(warren_test *test, const char *queue, size_t index)
{
    const struct wr_letter *letter = find_letter(test, queue, index);
    return letter ? letter->data.error : NULL;
}

/* --- one handler alone --- */

struct call {
    warren_handler *handler;
    void *user;
    warren_verdict *out_verdict;
    char *out_text;
    size_t text_size;
    int64_t *out_delay_ms;
};

static void call_on(struct call *call, struct warren_job *job)
{
    *call->out_verdict = call->handler(job, call->user);
    if (call->out_text && call->text_size) {
        (void)snprintf(call->out_text, call->text_size, "%s", job->text ? job->text : "");
    }
    if (call->out_delay_ms) {
        *call->out_delay_ms = job->delay_ms;
    }
}

/* The message as it would be delivered, in the queue of the defaults. */
static warren_status call_with(const struct wr_settings *settings, struct call *call,
                               const warren_message *message, warren_error *err)
{
    const struct wr_queue_settings *queue = &settings->queues[0];
    struct wr_job_rules rules = { settings, queue, wr_slice_of("warren.jobs") };
    struct wr_compose how = { .ns = settings->ns,
                              .delay_max_ms = settings->delay_max_ms,
                              .body_most = settings->body_most,
                              .wall_ms = wr_clock_wall_ms(NULL) };
    struct wr_parcel parcel;
    warren_status rc = wr_parcel_compose(&parcel, message, &how, err);
    if (rc) {
        return rc;
    }
    struct warren_job *job = wr_job_decode(&parcel.message, &rules, how.wall_ms);
    if (!job) {
        rc = wr_no_memory(err);
    } else if (job->reason) {
        rc = wr_fail(err, WARREN_INVALID, "no handler would see it: %s: %s", job->reason,
                     job->text ? job->text : "");
    } else {
        job->settings = &queue->jobs[0];
        call_on(call, job);
    }
    wr_job_free(job);
    wr_parcel_done(&parcel);
    return rc;
}

warren_status warren_test_call(warren_handler *handler, void *user, const warren_message *message,
                               warren_verdict *out_verdict, char *out_text, size_t text_size,
                               int64_t *out_delay_ms, warren_error *err)
{
    struct call call = { handler, user, out_verdict, out_text, text_size, out_delay_ms };
    struct wr_settings *settings = NULL;
    warren_status rc = wr_settings_load(&settings, NULL, NULL, err);
    if (!rc && !message->type) {
        rc = wr_fail(err, WARREN_INVALID, "the message has no type: say which handler it is for");
    }
    rc = rc ? rc : wr_settings_add_type(settings, message->type, err);
    rc = rc ? rc : call_with(settings, &call, message, err);
    wr_settings_free(settings);
    return rc;
}
