/* SPDX-License-Identifier: MIT */
/*
 * Bytes as text: base64 as RFC 4648 section 4 has it, with padding. Threads: pure functions.
 */
#ifndef WR_BASE_BASE64_H
#define WR_BASE_BASE64_H

#include "base/text.h"

/** Appends the bytes as base64. */
void wr_base64_write(struct wr_slice bytes, struct wr_text *out);

/** Appends the bytes that a base64 text stands for. False when it is none: another character, a wrong
 * length, bits behind the end. */
bool wr_base64_read(struct wr_slice text, struct wr_text *out);

#endif
