// SPDX-License-Identifier: MIT
// DESIGN: a datagram socket that is never connected, since a service manager that is executed anew
// binds its socket again, and the next word has to find it. A manager that doesn't read must not hold
// the worker up, so a send waits a second at most.
#include "io/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

enum { SEND_WAIT_S = 1 };

static warren_status check_address(const char *address, warren_error *err)
{
    bool begins_right = address[0] == '/' || address[0] == '@';
    if (!begins_right || !address[1]) {
        return wr_fail(err, WARREN_INVALID,
                       "NOTIFY_SOCKET: got \"%.100s\", want a path from / on, or @ and a name",
                       address);
    }
    size_t length = strlen(address);
    return length <= WR_NOTIFY_ADDRESS_MOST
               ? WARREN_OK
               : wr_fail(err, WARREN_INVALID, "NOTIFY_SOCKET: got %zu bytes, want %d at most",
                         length, WR_NOTIFY_ADDRESS_MOST);
}

/* A path counts with its NUL; an abstract name is as long as it is. */
static socklen_t make_address(struct sockaddr_un *out, const char *address)
{
    size_t length = strlen(address);
    bool is_abstract = address[0] == '@';
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(out->sun_path, address, length);
    if (is_abstract) {
        out->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
}

warren_status wr_notify_open(struct wr_notify *notify, const char *address, warren_error *err)
{
    struct timeval wait = { .tv_sec = SEND_WAIT_S };
    notify->fd = -1;
    warren_status rc = check_address(address, err);
    if (rc) {
        return rc;
    }
    (void)snprintf(notify->address, sizeof notify->address, "%s", address);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd < 0) {
        return wr_fail(err, WARREN_FAILED, "NOTIFY_SOCKET: no socket: %s", strerror(errno));
    }
    (void)setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    return WARREN_OK;
}

warren_status wr_notify_send(const struct wr_notify *notify, const char *lines, warren_error *err)
{
    struct sockaddr_un address;
    socklen_t size = make_address(&address, notify->address);
    ssize_t sent = -1;
    do {
        sent = sendto(notify->fd, lines, strlen(lines), MSG_NOSIGNAL,
                      (const struct sockaddr *)&address, size);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? WARREN_OK
                     : wr_fail(err, WARREN_FAILED, "NOTIFY_SOCKET: %s",
                               errno == EAGAIN ? "nobody reads it" : strerror(errno));
}

void wr_notify_close(struct wr_notify *notify)
{
    if (notify->fd >= 0) {
        (void)close(notify->fd);
        notify->fd = -1;
    }
}

int64_t wr_notify_watchdog_us(const char *microseconds, const char *pid, pid_t own)
{
    int64_t us = 0;
    int64_t whose = own;
    bool is_number = microseconds && wr_slice_to_int(wr_slice_of(microseconds), &us) && us > 0;
    bool is_ours = !pid || (wr_slice_to_int(wr_slice_of(pid), &whose) && whose == own);
    return is_number && is_ours ? us : 0;
}
