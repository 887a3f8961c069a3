// SPDX-License-Identifier: MIT
// DESIGN: consumer and publisher lose and find their broker in the same way, so it is written once.
//
//     down ──next_try──▶ dial (a thread of its own) ──▶ up ──drop──▶ down …
//
// A broker inside this process opens at once, without a thread, so that a stepped engine stays one.
#include "engine/connection.h"

#include <poll.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "engine/backoff.h"

enum { LASTING_US = 10000000, GIVE_UP_US = 300000 };

void wr_connection_init(struct wr_connection *connection, const struct wr_dial_options *options)
{
    *connection = (struct wr_connection){ .options = *options };
}

static const char *role_of(const struct wr_connection *connection)
{
    return connection->options.broker.watch->role;
}

static void plan_next_try(struct wr_connection *connection, int64_t now_us, warren_status status)
{
    connection->next_try_us = now_us + wr_backoff_us(connection->failures, status);
    connection->failures++;
}

static void note_failure(struct wr_connection *connection, warren_status status, const char *text)
{
    int64_t now_us = wr_clock_mono_us(connection->options.broker.clock);
    plan_next_try(connection, now_us, status);
    char why[512];
    wr_log(WR_WARN, "connection.failed", "role=%s tries=%d next_try_ms=%lld error=%s",
           role_of(connection), connection->failures,
           (long long)((connection->next_try_us - now_us) / WR_US_PER_MS),
           wr_log_quote(why, sizeof why, text));
}

/* Begins to open, or opens at once. */
static void open_one(struct wr_connection *connection)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = NULL;
    bool is_local = wr_broker_is_local(connection->options.broker.settings);
    warren_status rc = is_local ? wr_dial_now(&broker, &connection->options, &err)
                                : wr_dial_start(&connection->dial, &connection->options, &err);
    if (rc) {
        note_failure(connection, rc, err.text);
    } else if (broker) {
        wr_connection_adopt(connection, broker);
    }
}

static void take_dialled(struct wr_connection *connection)
{
    warren_error err = { .status = WARREN_OK };
    struct wr_broker *broker = NULL;
    warren_status rc = WARREN_OK;
    if (!wr_dial_take(connection->dial, &broker, &rc, &err)) {
        return;
    }
    connection->dial = NULL;
    if (rc) {
        note_failure(connection, rc, err.text);
    } else {
        wr_connection_adopt(connection, broker);
    }
}

bool wr_connection_step(struct wr_connection *connection, int64_t now_us)
{
    if (connection->broker) {
        return false;
    }
    if (connection->dial) {
        take_dialled(connection);
    } else if (now_us >= connection->next_try_us) {
        open_one(connection);
    }
    wr_connection_begin(connection); /* the rest of this step uses it already */
    return connection->broker != NULL;
}

void wr_connection_adopt(struct wr_connection *connection, struct wr_broker *broker)
{
    const struct wr_server *server = wr_broker_server(broker);
    connection->broker = broker;
    connection->generation++;
    connection->opened_us = wr_clock_mono_us(connection->options.broker.clock);
    char product[2 * sizeof server->product];
    char version[2 * sizeof server->version];
    wr_log(WR_INFO, "connection.open", "role=%s generation=%u server=%s version=%s",
           role_of(connection), connection->generation,
           wr_log_quote(product, sizeof product, server->product),
           wr_log_quote(version, sizeof version, server->version));
}

void wr_connection_prove(struct wr_connection *connection)
{
    connection->failures = 0;
}

void wr_connection_drop(struct wr_connection *connection, int64_t now_us, const char *why)
{
    if (!connection->broker) {
        return;
    }
    char quoted[300];
    wr_log(WR_WARN, "connection.lost", "role=%s generation=%u cause=%s", role_of(connection),
           connection->generation, wr_log_quote(quoted, sizeof quoted, why));
    wr_broker_cut(connection->broker);
    wr_broker_close(connection->broker);
    connection->broker = NULL;
    if (now_us - connection->opened_us >= LASTING_US) {
        wr_connection_prove(connection);
    }
    plan_next_try(connection, now_us, WARREN_CLOSED);
}

bool wr_connection_close(struct wr_connection *connection)
{
    bool is_free = !connection->dial || wr_dial_give_up(connection->dial, GIVE_UP_US);
    connection->dial = NULL;
    wr_broker_close(connection->broker);
    connection->broker = NULL;
    return is_free;
}

void wr_connection_begin(struct wr_connection *connection)
{
    if (connection->broker) {
        wr_watch_begin(connection->options.broker.watch,
                       wr_broker_stuck_us(connection->options.broker.settings));
    }
}

void wr_connection_end(struct wr_connection *connection)
{
    if (!connection->dial) { /* a dial has begun in this step: the watch is its own now */
        wr_watch_end(connection->options.broker.watch);
    }
}

int64_t wr_connection_deadline_us(const struct wr_connection *connection)
{
    if (connection->broker) {
        return wr_broker_deadline_us(connection->broker);
    }
    return connection->dial ? INT64_MAX : connection->next_try_us;
}

/* What has something to say: the broker's socket, or the opening of one. */
static int fd_of(const struct wr_connection *connection)
{
    if (connection->dial) {
        return wr_dial_fd(connection->dial);
    }
    return connection->broker ? wr_broker_fd(connection->broker) : -1;
}

#define LONGEST_US                                                                                 \
    (INT64_C(3600) * WR_US_PER_S) /* of a wait; whoever wants a longer one looks again */

static struct timespec time_of(int64_t us)
{
    us = us > 0 ? us : 0;
    us = us < LONGEST_US ? us : LONGEST_US;
    return (struct timespec){ .tv_sec = us / WR_US_PER_S, .tv_nsec = us % WR_US_PER_S * 1000 };
}

void wr_connection_wait(struct wr_connection *connection, struct wr_mailbox *mailbox,
                        int64_t until_us)
{
    if (connection->broker && wr_broker_has_more(connection->broker)) {
        return;
    }
    if (!wr_mailbox_sleeps(mailbox)) {
        return;
    }
    struct timespec left = time_of(until_us - wr_clock_mono_us(NULL));
    struct pollfd fds[2] = { { .fd = mailbox->fd, .events = POLLIN },
                             { .fd = fd_of(connection), .events = POLLIN } };
    (void)ppoll(fds, 2, &left, NULL);
    wr_mailbox_wakes(mailbox);
}

void wr_connection_nap(const struct wr_connection *connection, int64_t most_us)
{
    struct timespec most = time_of(most_us);
    struct pollfd polled = { .fd = fd_of(connection), .events = POLLIN };
    if (!connection->broker || !wr_broker_has_more(connection->broker)) {
        (void)ppoll(&polled, 1, &most, NULL);
    }
}
