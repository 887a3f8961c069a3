// SPDX-License-Identifier: MIT
// DESIGN: consumer and publisher lose and find their broker in the same way, so it is written once.
// The wait between tries is a random part of 100 ms * 2^n, at most 30 s (full jitter), so that a
// fleet doesn't come back all at once; a broker that refuses (password, vhost) is asked less often
// from the start.
#include "engine/connection.h"

#include <limits.h>
#include <poll.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"

enum {
    FIRST_TRY_US = 100000,
    REFUSED_TRY_US = 2000000,
    LAST_TRY_US = 30000000,
    LASTING_US = 10000000,
};

static void plan_next_try(struct wr_connection *connection, int64_t now_us, int64_t first_us)
{
    int64_t most_us = first_us;
    for (int i = 0; i < connection->failures && most_us < LAST_TRY_US; i++) {
        most_us *= 2;
    }
    most_us = most_us < LAST_TRY_US ? most_us : LAST_TRY_US;
    int64_t wait_us = FIRST_TRY_US / 2 + (int64_t)(wr_random() % (uint64_t)most_us);
    connection->next_try_us = now_us + wait_us;
    connection->failures++;
}

bool wr_connection_is_due(const struct wr_connection *connection, int64_t now_us)
{
    return !connection->broker && now_us >= connection->next_try_us;
}

warren_status wr_connection_open(struct wr_connection *connection, int64_t now_us,
                                 warren_error *err)
{
    struct wr_broker *broker = NULL;
    warren_status rc = wr_broker_open(&broker, &connection->options, err);
    if (rc) {
        plan_next_try(connection, wr_clock_mono_us(connection->options.clock),
                      rc == WARREN_REFUSED ? REFUSED_TRY_US : FIRST_TRY_US);
        char why[512];
        wr_log(WR_WARN, "connection.failed", "role=%s tries=%d next_try_ms=%lld error=%s",
               connection->role, connection->failures,
               (long long)((connection->next_try_us - now_us) / WR_US_PER_MS),
               wr_log_quote(why, sizeof why, err ? err->text : ""));
        return rc;
    }
    wr_connection_adopt(connection, broker);
    return WARREN_OK;
}

void wr_connection_adopt(struct wr_connection *connection, struct wr_broker *broker)
{
    const struct wr_server *server = wr_broker_server(broker);
    connection->broker = broker;
    connection->generation++;
    connection->opened_us = wr_clock_mono_us(connection->options.clock);
    wr_log(WR_INFO, "connection.open", "role=%s generation=%u server=%s version=%s",
           connection->role, connection->generation, server->product, server->version);
}

void wr_connection_prove(struct wr_connection *connection)
{
    connection->failures = 0;
}

void wr_connection_drop(struct wr_connection *connection, int64_t now_us)
{
    if (connection->broker) {
        wr_broker_cut(connection->broker);
        wr_broker_close(connection->broker);
        connection->broker = NULL;
        if (now_us - connection->opened_us >= LASTING_US) {
            wr_connection_prove(connection);
        }
        plan_next_try(connection, now_us, FIRST_TRY_US);
    }
}

void wr_connection_close(struct wr_connection *connection)
{
    wr_broker_close(connection->broker);
    connection->broker = NULL;
}

int64_t wr_connection_deadline_us(const struct wr_connection *connection)
{
    return connection->broker ? wr_broker_deadline_us(connection->broker) : connection->next_try_us;
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
    int64_t left_us = until_us - wr_clock_mono_us(NULL);
    int64_t left_ms = left_us <= 0 ? 0 : (left_us + 999) / 1000;
    struct pollfd fds[2] = { { .fd = mailbox->fd, .events = POLLIN },
                             { .fd = connection->broker ? wr_broker_fd(connection->broker) : -1,
                               .events = POLLIN } };
    (void)poll(fds, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
    wr_mailbox_wakes(mailbox);
}
