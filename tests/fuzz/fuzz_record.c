// SPDX-License-Identifier: MIT
// Dead letters as lines: any line is read or refused with a sentence, what was read can be written and
// read again as the same, and any headers come back byte for byte.
#include "fuzz.h"

#include "model/record.h"

enum { HEADERS_MOST = 4096 };

static struct wr_slice slice(const struct wr_text *text)
{
    return (struct wr_slice){ text->data, text->size };
}

/* Written, read and written again: the same line. */
static void check_again(const struct wr_message *message)
{
    struct wr_text first = { 0 };
    struct wr_text second = { 0 };
    struct wr_record record;
    warren_error err;
    wr_record_write(message, "q", &first);
    MUST(wr_text_is_utf8(slice(&first)) && !memchr(first.data, '\n', first.size));
    MUST(wr_record_read(&record, slice(&first), &err) == WARREN_OK);
    wr_record_write(&record.message, record.queue, &second);
    MUST(wr_slice_equals(slice(&first), slice(&second)));
    wr_record_done(&record);
    wr_text_done(&first);
    wr_text_done(&second);
}

static void check_line(struct wr_slice line)
{
    struct wr_record record;
    warren_error err = { .status = WARREN_OK };
    if (wr_record_read(&record, line, &err)) {
        MUST(err.status == WARREN_INVALID && fuzz_is_printable(err.text));
        return;
    }
    check_again(&record.message);
    wr_record_done(&record);
}

/* Headers as a stranger sends them. */
static void check_headers(struct wr_slice bytes)
{
    struct wr_message message = { .present = WR_HEADERS, .headers = { bytes.data, bytes.size } };
    struct wr_text line = { 0 };
    struct wr_record record;
    warren_error err;
    struct wr_field field;
    bool has_count = wr_table_find(message.headers, "x-delivery-count", &field) ||
                     wr_table_find(message.headers, "x-acquired-count", &field);
    if (!bytes.size || bytes.size > HEADERS_MOST || has_count ||
        wr_table_check(message.headers, (struct wr_table_limits){ 0, 0 }, NULL)) {
        return;
    }
    wr_record_write(&message, "q", &line);
    MUST(wr_record_read(&record, slice(&line), &err) == WARREN_OK);
    MUST(record.headers.size == bytes.size &&
         memcmp(record.headers.data, bytes.data, bytes.size) == 0);
    wr_record_done(&record);
    wr_text_done(&line);
    check_again(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wr_slice bytes = { (const char *)data, size };
    check_line(bytes);
    check_headers(bytes);
    return 0;
}
