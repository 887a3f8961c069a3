/* SPDX-License-Identifier: MIT */
/*
 * A collector of traces for a test: otlp_receiver.py as a process of its own, and what it was sent.
 * Everything here is loud: what can't be done ends the test process with a sentence. Threads: one.
 */
#ifndef TESTS_SUPPORT_RECEIVER_H
#define TESTS_SUPPORT_RECEIVER_H

#include <sys/types.h>

#include "spans.h"

struct receiver {
    pid_t pid;
    int input;     /* it ends with this */
    char url[64];  /* http://127.0.0.1:port */
    char file[64]; /* a line each request */
};

/** Starts it; `mode` is more of its words ("--hang"), separated by spaces, or "". */
void receiver_start(struct receiver *receiver, const char *mode);

/** The same of another script of this folder, which begins as that one does. */
void receiver_start_script(struct receiver *receiver, const char *script, const char *mode);

/** Reads all that it has got so far. */
void receiver_read(const struct receiver *receiver, struct spans *out);

void receiver_stop(struct receiver *receiver);

#endif
