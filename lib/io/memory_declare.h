/* SPDX-License-Identifier: MIT */
/*
 * Declaring in the memory broker: an item is made, or compared with what stands there, with
 * RabbitMQ's sentences when they differ. Threads: under the server's lock.
 */
#ifndef WR_IO_MEMORY_DECLARE_H
#define WR_IO_MEMORY_DECLARE_H

#include "io/memory_server.h"

/** False: refused, and `out` says why. */
bool wr_memory_declare(struct wr_memory *server, const struct wr_item *item, enum wr_declare how,
                       struct wr_memory_refusal *out);

#endif
