/* SPDX-License-Identifier: MIT */
/*
 * This process, as histories and traces name it. Threads: any.
 */
#ifndef WR_BASE_PROCESS_H
#define WR_BASE_PROCESS_H

#include <stddef.h>

/** Writes host-pid into `out`; returns it. */
const char *wr_process_name(char *out, size_t size);

#endif
