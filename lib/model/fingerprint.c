// SPDX-License-Identifier: MIT
// DESIGN: one pass over the text. Wherever a word begins, a table of readers is asked, in the order
// of the header's list, how many bytes there are of its kind; the first that knows one replaces them
// by its word. Digits are replaced wherever they stand. Errors are strangers' texts: whatever bytes
// they have, the shape is text if they are, and it is never longer than its buffer.
#include "model/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_MOST = 4096, HEX_LEAST = 8, ID_LEAST = 12, TURNS_LEAST = 3 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes of other scripts belong to words. */
static bool is_word(char c)
{
    return is_digit(c) || is_letter(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_space(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7F;
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

/* The byte at `at`, NUL behind the end. */
static char byte_at(struct wr_slice text, size_t at)
{
    return at < text.size ? text.data[at] : '\0';
}

static size_t run_of(struct wr_slice text, size_t at, bool (*is_part)(char))
{
    size_t end = at;
    while (end < text.size && is_part(text.data[end])) {
        end++;
    }
    return end - at;
}

/* --- readers: how many bytes of their kind begin at `at`; 0: none --- */

static size_t read_quoted(struct wr_slice text, size_t at)
{
    char quote = text.data[at];
    if (!is_one_of(quote, "\"'`")) {
        return 0;
    }
    for (size_t end = at + 1; end < text.size; end++) {
        if (text.data[end] == quote && !is_word(byte_at(text, end + 1))) {
            return end + 1 - at;
        }
    }
    return 0;
}

/* Ends with a space, a quote or a bracket; a full stop at its end is the sentence's. */
static size_t run_of_address(struct wr_slice text, size_t at, const char *ends)
{
    size_t end = at;
    while (end < text.size && !is_space(text.data[end]) && !is_one_of(text.data[end], ends)) {
        end++;
    }
    while (end > at && is_one_of(text.data[end - 1], ".:;,!?")) {
        end--;
    }
    return end - at;
}

static size_t read_url(struct wr_slice text, size_t at)
{
    size_t scheme = at;
    while (is_letter(byte_at(text, scheme)) || is_digit(byte_at(text, scheme)) ||
           is_one_of(byte_at(text, scheme), "+.-")) {
        scheme++;
    }
    bool is_url = scheme > at && is_letter(text.data[at]) && scheme + 3 < text.size &&
                  memcmp(text.data + scheme, "://", 3) == 0;
    return is_url ? run_of_address(text, at, "\"'`<>()[]{}|") : 0;
}

static bool is_mailbox(char c)
{
    return is_word(c) || is_one_of(c, ".+-%");
}

static size_t read_address(struct wr_slice text, size_t at)
{
    size_t name = run_of(text, at, is_mailbox);
    if (!name || byte_at(text, at + name) != '@' || !is_word(byte_at(text, at + name + 1))) {
        return 0;
    }
    size_t host = run_of(text, at + name + 1, is_mailbox);
    while (is_one_of(byte_at(text, at + name + host), ".-")) {
        host--;
    }
    return name + 1 + host;
}

static size_t read_uuid(struct wr_slice text, size_t at)
{
    static const size_t parts[] = { 8, 4, 4, 4, 12 };
    size_t end = at;
    for (int i = 0; i < 5; i++) {
        if (i && byte_at(text, end++) != '-') {
            return 0;
        }
        if (run_of(text, end, is_hex) != parts[i]) {
            return 0;
        }
        end += parts[i];
    }
    return is_word(byte_at(text, end)) ? 0 : end - at;
}

static size_t read_path(struct wr_slice text, size_t at)
{
    size_t root = at;
    if (byte_at(text, root) == '~') {
        root++;
    } else {
        while (root < at + 2 && byte_at(text, root) == '.') {
            root++;
        }
    }
    char next = byte_at(text, root + 1);
    if (byte_at(text, root) != '/' || !next || is_space(next) || next == '/') {
        return 0;
    }
    return run_of_address(text, at, "\"'`<>()[]{}|,:;=");
}

static size_t read_hex(struct wr_slice text, size_t at)
{
    if (text.data[at] == '0' && is_one_of(byte_at(text, at + 1), "xX")) {
        size_t digits = run_of(text, at + 2, is_hex);
        return digits ? 2 + digits : 0;
    }
    size_t size = run_of(text, at, is_hex);
    size_t digits = 0;
    for (size_t i = at; i < at + size; i++) {
        digits += is_digit(text.data[i]);
    }
    bool is_whole = !is_word(byte_at(text, at + size));
    return is_whole && size >= HEX_LEAST && digits && digits < size ? size : 0;
}

static size_t read_id(struct wr_slice text, size_t at)
{
    size_t size = run_of(text, at, is_word);
    size_t turns = 0;
    bool was_digit = is_digit(text.data[at]);
    for (size_t i = at; i < at + size; i++) {
        bool is_number = is_digit(text.data[i]);
        bool is_other = text.data[i] == '_' || is_number == was_digit;
        turns += !is_other;
        was_digit = text.data[i] == '_' ? was_digit : is_number;
    }
    return size >= ID_LEAST && turns >= TURNS_LEAST ? size : 0;
}

static const struct reader {
    size_t (*read)(struct wr_slice text, size_t at);
    const char *word;
} readers[] = {
    { read_quoted, "<text>" }, { read_url, "<url>" },   { read_address, "<address>" },
    { read_uuid, "<uuid>" },   { read_path, "<path>" }, { read_hex, "<hex>" },
    { read_id, "<id>" },
};

/* Digits, also with a point, comma or colon between them. */
static size_t read_number(struct wr_slice text, size_t at)
{
    size_t end = at;
    while (is_digit(byte_at(text, end)) ||
           (end > at && is_one_of(byte_at(text, end), ".,:") && is_digit(byte_at(text, end + 1)))) {
        end++;
    }
    return end - at;
}

/* Reads one piece, gives its size, and in `*word` what stands for it; NULL: itself. */
static size_t read_piece(struct wr_slice text, size_t at, const char **word)
{
    bool begins_word = at == 0 || !(is_word(text.data[at - 1]) || text.data[at - 1] == '/');
    for (size_t i = 0; begins_word && i < sizeof readers / sizeof readers[0]; i++) {
        size_t size = readers[i].read(text, at);
        if (size) {
            *word = readers[i].word;
            return size;
        }
    }
    size_t digits = read_number(text, at);
    *word = digits ? "<n>" : NULL;
    return digits ? digits : 1;
}

const char *wr_fingerprint_shape(char *out, size_t size, struct wr_slice text)
{
    size_t used = 0;
    size_t at = 0;
    text.size = text.size > TEXT_MOST ? TEXT_MOST : text.size;
    while (at < text.size) {
        const char *word;
        if (is_space(text.data[at])) {
            at++;
            if (used && out[used - 1] != ' ' && used + 1 < size) {
                out[used++] = ' ';
            }
            continue;
        }
        size_t piece = read_piece(text, at, &word);
        size_t length = word ? strlen(word) : piece;
        if (used + length >= size) {
            break;
        }
        memcpy(out + used, word ? word : text.data + at, length);
        used += length;
        at += piece;
    }
    if (at < text.size) { /* not within a character */
        while (used && ((unsigned char)text.data[at] & 0xC0) == 0x80) {
            at--;
            used--;
        }
    }
    while (used && out[used - 1] == ' ') {
        used--;
    }
    out[used] = '\0';
    return out;
}

/* FNV-1a, the NUL included, so that "ab", "c" and "a", "bc" differ. */
static uint64_t add_to_hash(uint64_t hash, const char *string)
{
    size_t size = strlen(string) + 1;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)string[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

const char *wr_fingerprint_group(char out[WR_GROUP_ID_SIZE], const char *type, const char *reason,
                                 const char *shape)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    hash = add_to_hash(hash, type);
    hash = add_to_hash(hash, reason);
    hash = add_to_hash(hash, shape);
    hash = (hash ^ hash >> 33) *
           UINT64_C(0xff51afd7ed558ccd); /* so that ids of like texts look unlike */
    hash ^= hash >> 33;
    (void)snprintf(out, WR_GROUP_ID_SIZE, "%012" PRIx64, hash >> 16);
    return out;
}
