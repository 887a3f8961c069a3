/* SPDX-License-Identifier: MIT */
/*
 * Text: slices (borrowed bytes with a length) and a growing string. A slice never owns; whoever
 * lends it says how long it lives. A text owns its bytes and is always NUL-terminated once
 * something was added.
 */
#ifndef WR_BASE_TEXT_H
#define WR_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Borrowed bytes; `data` may be NULL when `size` is 0. */
struct wr_slice {
    const char *data;
    size_t size;
};

static inline struct wr_slice wr_slice_of(const char *string)
{
    return (struct wr_slice){ string, string ? strlen(string) : 0 };
}

static inline bool wr_slice_equals(struct wr_slice a, struct wr_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool wr_slice_is(struct wr_slice a, const char *string)
{
    return wr_slice_equals(a, wr_slice_of(string));
}

/** A heap copy with a NUL behind it; NULL without memory. The caller frees. */
char *wr_slice_copy(struct wr_slice slice);

/** Reads a whole decimal number, sign allowed, nothing around it; false when it is none or does not
 * fit. */
bool wr_slice_to_int(struct wr_slice slice, int64_t *out);

/** printf's form of a slice: `"%.*s", WR_SLICE(s)`. */
#define WR_SLICE(s) (int)(s).size, (s).size ? (s).data : ""

/** A growing string. Zero-initialise; `failed` stays true after an allocation failed, and adding
 * does nothing. */
struct wr_text {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void wr_text_add(struct wr_text *text, const void *data, size_t size);
void wr_text_add_string(struct wr_text *text, const char *string);
void wr_text_add_format(struct wr_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Adds with JSON's escapes for quotes, backslashes and control bytes; bytes that aren't UTF-8
 * become U+FFFD. */
void wr_text_add_json(struct wr_text *text, struct wr_slice slice);

/** The content as a string, "" when nothing was added. Borrowed. */
const char *wr_text_string(const struct wr_text *text);

/** Forgets the content, keeps the memory. */
void wr_text_clear(struct wr_text *text);

/** Hands the string over (NULL if it failed); the text is empty afterwards. The caller frees. */
char *wr_text_take(struct wr_text *text);

void wr_text_done(struct wr_text *text);

/** How many edits lead from `a` to `b` (insert, remove, change, swap neighbours): for "did you
 * mean". */
size_t wr_text_distance(const char *a, const char *b);

/** Copies bytes as text that people may read on one line: control bytes and what isn't UTF-8 become
 * \xNN (a newline stays when `keeps_lines`). Cut with "..." when `size` is too small (it is at least
 * 8), not within a character. Returns `out`, which always ends with a NUL. */
const char *wr_text_show(char *out, size_t size, struct wr_slice bytes, bool keeps_lines);

/** The same in quotes, with quotes and backslashes escaped. */
const char *wr_text_quote(char *out, size_t size, struct wr_slice bytes);

/** Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool wr_text_is_utf8(struct wr_slice slice);

#endif
