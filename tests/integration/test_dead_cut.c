// SPDX-License-Identifier: MIT
// The connection is cut in the middle of what takes letters out of a dead queue, at many places and in
// both directions: nothing is ever lost, only what was in hand or whose acknowledgement was on its way is
// there twice, and the same call goes on. And a walk that gives everything back on its way goes on, too.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_folder.h"
#include "engine/deadwalk.h"
#include "graveyard.h"
#include "live.h"
#include "proxy.h"
#include "warren/dead.h"
#include "warren/topology.h"

enum { LETTERS = 120, WINDOW = 256, ON_THE_WAY = 5 };

static struct proxy *proxy;
static struct graveyard direct; /* straight to RabbitMQ */
static warren_error err;

/* --- the ground --- */

static void write_config(const char *name, const char *url)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "broker: { url = \"%s\"; };\n", url);
    folder_write_bytes(name, text, strlen(text));
}

static void write_queue(const char *name, const char *queue, const char *type)
{
    char text[256];
    (void)snprintf(text, sizeof text, "queue: { name = \"%s\"; jobs: ( { type = \"%s\"; } ); };\n",
                   queue, type);
    folder_write_bytes(name, text, strlen(text));
}

static warren_status apply(void)
{
    warren_topology *topology = NULL;
    warren_status rc = warren_topology_open(&topology, "direct.cfg", &err);
    rc = rc ? rc : warren_topology_apply(topology, NULL, &err);
    warren_topology_close(topology);
    return rc;
}

static int set_up(void)
{
    folder_make();
    proxy = proxy_open(proxy_port_of(live_url()));
    char *url = proxy_url(proxy, live_url());
    write_config("direct.cfg", live_url());
    write_config("cut.cfg", url);
    write_queue("queues/a.cfg", "emails", "a.job");
    write_queue("queues/b.cfg", "letters", "b.job");
    free(url);
    if (apply()) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    graveyard_connect(&direct, "direct.cfg");
    return 0;
}

static int tear_down(void)
{
    graveyard_close(&direct);
    proxy_close(proxy);
    folder_remove();
    return 0;
}

static void empty_all(void)
{
    static const char *const queues[] = { "emails", "emails.dead", "letters", "letters.dead" };
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(wr_broker_purge(direct.broker, GRAVEYARD_CHANNEL, queues[i], NULL, &err),
                        WARREN_OK);
    }
}

/* Lines of letters 0 to LETTERS - 1. */
struct lines {
    int next;
    char text[512];
};

static bool next_letter(const char **line, size_t *size, void *user)
{
    struct lines *lines = user;
    if (lines->next >= LETTERS) {
        return false;
    }
    (void)snprintf(lines->text, sizeof lines->text,
                   "{\"warren_letter\":1,\"properties\":{\"message_id\":\"%d\",\"type\":\"a.job\"},"
                   "\"headers\":[{\"name\":\"x-warren-dead-reason\",\"type\":\"string\","
                   "\"value\":\"failed\"}],\"body\":\"%0200d\"}",
                   lines->next, lines->next);
    lines->next++;
    *line = lines->text;
    *size = strlen(lines->text);
    return true;
}

static void bury_all(void)
{
    struct lines lines = { 0 };
    size_t count = 0;
    empty_all();
    CU_ASSERT_EQUAL(warren_dead_import(direct.admin, "emails", next_letter, &lines, &count, &err),
                    WARREN_OK);
    CU_ASSERT_EQUAL(count, LETTERS);
}

/* --- what is where --- */

static int found[LETTERS];

static enum wr_walk_choice mark_message(void *user, const struct wr_message *message)
{
    int64_t id;
    (void)user;
    if (message && wr_slice_to_int(message->message_id, &id) && id >= 0 && id < LETTERS) {
        found[id]++;
    }
    return WR_WALK_KEEP;
}

static void mark_all(const char *queue)
{
    struct wr_deadwalk walk = { .broker = direct.broker,
                                .queue = queue,
                                .patience_us = 20 * WR_US_PER_S,
                                .visit = mark_message };
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, &err), WARREN_OK);
}

/* What was in the hands of a connection that was cut comes back a moment later. */
static bool all_are_back(void *user)
{
    (void)user;
    uint64_t depth = graveyard_depth(&direct, "emails");
    depth += graveyard_depth(&direct, "emails.dead");
    depth += graveyard_depth(&direct, "letters.dead");
    return depth >= LETTERS;
}

static void check_nothing_lost(int doubled_most)
{
    int lost = 0;
    int doubled = 0;
    CU_ASSERT(live_wait(all_are_back, NULL, 20000));
    memset(found, 0, sizeof found);
    mark_all("emails");
    mark_all("emails.dead");
    mark_all("letters.dead");
    for (int i = 0; i < LETTERS; i++) {
        lost += !found[i];
        doubled += found[i] > 1 ? found[i] - 1 : 0;
    }
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT(doubled <= doubled_most);
    if (lost || doubled > doubled_most) {
        fprintf(stderr, "  %d lost, %d doubled\n", lost, doubled);
    }
}

/* --- cuts --- */

/* A verb on the letters of emails; gives how many it says it has settled. */
typedef warren_status verb(warren_admin *admin, size_t *count);

static warren_status replay(warren_admin *admin, size_t *count)
{
    warren_dead_filter filter = { .queue = "emails" };
    return warren_dead_replay(admin, &filter, NULL, NULL, count, &err);
}

static warren_status move(warren_admin *admin, size_t *count)
{
    warren_dead_filter filter = { .queue = "emails" };
    return warren_dead_move(admin, &filter, "letters.dead", NULL, NULL, count, &err);
}

/* Where a connection breaks: the walk's (0) or the publishing one (1). */
static const struct cut {
    int connection;
    enum proxy_way way;
    uint64_t byte; /* after its login and a little */
} cuts[] = {
    { 0, PROXY_TO_BROKER, 120 },  { 0, PROXY_TO_BROKER, 700 },   { 0, PROXY_TO_BROKER, 1511 },
    { 0, PROXY_TO_CLIENT, 500 },  { 0, PROXY_TO_CLIENT, 20000 }, { 1, PROXY_TO_BROKER, 900 },
    { 1, PROXY_TO_BROKER, 5000 }, { 1, PROXY_TO_BROKER, 20011 }, { 1, PROXY_TO_BROKER, 20300 },
    { 1, PROXY_TO_CLIENT, 700 },  { 1, PROXY_TO_CLIENT, 1200 },  { 1, PROXY_TO_CLIENT, 2003 },
};

static size_t interrupted; /* cuts that came in the middle */

static void cut_once(verb *run, const struct cut *cut)
{
    warren_admin *admin = NULL;
    size_t count = 0;
    bury_all();
    proxy_pass(proxy);
    int base = (int)proxy_counts(proxy).accepted;
    CU_ASSERT_EQUAL_FATAL(warren_admin_open(&admin, "cut.cfg", &err), WARREN_OK);
    proxy_cut(proxy, (struct proxy_point){ base + cut->connection, cut->way, cut->byte });
    warren_status rc = run(admin, &count);
    warren_admin_close(admin);
    CU_ASSERT(count <= LETTERS);
    CU_ASSERT(rc || count == LETTERS);
    interrupted += rc && count > 0;
    check_nothing_lost(ON_THE_WAY);
    /* The same call goes on where it ended. */
    size_t left = (size_t)graveyard_depth(&direct, "emails.dead");
    CU_ASSERT_EQUAL(run(direct.admin, &count), WARREN_OK);
    CU_ASSERT_EQUAL(count, left);
    CU_ASSERT_EQUAL(graveyard_depth(&direct, "emails.dead"), 0);
    check_nothing_lost(ON_THE_WAY);
}

static void cut_everywhere(verb *run)
{
    interrupted = 0;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        cut_once(run, &cuts[i]);
    }
    CU_ASSERT(interrupted >= 3); /* or the cuts were in the wrong places */
}

static void a_replay_that_is_cut_loses_nothing(void)
{
    cut_everywhere(replay);
}

static void a_move_that_is_cut_loses_nothing(void)
{
    cut_everywhere(move);
}

static void an_import_that_is_cut_says_where_to_go_on(void)
{
    static const uint64_t bytes[] = { 700, 3000, 9001, 30000, 40009 };
    size_t partly = 0;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        warren_admin *admin = NULL;
        struct lines lines = { 0 };
        size_t count = 0;
        empty_all();
        proxy_pass(proxy);
        int base = (int)proxy_counts(proxy).accepted;
        CU_ASSERT_EQUAL_FATAL(warren_admin_open(&admin, "cut.cfg", &err), WARREN_OK);
        proxy_cut(proxy, (struct proxy_point){ base + 1, PROXY_TO_BROKER, bytes[i] });
        warren_status rc = warren_dead_import(admin, "emails", next_letter, &lines, &count, &err);
        warren_admin_close(admin);
        partly += rc && lines.next > 0;
        memset(found, 0, sizeof found);
        mark_all("emails.dead");
        for (size_t n = 0; n < count; n++) {
            CU_ASSERT(found[n] >= 1); /* what is said to be in is in */
        }
        lines.next = (int)count;
        CU_ASSERT_EQUAL(
            warren_dead_import(direct.admin, "emails", next_letter, &lines, &count, &err),
            WARREN_OK);
        check_nothing_lost(WINDOW);
    }
    CU_ASSERT(partly >= 2);
}

/* --- edit --- */

static bool write_down(const warren_dead_letter *letter, void *user)
{
    CU_ASSERT_EQUAL(warren_dead_write(letter, user, &err), WARREN_OK);
    return false;
}

static void an_edit_that_is_cut_leaves_the_old_letter_or_the_new_one(void)
{
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        warren_admin *admin = NULL;
        char *before = NULL;
        warren_dead_filter filter = { .queue = "emails", .id = "7" };
        bury_all();
        CU_ASSERT_EQUAL(warren_dead_each(direct.admin, &filter, write_down, &before, &err),
                        WARREN_OK);
        CU_ASSERT_PTR_NOT_NULL_FATAL(before);
        warren_dead_edit edit = {
            .queue = "emails", .before = before, .after = before, .by = "test", .replays = i % 2
        };
        proxy_pass(proxy);
        int base = (int)proxy_counts(proxy).accepted;
        CU_ASSERT_EQUAL_FATAL(warren_admin_open(&admin, "cut.cfg", &err), WARREN_OK);
        proxy_cut(proxy, (struct proxy_point){ base + cuts[i].connection, cuts[i].way,
                                               cuts[i].byte % 2000 });
        (void)warren_dead_replace(admin, &edit, &err);
        warren_admin_close(admin);
        check_nothing_lost(ON_THE_WAY);
        free(before);
    }
}

/* --- rounds --- */

/* What a walk saw, in which order. */
struct walker {
    int count;
    int last;
    int disorder;
    bool removes; /* each third */
};

static enum wr_walk_choice note_order(void *user, const struct wr_message *message)
{
    struct walker *walker = user;
    int64_t id = -1;
    (void)wr_slice_to_int(message->message_id, &id);
    walker->disorder += walker->count && id <= walker->last;
    walker->last = (int)id;
    walker->count++;
    return walker->removes && id % 3 == 0 ? WR_WALK_REMOVE : WR_WALK_KEEP;
}

/* As a slow replay goes, whose letters must not be held beyond the broker's consumer_timeout. */
static void a_walk_in_rounds_visits_each_once_and_keeps_the_order(void)
{
    struct walker walker = { .removes = true };
    struct walker last = { .count = 0 };
    struct wr_deadwalk walk = { .broker = direct.broker,
                                .queue = "emails.dead",
                                .patience_us = 10 * WR_US_PER_S,
                                .visit = note_order,
                                .user = &walker,
                                .round_us = 1 }; /* each round visits one */
    bury_all();
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, &err), WARREN_OK);
    CU_ASSERT_EQUAL(walker.count, LETTERS);
    CU_ASSERT_EQUAL(walker.disorder, 0);
    walk.user = &last;
    walk.round_us = 0;
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, &err), WARREN_OK);
    CU_ASSERT_EQUAL(last.count, LETTERS - LETTERS / 3);
    CU_ASSERT_EQUAL(last.disorder, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("dead_cut", set_up, tear_down);
    CU_ADD_TEST(suite, a_replay_that_is_cut_loses_nothing);
    CU_ADD_TEST(suite, a_move_that_is_cut_loses_nothing);
    CU_ADD_TEST(suite, an_import_that_is_cut_says_where_to_go_on);
    CU_ADD_TEST(suite, an_edit_that_is_cut_leaves_the_old_letter_or_the_new_one);
    CU_ADD_TEST(suite, a_walk_in_rounds_visits_each_once_and_keeps_the_order);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
