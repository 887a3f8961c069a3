/* SPDX-License-Identifier: MIT */
/*
 * Who gives an order: "ada@host", for logs and records. Threads: one.
 */
#ifndef WHO_H
#define WHO_H

/** Static memory. */
const char *who_am_i(void);

#endif
