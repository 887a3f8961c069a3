/* SPDX-License-Identifier: MIT */
/*
 * One connection through the chaos proxy: two sockets and what is on its way between them. Nothing
 * here blocks. Threads: none of its own; the proxy's lock covers every call. Errors: what cannot be
 * done ends the process with a sentence (proxy_give_up).
 */
#ifndef TESTS_SUPPORT_PROXY_LINE_H
#define TESTS_SUPPORT_PROXY_LINE_H

#include <poll.h>

#include "proxy.h"

/** What holds for all lines. */
struct proxy_weather {
    int delay_ms;
    uint64_t rate; /* bytes a second; 0: no limit */
    bool is_dropped[PROXY_WAYS];
};

struct proxy_line;

/** Takes over the client's socket and connects to 127.0.0.1:port, without waiting for it. */
struct proxy_line *proxy_line_open(int client, int target_port);

/** Closes it, by RST when asked; the line stays, to be asked for its bytes. */
void proxy_line_close(struct proxy_line *line, bool is_reset);

void proxy_line_free(struct proxy_line *line);

bool proxy_line_is_open(const struct proxy_line *line);

/** Reads, writes, and closes itself when that is due; adds to the bytes and faults of `counts`. */
void proxy_line_turn(struct proxy_line *line, const struct proxy_weather *weather,
                     struct proxy_counts *counts);

/** What to wait for, two entries; the earlier of *until_us and the time when something is due. */
void proxy_line_poll(const struct proxy_line *line, const struct proxy_weather *weather,
                     struct pollfd fds[2], int64_t *until_us);

/** FIN to the client; what comes from the broker is swallowed from now on. */
void proxy_line_half_close(struct proxy_line *line);

/** Cuts after so many bytes more, or inverts bits of the byte that follows them. */
void proxy_line_cut(struct proxy_line *line, enum proxy_way way, uint64_t byte);
void proxy_line_corrupt(struct proxy_line *line, enum proxy_way way, uint64_t byte,
                        unsigned char mask);

/** Whether the kernel throws away, unacknowledged, what the client sends. */
void proxy_line_lose(struct proxy_line *line, bool is_lost);

/** Neither cut nor corruption any more. */
void proxy_line_disarm(struct proxy_line *line);

/** Bytes that came in. */
uint64_t proxy_line_read(const struct proxy_line *line, enum proxy_way way);

/** Small help for both files. */
void proxy_give_up(const char *what) __attribute__((noreturn));
int64_t proxy_now_us(void);
void proxy_tune(int fd);
void proxy_deafen(int fd, bool is_deaf);

#endif
