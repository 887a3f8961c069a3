/* SPDX-License-Identifier: MIT */
/*
 * As much AMQP 0-9-1 encoding as a scripted broker needs: numbers, short and long strings, methods
 * and frames, written into a fixed buffer. A test uses it for frames that no real broker sends.
 * Threads: none of its own. Errors: what does not fit ends the process with a sentence.
 */
#ifndef TESTS_SUPPORT_FAKE_WIRE_H
#define TESTS_SUPPORT_FAKE_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_METHOD = 1, WIRE_HEADER = 2, WIRE_BODY = 3, WIRE_HEARTBEAT = 8, WIRE_END = 0xCE };
enum { WIRE_FRAME_HEAD = 7, WIRE_MOST = 4096 };

enum wire_class {
    WIRE_CONNECTION = 10,
    WIRE_CHANNEL = 20,
    WIRE_EXCHANGE = 40,
    WIRE_QUEUE = 50,
    WIRE_BASIC = 60,
    WIRE_CONFIRM = 85,
};

/** A payload in the making. */
struct wire {
    size_t size;
    unsigned char bytes[WIRE_MOST];
};

static inline void wire_put(struct wire *wire, const void *bytes, size_t size)
{
    if (size > sizeof wire->bytes - wire->size) {
        fprintf(stderr, "wire: more than %d bytes\n", WIRE_MOST);
        exit(1);
    }
    memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}

/** The lowest `size` bytes of a number, most significant first. */
static inline void wire_number(struct wire *wire, uint64_t number, int size)
{
    for (int i = size - 1; i >= 0; i--) {
        unsigned char byte = (unsigned char)(number >> (8 * i));
        wire_put(wire, &byte, 1);
    }
}

static inline void wire_short(struct wire *wire, const char *text)
{
    wire_number(wire, strlen(text), 1);
    wire_put(wire, text, strlen(text));
}

static inline void wire_long(struct wire *wire, const char *text)
{
    wire_number(wire, strlen(text), 4);
    wire_put(wire, text, strlen(text));
}

static inline void wire_method(struct wire *wire, enum wire_class class, int method)
{
    wire_number(wire, (uint64_t) class, 2);
    wire_number(wire, (uint64_t)method, 2);
}

/** A basic.deliver without its header and body: from the default exchange, by the queue's name. */
static inline void wire_deliver(struct wire *wire, const char *consumer, uint64_t tag,
                                const char *queue)
{
    wire_method(wire, WIRE_BASIC, 60);
    wire_short(wire, consumer);
    wire_number(wire, tag, 8);
    wire_number(wire, 0, 1);
    wire_short(wire, "");
    wire_short(wire, queue);
}

/** A content header that claims `size` bytes and has the properties message_id and type. */
static inline void wire_header(struct wire *wire, uint64_t size, const char *id, const char *type)
{
    wire_number(wire, WIRE_BASIC, 2);
    wire_number(wire, 0, 2);
    wire_number(wire, size, 8);
    wire_number(wire, 1U << 7 | 1U << 5, 2);
    wire_short(wire, id);
    wire_short(wire, type);
}

static inline uint64_t wire_read(const unsigned char *bytes, int size)
{
    uint64_t number = 0;
    for (int i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

#endif
