// SPDX-License-Identifier: MIT
/*
 * DESIGN: one thread reads, one lock covers everything, and whoever holds it writes: a test says
 * something by putting it into the connection's output itself. A condition variable tells waiting
 * tests that a count has changed. Sessions stay until the end, so that numbers keep their meaning.
 */
#include "fake_broker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fake_talk.h"

enum { BACKLOG = 64, READ_BYTES = 65536, HEARTBEAT_S = 60 };

static void enter(struct fake *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
}

static void leave(struct fake *fake)
{
    uint64_t one = 1;
    (void)pthread_mutex_unlock(&fake->lock);
    (void)!write(fake->poke, &one, sizeof one);
}

/* The n-th connection, or NULL; it may be closed. */
static struct fake_session *session_at(struct fake *fake, int number)
{
    return number >= 0 && number < FAKE_CONNECTIONS ? fake->sessions[number] : NULL;
}

static void end_session(struct fake_session *session)
{
    (void)shutdown(session->fd, SHUT_RDWR);
    (void)close(session->fd);
    session->fd = -1;
    session->in_size = session->out_size = 0;
}

/* --- the thread --- */

static void accept_all(struct fake *fake)
{
    size_t number = fake->counts[FAKE_ACCEPTED];
    int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (; fd >= 0; number++) {
        int one = 1;
        struct fake_session *session = calloc(1, sizeof *session);
        if (!session || number >= FAKE_CONNECTIONS)
            fake_give_up("too many connections");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        session->fd = fd;
        session->number = (int)number;
        fake->sessions[number] = session;
        fake_count(fake, FAKE_ACCEPTED);
        fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
}

static void read_session(struct fake *fake, struct fake_session *session)
{
    ssize_t got = 1;
    while (got > 0) {
        session->in = realloc(session->in, session->in_size + READ_BYTES);
        if (!session->in)
            fake_give_up("memory");
        got = recv(session->fd, session->in + session->in_size, READ_BYTES, 0);
        session->in_size += got > 0 ? (size_t)got : 0;
    }
    bool is_over = got == 0 || (errno != EAGAIN && errno != EINTR);
    fake_take_frames(fake, session);
    if (!is_over)
        return;
    end_session(session);
    fake_count(fake, FAKE_ENDED);
}

/* Returns when the next heartbeat is due. */
static int64_t beat(const struct fake *fake, struct fake_session *session)
{
    if (!session->beat_us)
        return INT64_MAX;
    if (session->next_beat_us <= fake_now_us()) {
        if (!fake->is_mute)
            fake_push_frame(session, 0, WIRE_HEARTBEAT, NULL, 0);
        session->next_beat_us = fake_now_us() + session->beat_us;
    }
    return session->next_beat_us;
}

static size_t turn(struct fake *fake, struct pollfd *fds, int64_t *until_us)
{
    size_t count = 0;
    accept_all(fake);
    fds[count++] = (struct pollfd){ .fd = fake->poke, .events = POLLIN };
    fds[count++] = (struct pollfd){ .fd = fake->listener, .events = POLLIN };
    for (size_t i = 0; i < fake->counts[FAKE_ACCEPTED]; i++) {
        struct fake_session *session = fake->sessions[i];
        if (session->fd >= 0)
            read_session(fake, session);
        if (session->fd < 0)
            continue;
        int64_t due_us = beat(fake, session);
        *until_us = due_us < *until_us ? due_us : *until_us;
        fake_flush(session);
        short room = session->out_size ? POLLOUT : 0;
        fds[count++] = (struct pollfd){ .fd = session->fd, .events = (short)(POLLIN | room) };
    }
    return count;
}

static void *run(void *argument)
{
    static struct pollfd fds[FAKE_CONNECTIONS + 2];
    struct fake *fake = argument;
    bool is_ending = false;
    while (!is_ending) {
        int64_t until_us = INT64_MAX;
        uint64_t pokes = 0;
        enter(fake);
        (void)!read(fake->poke, &pokes, sizeof pokes);
        size_t count = turn(fake, fds, &until_us);
        is_ending = fake->is_ending;
        (void)pthread_mutex_unlock(&fake->lock);
        int64_t left_ms = (until_us - fake_now_us()) / 1000 + 1;
        int wait_ms = until_us == INT64_MAX ? -1 : left_ms > 0 ? (int)left_ms : 0;
        if (!is_ending)
            (void)poll(fds, count, wait_ms);
    }
    return NULL;
}

/* --- opening and closing --- */

static int listening_socket(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        fake_give_up("listen");
    *port = ntohs(address.sin_port);
    return fd;
}

struct fake *fake_open(void)
{
    struct fake *fake = calloc(1, sizeof *fake);
    pthread_condattr_t monotonic;
    if (!fake)
        fake_give_up("memory");
    fake->listener = listening_socket(&fake->port);
    fake->heartbeat_s = HEARTBEAT_S;
    fake->is_beating = true;
    (void)snprintf(fake->url, sizeof fake->url, "amqp://guest:guest@127.0.0.1:%d/%%2f", fake->port);
    fake->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fake->poke < 0)
        fake_give_up("eventfd");
    (void)pthread_mutex_init(&fake->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&fake->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    errno = pthread_create(&fake->thread, NULL, run, fake);
    if (errno)
        fake_give_up("thread");
    return fake;
}

void fake_close(struct fake *fake)
{
    if (!fake)
        return;
    enter(fake);
    fake->is_ending = true;
    leave(fake);
    (void)pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < fake->counts[FAKE_ACCEPTED]; i++) {
        if (fake->sessions[i]->fd >= 0)
            end_session(fake->sessions[i]);
        free(fake->sessions[i]->in);
        free(fake->sessions[i]->out);
        free(fake->sessions[i]);
    }
    (void)close(fake->listener);
    (void)close(fake->poke);
    (void)pthread_cond_destroy(&fake->changed);
    (void)pthread_mutex_destroy(&fake->lock);
    free(fake->publishes);
    free(fake);
}

const char *fake_url(const struct fake *fake)
{
    return fake->url;
}

/* --- manners --- */

void fake_withhold(struct fake *fake, bool is_withheld)
{
    enter(fake);
    fake->is_withheld = is_withheld;
    leave(fake);
}

void fake_ready(struct fake *fake, uint32_t ready)
{
    enter(fake);
    fake->ready = ready;
    leave(fake);
}

void fake_heartbeat(struct fake *fake, uint16_t interval_s, bool is_sent)
{
    enter(fake);
    fake->heartbeat_s = interval_s;
    fake->is_beating = is_sent;
    leave(fake);
}

void fake_mute(struct fake *fake, bool is_mute)
{
    enter(fake);
    fake->is_mute = is_mute;
    leave(fake);
}

void fake_stick(struct fake *fake)
{
    enter(fake);
    for (size_t i = 0; i < fake->counts[FAKE_ACCEPTED]; i++)
        fake->sessions[i]->is_stuck = true;
    leave(fake);
}

/* --- what happened --- */

size_t fake_counted(struct fake *fake, enum fake_count what)
{
    enter(fake);
    size_t counted = fake->counts[what];
    leave(fake);
    return counted;
}

bool fake_wait(struct fake *fake, enum fake_count what, size_t least, int most_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += most_ms / 1000;
    until.tv_nsec += most_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    int rc = 0;
    enter(fake);
    while (fake->counts[what] < least && rc == 0)
        rc = pthread_cond_timedwait(&fake->changed, &fake->lock, &until);
    bool has = fake->counts[what] >= least;
    leave(fake);
    return has;
}

struct fake_consumer fake_consumer(struct fake *fake)
{
    enter(fake);
    struct fake_consumer consumer = fake->consumer;
    leave(fake);
    return consumer;
}

struct fake_publish fake_publish(struct fake *fake, size_t number)
{
    enter(fake);
    if (number >= fake->counts[FAKE_PUBLISHES])
        fake_give_up("no such publish");
    struct fake_publish publish = fake->publishes[number];
    leave(fake);
    return publish;
}

uint64_t fake_last_ack(struct fake *fake, bool *is_multiple)
{
    enter(fake);
    uint64_t tag = fake->last_ack;
    *is_multiple = fake->is_last_multiple;
    leave(fake);
    return tag;
}

/* --- saying something --- */

void fake_send(struct fake *fake, int connection, const void *bytes, size_t size)
{
    enter(fake);
    struct fake_session *session = session_at(fake, connection);
    if (session)
        fake_push(session, bytes, size);
    leave(fake);
}

void fake_frame(struct fake *fake, struct fake_place place, int type, const void *payload,
                size_t size)
{
    enter(fake);
    struct fake_session *session = session_at(fake, place.connection);
    if (session)
        fake_push_frame(session, place.channel, type, payload, size);
    leave(fake);
}

void fake_method(struct fake *fake, struct fake_place place, const struct wire *method)
{
    fake_frame(fake, place, WIRE_METHOD, method->bytes, method->size);
}

uint64_t fake_next_tag(struct fake *fake, struct fake_place place)
{
    enter(fake);
    struct fake_session *session = session_at(fake, place.connection);
    uint64_t tag = session ? ++session->channels[place.channel % FAKE_CHANNELS].deliveries : 0;
    leave(fake);
    return tag;
}

void fake_deliver(struct fake *fake, const struct fake_consumer *consumer, uint64_t tag,
                  const struct fake_message *message)
{
    struct wire method = { 0 }, header = { 0 };
    size_t size = strlen(message->body);
    wire_deliver(&method, consumer->tag, tag, consumer->queue);
    wire_header(&header, size, message->id, message->type);
    fake_method(fake, consumer->place, &method);
    fake_frame(fake, consumer->place, WIRE_HEADER, header.bytes, header.size);
    if (size)
        fake_frame(fake, consumer->place, WIRE_BODY, message->body, size);
}

void fake_confirm(struct fake *fake, struct fake_place place, uint64_t tag, enum fake_answer answer)
{
    enter(fake);
    struct fake_session *session = session_at(fake, place.connection);
    if (session)
        fake_push_confirm(session, place.channel, tag, answer);
    leave(fake);
}

void fake_cancel(struct fake *fake, const struct fake_consumer *consumer)
{
    struct wire wire = { 0 };
    wire_method(&wire, WIRE_BASIC, 30);
    wire_short(&wire, consumer->tag);
    wire_number(&wire, 1, 1);
    fake_method(fake, consumer->place, &wire);
}

/* Both kinds of close: a code, a text, and the method that was at fault (none). */
static void say_close(struct fake *fake, struct fake_place place, struct wire *wire, uint16_t code,
                      const char *text)
{
    wire_number(wire, code, 2);
    wire_short(wire, text);
    wire_number(wire, 0, 4);
    fake_method(fake, place, wire);
}

void fake_channel_close(struct fake *fake, struct fake_place place, uint16_t code, const char *text)
{
    struct wire wire = { 0 };
    wire_method(&wire, WIRE_CHANNEL, 40);
    say_close(fake, place, &wire, code, text);
}

void fake_connection_close(struct fake *fake, int connection, uint16_t code, const char *text)
{
    struct wire wire = { 0 };
    wire_method(&wire, WIRE_CONNECTION, 50);
    say_close(fake, (struct fake_place){ connection, 0 }, &wire, code, text);
}

void fake_block(struct fake *fake, int connection, const char *reason)
{
    struct wire wire = { 0 };
    wire_method(&wire, WIRE_CONNECTION, reason ? 60 : 61);
    if (reason)
        wire_short(&wire, reason);
    fake_method(fake, (struct fake_place){ connection, 0 }, &wire);
}

void fake_hang_up(struct fake *fake, int connection)
{
    enter(fake);
    struct fake_session *session = session_at(fake, connection);
    if (session && session->fd >= 0)
        end_session(session);
    leave(fake);
}
