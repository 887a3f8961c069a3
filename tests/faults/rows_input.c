// SPDX-License-Identifier: MIT
// DESIGN: rows about what is sent: messages that cannot be read, that are too large or too deep, that
// nobody asked for. The harm is in the message, so each row has clean jobs beside it, which must not
// notice, and a worker that must not lose its connection.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "letters.h"
#include "sender.h"

enum { DRAIN_MS = 60000, READY_MS = 30000, AT_ONCE = 4 };

/* --- messages ------------------------------------------------------------------------------------- */

static struct wr_message json(const char *body, size_t size)
{
    return (struct wr_message){ .present = WR_CONTENT_TYPE,
                                .content_type = wr_slice_of("application/json"),
                                .body = { body, size } };
}

static char *filled(size_t size, char byte)
{
    char *text = malloc(size);
    if (!text) {
        exit(1);
    }
    memset(text, byte, size);
    return text;
}

static const char *const bad_json[] = {
    "",
    "{",
    "{\"a\":",
    "{\"a\":1",
    "[1,2",
    "\"abc",
    "{'a':1}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "[-Infinity]",
    "nan",
    "{\"a\":1}x",
    "{}{}",
    "{\"a\":1,\"a\":2}",
    "{\"b\":{\"a\":1,\"\\u0061\":2}}",
    "[1,]",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "/* no */ {}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf5\x80\x80\x80\"}",
    "{\"\xc3\":1}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\x41\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":0x10}",
    "{\"a\":99999999999999999999999}",
    "nul",
    "True",
    " ",
    "\xef\xbb\xbf{}",
};

/* Content types under which a body is JSON, and must be. */
static const char *const json_types[] = { "application/json", "application/json; charset=utf-8" };

/* Under these it is just bytes, whatever it looks like. */
static const char *const other_types[] = { "text/plain", "application/octet-stream",
                                           "application/jsonl", "\xff", "" };

static int send_corpus(struct field *field)
{
    int count = 0;
    for (size_t t = 0; t < sizeof json_types / sizeof *json_types; t++) {
        for (size_t i = 0; i < sizeof bad_json / sizeof *bad_json; i++) {
            struct wr_message message = json(bad_json[i], strlen(bad_json[i]));
            message.content_type = wr_slice_of(json_types[t]);
            count += sender_send(field, message, true) >= 0;
        }
    }
    static const char nul[] = "{\"a\":\"\0\"}";
    static const char gzip[] = "\x1f\x8b\x08\0\0\0\0\0\0\3\xab\xae\5\0C\xbf\xa6\xa3\2\0\0\0";
    count += sender_send(field, json(nul, sizeof nul - 1), true) >= 0;
    count += sender_send(field, json(gzip, sizeof gzip - 1), true) >= 0;
    return count;
}

static void malformed_messages(struct field *field)
{
    const char *config = field_config(field, NULL);
    struct field_process *worker =
        letters_worker(field, &(struct field_worker){ .config = config });
    struct field_process *source = field_source(field, &(struct field_source){ .rate = 500 });
    sender_open(field);
    int bad = send_corpus(field);
    int fine = 0;
    for (size_t i = 0; i < sizeof other_types / sizeof *other_types; i++) {
        struct wr_message message = json("{'a':NaN,\xff", 10);
        message.content_type = wr_slice_of(other_types[i]);
        fine += sender_send(field, message, true) >= 0;
    }
    sender_close();
    (void)field_wait_exit(field, source, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    letters_expect_calm(field, worker, field->jobs + bad + fine);
    struct letters_wanted wanted = { "bad_message", "JSON", 0, 1 };
    field_expect(field, letters_read(field, config, letters_judge_plain, &wanted) == (size_t)bad,
                 "not every bad message died");
    field_expect(field, book_count(field->book, BOOK_STARTED) == (uint64_t)(field->jobs + fine),
                 "a bad message reached a handler");
    field_note(field, "bad=%d bytes=%d", bad, fine);
    field_check(field, &(struct field_bounds){ .dead = bad,
                                               .dead_reason = "bad_message",
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

/* --- too large, too deep -------------------------------------------------------------------------- */

/* A number of /proc/PID/status, in KiB. */
static int64_t memory_kib(const struct field_process *process, const char *name)
{
    char path[64];
    char line[256];
    int64_t value = -1;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)process->pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoll(line + strlen(name) + 1, NULL, 10);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return value;
}

/* From now on the peak (VmHWM) is counted anew. */
static void forget_peak(const struct field_process *process)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/clear_refs", (long)process->pid);
    FILE *file = fopen(path, "we");
    if (!file || fputs("5", file) < 0 || fclose(file)) {
        (void)fprintf(stderr, "%s cannot be written\n", path);
        exit(1);
    }
}

static int send_oversized(struct field *field)
{
    enum { LIMIT = 1 << 20, HUGE = 100000000 };
    size_t huge = sender_body_most() < HUGE ? sender_body_most() : HUGE;
    const size_t sizes[] = { LIMIT + 1, 3 * LIMIT, LIMIT + 1, huge, LIMIT + 1 };
    char *body = filled(huge, 'x');
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        (void)sender_send(field, (struct wr_message){ .body = { body, sizes[i] } }, true);
    }
    (void)sender_send(field, (struct wr_message){ .body = { body, LIMIT } }, true); /* just fits */
    free(body);
    return sizeof sizes / sizeof *sizes;
}

static void oversized_bodies(struct field *field)
{
    enum { GROWS_MOST_KIB = 8 * 1024 };
    const char *config = field_config(field, NULL);
    struct field_process *worker =
        letters_worker(field, &(struct field_worker){ .config = config });
    (void)field_source(field, NULL);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, READY_MS);
    forget_peak(worker);
    int64_t before_kib = memory_kib(worker, "VmRSS");
    sender_open(field);
    int bad = send_oversized(field);
    sender_close();
    (void)letters_wait(field, bad, READY_MS);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs + 1, READY_MS);
    int64_t grown_kib = memory_kib(worker, "VmHWM") - before_kib;
    field_expect(field, grown_kib < GROWS_MOST_KIB, "the worker grew by %" PRId64 " KiB",
                 grown_kib);
    field_note(field, "rss_kib=%" PRId64 "+%" PRId64, before_kib, grown_kib);
    (void)field_source(field, NULL);
    (void)field_drain(field, DRAIN_MS);
    letters_expect_calm(field, worker, 2 * field->jobs + bad + 1);
    field_check(field, &(struct field_bounds){ .dead = bad,
                                               .dead_reason = "body_too_large",
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

/* So many headers, whose names have so many bytes. */
static void send_headers(struct field *field, int count, int name_size)
{
    struct wr_text headers = { 0 };
    char name[256];
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%0*d", name_size, i);
        wr_table_add_bool(&headers, name, true);
    }
    (void)sender_send(field,
                      (struct wr_message){ .present = WR_HEADERS,
                                           .headers = { headers.data, headers.size },
                                           .body = wr_slice_of("bomb") },
                      true);
    wr_text_done(&headers);
}

static void send_long_header(struct field *field, size_t size)
{
    struct wr_text headers = { 0 };
    char *value = filled(size, 'v');
    wr_table_add_string(&headers, "long", (struct wr_slice){ value, size });
    (void)sender_send(field,
                      (struct wr_message){ .present = WR_HEADERS,
                                           .headers = { headers.data, headers.size },
                                           .body = wr_slice_of("bomb") },
                      true);
    wr_text_done(&headers);
    free(value);
}

static int send_bombs(struct field *field)
{
    sender_send_nested(field, 9);
    sender_send_nested(field, 1000);
    sender_send_nested(field, 21000);
    send_headers(field, 10000, 6);
    send_headers(field, 500, 255);
    send_headers(field, 65, 4);
    send_long_header(field, 17000);
    send_long_header(field, 120000);
    return 8;
}

static void header_bombs(struct field *field)
{
    const char *config = field_config(field, NULL);
    struct field_process *worker =
        letters_worker(field, &(struct field_worker){ .config = config });
    struct field_process *source = field_source(field, &(struct field_source){ .rate = 500 });
    sender_open(field);
    int bad = send_bombs(field);
    bool reads_all = sender_reads_deep();
    sender_close();
    (void)letters_wait(field, bad, READY_MS);
    (void)field_wait_exit(field, source, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    if (reads_all) { /* a newer rabbitmq-c gives such a connection up */
        letters_expect_calm(field, worker, field->jobs + bad);
    }
    field_expect(field, worker->exit_code == 0, "the worker ended with %d", worker->exit_code);
    field_check(field,
                &(struct field_bounds){ .dead = bad,
                                        .dead_reason = reads_all ? "headers_too_large" : NULL,
                                        .duplicates_most = reads_all ? 0 : 3 * (20 + AT_ONCE),
                                        .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

/* `depth` times `open`, then `core`, then as often `close`. */
static void send_deep(struct field *field, int depth, const char *const parts[3])
{
    struct wr_text text = { 0 };
    for (int i = 0; i < depth; i++) {
        wr_text_add_string(&text, parts[0]);
    }
    wr_text_add_string(&text, parts[1]);
    for (int i = 0; i < depth; i++) {
        wr_text_add_string(&text, parts[2]);
    }
    (void)sender_send(field, json(text.data, text.size), true);
    wr_text_done(&text);
}

static int send_deep_json(struct field *field)
{
    enum { MIB = 1 << 20 };
    char *long_key = filled(MIB - 20, 'k');
    char *digits = filled(MIB - 20, '9');
    long_key[MIB - 21] = digits[MIB - 21] = '\0';
    const char *const shapes[][3] = {
        { "", "{\"a\":1e99999}", "" },
        { "", "{\"a\":-1e400}", "" },
        { "{\"a\":", digits, "}" },
        { "{\"\xff", long_key, "\":1}" },
        { "[", "", "" },
        { "[", "1", "]" },
        { "{\"a\":", "1", "}" },
        { "[{\"a\":", "", "" },
    };
    const int depths[] = { 1, 1, 1, 1, 100000, 33, 33, 100000 };
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        send_deep(field, depths[i], shapes[i]);
    }
    free(long_key);
    free(digits);
    return sizeof depths / sizeof *depths;
}

/* As long and as deep as may be. */
static int send_large_json(struct field *field)
{
    enum { MIB = 1 << 20 };
    char *long_key = filled(MIB - 20, 'k');
    long_key[MIB - 21] = '\0';
    send_deep(field, 1, (const char *const[]){ "{\"", long_key, "\":1}" });
    send_deep(field, 1, (const char *const[]){ "{\"a\":\"", long_key, "\"}" });
    send_deep(field, 30, (const char *const[]){ "[", "1", "]" });
    free(long_key);
    return 3;
}

static void deep_json(struct field *field)
{
    const char *config = field_config(field, NULL);
    struct field_process *worker =
        letters_worker(field, &(struct field_worker){ .config = config });
    struct field_process *source = field_source(field, &(struct field_source){ .rate = 500 });
    sender_open(field);
    int bad = send_deep_json(field);
    int fine = send_large_json(field);
    sender_close();
    (void)letters_wait(field, bad, READY_MS);
    (void)field_wait_exit(field, source, READY_MS);
    (void)field_drain(field, DRAIN_MS);
    letters_expect_calm(field, worker, field->jobs + bad + fine);
    struct letters_wanted wanted = { "bad_message", "JSON", 0, 1 };
    (void)letters_read(field, config, letters_judge_plain, &wanted);
    field_check(field, &(struct field_bounds){ .dead = bad,
                                               .dead_reason = "bad_message",
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

/* --- what nobody asked for ------------------------------------------------------------------------ */

struct strangers {
    char ids[64][64];
    size_t count;
};

static void note_stranger(const struct book_job *job, void *user)
{
    struct strangers *strangers = user;
    if (!job->attempted && strangers->count < sizeof strangers->ids / sizeof *strangers->ids) {
        (void)snprintf(strangers->ids[strangers->count++], sizeof *strangers->ids, "%s", job->id);
    }
}

/* Messages without an id get one from the worker: so many new ids were heard of, each with an end. */
static void expect_made_ids(struct field *field, size_t count)
{
    struct strangers strangers = { .count = 0 };
    char line[200];
    book_each(field->book, note_stranger, &strangers);
    field_expect(field, strangers.count == count, "%zu ids were made, not %zu", strangers.count,
                 count);
    for (size_t i = 0; i < strangers.count; i++) {
        field_expect(field, strlen(strangers.ids[i]) == 36, "'%s' is no UUID", strangers.ids[i]);
        (void)snprintf(line, sizeof line, "A %s work 1 0", strangers.ids[i]);
        book_line(field->book, line);
        (void)snprintf(line, sizeof line, "C %s 1", strangers.ids[i]);
        book_line(field->book, line);
    }
}

/* Processor time that a process has used. */
static int64_t used_ms(const struct field_process *process)
{
    char path[64];
    char text[1024] = "";
    long user = 0;
    long kernel = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)process->pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file)) {
        const char *rest = strrchr(text, ')');
        (void)sscanf(rest ? rest + 1 : "", " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                     &user, &kernel);
    }
    if (file) {
        (void)fclose(file);
    }
    return (user + kernel) * 1000 / sysconf(_SC_CLK_TCK);
}

static int send_unknown_types(struct field *field)
{
    static const char *const types[] = { "stranger", "Work",      "work ",      "#",
                                         "*",        "work.more", "\n\033[31m", "\xff" };
    char *longest = filled(256, 't');
    longest[255] = '\0';
    size_t count = sizeof types / sizeof *types;
    for (size_t i = 0; i <= count; i++) {
        const char *type = i < count ? types[i] : longest;
        (void)sender_send(
            field, (struct wr_message){ .present = WR_TYPE, .type = wr_slice_of(type) }, true);
    }
    free(longest);
    return (int)count + 1;
}

static void messages_of_others(struct field *field)
{
    enum { EACH = 10, BUSY_MOST_MS = 200, LOOK_MS = 2000 };
    const char *config = field_config(field, NULL);
    struct field_process *worker =
        letters_worker(field, &(struct field_worker){ .config = config });
    struct field_process *source = field_source(field, &(struct field_source){ .rate = 500 });
    struct wr_message straight = { .exchange = wr_slice_of(""), .key = wr_slice_of("work") };
    sender_open(field);
    int bad = send_unknown_types(field);
    for (int i = 0; i < EACH; i++) {
        (void)sender_send(field, straight, true); /* says no type at all */
        (void)sender_send(field, straight, false);
        (void)sender_send(field, (struct wr_message){ .body = wr_slice_of("x") }, false);
    }
    sender_close();
    (void)letters_wait(field, bad + 2 * EACH, READY_MS);
    (void)field_wait_exit(field, source, READY_MS);
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)(field->jobs + EACH), READY_MS);
    int64_t before_ms = used_ms(worker);
    field_pass(field, LOOK_MS);
    int64_t busy_ms = used_ms(worker) - before_ms;
    field_expect(field, busy_ms < BUSY_MOST_MS, "busy for %" PRId64 " of %d ms", busy_ms, LOOK_MS);
    field_note(field, "busy_ms=%" PRId64, busy_ms);
    (void)field_drain(field, DRAIN_MS);
    letters_expect_calm(field, worker, field->jobs + bad + 3 * EACH);
    expect_made_ids(field, 2 * EACH);
    field_check(field, &(struct field_bounds){ .dead = bad + 2 * EACH,
                                               .dead_reason = "unknown_type",
                                               .limits = { .at_once = AT_ONCE, .attempts = 1 } });
}

const struct row rows_input[] = {
    ROW(44, ROW_SHORT, 500, 5, malformed_messages,
        "malformed, empty, truncated JSON: dead at once as bad_message, nobody else notices"),
    ROW(45, ROW_PLAIN, 200, 15, oversized_bodies,
        "bodies over the limit, up to 100 MB: rejected unread, the worker does not grow"),
    ROW(46, ROW_PLAIN, 500, 10, header_bombs,
        "headers nested 21,000 deep, 10,000 of them, names of 255 bytes: dead, no crash"),
    ROW(47, ROW_PLAIN, 500, 10, deep_json,
        "JSON nested 100,000 deep, huge numbers, keys of 1 MB: dead, or done where it is JSON"),
    ROW(48, ROW_PLAIN, 500, 10, messages_of_others,
        "unknown types, no id, no type at all: dead or with an id of the worker's, no busy loop"),
    ROWS_END,
};
