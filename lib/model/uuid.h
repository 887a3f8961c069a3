/* SPDX-License-Identifier: MIT */
/*
 * Job ids: UUID version 7 (RFC 9562 section 5.7), sortable by time. Threads: any.
 */
#ifndef WR_MODEL_UUID_H
#define WR_MODEL_UUID_H

#include <stdint.h>

#define WR_UUID_SIZE 37 /* 36 characters and a NUL */

/** Writes the id of a moment (ms since 1970) with 74 random bits taken from `random`. */
void wr_uuid_write(char out[WR_UUID_SIZE], int64_t wall_ms, const uint64_t random[2]);

#endif
