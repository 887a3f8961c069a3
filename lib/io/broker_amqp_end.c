// SPDX-License-Identifier: MIT
// DESIGN: how a connection ends. Whoever finds that it is of no more use says so here, once, with the reason; the
// socket is shut at once, and wr_broker_next tells the reason as WR_EVENT_CLOSED. After an error inside rabbitmq-c the
// connection is `is_broken`: it may only be destroyed, since saying goodbye on it can crash the library.
#include "io/broker_amqp_state.h"

#include <stdio.h>
#include <sys/socket.h>

void wr_amqp_die(struct wr_amqp *amqp, int code, const char *format, ...)
{
    if (amqp->is_dead) {
        return;
    }
    amqp->is_dead = true;
    (void)shutdown(amqp->fd, SHUT_RDWR);
    amqp->dead_code = code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(amqp->dead_text, sizeof amqp->dead_text, format, args);
    va_end(args);
    if (!amqp->dead_text[0]) {
        (void)snprintf(amqp->dead_text, sizeof amqp->dead_text,
                       "the broker gave no reason (code %d)", code);
    }
}

void wr_amqp_die_of(struct wr_amqp *amqp, int library_status)
{
    amqp->is_broken = true;
    switch (library_status) {
    case AMQP_STATUS_BAD_AMQP_DATA:
    case AMQP_STATUS_UNKNOWN_CLASS:
    case AMQP_STATUS_UNKNOWN_METHOD:
        wr_amqp_die(amqp, 0,
                    "the broker sent a frame that can't be read: most likely a message whose "
                    "headers fill a whole frame of %d bytes. Raise frame_max in the broker's "
                    "rabbitmq.conf, or remove that message",
                    WR_FRAME_BYTES);
        break;
    case AMQP_STATUS_HEARTBEAT_TIMEOUT:
        wr_amqp_die(amqp, 0, "no sign of life from the broker for two heartbeats (%lld s each)",
                    (long long)(amqp->heartbeat_us / WR_US_PER_S));
        break;
    case AMQP_STATUS_CONNECTION_CLOSED:
    case AMQP_STATUS_SOCKET_CLOSED:
        wr_amqp_die(amqp, 0, "the broker closed the connection without a word");
        break;
    case AMQP_STATUS_SOCKET_ERROR:
    case AMQP_STATUS_TCP_ERROR:
    case AMQP_STATUS_SSL_ERROR:
        wr_amqp_die(amqp, 0, "the connection broke");
        break;
    default:
        wr_amqp_die(amqp, 0, "%s", amqp_error_string2(library_status));
    }
}

void wr_amqp_cut_off(void *what)
{
    struct wr_amqp *amqp = what;
    atomic_store(&amqp->is_cut, true);
    (void)shutdown(amqp->fd, SHUT_RDWR);
}

void wr_amqp_be_patient(struct wr_amqp *amqp)
{
    if (amqp->watch) {
        wr_watch_begin(amqp->watch, amqp->stuck_us);
    }
}

void wr_amqp_check_cut(struct wr_amqp *amqp)
{
    if (atomic_load_explicit(&amqp->is_cut, memory_order_relaxed)) {
        amqp->is_broken = true;
        wr_amqp_die(amqp, 0, "the connection was cut from this side");
    }
}
