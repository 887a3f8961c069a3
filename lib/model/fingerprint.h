/* SPDX-License-Identifier: MIT */
/*
 * What errors have in common. "smtp: 10.0.3.7:25 answered 451 after 812 ms" and the same with
 * other numbers are one error to whoever looks for its cause. A text's shape is the text with all
 * that differs from job to job replaced; letters of equal type, reason and shape are a group.
 * Threads: pure functions.
 */
#ifndef WR_MODEL_FINGERPRINT_H
#define WR_MODEL_FINGERPRINT_H

#include "base/text.h"

#define WR_SHAPE_SIZE 241   /* with its NUL: what is longer is cut */
#define WR_GROUP_ID_SIZE 13 /* 12 hex digits and a NUL */

/**
 * Writes the shape of a text. In this order, wherever a word begins:
 *   "quoted", 'quoted', `quoted`           <text>   (an apostrophe inside a word is no quote)
 *   scheme://host/path                     <url>
 *   ada@example.org                        <address>
 *   123e4567-e89b-12d3-a456-426614174000   <uuid>
 *   /a/path, ./a/path, ../a, ~/a           <path>   (to a space, quote, bracket, comma or colon)
 *   0x7ffe, 3f2a99c01b (8 digits or more)  <hex>    (without 0x: both digits and letters)
 *   cus_9s6XKzkNRiz8i3 (12 or more)        <id>     (letters and digits change three times)
 *   42, 10.0.3.7:25, 3,141                 <n>      (also inside words: host12 is host<n>)
 * Spaces and control bytes in a row become one space. The rest stays as it is.
 */
const char *wr_fingerprint_shape(char *out, size_t size, struct wr_slice text);

/** The name of a group: it is the same in every process and version as long as the rules above are.
 */
const char *wr_fingerprint_group(char out[WR_GROUP_ID_SIZE], const char *type, const char *reason,
                                 const char *shape);

#endif
