/* SPDX-License-Identifier: MIT */
/*
 * Holds back what is written to standard output. A walk through a dead queue must not wait for its
 * reader: a pager that is left open, or `head` that leaves, would break the connection, and letters
 * that come back by a broken connection may come back in another order.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>

/** From now on standard output goes to a nameless temporary file, unless it is a file already. False,
 * with a message, when there can be none. */
bool spool_begin(void);

/** Standard output is itself again, and gets what was held back. False when it can't be written. */
bool spool_end(void);

#endif
