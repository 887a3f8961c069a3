// SPDX-License-Identifier: MIT
// What a service manager is told, by a socket of the test's own and on a virtual clock: the datagrams
// themselves, when each comes, and what the status says.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "base/clock.h"
#include "front/service.h"
#include "io/notify.h"
#include "notify_socket.h"
#include "web/view.h"

enum { WORD_MS = 10000 };

static struct wr_clock clock_;
static struct wr_view seen; /* what the worker is at */
static struct wr_view_queue queues[3];

static char *path_of(char out[64], const char *name)
{
    (void)snprintf(out, 64, "/tmp/warren-notify-%d-%s", (int)getpid(), name);
    return out;
}

static void look(void *user, struct wr_view *out)
{
    (void)user;
    *out = seen;
    out->now_us = wr_clock_mono_us(&clock_);
    out->loops[0] = (struct wr_view_loop){ "consumer", out->now_us };
    out->loops[1] = (struct wr_view_loop){ "publisher", out->now_us };
    out->queues = out->queue_count ? malloc(sizeof queues) : NULL;
    if (out->queues) {
        memcpy(out->queues, queues, sizeof queues);
    }
}

static void begin(void)
{
    wr_clock_init(&clock_, 1700000000000);
    wr_clock_advance(&clock_, 7 * WR_US_PER_S);
    seen = (struct wr_view){ .stats = { .config_reload_ok = true }, .queue_count = 3 };
    for (int i = 0; i < 3; i++) {
        queues[i] = (struct wr_view_queue){ .is_consumed = true };
    }
}

static struct wr_service serve(const struct notify_socket *manager, int64_t watchdog_us)
{
    struct wr_service service;
    struct wr_service_options options = { .address = manager->address,
                                          .watchdog_us = watchdog_us,
                                          .start_most_ms = 300000,
                                          .clock = &clock_,
                                          .look = look };
    wr_service_open(&service, &options);
    return service;
}

static void expect_silence(struct notify_socket *manager)
{
    CU_ASSERT_FALSE(notify_socket_take(manager, 0));
    CU_ASSERT_STRING_EQUAL(manager->word, "");
}

/* --- the datagrams --- */

static void a_word_arrives_by_path_and_by_abstract_name(void)
{
    char path[64];
    char abstract[64];
    (void)snprintf(abstract, sizeof abstract, "@warren-test-%d", (int)getpid());
    const char *const addresses[] = { path_of(path, "words"), abstract };
    for (int i = 0; i < 2; i++) {
        struct notify_socket manager = notify_socket_open(addresses[i]);
        struct wr_notify notify;
        CU_ASSERT_EQUAL(wr_notify_open(&notify, addresses[i], NULL), WARREN_OK);
        CU_ASSERT_EQUAL(wr_notify_send(&notify, "READY=1\nSTATUS=here", NULL), WARREN_OK);
        CU_ASSERT(notify_socket_take(&manager, WORD_MS));
        CU_ASSERT_STRING_EQUAL(manager.word, "READY=1\nSTATUS=here");
        notify_socket_close(&manager);
        warren_error err = { .status = WARREN_OK };
        CU_ASSERT_EQUAL(wr_notify_send(&notify, "READY=1", &err), WARREN_FAILED);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "NOTIFY_SOCKET: "));
        wr_notify_close(&notify);
        wr_notify_close(&notify); /* once more does nothing */
    }
}

static void what_is_no_address_is_refused(void)
{
    char longest[140];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[108] = '\0';
    const char *const wrong[] = { "", "/", "@", "relative/path", "vsock:2:1234", longest };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct wr_notify notify;
        warren_error err = { .status = WARREN_OK };
        CU_ASSERT_EQUAL(wr_notify_open(&notify, wrong[i], &err), WARREN_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "NOTIFY_SOCKET: got "));
        wr_notify_close(&notify);
    }
    longest[107] = '\0';
    struct wr_notify notify;
    CU_ASSERT_EQUAL(wr_notify_open(&notify, longest, NULL), WARREN_OK);
    wr_notify_close(&notify);
}

static void the_watchdog_is_for_the_process_that_it_names(void)
{
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("30000000", "12", 12), 30000000);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("30000000", NULL, 12), 30000000);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("30000000", "13", 12), 0);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("30000000", "x", 12), 0);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us(NULL, "12", 12), 0);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("0", NULL, 12), 0);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("-5", NULL, 12), 0);
    CU_ASSERT_EQUAL(wr_notify_watchdog_us("30s", NULL, 12), 0);
}

/* --- the life of a worker --- */

static void a_worker_tells_its_states_in_order(void)
{
    char path[64];
    begin();
    struct notify_socket manager = notify_socket_open(path_of(path, "life"));
    struct wr_service service = serve(&manager, 0);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT_STRING_EQUAL(manager.word,
                           "STATUS=waiting for the broker\nEXTEND_TIMEOUT_USEC=315000000\n");
    seen.has_started = true;
    wr_service_ready(&service);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT_STRING_EQUAL(manager.word, "READY=1\nSTATUS=taking jobs from 3 queues; 0 running, 0 "
                                         "done, 0 retried, 0 dead\n");
    wr_service_reloading(&service);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT(notify_socket_has(&manager, "RELOADING=1"));
    CU_ASSERT(notify_socket_has(&manager, "MONOTONIC_USEC=7000000"));
    CU_ASSERT_FALSE(notify_socket_has(&manager, "READY=1"));
    seen.stats.config_reload_ok = false;
    wr_service_reloaded(&service);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT(notify_socket_has(&manager, "READY=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manager.word, "; not all of the last reload is in effect\n"));
    seen.stats.draining = true;
    seen.stats.running = 2;
    wr_service_stopping(&service, 25000);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT(notify_socket_has(&manager, "STOPPING=1"));
    CU_ASSERT(notify_socket_has(&manager, "EXTEND_TIMEOUT_USEC=40000000"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manager.word, "STATUS=draining; 2 running, "));
    wr_service_reloading(&service); /* it would be taken for ready again */
    wr_service_reloaded(&service);
    wr_service_close(&service);
    expect_silence(&manager);
    notify_socket_close(&manager);
}

static void a_status_comes_when_it_has_changed_and_each_5_s_at_most(void)
{
    char path[64];
    begin();
    seen.has_started = true;
    struct notify_socket manager = notify_socket_open(path_of(path, "status"));
    struct wr_service service = serve(&manager, 0);
    wr_service_ready(&service);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS) && notify_socket_take(&manager, WORD_MS));
    int words = 0;
    for (int tenth = 0; tenth < 600; tenth++) { /* a minute in which it changes all the time */
        seen.stats.done++;
        wr_clock_advance(&clock_, WR_US_PER_S / 10);
        int64_t wait_us = wr_service_tick(&service);
        CU_ASSERT(wait_us > 0 && wait_us <= 5 * WR_US_PER_S);
        words += notify_socket_take(&manager, 0);
    }
    CU_ASSERT_EQUAL(words, 12);
    CU_ASSERT_PTR_NOT_NULL(strstr(manager.word, " 600 done,"));
    for (int second = 0; second < 60; second++) { /* and one in which it doesn't */
        wr_clock_advance(&clock_, WR_US_PER_S);
        (void)wr_service_tick(&service);
    }
    expect_silence(&manager);
    wr_service_close(&service);
    notify_socket_close(&manager);
}

static int count_dogs(struct wr_service *service, struct notify_socket *manager, int seconds)
{
    int dogs = 0;
    for (int second = 0; second < seconds; second++) {
        wr_clock_advance(&clock_, WR_US_PER_S);
        (void)wr_service_tick(service);
        while (notify_socket_take(manager, 0)) {
            dogs += notify_socket_has(manager, "WATCHDOG=1");
        }
    }
    return dogs;
}

static void the_watchdog_hears_of_it_only_while_it_is_alive(void)
{
    char path[64];
    begin();
    seen.has_started = true;
    struct notify_socket manager = notify_socket_open(path_of(path, "dog"));
    struct wr_service service = serve(&manager, 6 * WR_US_PER_S);
    wr_service_ready(&service);
    CU_ASSERT_EQUAL(count_dogs(&service, &manager, 60), 20); /* twice within its time */
    seen.stuck = 1;
    seen.stuck_type = "email.send";
    CU_ASSERT_EQUAL(count_dogs(&service, &manager, 60), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&service.told), "; 1 stuck"));
    seen.stuck = 0;
    CU_ASSERT_EQUAL(count_dogs(&service, &manager, 60), 20);
    wr_service_close(&service);
    notify_socket_close(&manager);
}

static void a_manager_that_was_away_hears_again_that_it_is_ready(void)
{
    char path[64];
    begin();
    seen.has_started = true;
    struct notify_socket manager = notify_socket_open(path_of(path, "away"));
    struct wr_service service = serve(&manager, 0);
    notify_socket_close(&manager);
    wr_service_ready(&service);
    wr_clock_advance(&clock_, 5 * WR_US_PER_S);
    (void)wr_service_tick(&service);
    CU_ASSERT(service.is_unreachable);
    manager = notify_socket_open(path);
    wr_clock_advance(&clock_, 5 * WR_US_PER_S);
    (void)wr_service_tick(&service);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT(notify_socket_has(&manager, "READY=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manager.word, "STATUS=taking jobs"));
    CU_ASSERT_FALSE(service.is_unreachable);
    wr_service_close(&service);
    notify_socket_close(&manager);
}

static void a_start_that_comes_to_nothing_says_that_it_ends(void)
{
    char path[64];
    begin();
    struct notify_socket manager = notify_socket_open(path_of(path, "nothing"));
    struct wr_service service = serve(&manager, 0);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    wr_service_close(&service);
    CU_ASSERT(notify_socket_take(&manager, WORD_MS));
    CU_ASSERT(notify_socket_has(&manager, "STOPPING=1"));
    expect_silence(&manager);
    notify_socket_close(&manager);
}

static void without_a_manager_nothing_happens(void)
{
    struct wr_service service;
    struct wr_service_options options = { .address = NULL, .watchdog_us = 1000000 };
    const char *const addresses[] = { NULL, "", "nonsense" };
    for (int i = 0; i < 3; i++) {
        options.address = addresses[i];
        wr_service_open(&service, &options);
        wr_service_ready(&service);
        wr_service_reloading(&service);
        wr_service_reloaded(&service);
        wr_service_stopping(&service, 1000);
        CU_ASSERT_EQUAL(wr_service_tick(&service), -1);
        wr_service_close(&service);
    }
}

/* --- the status --- */

static void expect_status(const char *want)
{
    struct wr_text text = { 0 };
    seen.queues = queues;
    wr_service_describe(&text, &seen);
    if (strcmp(wr_text_string(&text), want) != 0) {
        (void)fprintf(stderr, "got  %s\nwant %s\n", wr_text_string(&text), want);
        CU_FAIL("a status");
    }
    seen.queues = NULL;
    wr_text_done(&text);
}

static void a_status_says_what_the_worker_is_at(void)
{
    begin();
    expect_status("waiting for the broker");
    seen.has_started = true;
    seen.stats.running = 12;
    seen.stats.done = 812;
    seen.stats.retried = 7;
    seen.stats.dead = 1;
    expect_status("taking jobs from 3 queues; 12 running, 812 done, 7 retried, 1 dead");
    queues[1].is_consumed = false;
    queues[1].is_paused = true;
    expect_status(
        "taking jobs from 2 of 3 queues (1 paused); 12 running, 812 done, 7 retried, 1 dead");
    seen.stats.blocked = true;
    seen.queue_count = 1;
    expect_status(
        "taking jobs from 1 queue; 12 running, 812 done, 7 retried, 1 dead; the broker takes "
        "no publishes");
    seen.stats.blocked = false;
    seen.stats.quiet = true;
    expect_status("quiet: taking no jobs; 12 running, 812 done, 7 retried, 1 dead");
    seen.stats.draining = true;
    seen.stuck = 2;
    expect_status("draining; 12 running, 812 done, 7 retried, 1 dead; 2 stuck");
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("notify", NULL, NULL);
    CU_ADD_TEST(suite, a_word_arrives_by_path_and_by_abstract_name);
    CU_ADD_TEST(suite, what_is_no_address_is_refused);
    CU_ADD_TEST(suite, the_watchdog_is_for_the_process_that_it_names);
    CU_ADD_TEST(suite, a_worker_tells_its_states_in_order);
    CU_ADD_TEST(suite, a_status_comes_when_it_has_changed_and_each_5_s_at_most);
    CU_ADD_TEST(suite, the_watchdog_hears_of_it_only_while_it_is_alive);
    CU_ADD_TEST(suite, a_manager_that_was_away_hears_again_that_it_is_ready);
    CU_ADD_TEST(suite, a_start_that_comes_to_nothing_says_that_it_ends);
    CU_ADD_TEST(suite, without_a_manager_nothing_happens);
    CU_ADD_TEST(suite, a_status_says_what_the_worker_is_at);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
