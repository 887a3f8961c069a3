// SPDX-License-Identifier: MIT
// DESIGN: tests speak of queues and messages; what differs between a broker that is polled and one
// whose time is turned by hand is in fixture_next alone.
#include "broker_fixture.h"

#include <CUnit/CUnit.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct wr_broker_settings settings;
    struct wr_clock *clock;
    unsigned names;
} ground;

void fixture_use(const char *url, struct wr_clock *clock)
{
    ground.settings = (struct wr_broker_settings){ .url = (char *)url,
                                                   .heartbeat_ms = 30000,
                                                   .connect_timeout_ms = 10000,
                                                   .rpc_timeout_ms = 20000,
                                                   .allow_plaintext = true };
    ground.clock = clock;
}

struct wr_broker *fixture_connect(int64_t body_most)
{
    struct wr_broker_options options = { .settings = &ground.settings,
                                         .name = "behaviour suite",
                                         .clock = ground.clock,
                                         .body_most = body_most };
    struct wr_broker *broker = NULL;
    warren_error err = { 0 };
    if (wr_broker_open(&broker, &options, &err)) {
        fprintf(stderr, "connect: %s\n", err.text);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    return broker;
}

/* Fails the test with the broker's own words. */
static void must(warren_status rc, const warren_error *err)
{
    if (rc) {
        fprintf(stderr, "broker: %s: %s\n", warren_status_name(rc), err->text);
    }
    CU_ASSERT_EQUAL_FATAL(rc, WARREN_OK);
}

struct fixture fixture_begin(void)
{
    struct fixture fixture = { .sender = fixture_connect(0), .receiver = fixture_connect(0) };
    warren_error err = { 0 };
    must(wr_broker_channel_open(fixture.sender, SENDER_CHANNEL, true, &err), &err);
    must(wr_broker_channel_open(fixture.receiver, RECEIVER_CHANNEL, false, &err), &err);
    return fixture;
}

void fixture_end(struct fixture *fixture)
{
    wr_broker_close(fixture->sender);
    wr_broker_close(fixture->receiver);
}

const char *named(const char *what)
{
    static char names[8][64];
    char *name = names[ground.names % 8];
    (void)snprintf(name, sizeof names[0], "suite%u.%s", ground.names++, what);
    return name;
}

int64_t fixture_now_ms(void)
{
    return wr_clock_mono_us(ground.clock) / WR_US_PER_MS;
}

/* Until something may have come, or `until_us`. */
static void wait_some(struct wr_broker *broker, int64_t until_us)
{
    int64_t due_us = wr_broker_deadline_us(broker);
    int64_t now_us = wr_clock_mono_us(ground.clock);
    due_us = due_us < until_us ? due_us : until_us;
    if (due_us <= now_us) {
        return;
    }
    if (ground.clock) {
        wr_clock_advance(ground.clock, due_us - now_us);
        return;
    }
    struct pollfd poller = { .fd = wr_broker_fd(broker), .events = POLLIN };
    (void)poll(&poller, 1, (int)((due_us - now_us) / WR_US_PER_MS) + 1);
}

bool fixture_next(struct wr_broker *broker, struct wr_event *out, int64_t wait_ms)
{
    int64_t until_us = wr_clock_mono_us(ground.clock) + wait_ms * WR_US_PER_MS;
    for (;;) {
        bool is_last = wr_clock_mono_us(ground.clock) >= until_us;
        wr_broker_next(broker, out);
        if (out->kind != WR_EVENT_NONE || is_last) {
            return out->kind != WR_EVENT_NONE;
        }
        if (!wr_broker_has_more(broker)) {
            wait_some(broker, until_us);
        }
    }
}

struct wr_event fixture_expect(struct wr_broker *broker, enum wr_event_kind kind)
{
    struct wr_event event;
    (void)fixture_next(broker, &event, FIXTURE_WAIT_MS);
    if (event.kind != kind) {
        fprintf(stderr, "event %d instead of %d: %d %s\n", event.kind, kind, event.code,
                event.text);
    }
    CU_ASSERT_EQUAL_FATAL(event.kind, kind);
    return event;
}

void fixture_expect_nothing(struct wr_broker *broker, int64_t wait_ms)
{
    struct wr_event event;
    bool came = fixture_next(broker, &event, wait_ms);
    if (came) {
        fprintf(stderr, "unexpected event %d: %d %s\n", event.kind, event.code, event.text);
        wr_delivery_free(event.delivery);
    }
    CU_ASSERT_FALSE(came);
}

/* --- topology --- */

warren_status try_item(struct fixture *fixture, const struct wr_item *item, enum wr_declare how,
                       warren_error *err)
{
    must(wr_broker_declare(fixture->sender, SENDER_CHANNEL, item, how, err), err);
    return wr_broker_sync(fixture->sender, SENDER_CHANNEL, err);
}

static void make(struct fixture *fixture, const struct wr_item *item)
{
    warren_error err = { 0 };
    must(try_item(fixture, item, WR_DECLARE, &err), &err);
}

void make_queue(struct fixture *fixture, const char *name, struct wr_queue_arguments arguments)
{
    make(fixture, &(struct wr_item){ .kind = WR_ITEM_QUEUE, .name = name, .arguments = arguments });
}

void make_exchange(struct fixture *fixture, const char *name, const char *type,
                   const char *alternate)
{
    make(fixture,
         &(struct wr_item){
             .kind = WR_ITEM_EXCHANGE, .name = name, .type = type, .alternate = alternate });
}

void bind_queue(struct fixture *fixture, const char *exchange, const char *key, const char *queue)
{
    make(fixture, &(struct wr_item){ .kind = WR_ITEM_BIND,
                                     .name = exchange,
                                     .key = key,
                                     .destination = queue,
                                     .to_queue = true });
}

void bind_exchange(struct fixture *fixture, const char *source, const char *key,
                   const char *exchange)
{
    make(fixture, &(struct wr_item){
                      .kind = WR_ITEM_BIND, .name = source, .key = key, .destination = exchange });
}

void reopen_sender(struct fixture *fixture)
{
    warren_error err = { 0 };
    must(wr_broker_channel_open(fixture->sender, SENDER_CHANNEL, true, &err), &err);
    fixture->sent = 0;
}

/* --- messages --- */

void wait_confirmed(struct fixture *fixture)
{
    uint64_t confirmed = 0;
    while (confirmed < fixture->sent) {
        struct wr_event event = fixture_expect(fixture->sender, WR_EVENT_ACKED);
        CU_ASSERT(event.tag <= fixture->sent);
        confirmed = event.tag > confirmed ? event.tag : confirmed;
    }
}

void send_message(struct fixture *fixture, const struct wr_message *message)
{
    warren_error err = { 0 };
    must(wr_broker_publish(fixture->sender, SENDER_CHANNEL, message, &err), &err);
    fixture->sent++;
    wait_confirmed(fixture);
}

void send_text(struct fixture *fixture, const char *exchange, const char *key, const char *body)
{
    struct wr_message message = { .exchange = wr_slice_of(exchange),
                                  .key = wr_slice_of(key),
                                  .present = WR_DELIVERY_MODE,
                                  .delivery_mode = 2,
                                  .body = wr_slice_of(body) };
    send_message(fixture, &message);
}

void receive_from(struct fixture *fixture, const char *queue, uint16_t prefetch)
{
    warren_error err = { 0 };
    must(wr_broker_prefetch(fixture->receiver, RECEIVER_CHANNEL, prefetch, &err), &err);
    must(wr_broker_consume(fixture->receiver, RECEIVER_CHANNEL, queue, queue, &err), &err);
}

struct wr_delivery *fixture_delivery(struct wr_broker *broker, const char *body)
{
    struct wr_event event = fixture_expect(broker, WR_EVENT_DELIVERY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event.delivery);
    CU_ASSERT_EQUAL(event.delivery->tag, event.tag);
    CU_ASSERT_EQUAL(event.delivery->channel, event.channel);
    if (body && !wr_slice_is(event.delivery->message.body, body)) {
        fprintf(stderr, "body '%.*s' instead of '%s'\n", WR_SLICE(event.delivery->message.body),
                body);
        CU_FAIL("another message came");
    }
    return event.delivery;
}

uint64_t take(struct fixture *fixture, const char *body)
{
    struct wr_delivery *delivery = fixture_delivery(fixture->receiver, body);
    uint64_t tag = delivery->tag;
    CU_ASSERT_EQUAL(wr_broker_ack(fixture->receiver, RECEIVER_CHANNEL, tag, false), WARREN_OK);
    wr_delivery_free(delivery);
    return tag;
}

uint64_t hold(struct fixture *fixture, const char *body, bool redelivered)
{
    struct wr_delivery *delivery = fixture_delivery(fixture->receiver, body);
    uint64_t tag = delivery->tag;
    CU_ASSERT_EQUAL(delivery->redelivered, redelivered);
    wr_delivery_free(delivery);
    return tag;
}

void expect_depth(struct fixture *fixture, const char *queue, uint64_t messages)
{
    struct wr_depth depth = { 0 };
    warren_error err = { 0 };
    int64_t until_ms = fixture_now_ms() + FIXTURE_WAIT_MS;
    for (;;) {
        must(wr_broker_depth(fixture->sender, SENDER_CHANNEL, queue, &depth, &err), &err);
        if (depth.messages == messages || fixture_now_ms() >= until_ms) {
            break;
        }
        fixture_expect_nothing(fixture->sender, 20);
    }
    CU_ASSERT_EQUAL(depth.messages, messages);
}

/* --- headers --- */

static struct wr_slice string_in(struct wr_table table, const char *name)
{
    struct wr_field field;
    struct wr_slice value = { 0 };
    if (wr_table_find(table, name, &field)) {
        (void)wr_field_string(&field, &value);
    }
    return value;
}

static int64_t int_in(struct wr_table table, const char *name)
{
    struct wr_field field;
    int64_t value = -1;
    if (wr_table_find(table, name, &field)) {
        (void)wr_field_int(&field, &value);
    }
    return value;
}

struct wr_slice header_string(const struct wr_delivery *delivery, const char *name)
{
    return string_in(delivery->message.headers, name);
}

int64_t header_int(const struct wr_delivery *delivery, const char *name)
{
    return int_in(delivery->message.headers, name);
}

bool death_at(const struct wr_delivery *delivery, int index, struct wr_table *out)
{
    struct wr_field field;
    struct wr_table deaths;
    if (!wr_table_find(delivery->message.headers, "x-death", &field) ||
        !wr_field_table(&field, 'A', &deaths)) {
        return false;
    }
    size_t offset = 0;
    for (int i = 0; wr_array_next(deaths, &offset, &field); i++) {
        if (i == index) {
            return wr_field_table(&field, 'F', out);
        }
    }
    return false;
}

struct wr_slice death_string(struct wr_table death, const char *name)
{
    return string_in(death, name);
}

int64_t death_int(struct wr_table death, const char *name)
{
    return int_in(death, name);
}
