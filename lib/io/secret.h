/* SPDX-License-Identifier: MIT */
/*
 * Reading a secret from a file: a password, a token. Threads: any.
 */
#ifndef WR_IO_SECRET_H
#define WR_IO_SECRET_H

#include <stddef.h>

#include "warren/error.h"

/** Reads the file into `out`, without the line ends behind it. CONFIG: it can't be read, others may
 * change it, it is empty, no text, or doesn't fit. The caller wipes `out`. */
warren_status wr_secret_read(const char *path, char *out, size_t size, warren_error *err);

#endif
