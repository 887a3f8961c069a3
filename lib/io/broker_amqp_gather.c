// SPDX-License-Identifier: MIT
// DESIGN: many frames, one write. rabbitmq-c sends each frame by itself, and a message has three; the
// system calls were half of what a publish cost. So the frames of small messages are put together
// here, encoded by rabbitmq-c, and written whole: at once, or when a burst ends (wr_broker_cork) or
// the buffer is full. A buffer is begun only when the socket takes data, so that the end of a burst
// needn't wait: between two messages there is a way back. TLS sockets belong to the library (the
// kernel may put a burst's frames into one packet), and large messages fill packets anyway: neither
// comes here.
//
// The library doesn't know of these writes; all that it misses is that no heartbeat is due yet.
// Frames are laid out as AMQP 0-9-1 section 4.2.3 says.
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "io/broker_amqp_state.h"

enum {
    FRAME_HEAD = 7, /* kind, channel, size */
    METHOD_HEAD = 4,
    PROPERTIES_HEAD = 12, /* class, weight, size of the body */
    POLL_MOST_MS = 1000
};

/* --- encoding: each returns the bytes it took, 0 when there is no room (or no way) --- */

static void put_number(char *out, uint64_t number, int bytes)
{
    for (int i = bytes; i-- > 0; number >>= 8) {
        out[i] = (char)(number & 0xFF);
    }
}

/* Head and end of a frame around `size` bytes that stand behind the head already. */
static size_t close_frame(char *out, int kind, uint16_t channel, size_t size)
{
    out[0] = (char)kind;
    put_number(out + 1, channel, 2);
    put_number(out + 3, size, 4);
    out[FRAME_HEAD + size] = (char)AMQP_FRAME_END;
    return FRAME_HEAD + size + 1;
}

static size_t put_method(char *out, size_t room, uint16_t channel, const struct wr_message *message)
{
    const size_t head = FRAME_HEAD + METHOD_HEAD;
    amqp_basic_publish_t publish = {
        .exchange = wr_amqp_bytes(message->exchange),
        .routing_key = wr_amqp_bytes(message->key),
        .mandatory = 1,
    };
    if (room <= head) {
        return 0;
    }
    put_number(out + FRAME_HEAD, AMQP_BASIC_PUBLISH_METHOD, METHOD_HEAD);
    int size = amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &publish,
                                  (amqp_bytes_t){ room - head - 1, out + head });
    return size < 0 ? 0 : close_frame(out, AMQP_FRAME_METHOD, channel, METHOD_HEAD + (size_t)size);
}

static size_t put_properties(char *out, size_t room, uint16_t channel, uint64_t body_size,
                             amqp_basic_properties_t *properties)
{
    const size_t head = FRAME_HEAD + PROPERTIES_HEAD;
    if (room <= head) {
        return 0;
    }
    put_number(out + FRAME_HEAD, AMQP_BASIC_CLASS, 2);
    put_number(out + FRAME_HEAD + 2, 0, 2);
    put_number(out + FRAME_HEAD + 4, body_size, 8);
    int size = amqp_encode_properties(AMQP_BASIC_CLASS, properties,
                                      (amqp_bytes_t){ room - head - 1, out + head });
    return size < 0 ? 0
                    : close_frame(out, AMQP_FRAME_HEADER, channel, PROPERTIES_HEAD + (size_t)size);
}

static size_t put_body(char *out, size_t room, uint16_t channel, struct wr_slice body, size_t most)
{
    size_t used = 0;
    for (size_t at = 0; at < body.size; at += most) {
        size_t size = body.size - at < most ? body.size - at : most;
        if (room - used < FRAME_HEAD + size + 1) {
            return 0;
        }
        memcpy(out + used + FRAME_HEAD, body.data + at, size);
        used += close_frame(out + used, AMQP_FRAME_BODY, channel, size);
    }
    return used;
}

static bool put(struct wr_amqp *amqp, uint16_t channel, const struct wr_message *message,
                amqp_basic_properties_t *properties)
{
    size_t most = (size_t)amqp_get_frame_max(amqp->connection) - FRAME_HEAD - 1;
    char *out = amqp->out + amqp->gathered;
    size_t room = sizeof amqp->out - amqp->gathered;
    size_t method = put_method(out, room, channel, message);
    out += method;
    room -= method;
    size_t head = method ? put_properties(out, room, channel, message->body.size, properties) : 0;
    out += head;
    room -= head;
    size_t body = head ? put_body(out, room, channel, message->body, most) : 0;
    bool is_whole = head && (body || !message->body.size);
    amqp->gathered += is_whole ? method + head + body : 0;
    return is_whole;
}

/* --- writing --- */

/* In the middle of a frame nothing may be read, since the library answers heartbeats meanwhile. */
static bool await_room(struct wr_amqp *amqp, int64_t deadline_us)
{
    int64_t left_ms = (deadline_us - wr_clock_mono_us(NULL)) / WR_US_PER_MS + 1;
    struct pollfd polled = { .fd = amqp->fd, .events = POLLOUT };
    wr_amqp_be_patient(amqp);
    int wait_ms = (int)(left_ms < 0 ? 0 : left_ms < POLL_MOST_MS ? left_ms : POLL_MOST_MS);
    (void)poll(&polled, 1, wait_ms);
    wr_amqp_check_cut(amqp);
    return !amqp->is_dead && left_ms > 0;
}

static bool write_all(struct wr_amqp *amqp)
{
    int64_t deadline_us = 0; /* begins when the socket takes no more */
    for (size_t at = 0; at < amqp->gathered;) {
        ssize_t sent = send(amqp->fd, amqp->out + at, amqp->gathered - at, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += (size_t)sent;
        } else if (errno == EAGAIN) {
            int64_t now_us = wr_clock_mono_us(NULL);
            deadline_us = deadline_us ? deadline_us : now_us + amqp->stuck_us;
            if (!await_room(amqp, deadline_us)) {
                wr_amqp_die(amqp, 0, "the broker stopped taking a message in the middle of it");
                return false;
            }
        } else if (errno != EINTR) {
            char text[128];
            const char *why = strerror_r(errno, text, sizeof text);
            wr_amqp_drain(amqp); /* the broker's own words may lie in the socket still */
            wr_amqp_die(amqp, 0, "the connection broke: %s", why);
            return false;
        }
    }
    return true;
}

static warren_status write_out(struct wr_amqp *amqp, warren_error *err)
{
    bool is_written = write_all(amqp);
    amqp->gathered = 0;
    amqp->is_roomy = false;
    if (is_written) {
        return WARREN_OK;
    }
    amqp->is_broken = true;
    return wr_fail(err, WARREN_CLOSED, "the connection to the broker is gone: %s", amqp->dead_text);
}

warren_status wr_amqp_flush(struct wr_amqp *amqp, warren_error *err)
{
    if (!amqp->gathered) {
        return WARREN_OK;
    }
    warren_status status = wr_amqp_make_room(amqp, amqp->gathered, err);
    return status ? status : write_out(amqp, err);
}

/* --- a message --- */

warren_status wr_amqp_make_place(struct wr_amqp *amqp, uint16_t channel, size_t bytes,
                                 warren_error *err)
{
    bool fits = amqp->gather_channel == channel && amqp->gathered + bytes <= sizeof amqp->out;
    if (!amqp->holds_back) {
        return wr_amqp_make_room(amqp, bytes, err);
    }
    if (amqp->gathered && fits) {
        return WARREN_OK;
    }
    warren_status status = wr_amqp_flush(amqp, err);
    if (!status && !wr_amqp_takes_data(amqp)) {
        status = wr_fail(err, WARREN_AGAIN, "the broker takes no data now");
    }
    return status;
}

warren_status wr_amqp_gather(struct wr_amqp *amqp, uint16_t channel,
                             const struct wr_message *message, amqp_basic_properties_t *properties,
                             warren_error *err)
{
    amqp->gather_channel = channel;
    if (!put(amqp, channel, message, properties)) {
        return wr_fail(err, WARREN_INVALID, "the message can't be written as AMQP");
    }
    return amqp->holds_back ? WARREN_OK : write_out(amqp, err);
}

void wr_amqp_cork(struct wr_broker *broker, bool holds_back)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    WR_UNCLEARED warren_error err;
    wr_error_clear(&err);
    amqp->holds_back = holds_back;
    if (amqp->is_tls && !amqp->is_dead) {
        wr_amqp_share_packets(amqp->fd, holds_back);
    }
    if (!holds_back && !amqp->is_dead && wr_amqp_flush(amqp, &err)) {
        amqp->is_broken = true;
        wr_amqp_die(amqp, 0, "%s", err.text); /* what was taken over is told to be gone */
    }
}
