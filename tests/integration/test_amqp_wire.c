// SPDX-License-Identifier: MIT
// What passes over the wire: bodies, headers, errors of channels, and a peer that stops answering
// (played by a relay between this process and the broker that can be told to stop).
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp_talk.h"
#include "listener.h"
#include "live.h"

enum { BODY_MOST = 100000 };

static struct wr_broker *broker;

static void open_broker(void)
{
    struct wr_broker_settings settings = talk_settings(live_url());
    warren_error error;
    broker = talk_open(&settings, BODY_MOST, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 1, true, NULL), WARREN_OK);
    CU_ASSERT_EQUAL_FATAL(wr_broker_channel_open(broker, 2, false, NULL), WARREN_OK);
}

static void publish(const struct wr_message *message)
{
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, message, NULL), WARREN_OK);
    (void)talk_expect(broker, WR_EVENT_ACKED);
}

static void a_body_of_any_length_comes_back_the_same(void)
{
    open_broker();
    talk_queue(broker, 1, "lengths");
    static char bytes[BODY_MOST];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 7 >> 2);
    }
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 2, "lengths", "c", NULL), WARREN_OK);
    static const size_t sizes[] = { 0, 1, 255, 65535, 65536, 65537, BODY_MOST };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct wr_message message = talk_message("lengths", (struct wr_slice){ bytes, sizes[i] });
        CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_OK);
        struct wr_event event = talk_next(broker, TALK_MOST_MS);
        while (event.kind == WR_EVENT_ACKED) {
            event = talk_next(broker, TALK_MOST_MS);
        }
        CU_ASSERT_EQUAL_FATAL(event.kind, WR_EVENT_DELIVERY);
        CU_ASSERT(wr_slice_equals(event.delivery->message.body, message.body));
        CU_ASSERT_EQUAL(wr_broker_ack(broker, 2, event.tag, false), WARREN_OK);
        wr_delivery_free(event.delivery);
    }
    wr_broker_close(broker);
}

static void a_body_over_the_limit_is_not_read_and_the_next_one_is(void)
{
    open_broker();
    talk_queue(broker, 1, "long");
    char *bytes = calloc(1, 3 << 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    struct wr_message too_long = talk_message("long", (struct wr_slice){ bytes, 3 << 20 });
    struct wr_message one_more = talk_message("long", (struct wr_slice){ bytes, BODY_MOST + 1 });
    struct wr_message next = talk_message("long", wr_slice_of("short"));
    publish(&too_long);
    publish(&one_more);
    publish(&next);
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 2, "long", "c", NULL), WARREN_OK);
    struct wr_event event = talk_expect(broker, WR_EVENT_OVERSIZED);
    CU_ASSERT_EQUAL(event.size, 3 << 20);
    CU_ASSERT_EQUAL(wr_broker_nack(broker, 2, event.tag, false, false), WARREN_OK);
    event = talk_expect(broker, WR_EVENT_OVERSIZED);
    CU_ASSERT_EQUAL(event.size, BODY_MOST + 1);
    CU_ASSERT_EQUAL(wr_broker_nack(broker, 2, event.tag, false, false), WARREN_OK);
    event = talk_expect(broker, WR_EVENT_DELIVERY);
    CU_ASSERT(event.delivery && wr_slice_is(event.delivery->message.body, "short"));
    CU_ASSERT_EQUAL(wr_broker_ack(broker, 2, event.tag, false), WARREN_OK);
    wr_delivery_free(event.delivery);
    wr_broker_close(broker);
    free(bytes);
}

static void an_unroutable_long_message_is_known_by_its_properties(void)
{
    open_broker();
    char *bytes = calloc(1, 1 << 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    struct wr_message message = talk_message("no-such-queue", (struct wr_slice){ bytes, 1 << 20 });
    message.present |= WR_MESSAGE_ID;
    message.message_id = wr_slice_of("id-1");
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_OK);
    struct wr_event event = talk_expect(broker, WR_EVENT_RETURNED);
    CU_ASSERT_EQUAL(event.code, 312);
    CU_ASSERT(event.delivery && wr_slice_is(event.delivery->message.message_id, "id-1"));
    wr_delivery_free(event.delivery);
    (void)talk_expect(broker, WR_EVENT_ACKED);
    wr_broker_close(broker);
    free(bytes);
}

/* --- headers --- */

/* Sends headers through the broker and asserts that they come back byte for byte. */
static void round_trip(struct wr_slice headers)
{
    open_broker();
    talk_queue(broker, 1, "headers");
    struct wr_message message = talk_message("headers", wr_slice_of("x"));
    message.present |= WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    publish(&message);
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 2, "headers", "c", NULL), WARREN_OK);
    struct wr_event event = talk_expect(broker, WR_EVENT_DELIVERY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event.delivery);
    struct wr_table got = event.delivery->message.headers;
    CU_ASSERT(wr_slice_equals((struct wr_slice){ got.data, got.size }, headers));
    CU_ASSERT_EQUAL(wr_broker_ack(broker, 2, event.tag, false), WARREN_OK);
    wr_delivery_free(event.delivery);
    wr_broker_close(broker);
}

static void headers_of_every_kind_stay_the_same(void)
{
    /* By name, since RabbitMQ 4 hands them out in that order. */
    static const char every[] = "\0S\0\0\0\1z"
                                "\1AA\0\0\0\7"
                                "t\0S\0\0\0\0"
                                "\1BB\xFE"
                                "\1DD\2\0\0\1\0"
                                "\1FF\0\0\0\5\2in"
                                "t\1"
                                "\1II\x80\0\0\1"
                                "\1SS\0\0\0\3a\0b"
                                "\1TT\0\0\0\0\x60\0\0\0"
                                "\1VV"
                                "\1bb\xFF"
                                "\1dd\x3F\xF0\0\0\0\0\0\0"
                                "\1ff\x3F\x80\0\0"
                                "\1ii\xFF\0\0\1"
                                "\1ll\x80\0\0\0\0\0\0\1"
                                "\1ss\x80\1"
                                "\1tt\1"
                                "\1uu\xFF\xFF"
                                "\1xx\0\0\0\2\xFF\xFE";
    round_trip((struct wr_slice){ every, sizeof every - 1 });
}

/* `depth` tables, one in the other. */
static void nest(struct wr_text *out, int depth)
{
    struct wr_text inner = { 0 };
    for (int i = 0; i < depth; i++) {
        struct wr_text outer = { 0 };
        wr_table_add_nested(&outer, "n", 'F', (struct wr_slice){ inner.data, inner.size });
        wr_text_done(&inner);
        inner = outer;
    }
    *out = inner;
}

static void nested_headers_pass_and_bottomless_ones_are_not_sent(void)
{
    struct wr_text headers;
    nest(&headers, 40);
    round_trip((struct wr_slice){ headers.data, headers.size });
    wr_text_done(&headers);
    nest(&headers, 500);
    open_broker();
    struct wr_message message = talk_message("headers", wr_slice_of("x"));
    message.present |= WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_INVALID);
    wr_text_done(&headers);
    message = talk_message("headers", wr_slice_of("still fine"));
    publish(&message);
    wr_broker_close(broker);
}

static void what_does_not_fit_a_frame_is_refused_before_it_is_sent(void)
{
    open_broker();
    struct wr_text headers = { 0 };
    char *bytes = calloc(1, 140000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    wr_table_add_string(&headers, "h", (struct wr_slice){ bytes, 140000 });
    struct wr_message message = talk_message("headers", wr_slice_of("x"));
    message.present |= WR_HEADERS;
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_INVALID);
    message = talk_message("headers", wr_slice_of("x"));
    message.present |= WR_TYPE;
    message.type = (struct wr_slice){ bytes, 256 };
    CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_INVALID);
    message.type.size = 255;
    publish(&message);
    wr_text_done(&headers);
    free(bytes);
    wr_broker_close(broker);
}

/* --- channels --- */

static void a_mistake_among_many_declarations_is_told_by_sync(void)
{
    open_broker();
    warren_error error;
    struct wr_item queue = { .kind = WR_ITEM_QUEUE, .name = "declared" };
    struct wr_item bind = { .kind = WR_ITEM_BIND, .name = "no.such.exchange", .key = "k" };
    bind.destination = "declared";
    bind.to_queue = true;
    CU_ASSERT_EQUAL(wr_broker_declare(broker, 2, &queue, WR_DECLARE, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_declare(broker, 2, &bind, WR_DECLARE, NULL), WARREN_OK);
    for (int i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(wr_broker_declare(broker, 2, &queue, WR_DECLARE, NULL), WARREN_OK);
    }
    CU_ASSERT_EQUAL(wr_broker_sync(broker, 2, &error), WARREN_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no.such.exchange"));
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 2, false, NULL), WARREN_OK);
    queue.arguments.type = WR_CLASSIC;
    CU_ASSERT_EQUAL(wr_broker_declare(broker, 2, &queue, WR_DECLARE, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_sync(broker, 2, &error), WARREN_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "x-queue-type"));
    CU_ASSERT_EQUAL(talk_next(broker, 50).kind, WR_EVENT_NONE);
    wr_broker_close(broker);
}

static void a_double_ack_closes_one_channel_and_its_number_is_free_again(void)
{
    open_broker();
    talk_queue(broker, 1, "double");
    struct wr_message message = talk_message("double", wr_slice_of("x"));
    publish(&message);
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 2, "double", "c", NULL), WARREN_OK);
    struct wr_event event = talk_expect(broker, WR_EVENT_DELIVERY);
    wr_delivery_free(event.delivery);
    CU_ASSERT_EQUAL(wr_broker_ack(broker, 2, event.tag, false), WARREN_OK);
    CU_ASSERT_EQUAL(wr_broker_ack(broker, 2, event.tag, false), WARREN_OK);
    event = talk_expect(broker, WR_EVENT_CHANNEL_CLOSED);
    CU_ASSERT_EQUAL(event.channel, 2);
    CU_ASSERT_EQUAL(event.code, 406);
    CU_ASSERT_EQUAL(wr_broker_ack(broker, 2, 7, false), WARREN_STATE);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 2, false, NULL), WARREN_OK);
    publish(&message);
    wr_broker_close(broker);
}

/* --- life signs --- */

static void heartbeats_keep_an_idle_connection(void)
{
    struct wr_broker_settings settings = talk_settings(live_url());
    settings.heartbeat_ms = 1000;
    warren_error error;
    broker = talk_open(&settings, 0, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL(talk_next(broker, 4500).kind, WR_EVENT_NONE);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 1, true, NULL), WARREN_OK);
    wr_broker_close(broker);
}

/* Passes bytes on between one client and the broker until told to stop. */
struct relay {
    int listener;
    int to_port;
    char url[256];
    pthread_t thread;
    atomic_bool is_frozen;
    atomic_bool is_over;
};

static bool pass(int from, int to)
{
    char bytes[65536];
    ssize_t got = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
    return got < 0 || (got > 0 && send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got);
}

static void *relay_run(void *user)
{
    struct relay *relay = user;
    int client = accept(relay->listener, NULL, NULL);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)relay->to_port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    bool is_up = connect(server, (struct sockaddr *)&address, sizeof address) == 0;
    while (is_up && !atomic_load(&relay->is_over)) {
        struct pollfd both[2] = { { .fd = client, .events = POLLIN },
                                  { .fd = server, .events = POLLIN } };
        (void)poll(both, atomic_load(&relay->is_frozen) ? 0 : 2, 20);
        if (!atomic_load(&relay->is_frozen)) {
            is_up = pass(client, server) && pass(server, client);
        }
    }
    (void)close(client);
    (void)close(server);
    return NULL;
}

static void relay_start(struct relay *relay)
{
    int port;
    const char *at = strchr(live_url(), '@');
    relay->to_port = atoi(strchr(at, ':') + 1);
    relay->listener = listen_on_loopback(&port);
    (void)snprintf(relay->url, sizeof relay->url, "%.*s@127.0.0.1:%d/%s", (int)(at - live_url()),
                   live_url(), port, live_vhost());
    CU_ASSERT_EQUAL_FATAL(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
}

static void relay_stop(struct relay *relay)
{
    atomic_store(&relay->is_over, true);
    (void)pthread_join(relay->thread, NULL);
    (void)close(relay->listener);
}

static void open_through(struct relay *relay, int64_t rpc_timeout_ms)
{
    relay_start(relay);
    struct wr_broker_settings settings = talk_settings(relay->url);
    settings.heartbeat_ms = 1000;
    settings.rpc_timeout_ms = rpc_timeout_ms;
    warren_error error;
    broker = talk_open(&settings, 0, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 1, true, NULL), WARREN_OK);
    talk_queue(broker, 1, "relayed");
    atomic_store(&relay->is_frozen, true);
}

static int64_t since_ms(int64_t start_us)
{
    return (wr_clock_mono_us(NULL) - start_us) / WR_US_PER_MS;
}

static void a_silent_peer_is_noticed_after_two_heartbeats(void)
{
    struct relay relay = { 0 };
    open_through(&relay, 10000);
    int64_t start_us = wr_clock_mono_us(NULL);
    struct wr_event event = talk_expect(broker, WR_EVENT_CLOSED);
    CU_ASSERT(since_ms(start_us) < 4000);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.text, "heartbeat"));
    CU_ASSERT_EQUAL(wr_broker_fd(broker), -1);
    CU_ASSERT_EQUAL(talk_next(broker, 10).kind, WR_EVENT_NONE);
    wr_broker_close(broker);
    relay_stop(&relay);
}

static void publishing_to_a_silent_peer_does_not_hang(void)
{
    struct relay relay = { 0 };
    open_through(&relay, 10000);
    struct wr_message message = talk_message("relayed", wr_slice_of("x"));
    int64_t start_us = wr_clock_mono_us(NULL);
    warren_status status = WARREN_OK;
    while (!status && since_ms(start_us) < 8000) {
        status = wr_broker_publish(broker, 1, &message, NULL); /* and never next */
        (void)poll(NULL, 0, 50);
    }
    CU_ASSERT_EQUAL(status, WARREN_CLOSED);
    CU_ASSERT(since_ms(start_us) < 4000);
    wr_broker_close(broker);
    relay_stop(&relay);
}

static void publishing_more_than_the_peer_takes_does_not_hang(void)
{
    struct relay relay = { 0 };
    open_through(&relay, 500);
    char *bytes = calloc(1, 1 << 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    struct wr_message message = talk_message("relayed", (struct wr_slice){ bytes, 1 << 20 });
    int64_t start_us = wr_clock_mono_us(NULL);
    warren_status status = WARREN_OK;
    for (int i = 0; !status && i < 100; i++) {
        status = wr_broker_publish(broker, 1, &message, NULL);
    }
    CU_ASSERT(status == WARREN_CLOSED || status == WARREN_TIMEOUT);
    CU_ASSERT(since_ms(start_us) < 4000);
    wr_broker_close(broker);
    CU_ASSERT(since_ms(start_us) < 5500);
    relay_stop(&relay);
    free(bytes);
}

static void a_call_without_an_answer_ends_after_the_rpc_timeout(void)
{
    struct relay relay = { 0 };
    open_through(&relay, 500);
    warren_error error;
    struct wr_depth depth;
    int64_t start_us = wr_clock_mono_us(NULL);
    CU_ASSERT_EQUAL(wr_broker_depth(broker, 1, "relayed", &depth, &error), WARREN_CLOSED);
    CU_ASSERT(since_ms(start_us) >= 490 && since_ms(start_us) < 2000);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "did not answer"));
    wr_broker_close(broker);
    relay_stop(&relay);
}

static void *cut_it(void *user)
{
    (void)poll(NULL, 0, 100);
    wr_broker_cut(user);
    return NULL;
}

static void a_cut_from_another_thread_frees_a_stuck_call(void)
{
    struct relay relay = { 0 };
    open_through(&relay, 10000);
    pthread_t watchdog;
    struct wr_depth depth;
    int64_t start_us = wr_clock_mono_us(NULL);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&watchdog, NULL, cut_it, broker), 0);
    CU_ASSERT_EQUAL(wr_broker_depth(broker, 1, "relayed", &depth, NULL), WARREN_CLOSED);
    CU_ASSERT(since_ms(start_us) < 1000);
    (void)pthread_join(watchdog, NULL);
    CU_ASSERT_EQUAL(talk_next(broker, 10).kind, WR_EVENT_CLOSED);
    wr_broker_close(broker);
    relay_stop(&relay);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("amqp_wire", NULL, NULL);
    CU_ADD_TEST(suite, a_body_of_any_length_comes_back_the_same);
    CU_ADD_TEST(suite, a_body_over_the_limit_is_not_read_and_the_next_one_is);
    CU_ADD_TEST(suite, an_unroutable_long_message_is_known_by_its_properties);
    CU_ADD_TEST(suite, headers_of_every_kind_stay_the_same);
    CU_ADD_TEST(suite, nested_headers_pass_and_bottomless_ones_are_not_sent);
    CU_ADD_TEST(suite, what_does_not_fit_a_frame_is_refused_before_it_is_sent);
    CU_ADD_TEST(suite, a_mistake_among_many_declarations_is_told_by_sync);
    CU_ADD_TEST(suite, a_double_ack_closes_one_channel_and_its_number_is_free_again);
    CU_ADD_TEST(suite, heartbeats_keep_an_idle_connection);
    CU_ADD_TEST(suite, a_silent_peer_is_noticed_after_two_heartbeats);
    CU_ADD_TEST(suite, publishing_to_a_silent_peer_does_not_hang);
    CU_ADD_TEST(suite, publishing_more_than_the_peer_takes_does_not_hang);
    CU_ADD_TEST(suite, a_call_without_an_answer_ends_after_the_rpc_timeout);
    CU_ADD_TEST(suite, a_cut_from_another_thread_frees_a_stuck_call);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
