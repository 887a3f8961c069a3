// SPDX-License-Identifier: MIT
// JSON bodies, held against a small reader of RFC 8259's grammar: what Warren takes is JSON, and
// what is JSON is taken, unless it breaks one of the limits that the refusal then names.
#include "fuzz.h"

#include "base/error.h"
#include "model/job.h"

enum { DEPTH = 32 };

struct reader {
    const char *at;
    const char *end;
};

static bool is_at(const struct reader *reader, const char *set)
{
    return reader->at < reader->end && *reader->at && strchr(set, *reader->at);
}

static void skip_space(struct reader *reader)
{
    while (is_at(reader, " \t\r\n")) {
        reader->at++;
    }
}

static bool take(struct reader *reader, const char *set)
{
    bool there = is_at(reader, set);
    reader->at += there ? 1 : 0;
    return there;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0) {
        return false;
    }
    reader->at += size;
    return true;
}

static bool take_digits(struct reader *reader)
{
    bool any = false;
    while (take(reader, "0123456789")) {
        any = true;
    }
    return any;
}

static bool read_number(struct reader *reader)
{
    (void)take(reader, "-");
    if (!take(reader, "0") && !take_digits(reader)) {
        return false;
    }
    if (take(reader, ".") && !take_digits(reader)) {
        return false;
    }
    if (!take(reader, "eE")) {
        return true;
    }
    (void)take(reader, "+-");
    return take_digits(reader);
}

static bool read_escape(struct reader *reader)
{
    if (!take(reader, "u")) {
        return take(reader, "\"\\/bfnrt");
    }
    for (int i = 0; i < 4; i++) {
        if (!take(reader, "0123456789abcdefABCDEF")) {
            return false;
        }
    }
    return true;
}

static bool read_string(struct reader *reader)
{
    if (!take(reader, "\"")) {
        return false;
    }
    while (reader->at < reader->end && *reader->at != '"') {
        if ((unsigned char)*reader->at < 0x20) {
            return false;
        }
        if (*reader->at++ == '\\' && !read_escape(reader)) {
            return false;
        }
    }
    return take(reader, "\"");
}

static bool read_value(struct reader *reader, int depth);

static bool read_member(struct reader *reader, bool is_object, int depth)
{
    if (is_object) {
        skip_space(reader);
        if (!read_string(reader)) {
            return false;
        }
        skip_space(reader);
        if (!take(reader, ":")) {
            return false;
        }
    }
    return read_value(reader, depth);
}

/* Behind its opening bracket. */
static bool read_members(struct reader *reader, const char *closing, int depth)
{
    bool is_object = *closing == '}';
    skip_space(reader);
    if (take(reader, closing)) {
        return true;
    }
    do {
        if (!read_member(reader, is_object, depth)) {
            return false;
        }
    } while (take(reader, ","));
    return take(reader, closing);
}

static bool read_value(struct reader *reader, int depth)
{
    bool ok;
    if (depth > 500) {
        return false;
    }
    skip_space(reader);
    if (take(reader, "{")) {
        ok = read_members(reader, "}", depth + 1);
    } else if (take(reader, "[")) {
        ok = read_members(reader, "]", depth + 1);
    } else if (is_at(reader, "\"")) {
        ok = read_string(reader);
    } else if (is_at(reader, "-0123456789")) {
        ok = read_number(reader);
    } else {
        ok = take_word(reader, "true") || take_word(reader, "false") || take_word(reader, "null");
    }
    skip_space(reader);
    return ok;
}

static bool is_json(struct wr_slice text)
{
    struct reader reader = { text.data, text.data + text.size };
    return wr_text_is_utf8(text) && read_value(&reader, 0) && reader.at == reader.end;
}

static bool names_a_limit(const char *refusal)
{
    static const char *const limits[] = { "\\u0000",         "surrogate",    "too deep",
                                          "64 bits",         "for a double", "stands twice",
                                          "nesting too deep" };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strstr(refusal, limits[i])) {
            return true;
        }
    }
    return false;
}

/* What a handler may ask, whatever the body is. */
static void ask(struct warren_job *job)
{
    static const char *const paths[] = { "", "a", "a.b", ".", "a..b", "b" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int64_t number;
        double real;
        const char *string = warren_job_string(job, paths[i]);
        MUST(!string || wr_text_is_utf8(wr_slice_of(string)));
        if (warren_job_int(job, paths[i], &number)) {
            MUST(warren_job_double(job, paths[i], &real));
        }
        (void)warren_job_bool(job, paths[i], true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wr_settings settings = { .body_most = 1 << 20 };
    char name[] = "q";
    struct wr_queue_settings queue = { .name = name, .default_type = name };
    struct wr_job_rules rules = { &settings, &queue, wr_slice_of("warren.jobs") };
    struct wr_message message = { .body = { (const char *)data, size } };
    struct warren_job *job = wr_job_decode(&message, &rules, 1);
    warren_error err = { 0 };
    MUST(job);
    bool is_taken = wr_job_check_json(job, DEPTH, &err) == WARREN_OK;
    bool is_good = is_json(message.body);
    if (is_taken != is_good && !(is_good && names_a_limit(err.text))) {
        fprintf(stderr, "taken %d, JSON %d: %s\n", is_taken, is_good, err.text);
        abort();
    }
    MUST(is_taken || fuzz_is_printable(err.text));
    ask(job);
    wr_job_free(job);
    return 0;
}
