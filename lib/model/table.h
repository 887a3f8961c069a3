/* SPDX-License-Identifier: MIT */
/*
 * AMQP field tables as bytes. A table is kept as it came off the wire, so that what Warren passes
 * on is the same byte for byte, and nothing is decoded that nobody asks for. Reading borrows;
 * writing appends to a wr_text.
 *
 * Grammar: AMQP 0-9-1 section 4.2.5.5, with the kinds as RabbitMQ uses them ("AMQP 0-9-1 Complete
 * Reference, errata"). Threads: pure functions.
 */
#ifndef WR_MODEL_TABLE_H
#define WR_MODEL_TABLE_H

#include "base/text.h"
#include "warren/error.h"

/** The entries of a table, without the four length bytes that precede them on the wire. */
struct wr_table {
    const char *data;
    size_t size;
};

/** One entry. `kind` is the wire's letter ('S' long string, 'l' 64-bit, 'F' table, 'A' array, …).
 */
struct wr_field {
    struct wr_slice name; /* empty for the members of an array */
    char kind;
    struct wr_slice value; /* the payload: strings, tables and arrays without their length prefix */
    struct wr_slice entry; /* the whole entry (name, kind, payload) as it stands on the wire */
};

/** What a table may hold; 0 means that there is no such limit. */
struct wr_table_limits {
    size_t fields; /* at the top level */
    size_t depth;  /* 1 = no nesting */
};

/** Checks that every byte belongs to a well-formed entry, within the limits. To be called before
 * anything else. */
warren_status wr_table_check(struct wr_table table, struct wr_table_limits limits,
                             warren_error *err);

/** Reads the entry at `*offset` and moves on; false at the end (or at a malformed byte). */
bool wr_table_next(struct wr_table table, size_t *offset, struct wr_field *out);

/** The same for an array's members (`table` is the value of a field of kind 'A'). */
bool wr_array_next(struct wr_table array, size_t *offset, struct wr_field *out);

/** The first entry of that name. */
bool wr_table_find(struct wr_table table, const char *name, struct wr_field *out);

/** A whole number of any integer kind; also a decimal string, since some clients can send nothing
 * else. */
bool wr_field_int(const struct wr_field *field, int64_t *out);

/** A string ('S') or bytes ('x'). */
bool wr_field_string(const struct wr_field *field, struct wr_slice *out);

/** The entries of a nested table ('F') or the members of an array ('A'). */
bool wr_field_table(const struct wr_field *field, char kind, struct wr_table *out);

/* Writing: entries are appended; names are at most 255 bytes (longer ones make the text fail). */
void wr_table_add_string(struct wr_text *out, const char *name, struct wr_slice value);
void wr_table_add_int(struct wr_text *out, const char *name, int64_t value);
void wr_table_add_bool(struct wr_text *out, const char *name, bool value);
/** Nested: `kind` 'F' (content: entries) or 'A' (content: members). */
void wr_table_add_nested(struct wr_text *out, const char *name, char kind, struct wr_slice content);
/** Appends a member of an array, of kind 'F'. */
void wr_array_add_table(struct wr_text *out, struct wr_slice content);
/** Appends an entry as it stood on the wire. */
void wr_table_add_entry(struct wr_text *out, const struct wr_field *field);
/** Appends the entry's payload under another name. */
void wr_table_add_renamed(struct wr_text *out, const char *name, const struct wr_field *field);

#endif
