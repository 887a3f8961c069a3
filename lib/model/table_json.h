/* SPDX-License-Identifier: MIT */
/*
 * A field table as JSON, for people and their tools: every kind of AMQP value, whatever a stranger
 * wrote. Threads: pure functions.
 */
#ifndef WR_MODEL_TABLE_JSON_H
#define WR_MODEL_TABLE_JSON_H

#include "model/table.h"

/**
 * Appends the table as one JSON object. Strings that aren't UTF-8 and byte values become
 * `{"hex": "…"}`, a timestamp its seconds, a number that JSON can't say a string; nesting deeper
 * than 32 becomes null. A malformed table is written up to its first wrong byte.
 */
void wr_table_write_json(struct wr_table table, struct wr_text *out);

#endif
