// SPDX-License-Identifier: MIT
// DESIGN: for LD_PRELOAD. It stands between the program and the four calls that can write to a socket,
// follows the AMQP frames in what goes out, and notes when a basic.ack leaves: for its tag, and if it
// is a multiple one for all before. The bytes may be cut anywhere, so each descriptor has a small
// state. One channel of one connection is expected to acknowledge; a descriptor is followed from the
// protocol header on.
#include "ack_clock.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    FILES_MOST = 1024,
    TAGS_MOST = 1000000,
    GREETING_BYTES = 8,
    FRAME_HEAD_BYTES = 7,
    ACK_BYTES = 20, /* head, class, method, tag, multiple */
    CLASS_BASIC = 60,
    METHOD_ACK = 80
};

/* What is known of the frame that is on its way out of a descriptor. */
struct line {
    bool is_amqp;
    unsigned char head[ACK_BYTES];
    size_t got;  /* bytes of this frame so far */
    size_t size; /* of the whole frame; 0: not known yet */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[FILES_MOST];
static int64_t acked_ns[TAGS_MOST];
static uint64_t all_up_to;

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static void note_ack(uint64_t tag, bool is_multiple, int64_t at_ns)
{
    for (uint64_t t = is_multiple ? all_up_to + 1 : tag; t <= tag && t < TAGS_MOST; t++) {
        if (!acked_ns[t]) {
            acked_ns[t] = at_ns;
        }
    }
    if (is_multiple && tag > all_up_to) {
        all_up_to = tag;
    }
}

static void end_frame(struct line *line, int64_t at_ns)
{
    const unsigned char *head = line->head;
    bool is_ack = head[0] == 1 && line->size > ACK_BYTES &&
                  big_endian(head + 7, 2) == CLASS_BASIC && big_endian(head + 9, 2) == METHOD_ACK;
    if (is_ack) {
        note_ack(big_endian(head + 11, 8), head[19], at_ns);
    }
    line->got = 0;
    line->size = 0;
}

static void follow_byte(struct line *line, unsigned char byte, int64_t at_ns)
{
    if (line->got < ACK_BYTES) {
        line->head[line->got] = byte;
    }
    line->got++;
    if (line->got == FRAME_HEAD_BYTES) {
        line->size = FRAME_HEAD_BYTES + big_endian(line->head + 3, 4) + 1;
    }
    if (line->size && line->got == line->size) {
        end_frame(line, at_ns);
    }
}

static void follow(int fd, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t from = 0;
    if (fd < 0 || fd >= FILES_MOST) {
        return;
    }
    struct line *line = &lines[fd];
    if (size >= GREETING_BYTES && memcmp(bytes, "AMQP\0", 5) == 0) {
        *line = (struct line){ .is_amqp = true };
        from = GREETING_BYTES;
    }
    int64_t at_ns = now_ns();
    for (size_t i = from; line->is_amqp && i < size; i++) {
        follow_byte(line, bytes[i], at_ns);
    }
}

static void follow_parts(int fd, const struct iovec *parts, size_t count, ssize_t sent)
{
    size_t left = sent > 0 ? (size_t)sent : 0;
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && left; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        follow(fd, parts[i].iov_base, size);
        left -= size;
    }
    (void)pthread_mutex_unlock(&lock);
}

int64_t ack_clock_when_acked(uint64_t tag)
{
    (void)pthread_mutex_lock(&lock);
    int64_t at_ns = tag < TAGS_MOST ? acked_ns[tag] : 0;
    (void)pthread_mutex_unlock(&lock);
    return at_ns;
}

/* --- the calls that are stood before -------------------------------------------------------------- */

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    static ssize_t (*next)(int, const void *, size_t, int);
    next = next ? next : (ssize_t(*)(int, const void *, size_t, int))(uintptr_t)real("send");
    ssize_t sent = next(fd, data, size, flags);
    const struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    follow_parts(fd, &part, 1, sent);
    return sent;
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*next)(int, const void *, size_t);
    next = next ? next : (ssize_t(*)(int, const void *, size_t))(uintptr_t)real("write");
    ssize_t sent = next(fd, data, size);
    const struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    follow_parts(fd, &part, 1, sent);
    return sent;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    next = next ? next : (ssize_t(*)(int, const struct iovec *, int))(uintptr_t)real("writev");
    ssize_t sent = next(fd, parts, count);
    follow_parts(fd, parts, (size_t)count, sent);
    return sent;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);
    next = next ? next : (ssize_t(*)(int, const struct msghdr *, int))(uintptr_t)real("sendmsg");
    ssize_t sent = next(fd, message, flags);
    follow_parts(fd, message->msg_iov, message->msg_iovlen, sent);
    return sent;
}
