// SPDX-License-Identifier: MIT
// Header tables that strangers wrote: reading stays within the bytes, well-formed ones survive
// rabbitmq-c's form byte for byte, the JSON for people is JSON, a dead letter can be read from
// anything, and what is stripped leaves nothing of the broker's behind.
#include "fuzz.h"

#include "base/error.h"
#include "io/broker_amqp_state.h"
#include "model/job.h"
#include "model/letter.h"
#include "model/strip.h"
#include "model/table_json.h"

enum { DEPTH = 64 };

/* Every entry, with the bytes that it was made of. */
static size_t walk(struct wr_table table)
{
    size_t offset = 0;
    size_t bytes = 0;
    struct wr_field field;
    while (wr_table_next(table, &offset, &field)) {
        int64_t number;
        struct wr_slice string;
        struct wr_field found;
        char *name = fuzz_string(field.name);
        MUST(field.entry.data == table.data + bytes && field.entry.size > 1);
        bytes += field.entry.size;
        MUST(bytes == offset && offset <= table.size);
        (void)wr_field_int(&field, &number);
        (void)wr_field_string(&field, &string);
        MUST(strlen(name) != field.name.size || wr_table_find(table, name, &found));
        free(name);
    }
    return offset;
}

/* Copying entry by entry makes the same table. */
static void check_copy(struct wr_table table)
{
    struct wr_text copy = { 0 };
    struct wr_field field;
    size_t offset = 0;
    while (wr_table_next(table, &offset, &field)) {
        wr_table_add_entry(&copy, &field);
    }
    MUST(!copy.failed && copy.size == offset);
    MUST(!copy.size || memcmp(copy.data, table.data, copy.size) == 0);
    wr_text_done(&copy);
}

static bool holds_strange_booleans(struct wr_table table, bool is_array)
{
    struct wr_field field;
    size_t offset = 0;
    while (is_array ? wr_array_next(table, &offset, &field)
                    : wr_table_next(table, &offset, &field)) {
        struct wr_table nested = { field.value.data, field.value.size };
        bool is_strange = field.kind == 't' && (unsigned char)field.value.data[0] > 1;
        bool is_nested = field.kind == 'F' || field.kind == 'A';
        if (is_strange || (is_nested && holds_strange_booleans(nested, field.kind == 'A'))) {
            return true;
        }
    }
    return false;
}

/* What rabbitmq-c writes of its own form of the table: the same bytes again. */
static void check_library_form(struct wr_table table)
{
    amqp_pool_t pool;
    amqp_table_t tree;
    init_amqp_pool(&pool, 4096);
    warren_status rc = wr_amqp_table(table, &pool, &tree, NULL);
    MUST(rc == WARREN_OK || rc == WARREN_INVALID);
    struct wr_table_limits limits = { 0, DEPTH };
    bool is_good = wr_table_check(table, limits, NULL) == WARREN_OK;
    MUST(is_good == (rc == WARREN_OK));
    if (is_good) {
        char *written = malloc(table.size + 4);
        MUST(written);
        size_t offset = 0;
        amqp_bytes_t room = { table.size + 4, written };
        MUST(amqp_encode_table(room, &tree, &offset) == 0 && offset == table.size + 4);
        MUST(holds_strange_booleans(table, false) ||
             memcmp(written + 4, table.data, table.size) == 0);
        free(written);
    }
    empty_amqp_pool(&pool);
}

/* The output is one JSON object; the strict reader may refuse it for what is JSON and yet not taken
 * from a handler's message: two equal names, a NUL, a number of no machine. */
static void check_json(struct wr_table table)
{
    struct wr_text json = { 0 };
    wr_table_write_json(table, &json);
    MUST(!json.failed && json.size >= 2 && json.data[0] == '{');
    MUST(fuzz_is_printable(json.data) && strlen(json.data) == json.size);
    struct wr_settings settings = { .body_most = INT64_C(1) << 40 };
    char name[] = "q";
    struct wr_queue_settings queue = { .name = name, .default_type = name };
    struct wr_job_rules rules = { &settings, &queue, wr_slice_of("warren.jobs") };
    struct wr_message message = { .body = { json.data, json.size } };
    struct warren_job *job = wr_job_decode(&message, &rules, 1);
    warren_error err = { 0 };
    MUST(job);
    if (wr_job_check_json(job, 64, &err)) {
        MUST(strstr(err.text, "stands twice") || strstr(err.text, "64 bits") ||
             strstr(err.text, "\\u0000"));
    }
    wr_job_free(job);
    wr_text_done(&json);
}

static void check_strip(struct wr_table table)
{
    struct wr_text kept = { 0 };
    struct wr_text again = { 0 };
    wr_strip_copy(table, &kept);
    MUST(!kept.failed);
    struct wr_table stripped = { kept.data, kept.size };
    struct wr_field field;
    size_t offset = 0;
    while (wr_table_next(stripped, &offset, &field)) {
        MUST(!wr_strip_is_broker_header(field.name));
    }
    MUST(offset == kept.size);
    wr_strip_copy(stripped, &again);
    MUST(again.size == kept.size && (!kept.size || !memcmp(again.data, kept.data, kept.size)));
    MUST(!wr_strip_has_bad_death(stripped));
    (void)wr_strip_has_bad_death(table);
    wr_text_done(&kept);
    wr_text_done(&again);
}

static void check_letter(struct wr_table table, const char *queue)
{
    const struct wr_letter_place place = { .ns = "warren", .queue = queue };
    struct wr_message message = { .headers = table, .present = WR_HEADERS };
    struct wr_letter letter;
    MUST(wr_letter_read(&letter, &message, &place) == WARREN_OK);
    const warren_dead_letter *data = &letter.data;
    MUST(data->reason && data->type && data->queue && data->error && data->id);
    MUST(data->attempts >= 0 && data->replays >= 0 && data->died_ms >= 0);
    MUST(data->first_failed_ms >= 0 && data->enqueued_ms >= 0);
    for (size_t i = 0; i < data->error_count; i++) {
        MUST(data->errors[i].text && data->errors[i].worker && data->errors[i].attempt >= 0);
    }
    warren_dead_filter filter = { .type = data->type, .reason = data->reason };
    MUST(wr_letter_matches(&letter, &filter));
    wr_letter_done(&letter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wr_table table = { (const char *)data, size };
    bool is_whole = walk(table) == size;
    for (size_t depth = 0; depth <= 40; depth += 8) {
        struct wr_table_limits limits = { depth, depth };
        warren_error err = { 0 };
        warren_status rc = wr_table_check(table, limits, &err);
        MUST(rc != WARREN_OK || is_whole);
        MUST(rc == WARREN_OK || (rc == WARREN_INVALID && fuzz_is_printable(err.text)));
    }
    check_copy(table);
    check_library_form(table);
    check_json(table);
    check_strip(table);
    check_letter(table, "emails");
    check_letter(table, NULL);
    struct wr_bookkeeping books;
    warren_error err = { 0 };
    if (wr_bookkeeping_read(table, &books, &err)) {
        MUST(fuzz_is_printable(err.text));
    }
    return 0;
}
