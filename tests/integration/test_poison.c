// SPDX-License-Identifier: MIT
/*
 * Messages that RabbitMQ below 4.0 can't dead-letter: their x-death makes it crash. On a broker of
 * this test's own: what Warren would leave to the broker's dead-lettering it does itself, and what
 * it can't keep from the broker costs a quorum queue that message, if it comes alone.
 */
#include <CUnit/Basic.h>

#include "crew.h"
#include "model/table.h"
#include "stranger.h"

enum { BIG = 2 << 20, POISONED = 5, EXPIRING = 2, DELAYED = 20 };

/* A configuration with one queue, whose only type is called like it. */
static char *config_with(const char *type, const char *name)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   "queue: { name = \"%s\"; type = \"%s\"; jobs: ( { type = \"%s\"; } ); };", name,
                   type, name);
    return crew_config("", text);
}

static warren *start_worker(const char *config, const char *type)
{
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, type, crew_accept, NULL, NULL));
    crew_start(w);
    return w;
}

static void publish(struct wr_message message, const char *key, bool is_poisoned)
{
    struct wr_text headers = { 0 };
    if (is_poisoned) {
        wr_table_add_nested(&headers, "x-death", 'A', (struct wr_slice){ "S\0\0\0\3all", 8 });
    }
    message.exchange = wr_slice_of("warren.jobs");
    message.key = wr_slice_of(key);
    message.present |= WR_DELIVERY_MODE | WR_HEADERS;
    message.delivery_mode = 2;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT(stranger_publish(message));
    wr_text_done(&headers);
}

/* The ladder's dead-lettering, which is what stops first when a message gets the node down. */
static void expect_ladder_works(warren *w, const char *type)
{
    warren_message delayed = { .type = type, .body = "x", .delay_ms = 375 };
    crew_forget();
    for (int i = 0; i < DELAYED; i++) {
        CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &delayed, NULL), WARREN_OK);
    }
    CU_ASSERT(crew_wait_runs(DELAYED, 20000));
}

static bool expect_too_large(const warren_dead_letter *letter, void *user)
{
    (void)user;
    CU_ASSERT_STRING_EQUAL(letter->reason, "body_too_large");
    CU_ASSERT_EQUAL(letter->body_size, BIG);
    return true;
}

/* A reject would crash a quorum queue's leader, and a classic queue at each redelivery. So these are
 * read, large as they are, and buried by Warren; the clean one goes by reject as always. */
static void bury_oversized(const char *type, const char *name)
{
    char dead[64];
    char *config = config_with(type, name);
    char *body = calloc(1, BIG);
    warren *w = start_worker(config, name);
    for (int i = 0; i <= POISONED; i++) {
        publish((struct wr_message){ .body = { body, BIG } }, name, i < POISONED);
    }
    CU_ASSERT_FATAL(crew_wait_ended(w, POISONED + 1, 20000));
    (void)snprintf(dead, sizeof dead, "%s.dead", name);
    CU_ASSERT(crew_wait_depth(config, dead, POISONED + 1, 10000));
    CU_ASSERT_EQUAL(crew_dead(config, name, expect_too_large, NULL), POISONED + 1);
    expect_ladder_works(w, name);
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    CU_ASSERT_EQUAL(stats.connections, 1); /* the queue never went away */
    CU_ASSERT_EQUAL(stats.redelivered, 0);
    crew_stop(w);
    free(body);
    free(config);
}

static void an_oversized_poisoned_body_is_buried_not_rejected(void)
{
    bury_oversized("quorum", "big.quorum");
    bury_oversized("classic", "big.classic");
}

/* Below 4.0 a work queue dead-letters at most once, so this costs the message, not the node. But not
 * more than two: each makes the queue's leader fall, and at the third fall within 5 s RabbitMQ 3.10
 * leaves it so until it starts again (docs/security.md). All are there before the first expires,
 * for what is published while a leader falls may stay without an answer. */
static void what_expires_poisoned_stops_nobody(void)
{
    char *config = config_with("quorum", "short.lived");
    crew_stop(start_worker(config, "short.lived"));
    for (int i = 0; i < EXPIRING; i++) {
        publish((struct wr_message){ .present = WR_EXPIRATION, .expiration = wr_slice_of("3000") },
                "short.lived", true);
    }
    publish((struct wr_message){ .body = { "x", 1 } }, "short.lived", false);
    CU_ASSERT(crew_wait_depth(config, "short.lived", 1, 30000)); /* 0 would also be "no leader" */
    warren *w = start_worker(config, "short.lived");
    CU_ASSERT(crew_wait_runs(1, 20000));
    expect_ladder_works(w, "short.lived");
    publish((struct wr_message){ .present = WR_TYPE, .type = wr_slice_of("unknown") },
            "short.lived", false);
    CU_ASSERT(crew_wait_ended(w, 1 + DELAYED + 1, 20000)); /* dead letters of Warren's, too */
    crew_stop(w);
    free(config);
}

int main(void)
{
    live_own_broker();
    stranger_open();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("poison", NULL, NULL);
    CU_ADD_TEST(suite, an_oversized_poisoned_body_is_buried_not_rejected);
    CU_ADD_TEST(suite, what_expires_poisoned_stops_nobody);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    stranger_close();
    return failures ? 1 : 0;
}
