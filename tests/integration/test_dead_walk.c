// SPDX-License-Identifier: MIT
// Dead letters on a real broker: looking at them 50 times changes nothing, thousands are walked in
// order, a replay loses nothing when its process is killed, and garbage is only looked at.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/deadwalk.h"
#include "live.h"
#include "model/delay.h"
#include "warren/dead.h"

enum { MANY = 5000, IDS_MOST = 6000, CHANNEL = 1 };

static char config[64];
static struct wr_settings *settings;
static struct wr_broker *broker;
static warren_admin *admin;
static warren_error err;

/* --- the ground --- */

static void write_config(void)
{
    (void)snprintf(config, sizeof config, "/tmp/warren-dead-XXXXXX");
    char path[128];
    if (!mkdtemp(config) || snprintf(path, sizeof path, "%s/queues", config) < 0 ||
        mkdir(path, 0700)) {
        perror(config);
        exit(1);
    }
    (void)snprintf(path, sizeof path, "%s/queues/a.cfg", config);
    FILE *file = fopen(path, "w");
    fputs("queue: { name = \"emails\"; jobs: ( { type = \"a.job\"; },\n"
          "  { type = \"apart\"; isolate = true; } ); };\n",
          file);
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/warren.cfg", config);
    file = fopen(path, "w");
    fprintf(file, "broker: { url = \"%s\"; };\n", live_url());
    (void)fclose(file);
    (void)snprintf(config + strlen(config), sizeof config - strlen(config), "/warren.cfg");
}

static void declare(void)
{
    struct wr_topology *topology = NULL;
    if (wr_topology_build(&topology, settings, true, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (size_t i = 0; i < topology->length; i++) {
        (void)wr_broker_declare(broker, CHANNEL, &topology->items[i], WR_DECLARE, &err);
    }
    if (wr_broker_sync(broker, CHANNEL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    wr_topology_free(topology);
}

static int set_up(void)
{
    write_config();
    if (wr_settings_load(&settings, config, NULL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct wr_broker_options options = { .settings = &settings->broker, .name = "test" };
    if (wr_broker_open(&broker, &options, &err) ||
        wr_broker_channel_open(broker, CHANNEL, true, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    declare();
    return warren_admin_open(&admin, config, &err) ? 1 : 0;
}

static void remove_config(void)
{
    static const char *const left[] = { "warren.cfg", "queues/a.cfg", "queues", "" };
    char path[128];
    *strrchr(config, '/') = '\0';
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", config, left[i]);
        (void)remove(path);
    }
}

static int tear_down(void)
{
    remove_config();
    warren_admin_close(admin);
    wr_broker_close(broker);
    wr_settings_free(settings);
    return 0;
}

static uint64_t published;
static uint64_t confirmed;

static void await_confirms(void)
{
    int64_t deadline_us = wr_clock_mono_us(NULL) + 30 * WR_US_PER_S;
    while (confirmed < published) {
        struct wr_event event;
        wr_deadwalk_wait(broker, deadline_us, &event);
        CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_ACKED);
        confirmed = event.tag > confirmed ? event.tag : confirmed;
    }
}

static void publish(const char *queue, const struct wr_message *wanted)
{
    struct wr_message message = *wanted;
    message.key = wr_slice_of(queue);
    message.present |= WR_DELIVERY_MODE;
    message.delivery_mode = 2;
    CU_ASSERT_EQUAL_FATAL(wr_broker_publish(broker, CHANNEL, &message, &err), WARREN_OK);
    published++;
}

static void bury(int first, int count, const char *type)
{
    struct wr_text headers = { 0 };
    wr_table_add_string(&headers, "x-warren-dead-reason", wr_slice_of("failed"));
    wr_table_add_int(&headers, "x-warren-attempt", 5);
    wr_table_add_string(&headers, "traceparent", wr_slice_of("00-abc"));
    for (int i = first; i < first + count; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%06d", i);
        publish("emails.dead",
                &(struct wr_message){ .present = WR_MESSAGE_ID | WR_TYPE | WR_HEADERS,
                                      .message_id = wr_slice_of(id),
                                      .type = wr_slice_of(type),
                                      .headers = { headers.data, headers.size },
                                      .body = wr_slice_of(id) });
    }
    await_confirms();
    wr_text_done(&headers);
}

static uint64_t depth_of(const char *queue)
{
    struct wr_depth depth = { 0 };
    CU_ASSERT_EQUAL(wr_broker_depth(broker, CHANNEL, queue, &depth, &err), WARREN_OK);
    return depth.messages;
}

struct expected {
    const char *queue;
    uint64_t depth;
};

static bool has_depth(void *user)
{
    const struct expected *expected = user;
    return depth_of(expected->queue) == expected->depth;
}

static bool settles_at(const char *queue, uint64_t depth)
{
    struct expected expected = { queue, depth };
    return live_wait(has_depth, &expected, 10000);
}

static void empty_all(void)
{
    (void)wr_broker_purge(broker, CHANNEL, "emails", NULL, &err);
    (void)wr_broker_purge(broker, CHANNEL, "emails.apart", NULL, &err);
    (void)wr_broker_purge(broker, CHANNEL, "emails.dead", NULL, &err);
}

/* What a walk saw. */
struct seen {
    size_t count;
    size_t out_of_order;
    int last;
};

static bool note_order(const warren_dead_letter *letter, void *user)
{
    struct seen *seen = user;
    int id = atoi(letter->id);
    seen->out_of_order += seen->count && id != seen->last + 1;
    seen->last = id;
    seen->count++;
    return true;
}

static struct seen look(void)
{
    struct seen seen = { 0 };
    warren_dead_filter filter = { .queue = "emails" };
    CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, note_order, &seen, &err), WARREN_OK);
    return seen;
}

/* --- stories --- */

static void fifty_looks_lose_nothing_and_keep_the_order(void)
{
    empty_all();
    bury(0, 300, "a.job");
    for (int i = 0; i < 50; i++) {
        struct seen seen = look();
        CU_ASSERT_EQUAL(seen.count, 300);
        CU_ASSERT_EQUAL(seen.out_of_order, 0);
    }
    CU_ASSERT(settles_at("emails.dead", 300));
}

/* What a walk in rounds saw. */
struct rounds {
    struct seen seen;
    int removed;
};

static enum wr_walk_choice remove_each_third(void *user, const struct wr_message *message)
{
    struct rounds *rounds = user;
    int64_t id = -1;
    (void)wr_slice_to_int(message->message_id, &id);
    rounds->seen.out_of_order += rounds->seen.count && id != rounds->seen.last + 1;
    rounds->seen.last = (int)id;
    rounds->seen.count++;
    rounds->removed += id % 3 == 0;
    return id % 3 == 0 ? WR_WALK_REMOVE : WR_WALK_KEEP;
}

static bool note_rising(const warren_dead_letter *letter, void *user)
{
    struct seen *seen = user;
    int id = atoi(letter->id);
    seen->out_of_order += seen->count && id <= seen->last;
    seen->last = id;
    seen->count++;
    return true;
}

/* As a slow replay goes, whose letters must not be held beyond the broker's consumer_timeout. */
static void a_walk_in_rounds_visits_each_once_and_keeps_the_order(void)
{
    enum { SOME = 130 }; /* two blocks */
    struct rounds rounds = { .removed = 0 };
    struct seen seen = { 0 };
    warren_dead_filter filter = { .queue = "emails" };
    empty_all();
    bury(0, SOME, "a.job");
    struct wr_deadwalk walk = { .broker = broker,
                                .queue = "emails.dead",
                                .patience_us = 10 * WR_US_PER_S,
                                .visit = remove_each_third,
                                .user = &rounds,
                                .round_us = 1 }; /* each round visits one */
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, &err), WARREN_OK);
    CU_ASSERT_EQUAL(rounds.seen.count, SOME);
    CU_ASSERT_EQUAL(rounds.seen.out_of_order, 0);
    CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, note_rising, &seen, &err), WARREN_OK);
    CU_ASSERT_EQUAL(seen.count, SOME - (size_t)rounds.removed);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
}

static bool stop_at_ten(const warren_dead_letter *letter, void *user)
{
    (void)note_order(letter, user);
    return ((struct seen *)user)->count < 10;
}

static void thousands_stay_in_order_also_after_looks_that_were_broken_off(void)
{
    empty_all();
    bury(0, MANY, "a.job");
    for (int i = 0; i < 3; i++) {
        struct seen first = { 0 };
        warren_dead_filter filter = { .queue = "emails" };
        CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, stop_at_ten, &first, &err), WARREN_OK);
        CU_ASSERT_EQUAL(first.count, 10);
        CU_ASSERT_EQUAL(first.last, 9);
        struct seen seen = look();
        CU_ASSERT_EQUAL(seen.count, MANY);
        CU_ASSERT_EQUAL(seen.out_of_order, 0);
    }
}

static void drop_and_replay_take_what_matches_and_leave_the_rest_in_order(void)
{
    empty_all();
    bury(0, 200, "a.job");
    bury(1000, 5, "other");
    bury(200, 200, "a.job");
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails", .type = "other", .limit = 5 };
    CU_ASSERT_EQUAL(warren_dead_drop(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 5);
    struct seen seen = look();
    CU_ASSERT_EQUAL(seen.count, 400);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
    filter = (warren_dead_filter){ .queue = "emails", .limit = 3 };
    CU_ASSERT_EQUAL(warren_dead_drop(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 3);
    seen = look();
    CU_ASSERT_EQUAL(seen.count, 397);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
    filter.limit = 150;
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 150);
    seen = look();
    CU_ASSERT_EQUAL(seen.count, 247);
    CU_ASSERT_EQUAL(seen.out_of_order, 0);
    CU_ASSERT(settles_at("emails", 150));
}

static struct wr_delivery *take_one(const char *queue)
{
    struct wr_event event = { 0 };
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 2, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_prefetch(broker, 2, 1, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_consume(broker, 2, queue, "take", &err), WARREN_OK);
    wr_deadwalk_wait(broker, wr_clock_mono_us(NULL) + 10 * WR_US_PER_S, &event);
    CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_DELIVERY);
    (void)wr_broker_ack(broker, 2, event.delivery->tag, false);
    CU_ASSERT_EQUAL(wr_broker_channel_close(broker, 2, &err), WARREN_OK);
    return event.delivery;
}

static void a_replay_brings_each_home_with_id_body_and_headers(void)
{
    size_t count = 0;
    struct wr_field field;
    int64_t number = 0;
    warren_dead_filter filter = { .queue = "emails" };
    empty_all();
    bury(7, 1, "a.job");
    bury(8, 1, "apart");
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT(settles_at("emails.dead", 0));
    CU_ASSERT(settles_at("emails", 1));
    CU_ASSERT(settles_at("emails.apart", 1));
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
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 2, false, &err), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_consume(broker, 2, queue, "reject", &err), WARREN_OK);
    wr_deadwalk_wait(broker, wr_clock_mono_us(NULL) + 10 * WR_US_PER_S, &event);
    CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_DELIVERY);
    (void)wr_broker_nack(broker, 2, event.delivery->tag, false, false);
    CU_ASSERT_EQUAL(wr_broker_channel_close(broker, 2, &err), WARREN_OK);
    wr_delivery_free(event.delivery);
}

static void what_the_broker_dead_lettered_itself_is_named_and_comes_home(void)
{
    struct first_letter letter = { "", "", "" };
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails" };
    struct wr_field field;
    empty_all();
    publish("a.job", &(struct wr_message){ .exchange = wr_slice_of("warren.jobs"),
                                           .present = WR_USER_ID,
                                           .user_id = wr_slice_of("warren"),
                                           .body = wr_slice_of("large") });
    await_confirms();
    reject_one("emails");
    CU_ASSERT(settles_at("emails.dead", 1));
    CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, copy_first, &letter, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(letter.reason, "body_too_large");
    CU_ASSERT_STRING_EQUAL(letter.type, "a.job");
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
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
    empty_all();
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, CHANNEL, "emails.dead", &err), WARREN_OK);
    publish("emails", &(struct wr_message){ .exchange = wr_slice_of("warren.dead"),
                                            .present = WR_TYPE,
                                            .type = wr_slice_of("a.job") });
    await_confirms();
    declare();
    CU_ASSERT(settles_at("warren.unrouted", 1));
    CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, copy_first, &letter, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(letter.queue, "emails");
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT(settles_at("emails", 1));
    CU_ASSERT(settles_at("warren.unrouted", 0));
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
        if (!warren_admin_open(&own, config, NULL)) {
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
    return depth_of("emails") + depth_of("emails.dead") >= 1000;
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
    empty_all();
    bury(0, 1000, "a.job");
    replay_and_die();
    CU_ASSERT(live_wait(has_all, NULL, 15000));
    CU_ASSERT(depth_of("emails") >= 99);
    CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, mark_letter, found, &err), WARREN_OK);
    struct wr_deadwalk walk = { .broker = broker,
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
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 901 + doubled); /* the last ack may die with the process */
    CU_ASSERT(settles_at("emails.dead", 0));
}

static void a_home_that_is_gone_is_told_and_the_letter_stays(void)
{
    size_t count = 9;
    warren_dead_filter filter = { .queue = "emails" };
    empty_all();
    bury(0, 3, "apart");
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, CHANNEL, "emails.apart", &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_NOT_FOUND);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "emails.apart"));
    CU_ASSERT(settles_at("emails.dead", 3));
    declare();
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
    empty_all();
    for (size_t i = 0; i < 4; i++) {
        struct wr_text headers = { 0 }, members = { 0 };
        wr_text_add(&members, "S\0\0\0\3abcI\377\377\377\377V", 14);
        wr_table_add_nested(&headers, names[i], 'A', (struct wr_slice){ members.data, 13 });
        wr_table_add_string(&headers, "bytes", (struct wr_slice){ "\x1b[2J\xff", 5 });
        publish("emails.dead", &(struct wr_message){ .present = WR_HEADERS,
                                                     .headers = { headers.data, headers.size } });
        wr_text_done(&headers);
        wr_text_done(&members);
    }
    publish("emails.dead", &(struct wr_message){ 0 });
    await_confirms();
    CU_ASSERT_EQUAL(warren_dead_each(admin, &filter, check_garbage, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT(settles_at("emails", 5));
}

static void what_the_ladder_could_not_bring_home_goes_on_from_the_catch_all(void)
{
    size_t count = 0;
    warren_dead_filter filter = { .queue = "unrouted" };
    empty_all();
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, CHANNEL, "emails", &err), WARREN_OK);
    struct wr_text headers = { 0 };
    wr_table_add_int(&headers, "x-warren-attempt", 2);
    struct wr_message message = { .exchange = wr_slice_of("warren.delay.250"),
                                  .present = WR_MESSAGE_ID | WR_HEADERS,
                                  .message_id = wr_slice_of("late"),
                                  .headers = { headers.data, headers.size } };
    publish("3.queue/emails", &message);
    await_confirms();
    CU_ASSERT(settles_at("warren.unrouted", 1));
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_NOT_FOUND);
    declare();
    CU_ASSERT_EQUAL(warren_dead_replay(admin, &filter, NULL, NULL, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    struct wr_delivery *delivery = take_one("emails");
    struct wr_field field;
    CU_ASSERT(wr_slice_is(delivery->message.message_id, "late"));
    CU_ASSERT(wr_table_find(delivery->message.headers, "x-warren-attempt", &field));
    CU_ASSERT_FALSE(wr_table_find(delivery->message.headers, "x-death", &field));
    wr_delivery_free(delivery);
    wr_text_done(&headers);
}

static bool delete_what_is_looked_at(const warren_dead_letter *letter, void *user)
{
    (void)letter;
    (void)user;
    CU_ASSERT_EQUAL(wr_broker_delete_queue(broker, CHANNEL, "emails.dead", &err), WARREN_OK);
    return false;
}

static bool count_queue(const warren_queue_info *info, void *user)
{
    *(size_t *)user += info->exists;
    return true;
}

static void a_queue_that_goes_under_a_look_does_not_end_the_next_one(void)
{
    size_t count = 0;
    warren_dead_filter filter = { .queue = "emails" };
    empty_all();
    bury(0, 3, "a.job");
    (void)warren_dead_each(admin, &filter, delete_what_is_looked_at, NULL, &err);
    CU_ASSERT_EQUAL(warren_queue_each(admin, count_queue, &count, &err), WARREN_OK);
    CU_ASSERT_EQUAL(count, 3); /* emails, emails.apart, the catch-all */
    declare();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dead_walk", set_up, tear_down);
    CU_ADD_TEST(suite, fifty_looks_lose_nothing_and_keep_the_order);
    CU_ADD_TEST(suite, thousands_stay_in_order_also_after_looks_that_were_broken_off);
    CU_ADD_TEST(suite, a_walk_in_rounds_visits_each_once_and_keeps_the_order);
    CU_ADD_TEST(suite, drop_and_replay_take_what_matches_and_leave_the_rest_in_order);
    CU_ADD_TEST(suite, a_replay_brings_each_home_with_id_body_and_headers);
    CU_ADD_TEST(suite, what_the_broker_dead_lettered_itself_is_named_and_comes_home);
    CU_ADD_TEST(suite, a_dead_letter_whose_dead_queue_was_gone_comes_home_from_the_catch_all);
    CU_ADD_TEST(suite, a_replay_that_is_killed_loses_nothing);
    CU_ADD_TEST(suite, a_home_that_is_gone_is_told_and_the_letter_stays);
    CU_ADD_TEST(suite, garbage_is_looked_at_and_replayed_like_anything_else);
    CU_ADD_TEST(suite, what_the_ladder_could_not_bring_home_goes_on_from_the_catch_all);
    CU_ADD_TEST(suite, a_queue_that_goes_under_a_look_does_not_end_the_next_one);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
