/* SPDX-License-Identifier: MIT */
/*
 * Word to a service manager, in the protocol of sd_notify(3): each word is one datagram, of lines
 * NAME=value, to the socket that $NOTIFY_SOCKET names. libsystemd isn't needed for it.
 *
 * Threads: one at a time.
 */
#ifndef WR_IO_NOTIFY_H
#define WR_IO_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "warren/error.h"

enum { WR_NOTIFY_ADDRESS_MOST = 107 }; /* bytes, as a Unix socket's name can have */

struct wr_notify {
    int fd;
    char address[WR_NOTIFY_ADDRESS_MOST + 1];
};

/** Gets ready to send to `address`: an absolute path, or '@' and a name (an abstract socket). Whether
 * somebody is there shows at each send. INVALID: it is neither; FAILED: there is no socket to be had. */
warren_status wr_notify_open(struct wr_notify *notify, const char *address, warren_error *err);

/** Sends `lines`, and waits a second at most for room. FAILED: nobody is there, or takes it. */
warren_status wr_notify_send(const struct wr_notify *notify, const char *lines, warren_error *err);

void wr_notify_close(struct wr_notify *notify);

/** After how many microseconds without WATCHDOG=1 the manager takes process `own` for dead, from
 * $WATCHDOG_USEC and $WATCHDOG_PID (either may be NULL); 0: it doesn't watch it. */
int64_t wr_notify_watchdog_us(const char *microseconds, const char *pid, pid_t own);

#endif
