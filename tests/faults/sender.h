/* SPDX-License-Identifier: MIT */
/*
 * A sender: publishes what Warren's own publisher never would, and keeps the book for it: each message
 * is attempted, and confirmed when the broker says so. Threads: the main thread, one sender a row.
 * Errors: what cannot be sent ends the process with a sentence.
 */
#ifndef TESTS_FAULTS_SENDER_H
#define TESTS_FAULTS_SENDER_H

#include <stdio.h>

#include "model/message.h"
#include "rows.h"

/** Connects to the row's vhost, by the straight way. */
void sender_open(struct field *field);
void sender_close(void);

/** What the broker takes as the largest message: 128 MiB below 4.0, 16 MiB from there on. */
size_t sender_body_most(void);

/**
 * Publishes a persistent message: without an exchange to the jobs exchange, without a key with the
 * key "work". With `is_in_book` under the id `<seed>-x<n>`, counted from 0, whatever the message
 * said; returns n, or -1.
 */
int sender_send(struct field *field, struct wr_message message, bool is_in_book);

/** The id that sender_send gave to a message. */
void sender_id(const struct field *field, int n, char *out, size_t size);

/** Sends a message of so many tables, one in the other, by plain rabbitmq-c. In the book. */
void sender_send_nested(struct field *field, int depth);

/** Whether rabbitmq-c reads tables that are nested deeper than 100: until 0.13 it does. */
bool sender_reads_deep(void);

#endif
