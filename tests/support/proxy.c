// SPDX-License-Identifier: MIT
/*
 * DESIGN: one thread, one lock. A call changes the state under the lock and pokes an eventfd; each
 * turn of the thread takes the lock, lets every line read and write what it can without blocking,
 * works out what to wait for, and polls without the lock. So a turn never trusts what poll said
 * about a socket that a call has closed meanwhile.
 *
 * The port is held by a socket that never listens, so that refusing is closing the listener, and
 * nobody else can get the port meanwhile.
 */
#include "proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy_line.h"

enum { BACKLOG = 64 };

/* A point for connections that are yet to come. */
struct plan {
    bool is_set;
    unsigned char mask;
    struct proxy_point point;
};

struct proxy {
    int port, target_port; /* set before start */
    int holder, poke;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    bool is_ending, is_frozen, is_lost;
    int listener; /* -1: refuses */
    struct proxy_weather weather;
    struct plan cut, corrupt;
    struct proxy_line **lines;
    size_t count;
    struct proxy_counts counts;
};

static void enter(struct proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->lock);
}

static void leave(struct proxy *proxy)
{
    uint64_t one = 1;
    (void)pthread_mutex_unlock(&proxy->lock);
    (void)!write(proxy->poke, &one, sizeof one);
}

/* --- the port --- */

/* Several sockets may have the port, as long as all of them say so. */
static int bound_socket(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)port) };
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&address, sizeof address))
        proxy_give_up("bind");
    return fd;
}

static int listening_socket(int port)
{
    int fd = bound_socket(port);
    proxy_tune(fd);
    if (listen(fd, BACKLOG))
        proxy_give_up("listen");
    return fd;
}

static int own_port(int fd)
{
    struct sockaddr_in address = { 0 };
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size))
        proxy_give_up("getsockname");
    return ntohs(address.sin_port);
}

static void listen_again(struct proxy *proxy)
{
    if (proxy->listener < 0)
        proxy->listener = listening_socket(proxy->port);
}

/* --- the thread --- */

static bool concerns(const struct plan *plan, size_t number)
{
    int connection = plan->point.connection;
    return plan->is_set && (connection == PROXY_EACH_NEW || connection == (int)number);
}

static void add_line(struct proxy *proxy, int client)
{
    struct proxy_line **lines = realloc(proxy->lines, (proxy->count + 1) * sizeof *lines);
    if (!lines)
        proxy_give_up("memory");
    struct proxy_line *line = proxy_line_open(client, proxy->target_port);
    if (concerns(&proxy->cut, proxy->count))
        proxy_line_cut(line, proxy->cut.point.way, proxy->cut.point.byte);
    if (concerns(&proxy->corrupt, proxy->count))
        proxy_line_corrupt(line, proxy->corrupt.point.way, proxy->corrupt.point.byte,
                           proxy->corrupt.mask);
    lines[proxy->count++] = line;
    proxy->lines = lines;
    proxy->counts.accepted++;
}

static void accept_all(struct proxy *proxy)
{
    while (proxy->listener >= 0) {
        int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
            return;
        proxy_tune(client);
        add_line(proxy, client);
    }
}

static void turn(struct proxy *proxy)
{
    if (proxy->is_frozen || proxy->is_lost)
        return;
    accept_all(proxy);
    for (size_t i = 0; i < proxy->count; i++) {
        if (proxy_line_is_open(proxy->lines[i]))
            proxy_line_turn(proxy->lines[i], &proxy->weather, &proxy->counts);
    }
}

static size_t gather(struct proxy *proxy, struct pollfd *fds, int64_t *until_us)
{
    size_t count = 0;
    fds[count++] = (struct pollfd){ .fd = proxy->poke, .events = POLLIN };
    if (proxy->is_frozen || proxy->is_lost)
        return count;
    fds[count++] = (struct pollfd){ .fd = proxy->listener, .events = POLLIN };
    for (size_t i = 0; i < proxy->count; i++) {
        if (!proxy_line_is_open(proxy->lines[i]))
            continue;
        proxy_line_poll(proxy->lines[i], &proxy->weather, fds + count, until_us);
        count += 2;
    }
    return count;
}

static void sleep_until(struct pollfd *fds, size_t count, int64_t until_us)
{
    int64_t left_us = until_us - proxy_now_us();
    int wait_ms = left_us > 0 ? (int)(left_us / 1000) + 1 : 0;
    (void)poll(fds, count, until_us == INT64_MAX ? -1 : wait_ms);
}

static void *run(void *argument)
{
    struct proxy *proxy = argument;
    struct pollfd *fds = NULL;
    bool is_ending = false;
    while (!is_ending) {
        int64_t until_us = INT64_MAX;
        uint64_t pokes = 0;
        enter(proxy);
        (void)!read(proxy->poke, &pokes, sizeof pokes);
        turn(proxy);
        fds = realloc(fds, (2 * proxy->count + 2) * sizeof *fds);
        if (!fds)
            proxy_give_up("memory");
        size_t count = gather(proxy, fds, &until_us);
        is_ending = proxy->is_ending;
        (void)pthread_mutex_unlock(&proxy->lock);
        if (!is_ending)
            sleep_until(fds, count, until_us);
    }
    free(fds);
    return NULL;
}

/* --- opening and closing --- */

struct proxy *proxy_open(int target_port)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        proxy_give_up("memory");
    proxy->target_port = target_port;
    proxy->holder = bound_socket(0);
    proxy->port = own_port(proxy->holder);
    proxy->listener = listening_socket(proxy->port);
    proxy->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (proxy->poke < 0)
        proxy_give_up("eventfd");
    (void)pthread_mutex_init(&proxy->lock, NULL);
    errno = pthread_create(&proxy->thread, NULL, run, proxy);
    if (errno)
        proxy_give_up("thread");
    return proxy;
}

void proxy_close(struct proxy *proxy)
{
    if (!proxy)
        return;
    enter(proxy);
    proxy->is_ending = true;
    leave(proxy);
    (void)pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < proxy->count; i++)
        proxy_line_free(proxy->lines[i]);
    free(proxy->lines);
    if (proxy->listener >= 0)
        (void)close(proxy->listener);
    (void)close(proxy->holder);
    (void)close(proxy->poke);
    (void)pthread_mutex_destroy(&proxy->lock);
    free(proxy);
}

int proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

/* The digits of the port in a URL; ends the process when there are none. */
static const char *port_in(const char *url)
{
    const char *at = strrchr(url, '@');
    const char *colon = at ? strchr(at, ':') : NULL;
    if (!colon) {
        fprintf(stderr, "proxy: this URL says no port\n");
        exit(1);
    }
    return colon + 1;
}

int proxy_port_of(const char *url)
{
    return (int)strtol(port_in(url), NULL, 10);
}

char *proxy_url(const struct proxy *proxy, const char *url)
{
    const char *port = port_in(url);
    char *text = NULL;
    if (asprintf(&text, "%.*s%d%s", (int)(port - url), url, proxy->port,
                 port + strspn(port, "0123456789")) < 0)
        proxy_give_up("memory");
    return text;
}

/* --- faults --- */

void proxy_delay(struct proxy *proxy, int delay_ms)
{
    enter(proxy);
    proxy->weather.delay_ms = delay_ms;
    leave(proxy);
}

void proxy_rate(struct proxy *proxy, uint64_t bytes_per_s)
{
    enter(proxy);
    proxy->weather.rate = bytes_per_s;
    leave(proxy);
}

/* Under the lock. */
static void set_lost(struct proxy *proxy, bool is_lost)
{
    proxy->is_lost = is_lost;
    if (proxy->listener >= 0)
        proxy_deafen(proxy->listener, is_lost);
    for (size_t i = 0; i < proxy->count; i++)
        proxy_line_lose(proxy->lines[i], is_lost);
}

void proxy_pass(struct proxy *proxy)
{
    enter(proxy);
    proxy->weather = (struct proxy_weather){ 0 };
    proxy->cut = proxy->corrupt = (struct plan){ 0 };
    proxy->is_frozen = false;
    for (size_t i = 0; i < proxy->count; i++)
        proxy_line_disarm(proxy->lines[i]);
    listen_again(proxy);
    set_lost(proxy, false);
    leave(proxy);
}

void proxy_lose(struct proxy *proxy, bool is_lost)
{
    enter(proxy);
    set_lost(proxy, is_lost);
    leave(proxy);
}

static void set_frozen(struct proxy *proxy, bool is_frozen)
{
    enter(proxy);
    proxy->is_frozen = is_frozen;
    leave(proxy);
}

void proxy_freeze(struct proxy *proxy)
{
    set_frozen(proxy, true);
}

void proxy_thaw(struct proxy *proxy)
{
    set_frozen(proxy, false);
}

void proxy_drop(struct proxy *proxy, enum proxy_way way, bool is_dropped)
{
    enter(proxy);
    proxy->weather.is_dropped[way] = is_dropped;
    leave(proxy);
}

void proxy_refuse(struct proxy *proxy, bool is_refused)
{
    enter(proxy);
    if (is_refused && proxy->listener >= 0) {
        /* The thread's poll may hold it a moment longer: closing alone would come too late. */
        (void)shutdown(proxy->listener, SHUT_RDWR);
        (void)close(proxy->listener);
        proxy->listener = -1;
    }
    if (!is_refused)
        listen_again(proxy);
    leave(proxy);
}

static bool is_meant(const struct proxy *proxy, size_t number, int connection)
{
    return proxy_line_is_open(proxy->lines[number]) &&
           (connection == PROXY_ALL || connection == (int)number);
}

size_t proxy_reset(struct proxy *proxy, int connection)
{
    size_t count = 0;
    enter(proxy);
    for (size_t i = 0; i < proxy->count; i++) {
        if (!is_meant(proxy, i, connection))
            continue;
        proxy_line_close(proxy->lines[i], true);
        count++;
    }
    leave(proxy);
    return count;
}

size_t proxy_half_close(struct proxy *proxy, int connection)
{
    size_t count = 0;
    enter(proxy);
    for (size_t i = 0; i < proxy->count; i++) {
        if (!is_meant(proxy, i, connection))
            continue;
        proxy_line_half_close(proxy->lines[i]);
        count++;
    }
    leave(proxy);
    return count;
}

void proxy_cut(struct proxy *proxy, struct proxy_point point)
{
    enter(proxy);
    proxy->cut = (struct plan){ .is_set = true, .point = point };
    for (size_t i = 0; i < proxy->count; i++) {
        if (is_meant(proxy, i, point.connection))
            proxy_line_cut(proxy->lines[i], point.way, point.byte);
    }
    leave(proxy);
}

void proxy_corrupt(struct proxy *proxy, struct proxy_point point, unsigned char mask)
{
    enter(proxy);
    proxy->corrupt = (struct plan){ .is_set = true, .mask = mask, .point = point };
    for (size_t i = 0; i < proxy->count; i++) {
        if (is_meant(proxy, i, point.connection))
            proxy_line_corrupt(proxy->lines[i], point.way, point.byte, mask);
    }
    leave(proxy);
}

struct proxy_counts proxy_counts(struct proxy *proxy)
{
    enter(proxy);
    struct proxy_counts counts = proxy->counts;
    for (size_t i = 0; i < proxy->count; i++)
        counts.open += proxy_line_is_open(proxy->lines[i]);
    (void)pthread_mutex_unlock(&proxy->lock);
    return counts;
}

uint64_t proxy_read(struct proxy *proxy, int connection, enum proxy_way way)
{
    enter(proxy);
    bool exists = connection >= 0 && (size_t)connection < proxy->count;
    uint64_t bytes = exists ? proxy_line_read(proxy->lines[connection], way) : 0;
    (void)pthread_mutex_unlock(&proxy->lock);
    return bytes;
}
