// SPDX-License-Identifier: MIT
// Replay on a real broker: each letter comes home as it was, also from the catch-all; nothing is lost
// when the replaying process is killed or a home is gone, and garbage is replayed like anything else.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/deadwalk.h"
#include "graveyard.h"
#include "live.h"
#include "warren/dead.h"

enum { IDS_MOST = 6000 };

static struct graveyard yard;
static warren_error err;

static int set_up(void)
{
    graveyard_open(&yard);
    return 0;
}

static int tear_down(void)
{
    graveyard_close(&yard);
    return 0;
}

static struct wr_delivery *take_one(const char *queue)
{
    struct wr_event event = { 0 };
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(yard.broker, 2, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_prefetch(yard.broker, 2, 1, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_consume(yard.broker, 2, queue, "take", &err), WARREN_OK);
    wr_deadwalk_wait(yard.broker, wr_clock_mono_us(NULL) + 10 * WR_US_PER_S, &event);
    CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_DELIVERY);
    (void)wr_broker_ack(yard.broker, 2, event.delivery->tag, false);
    CU_ASSERT_EQUAL(wr_broker_channel_close(yard.broker, 2, &err), WARREN_OK);
    return event.delivery;
}

static void a_replay_brings_each_home_with_id_body_and_headers(void)
{
    size_t count = 0;
    struct wr_field field;
    int64_t number = 0;
    warren_dead_filter filter = { .queue = "emails" };
    graveyard_empty(&yard);
    graveyard_bury(&yard, 7, 1, "a.job");
    graveyard_bury(&yard, 8, 1, "apart");
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT(graveyard_settles_at(&yard, "emails.dead", 0));
    CU_ASSERT(graveyard_settles_at(&yard, "emails", 1));
    CU_ASSERT(graveyard_settles_at(&yard, "emails.apart", 1));
    struct wr_delivery *delivery = take_one("emails");
    struct wr_message *message = &delivery->message;
    CU_ASSERT(wr_slice_is(message->message_id, "000007"));
    CU_ASSERT(wr_slice_is(message->body, "000007"));
    CU_ASSERT(wr_slice_is(message->type, "a.job"));
    CU_ASSERT(wr_table_find(message->headers, "traceparent", &field));
    CU_ASSERT_FALSE(wr_table_find(message->headers, "x-warren-attempt", &field));
    CU_ASSERT_FALSE(wr_table_find(message->headers, "x-delivery-count", &field));
    CU_ASSERT(wr_table_find(message->headers, "x-warren-replays", &field) &&
              wr_field_int(&field, &number) && number == 1);
    wr_delivery_free(delivery);
}

/* Copies what a visitor is shown. */
struct first_letter {
    char reason[64];
    char type[64];
    char queue[64];
};

static bool copy_first(const warren_dead_letter *letter, void *user)
{
    struct first_letter *copy = user;
    (void)snprintf(copy->reason, sizeof copy->reason, "%s", letter->reason);
    (void)snprintf(copy->type, sizeof copy->type, "%s", letter->type);
    (void)snprintf(copy->queue, sizeof copy->queue, "%s", letter->queue);
    return false;
}

static void reject_one(const char *queue)
{
    struct wr_event event = { 0 };
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(yard.broker, 2, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_consume(yard.broker, 2, queue, "reject", &err), WARREN_OK);
    wr_deadwalk_wait(yard.broker, wr_clock_mono_us(NULL) + 10 * WR_US_PER_S, &event);
    CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_DELIVERY);
    (void)wr_broker_nack(yard.broker, 2, event.delivery->tag, false, false);
    CU_ASSERT_EQUAL(wr_broker_channel_close(yard.broker, 2, &err), WARREN_OK);
    wr_delivery_free(event.delivery);
}

static void what_the_broker_dead_lettered_itself_is_named_and_comes_home(void)
{
    struct first_letter letter = { "", "", "" };
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails" };
    struct wr_field field;
    graveyard_empty(&yard);
    graveyard_publish(&yard, "a.job",
                      &(struct wr_message){ .exchange = wr_slice_of("warren.jobs"),
                                            .present = WR_USER_ID,
                                            .user_id = wr_slice_of("warren"),
                                            .body = wr_slice_of("large") });
    graveyard_await_confirms(&yard);
    reject_one("emails");
    CU_ASSERT(graveyard_settles_at(&yard, "emails.dead", 1));
    CU_ASSERT_EQUAL(warren_dead_each(yard.admin, &filter, copy_first, &letter, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(letter.reason, "body_too_large");
    CU_ASSERT_STRING_EQUAL(letter.type, "a.job");
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    struct wr_delivery *delivery = take_one("emails");
    CU_ASSERT(wr_slice_is(delivery->message.type, "a.job"));
    CU_ASSERT(wr_slice_is(delivery->message.body, "large"));
    CU_ASSERT_FALSE(delivery->message.present & WR_USER_ID);
    CU_ASSERT(wr_table_find(delivery->message.headers, "x-warren-user-id", &field));
    CU_ASSERT_FALSE(wr_table_find(delivery->message.headers, "x-death", &field));
    wr_delivery_free(delivery);
}

static void a_dead_letter_whose_dead_queue_was_gone_comes_home_from_the_catch_all(void)
{
    struct first_letter letter = { "", "", "" };
    size_t count = 0;
    warren_dead_filter filter = { .queue = "unrouted" };
    graveyard_empty(&yard);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(yard.broker, GRAVEYARD_CHANNEL, "emails.dead", &err),
                    WARREN_OK);
    graveyard_publish(&yard, "emails",
                      &(struct wr_message){ .exchange = wr_slice_of("warren.dead"),
                                            .present = WR_TYPE,
                                            .type = wr_slice_of("a.job") });
    graveyard_await_confirms(&yard);
    graveyard_declare(&yard);
    CU_ASSERT(graveyard_settles_at(&yard, "warren.unrouted", 1));
    CU_ASSERT_EQUAL(warren_dead_each(yard.admin, &filter, copy_first, &letter, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(letter.queue, "emails");
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT(graveyard_settles_at(&yard, "emails", 1));
    CU_ASSERT(graveyard_settles_at(&yard, "warren.unrouted", 0));
}

static bool tell_and_go_on(const warren_dead_letter *letter, void *user)
{
    int count = ++*(int *)user;
    (void)letter;
    if (count == 100) {
        (void)kill(getpid(), SIGKILL); /* between a confirm and the next letter */
    }
    return true;
}

/* Replays in a process that is killed after 100 letters. */
static void replay_and_die(void)
{
    pid_t child = fork();
    if (child == 0) {
        warren_admin *own = NULL;
        int count = 0;
        warren_dead_filter filter = { .queue = "emails" };
        if (!warren_admin_open(&own, yard.config, NULL)) {
            (void)warren_dead_replay(own, &filter, tell_and_go_on, &count, NULL, NULL);
        }
        _exit(1);
    }
    int ended = 0;
    CU_ASSERT_EQUAL(waitpid(child, &ended, 0), child);
    CU_ASSERT(WIFSIGNALED(ended));
}

static bool has_all(void *user)
{
    (void)user;
    return graveyard_depth(&yard, "emails") + graveyard_depth(&yard, "emails.dead") >= 1000;
}

static bool mark_letter(const warren_dead_letter *letter, void *user)
{
    ((unsigned char *)user)[atoi(letter->id)]++;
    return true;
}

static enum wr_walk_choice mark_message(void *user, const struct wr_message *message)
{
    char id[16];
    (void)snprintf(id, sizeof id, "%.*s", WR_SLICE(message->message_id));
    ((unsigned char *)user)[atoi(id)]++;
    return WR_WALK_KEEP;
}

static void a_replay_that_is_killed_loses_nothing(void)
{
    static unsigned char found[IDS_MOST];
    size_t lost = 0;
    size_t doubled = 0;
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails" };
    graveyard_empty(&yard);
    graveyard_bury(&yard, 0, 1000, "a.job");
    replay_and_die();
    CU_ASSERT(live_wait(has_all, NULL, 15000));
    CU_ASSERT(graveyard_depth(&yard, "emails") >= 99);
    CU_ASSERT_EQUAL(warren_dead_each(yard.admin, &filter, mark_letter, found, &err), WARREN_OK);
    struct wr_deadwalk walk = { .broker = yard.broker,
                                .queue = "emails",
                                .patience_us = 5 * WR_US_PER_S,
                                .visit = mark_message,
                                .user = found };
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, &err), WARREN_OK);
    for (int i = 0; i < 1000; i++) {
        lost += !found[i];
        doubled += found[i] > 1;
    }
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT(doubled <= 1);
    /* The same command goes on where the first one ended. */
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 901 + doubled); /* the last ack may die with the process */
    CU_ASSERT(graveyard_settles_at(&yard, "emails.dead", 0));
}

static void a_home_that_is_gone_is_told_and_the_letter_stays(void)
{
    size_t count = 9;
    warren_dead_filter filter = { .queue = "emails" };
    graveyard_empty(&yard);
    graveyard_bury(&yard, 0, 3, "apart");
    CU_ASSERT_EQUAL(wr_broker_delete_queue(yard.broker, GRAVEYARD_CHANNEL, "emails.apart", &err),
                    WARREN_OK);
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err),
                    WARREN_NOT_FOUND);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "emails.apart"));
    CU_ASSERT(graveyard_settles_at(&yard, "emails.dead", 3));
    graveyard_declare(&yard);
}

static bool check_garbage(const warren_dead_letter *letter, void *user)
{
    CU_ASSERT_PTR_NOT_NULL(letter->reason);
    CU_ASSERT(letter->attempts >= 0);
    CU_ASSERT_EQUAL(letter->headers_json[0], '{');
    ++*(size_t *)user;
    return true;
}

static void garbage_is_looked_at_and_replayed_like_anything_else(void)
{
    static const char *const names[] = { "x-death", "x-warren-errors", "x-warren-attempt",
                                         "x-warren-dead-reason" };
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails" };
    graveyard_empty(&yard);
    for (size_t i = 0; i < 4; i++) {
        struct wr_text headers = { 0 }, members = { 0 };
        wr_text_add(&members, "S\0\0\0\3abcI\377\377\377\377V", 14);
        wr_table_add_nested(&headers, names[i], 'A', (struct wr_slice){ members.data, 13 });
        wr_table_add_string(&headers, "bytes", (struct wr_slice){ "\x1b[2J\xff", 5 });
        graveyard_publish(&yard, "emails.dead",
                          &(struct wr_message){ .present = WR_HEADERS,
                                                .headers = { headers.data, headers.size } });
        wr_text_done(&headers);
        wr_text_done(&members);
    }
    graveyard_publish(&yard, "emails.dead", &(struct wr_message){ 0 });
    graveyard_await_confirms(&yard);
    CU_ASSERT_EQUAL(warren_dead_each(yard.admin, &filter, check_garbage, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT(graveyard_settles_at(&yard, "emails", 5));
}

static void what_the_ladder_could_not_bring_home_goes_on_from_the_catch_all(void)
{
    size_t count = 0;
    warren_dead_filter filter = { .queue = "unrouted" };
    graveyard_empty(&yard);
    CU_ASSERT_EQUAL(wr_broker_delete_queue(yard.broker, GRAVEYARD_CHANNEL, "emails", &err),
                    WARREN_OK);
    struct wr_text headers = { 0 };
    wr_table_add_int(&headers, "x-warren-attempt", 2);
    struct wr_message message = { .exchange = wr_slice_of("warren.delay.250"),
                                  .present = WR_MESSAGE_ID | WR_HEADERS,
                                  .message_id = wr_slice_of("late"),
                                  .headers = { headers.data, headers.size } };
    graveyard_publish(&yard, "3.queue/emails", &message);
    graveyard_await_confirms(&yard);
    CU_ASSERT(graveyard_settles_at(&yard, "warren.unrouted", 1));
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err),
                    WARREN_NOT_FOUND);
    graveyard_declare(&yard);
    CU_ASSERT_EQUAL(warren_dead_replay(yard.admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    struct wr_delivery *delivery = take_one("emails");
    struct wr_field field;
    CU_ASSERT(wr_slice_is(delivery->message.message_id, "late"));
    CU_ASSERT(wr_table_find(delivery->message.headers, "x-warren-attempt", &field));
    CU_ASSERT_FALSE(wr_table_find(delivery->message.headers, "x-death", &field));
    wr_delivery_free(delivery);
    wr_text_done(&headers);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dead_replay", set_up, tear_down);
    CU_ADD_TEST(suite, a_replay_brings_each_home_with_id_body_and_headers);
    CU_ADD_TEST(suite, what_the_broker_dead_lettered_itself_is_named_and_comes_home);
    CU_ADD_TEST(suite, a_dead_letter_whose_dead_queue_was_gone_comes_home_from_the_catch_all);
    CU_ADD_TEST(suite, a_replay_that_is_killed_loses_nothing);
    CU_ADD_TEST(suite, a_home_that_is_gone_is_told_and_the_letter_stays);
    CU_ADD_TEST(suite, garbage_is_looked_at_and_replayed_like_anything_else);
    CU_ADD_TEST(suite, what_the_ladder_could_not_bring_home_goes_on_from_the_catch_all);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
