/* SPDX-License-Identifier: MIT */
/*
 * Inside the scripted broker: what a connection is, and what is answered to what the client sends.
 * Threads: the lock of the fake covers everything here.
 */
#ifndef TESTS_SUPPORT_FAKE_TALK_H
#define TESTS_SUPPORT_FAKE_TALK_H

#include <pthread.h>

#include "fake_broker.h"

enum {
    FAKE_CONNECTIONS = 4096,
    FAKE_CHANNELS = 2048,
    FAKE_FRAME_MOST = 131072,
    FAKE_US_PER_S = 1000000,
};

struct fake_channel {
    uint64_t publishes;
    uint64_t deliveries;
    bool confirms;
    bool is_closed; /* by whomever */
};

struct fake_session {
    int number;
    int fd; /* -1 when closed */
    bool has_greeted, is_stuck;
    unsigned char *in, *out;
    size_t in_size, out_size;
    int64_t beat_us; /* between heartbeats; 0: none */
    int64_t next_beat_us;
    struct fake_channel channels[FAKE_CHANNELS];
    struct fake_publish publish; /* the one that is coming in */
    uint64_t body_left;
};

struct fake {
    int port, listener, poke; /* set before start */
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool is_ending, is_withheld, is_mute, is_beating;
    uint16_t heartbeat_s;
    uint32_t ready;
    struct fake_session *sessions[FAKE_CONNECTIONS];
    size_t counts[FAKE_COUNTS];
    struct fake_consumer consumer;
    struct fake_publish *publishes;
    uint64_t last_ack;
    bool is_last_multiple;
};

/** One more of those; wakes who waits for it. */
void fake_count(struct fake *fake, enum fake_count what);

/** Takes as many whole frames as have come in. */
void fake_take_frames(struct fake *fake, struct fake_session *session);

/** Sends bytes, or keeps them until there is room. */
void fake_push(struct fake_session *session, const void *bytes, size_t size);
void fake_push_frame(struct fake_session *session, uint16_t channel, int type, const void *payload,
                     size_t size);
void fake_push_confirm(struct fake_session *session, uint16_t channel, uint64_t tag,
                       enum fake_answer answer);
void fake_flush(struct fake_session *session);

int64_t fake_now_us(void);
void fake_give_up(const char *what) __attribute__((noreturn));

#endif
