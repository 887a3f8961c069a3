// SPDX-License-Identifier: MIT
/*
 * DESIGN: a line is two pipes, one each way. A pipe is a list of chunks, each with the time when it
 * is due; what was read is never changed any more, so a trap (cut here, corrupt this byte) is met
 * once, at the moment when its byte comes in.
 *
 *      client ──▶ chunks ──▶ broker      and the same back
 *
 * A pipe holds little, as a network does: a reader that stops is soon felt by the writer. A FIN is
 * passed on when the pipe before it is empty, an error at once and as a reset.
 */
#include "proxy_line.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 16384,
    SOCKET_BYTES = 65536,
    MOST_BYTES = 262144, /* in a pipe */
    PORTIONS = 20,       /* a second: so a slow line does not go by fits and starts */
    US_PER_S = 1000000,
};

struct chunk {
    struct chunk *next;
    int64_t due_us;
    size_t begin, end;
    unsigned char data[];
};

/* A fault that waits for a byte. */
struct trap {
    bool is_set;
    unsigned char mask;
    uint64_t at;
};

struct pipe_way {
    int from, to;
    bool has_ended; /* nothing more is read */
    bool is_shut;   /* nothing more is written */
    struct chunk *first, *last;
    size_t held;
    uint64_t read;
    int64_t free_us; /* with a rate: not before */
    struct trap cut, corrupt;
};

struct proxy_line {
    int client, broker; /* -1 when closed */
    bool is_cut;        /* closes as soon as the pipes are empty */
    struct pipe_way ways[PROXY_WAYS];
    struct proxy_counts *counts; /* in a turn */
};

void proxy_give_up(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

int64_t proxy_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

void proxy_tune(int fd)
{
    int one = 1, bytes = SOCKET_BYTES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/* A filter that takes no byte of any packet: the kernel drops them before TCP sees them, so nothing
 * is acknowledged. */
void proxy_deafen(int fd, bool is_deaf)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { .len = 1, .filter = &nothing };
    if (is_deaf && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
        proxy_give_up("filter");
    if (!is_deaf)
        (void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &program, sizeof program);
}

/* --- pipes --- */

static void add_chunk(struct pipe_way *pipe, const unsigned char *data, size_t size, int64_t due_us)
{
    struct chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        proxy_give_up("memory");
    *chunk = (struct chunk){ .due_us = due_us, .end = size };
    memcpy(chunk->data, data, size);
    if (pipe->last)
        pipe->last->next = chunk;
    else
        pipe->first = chunk;
    pipe->last = chunk;
    pipe->held += size;
}

static void drop_first(struct pipe_way *pipe)
{
    struct chunk *chunk = pipe->first;
    pipe->first = chunk->next;
    if (!pipe->first)
        pipe->last = NULL;
    pipe->held -= chunk->end - chunk->begin;
    free(chunk);
}

static void empty(struct pipe_way *pipe)
{
    while (pipe->first)
        drop_first(pipe);
}

static bool may_read(const struct proxy_line *line, const struct proxy_weather *weather, int way)
{
    const struct pipe_way *pipe = &line->ways[way];
    size_t most = weather->rate ? READ_BYTES : MOST_BYTES;
    return !line->is_cut && !pipe->has_ended && pipe->held < most;
}

/* When the first byte may go. */
static int64_t due_us(const struct pipe_way *pipe)
{
    return pipe->free_us > pipe->first->due_us ? pipe->free_us : pipe->first->due_us;
}

/* What `got` bytes that have just come in meet. Returns how many of them go on. */
static size_t meet_traps(struct proxy_line *line, int way, unsigned char *data, size_t got)
{
    struct pipe_way *pipe = &line->ways[way];
    struct trap *corrupt = &pipe->corrupt, *cut = &pipe->cut;
    if (corrupt->is_set && corrupt->at < pipe->read + got) {
        data[corrupt->at - pipe->read] ^= corrupt->mask;
        corrupt->is_set = false;
        line->counts->corrupted++;
    }
    if (cut->is_set && cut->at < pipe->read + got) {
        got = (size_t)(cut->at - pipe->read);
        cut->is_set = false;
        line->is_cut = true;
        line->counts->cuts++;
    }
    return got;
}

static void take_in(struct proxy_line *line, const struct proxy_weather *weather, int way,
                    unsigned char *data, size_t got)
{
    struct pipe_way *pipe = &line->ways[way];
    size_t going = meet_traps(line, way, data, got);
    pipe->read += got;
    line->counts->read[way] += got;
    if (weather->is_dropped[way] || pipe->is_shut)
        line->counts->dropped[way] += going;
    else if (going > 0)
        add_chunk(pipe, data, going, proxy_now_us() + (int64_t)weather->delay_ms * 1000);
}

/* False when the connection is broken. */
static bool read_way(struct proxy_line *line, const struct proxy_weather *weather, int way)
{
    unsigned char data[READ_BYTES];
    struct pipe_way *pipe = &line->ways[way];
    while (may_read(line, weather, way)) {
        ssize_t got = recv(pipe->from, data, sizeof data, 0);
        if (got < 0 && errno != EINTR)
            return errno == EAGAIN;
        if (got == 0)
            pipe->has_ended = true;
        if (got > 0)
            take_in(line, weather, way, data, (size_t)got);
    }
    return true;
}

/* Sends of the first chunk what may go now. */
static ssize_t send_first(struct pipe_way *pipe, uint64_t rate)
{
    struct chunk *chunk = pipe->first;
    size_t size = chunk->end - chunk->begin;
    size_t portion = (size_t)(rate / PORTIONS) + 1;
    if (rate && size > portion)
        size = portion;
    ssize_t sent = send(pipe->to, chunk->data + chunk->begin, size, MSG_NOSIGNAL);
    if (sent < 0)
        return sent;
    chunk->begin += (size_t)sent;
    pipe->held -= (size_t)sent;
    if (rate)
        pipe->free_us = proxy_now_us() + (int64_t)((uint64_t)sent * US_PER_S / rate);
    if (chunk->begin == chunk->end)
        drop_first(pipe);
    return sent;
}

static bool write_way(struct proxy_line *line, const struct proxy_weather *weather, int way)
{
    struct pipe_way *pipe = &line->ways[way];
    while (pipe->first && due_us(pipe) <= proxy_now_us()) {
        ssize_t sent = send_first(pipe, weather->rate);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        line->counts->written[way] += (uint64_t)sent;
    }
    if (pipe->has_ended && !pipe->first && !pipe->is_shut) {
        pipe->is_shut = true;
        (void)shutdown(pipe->to, SHUT_WR);
    }
    return true;
}

/* --- lines --- */

/* Does not wait: a refusal is seen by the first read. */
static int connecting_socket(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)port) };
    if (fd < 0)
        proxy_give_up("socket");
    proxy_tune(fd);
    (void)connect(fd, (struct sockaddr *)&address, sizeof address);
    return fd;
}

struct proxy_line *proxy_line_open(int client, int target_port)
{
    struct proxy_line *line = calloc(1, sizeof *line);
    if (!line)
        proxy_give_up("memory");
    int broker = connecting_socket(target_port);
    *line = (struct proxy_line){
        .client = client,
        .broker = broker,
        .ways = { [PROXY_TO_BROKER] = { .from = client, .to = broker },
                  [PROXY_TO_CLIENT] = { .from = broker, .to = client } },
    };
    return line;
}

/* Neither a FIN nor a RST depends on who else has the socket open, such as a forked child:
 * connecting to nowhere resets. */
static void end_socket(int fd, bool is_reset)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    if (is_reset)
        (void)connect(fd, &nowhere, sizeof nowhere);
    else
        (void)shutdown(fd, SHUT_RDWR);
    (void)close(fd);
}

void proxy_line_close(struct proxy_line *line, bool is_reset)
{
    if (line->client < 0)
        return;
    end_socket(line->client, is_reset);
    end_socket(line->broker, is_reset);
    line->client = line->broker = -1;
    empty(&line->ways[PROXY_TO_BROKER]);
    empty(&line->ways[PROXY_TO_CLIENT]);
}

void proxy_line_free(struct proxy_line *line)
{
    if (!line)
        return;
    proxy_line_close(line, false);
    free(line);
}

bool proxy_line_is_open(const struct proxy_line *line)
{
    return line->client >= 0;
}

static bool is_over(const struct proxy_line *line)
{
    const struct pipe_way *up = &line->ways[PROXY_TO_BROKER];
    const struct pipe_way *down = &line->ways[PROXY_TO_CLIENT];
    bool is_empty = !up->first && !down->first;
    return (line->is_cut && is_empty) || (up->is_shut && down->is_shut && down->has_ended);
}

void proxy_line_turn(struct proxy_line *line, const struct proxy_weather *weather,
                     struct proxy_counts *counts)
{
    bool is_well = proxy_line_is_open(line);
    line->counts = counts;
    for (int way = 0; way < PROXY_WAYS && is_well; way++)
        is_well = read_way(line, weather, way) && write_way(line, weather, way);
    if (!is_well || is_over(line))
        proxy_line_close(line, !is_well);
}

/* POLLOUT when something is due; else `until_us` gets nearer. */
static short waits_for_room(const struct pipe_way *pipe, int64_t *until_us)
{
    if (!pipe->first)
        return 0;
    int64_t due = due_us(pipe);
    if (due <= proxy_now_us())
        return POLLOUT;
    if (due < *until_us)
        *until_us = due;
    return 0;
}

/* A socket that waits for nothing is left out: poll would report its hang-up for ever. */
static struct pollfd polled(int fd, bool reads, short room)
{
    short events = (short)((reads ? POLLIN : 0) | room);
    return (struct pollfd){ .fd = events ? fd : -1, .events = events };
}

void proxy_line_poll(const struct proxy_line *line, const struct proxy_weather *weather,
                     struct pollfd fds[2], int64_t *until_us)
{
    short client_room = waits_for_room(&line->ways[PROXY_TO_CLIENT], until_us);
    short broker_room = waits_for_room(&line->ways[PROXY_TO_BROKER], until_us);
    fds[0] = polled(line->client, may_read(line, weather, PROXY_TO_BROKER), client_room);
    fds[1] = polled(line->broker, may_read(line, weather, PROXY_TO_CLIENT), broker_room);
}

void proxy_line_half_close(struct proxy_line *line)
{
    struct pipe_way *down = &line->ways[PROXY_TO_CLIENT];
    empty(down);
    down->is_shut = true;
    (void)shutdown(line->client, SHUT_WR);
}

void proxy_line_cut(struct proxy_line *line, enum proxy_way way, uint64_t byte)
{
    struct pipe_way *pipe = &line->ways[way];
    pipe->cut = (struct trap){ .is_set = true, .at = pipe->read + byte };
}

void proxy_line_corrupt(struct proxy_line *line, enum proxy_way way, uint64_t byte,
                        unsigned char mask)
{
    struct pipe_way *pipe = &line->ways[way];
    pipe->corrupt = (struct trap){ .is_set = true, .mask = mask, .at = pipe->read + byte };
}

void proxy_line_lose(struct proxy_line *line, bool is_lost)
{
    if (proxy_line_is_open(line))
        proxy_deafen(line->client, is_lost);
}

void proxy_line_disarm(struct proxy_line *line)
{
    for (int way = 0; way < PROXY_WAYS; way++)
        line->ways[way].cut = line->ways[way].corrupt = (struct trap){ 0 };
}

uint64_t proxy_line_read(const struct proxy_line *line, enum proxy_way way)
{
    return line->ways[way].read;
}
