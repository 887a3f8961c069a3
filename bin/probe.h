/* SPDX-License-Identifier: MIT */
/*
 * Asking a running worker how it is.
 */
#ifndef PROBE_H
#define PROBE_H

/** Asks the worker that listens at `address` (as warren_http_address says it) for "live", "ready" or
 * "startup", and prints its answer. An exit code: done, failed when it isn't or can't be asked. */
int probe_worker(const char *address, const char *what);

#endif
