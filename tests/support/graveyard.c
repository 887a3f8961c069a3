// SPDX-License-Identifier: MIT
// DESIGN: stories about dead letters differ in what they do with them, not in where the letters lie
// or how they came there, so that stands here once. Letters are published straight into the dead
// queue, as a worker would, and confirmed before the story goes on.
#include "graveyard.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "crew.h"
#include "engine/deadwalk.h"
#include "live.h"
#include "model/topology.h"

static warren_error err;

static void need(warren_status rc)
{
    if (rc) {
        (void)fprintf(stderr, "graveyard: %s\n", err.text);
        exit(1);
    }
}

void graveyard_connect(struct graveyard *yard, const char *config)
{
    need(wr_settings_load(&yard->settings, config, NULL, &err));
    struct wr_broker_options options = { .settings = &yard->settings->broker, .name = "test" };
    need(wr_broker_open(&yard->broker, &options, &err));
    need(wr_broker_channel_open(yard->broker, GRAVEYARD_CHANNEL, true, &err));
    need(warren_admin_open(&yard->admin, config, &err));
}

void graveyard_open(struct graveyard *yard)
{
    yard->config = crew_config("", "queue: { name = \"emails\"; jobs: ( { type = \"a.job\"; },\n"
                                   "  { type = \"apart\"; isolate = true; } ); };\n");
    graveyard_connect(yard, yard->config);
    graveyard_declare(yard);
}

void graveyard_close(struct graveyard *yard)
{
    warren_admin_close(yard->admin);
    wr_broker_close(yard->broker);
    wr_settings_free(yard->settings);
    free(yard->config);
}

void graveyard_declare(struct graveyard *yard)
{
    struct wr_topology *topology = NULL;
    need(wr_topology_build(&topology, yard->settings, true, &err));
    for (size_t i = 0; i < topology->length; i++) {
        (void)wr_broker_declare(yard->broker, GRAVEYARD_CHANNEL, &topology->items[i], WR_DECLARE,
                                &err);
    }
    need(wr_broker_sync(yard->broker, GRAVEYARD_CHANNEL, &err));
    wr_topology_free(topology);
}

void graveyard_empty(struct graveyard *yard)
{
    (void)wr_broker_purge(yard->broker, GRAVEYARD_CHANNEL, "emails", NULL, &err);
    (void)wr_broker_purge(yard->broker, GRAVEYARD_CHANNEL, "emails.apart", NULL, &err);
    (void)wr_broker_purge(yard->broker, GRAVEYARD_CHANNEL, "emails.dead", NULL, &err);
}

void graveyard_publish(struct graveyard *yard, const char *queue, const struct wr_message *wanted)
{
    struct wr_message message = *wanted;
    message.key = wr_slice_of(queue);
    message.present |= WR_DELIVERY_MODE;
    message.delivery_mode = 2;
    CU_ASSERT_EQUAL_FATAL(wr_broker_publish(yard->broker, GRAVEYARD_CHANNEL, &message, &err),
                          WARREN_OK);
    yard->published++;
}

void graveyard_await_confirms(struct graveyard *yard)
{
    int64_t deadline_us = wr_clock_mono_us(NULL) + 30 * WR_US_PER_S;
    while (yard->confirmed < yard->published) {
        struct wr_event event;
        wr_deadwalk_wait(yard->broker, deadline_us, &event);
        CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_ACKED);
        yard->confirmed = event.tag > yard->confirmed ? event.tag : yard->confirmed;
    }
}

void graveyard_bury(struct graveyard *yard, int first, int count, const char *type)
{
    struct wr_text headers = { 0 };
    wr_table_add_string(&headers, "x-warren-dead-reason", wr_slice_of("failed"));
    wr_table_add_int(&headers, "x-warren-attempt", 5);
    wr_table_add_string(&headers, "traceparent", wr_slice_of("00-abc"));
    for (int i = first; i < first + count; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%06d", i);
        graveyard_publish(yard, "emails.dead",
                          &(struct wr_message){ .present = WR_MESSAGE_ID | WR_TYPE | WR_HEADERS,
                                                .message_id = wr_slice_of(id),
                                                .type = wr_slice_of(type),
                                                .headers = { headers.data, headers.size },
                                                .body = wr_slice_of(id) });
    }
    graveyard_await_confirms(yard);
    wr_text_done(&headers);
}

uint64_t graveyard_depth(struct graveyard *yard, const char *queue)
{
    struct wr_depth depth = { 0 };
    CU_ASSERT_EQUAL(wr_broker_depth(yard->broker, GRAVEYARD_CHANNEL, queue, &depth, &err),
                    WARREN_OK);
    return depth.messages;
}

struct expected {
    struct graveyard *yard;
    const char *queue;
    uint64_t depth;
};

static bool has_depth(void *user)
{
    const struct expected *expected = user;
    return graveyard_depth(expected->yard, expected->queue) == expected->depth;
}

bool graveyard_settles_at(struct graveyard *yard, const char *queue, uint64_t depth)
{
    struct expected expected = { yard, queue, depth };
    return live_wait(has_depth, &expected, 10000);
}
