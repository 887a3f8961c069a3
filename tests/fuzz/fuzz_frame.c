// SPDX-License-Identifier: MIT
// What a broker sends, from the first byte behind the login on: through rabbitmq-c and a socket into
// the demultiplexer. A first byte says how things stand when it comes; with its highest bit set the
// rest are records (type, channel, size, payload) that are made into well-formed frames here, so
// that more of them get past the library. Every event is whole, its delivery holds all the bytes
// that were announced, and what was queued or half put together is freed at the end.
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "io/broker_amqp_state.h"

enum { BODY_MOST = 2048, INPUT_MOST = 65536, CHANNELS = 3 };

/* A frame with connection.unblocked, as good as the first one of a login. */
static const unsigned char hello[] = { 1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, AMQP_FRAME_END };

enum option {
    TRUSTS_DEATH = 1,   /* a server below 4.0 */
    HAS_UNSYNCED = 2,   /* something was declared on channel 1 */
    IS_CLOSING = 4,     /* channel 2 is being closed by us */
    IS_ASKED = 8,       /* a call waits on channel 1 */
    IS_QUEUED = 16,     /* events are queued, as during a call */
    MAKES_FRAMES = 128, /* the rest are records */
};

/* The library tunes a connection only behind the first frame of its login. */
static void pass_hello(amqp_connection_state_t connection)
{
    struct timeval at_once = { 0 };
    amqp_frame_t frame;
    MUST(amqp_simple_wait_frame_noblock(connection, &frame, &at_once) == AMQP_STATUS_OK);
    amqp_maybe_release_buffers(connection);
}

static struct wr_amqp *make_connection(unsigned options, int fd)
{
    struct wr_amqp *amqp = calloc(1, sizeof *amqp);
    MUST(amqp);
    amqp->body_most = BODY_MOST;
    amqp->broker.server.trusts_x_death = options & TRUSTS_DEATH;
    amqp->connection = amqp_new_connection();
    MUST(amqp->connection);
    amqp_socket_t *socket = amqp_tcp_socket_new(amqp->connection);
    MUST(socket);
    amqp_tcp_socket_set_sockfd(socket, fd);
    pass_hello(amqp->connection);
    MUST(amqp_tune_connection(amqp->connection, WR_CHANNELS_MOST, WR_FRAME_BYTES, 0) == 0);
    amqp->fd = dup(fd);
    for (int i = 1; i <= CHANNELS; i++) {
        amqp->channels[i] = calloc(1, sizeof *amqp->channels[i]);
        MUST(amqp->channels[i]);
    }
    amqp->channels[1]->has_unsynced = options & HAS_UNSYNCED;
    amqp->channels[2]->is_closing = options & IS_CLOSING;
    if (options & IS_ASKED) {
        amqp->call = (struct wr_amqp_call){ 1, AMQP_QUEUE_DECLARE_OK_METHOD, false, 0, 0 };
    }
    return amqp;
}

static void free_connection(struct wr_amqp *amqp)
{
    (void)amqp_destroy_connection(amqp->connection);
    (void)close(amqp->fd);
    for (struct wr_link *link; (link = wr_list_take(&amqp->events));) {
        struct wr_amqp_event *waiting = WR_OF(link, struct wr_amqp_event, link);
        wr_delivery_free(waiting->event.delivery);
        free(waiting);
    }
    for (int i = 1; i <= CHANNELS; i++) {
        wr_amqp_channel_drop(amqp, (uint16_t)i);
    }
    free(amqp);
}

static void add_number(struct wr_text *out, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        char byte = (char)(number >> (8 * i));
        wr_text_add(out, &byte, 1);
    }
}

static void add_frames(struct wr_text *out, struct fuzz_input *input)
{
    while (input->size >= 4) {
        uint8_t type = fuzz_byte(input);
        uint8_t channel = fuzz_byte(input);
        size_t size = (size_t)fuzz_byte(input) << 8;
        struct wr_slice payload = fuzz_take(input, size | fuzz_byte(input));
        add_number(out, type, 1);
        add_number(out, channel, 2);
        add_number(out, payload.size, 4);
        wr_text_add(out, payload.data, payload.size);
        add_number(out, AMQP_FRAME_END, 1);
    }
}

static void check_delivery(const struct wr_event *event)
{
    const struct wr_delivery *delivery = event->delivery;
    const struct wr_message *message = &delivery->message;
    MUST(delivery->channel == event->channel && delivery->tag == event->tag);
    MUST(message->exchange.size <= 255 && message->key.size <= 255);
    MUST(message->body.data[message->body.size] == '\0');
    unsigned sum = 0;
    for (size_t i = 0; i < message->body.size; i++) {
        sum += (unsigned char)message->body.data[i];
    }
    MUST(sum <= 255 * message->body.size); /* every byte of it was read */
}

static void check_event(struct wr_amqp *amqp, struct wr_event *event)
{
    bool has_delivery = event->kind == WR_EVENT_DELIVERY;
    MUST(memchr(event->text, '\0', sizeof event->text) && fuzz_is_printable(event->text));
    MUST(event->kind != WR_EVENT_NONE || !event->delivery);
    MUST(!has_delivery || event->delivery);
    if (event->delivery) {
        MUST(has_delivery || event->kind == WR_EVENT_RETURNED);
        check_delivery(event);
    }
    MUST(event->kind != WR_EVENT_OVERSIZED || event->size > BODY_MOST);
    MUST(event->channel <= CHANNELS || event->kind == WR_EVENT_NONE);
    if (event->kind == WR_EVENT_CHANNEL_CLOSED) {
        wr_amqp_channel_drop(amqp, event->channel);
    }
    wr_delivery_free(event->delivery);
}

static void read_all(struct wr_amqp *amqp, unsigned options)
{
    struct wr_event event;
    if (options & IS_QUEUED) {
        wr_amqp_drain(amqp);
    }
    for (struct wr_link *link; (link = wr_list_take(&amqp->events));) {
        struct wr_amqp_event *waiting = WR_OF(link, struct wr_amqp_event, link);
        event = waiting->event;
        free(waiting);
        check_event(amqp, &event);
    }
    amqp->is_thorough = true; /* to the end of the input */
    while (wr_amqp_read(amqp, &event)) {
        check_event(amqp, &event);
    }
    MUST(amqp->is_dead && memchr(amqp->dead_text, '\0', sizeof amqp->dead_text));
    MUST(amqp->dead_text[0] || amqp->dead_code);
    MUST(!wr_amqp_read(amqp, &event) && event.kind == WR_EVENT_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MOST) {
        return -1;
    }
    int ends[2];
    struct fuzz_input input = { data, size };
    unsigned options = fuzz_byte(&input);
    struct wr_text sent = { 0 };
    if (options & MAKES_FRAMES) {
        add_frames(&sent, &input);
    } else {
        wr_text_add(&sent, input.data, input.size);
    }
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    MUST(send(ends[1], hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello);
    struct wr_amqp *amqp = make_connection(options, ends[0]);
    MUST(send(ends[1], sent.data, sent.size, MSG_NOSIGNAL) == (ssize_t)sent.size);
    MUST(shutdown(ends[1], SHUT_WR) == 0);
    read_all(amqp, options);
    free_connection(amqp);
    (void)close(ends[1]);
    wr_text_done(&sent);
    return 0;
}
