/* SPDX-License-Identifier: MIT */
/*
 * What RabbitMQ writes into a message when it dies in a queue (x-death and its companions), and how
 * it sees from that record that a message goes round in circles. Threads: pure functions.
 */
#ifndef WR_IO_MEMORY_DEATH_H
#define WR_IO_MEMORY_DEATH_H

#include "io/memory_queue.h"

/** The dead letter that becomes of `held`, addressed to the queue's dead letter exchange; NULL
 * without memory or when the properties can't be read. `wall_s` is the time of death. */
struct wr_memory_held *wr_memory_death_record(const struct wr_memory_held *held,
                                              const struct wr_memory_queue *queue,
                                              const char *reason, int64_t wall_s);

/** Whether a dead letter was in `queue` before and has since been moved by nothing but the broker.
 */
bool wr_memory_death_is_cycle(const struct wr_memory_held *letter, const char *queue);

/** The keys of a message's CC and BCC headers: calls `take` with each. */
void wr_memory_death_copies(const struct wr_memory_held *held,
                            void (*take)(void *user, struct wr_slice key), void *user);

#endif
