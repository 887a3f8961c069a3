/* SPDX-License-Identifier: MIT */
/*
 * A service manager's end of sd_notify(3), for tests: a datagram socket by path or by abstract name, and
 * what came there, a word after the other. Loud: what cannot be done ends the process.
 */
#ifndef TESTS_SUPPORT_NOTIFY_SOCKET_H
#define TESTS_SUPPORT_NOTIFY_SOCKET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct notify_socket {
    int fd;
    char address[80]; /* as NOTIFY_SOCKET names it */
    char word[2048];  /* the last that came */
};

static inline struct notify_socket notify_socket_open(const char *address)
{
    struct notify_socket manager = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    size_t length = strlen(address);
    (void)snprintf(manager.address, sizeof manager.address, "%s", address);
    memcpy(name.sun_path, address, length);
    bool is_abstract = address[0] == '@';
    name.sun_path[0] = is_abstract ? '\0' : '/';
    socklen_t size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_abstract ? 0 : 1));
    if (manager.fd < 0 || bind(manager.fd, (struct sockaddr *)&name, size)) {
        perror(address);
        exit(1);
    }
    return manager;
}

/* Its next word is in `word`; false when none comes within the time. */
static inline bool notify_socket_take(struct notify_socket *manager, int deadline_ms)
{
    struct pollfd fd = { .fd = manager->fd, .events = POLLIN };
    manager->word[0] = '\0';
    if (poll(&fd, 1, deadline_ms) <= 0) {
        return false;
    }
    ssize_t size = recv(manager->fd, manager->word, sizeof manager->word - 1, 0);
    manager->word[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* Whether the word has that line. */
static inline bool notify_socket_has(const struct notify_socket *manager, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = manager->word; (at = strstr(at, line)); at++) {
        bool begins = at == manager->word || at[-1] == '\n';
        if (begins && (at[length] == '\n' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static inline void notify_socket_close(struct notify_socket *manager)
{
    (void)close(manager->fd);
    if (manager->address[0] == '/') {
        (void)unlink(manager->address);
    }
}

#endif
