// SPDX-License-Identifier: MIT
// A dead letter that was written down and read again is the same message; what is no letter is
// refused with a reason.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "model/record.h"

static warren_error err;

static struct wr_slice slice(const struct wr_text *text)
{
    return (struct wr_slice){ text->data, text->size };
}

/* Every kind of header, with payloads that are hard to say in JSON. */
static void add_headers(struct wr_text *headers)
{
    static const char raw[] = "\1tt\1\1Tt\2" /* bool, and one that is none */
                              "\1bb\xff\1BB\xff\1ss\xff\xfe\1uu\xff\xfe" /* int8 … uint16 */
                              "\1II\x80\0\0\0\1ii\xff\xff\xff\xff"
                              "\1ll\x80\0\0\0\0\0\0\0\1LL\x7f\xff\xff\xff\xff\xff\xff\xff"
                              "\1pT\xff\xff\xff\xff\xff\xff\xff\xff"
                              "\1ff\x3d\xcc\xcc\xcd\1dd\x3f\xb9\x99\x99\x99\x99\x99\x9a"
                              "\1ed\x7f\xf8\0\0\0\0\0\1\1gd\x80\0\0\0\0\0\0\0" /* a NaN, and -0 */
                              "\1DD\2\0\0\1\x3a\1vV\2\xff\xfeS\0\0\0\1z";
    struct wr_text members = { 0 };
    wr_table_add_string(headers, "text",
                        wr_slice_of("\"\\\n\x1b\x7f \xE2\x80\xAE gr\xC3\xBC\xC3\x9F"));
    wr_table_add_string(headers, "nul", (struct wr_slice){ "a\0b", 3 });
    wr_table_add_string(headers, "no text", (struct wr_slice){ "\xff\xfe", 2 });
    wr_text_add(headers, raw, sizeof raw - 1);
    wr_text_add(&members, "S\0\0\0\3abcI\377\377\377\377Vx\0\0\0\2\0\1", 21);
    wr_table_add_nested(headers, "list", 'A', slice(&members));
    wr_text_clear(&members);
    wr_table_add_int(&members, "n", -1);
    wr_table_add_nested(&members, "empty", 'F', (struct wr_slice){ 0 });
    wr_table_add_nested(headers, "table", 'F', slice(&members));
    wr_table_add_nested(headers, "text", 'A', (struct wr_slice){ 0 }); /* the name is there twice */
    wr_text_done(&members);
}

static bool is_same(const struct wr_message *a, const struct wr_message *b)
{
    size_t count;
    const struct wr_record_property *properties = wr_record_properties(&count);
    bool same =
        a->present == b->present && wr_slice_equals(a->body, b->body) &&
        wr_slice_equals(a->exchange, b->exchange) && wr_slice_equals(a->key, b->key) &&
        a->delivery_mode == b->delivery_mode && a->priority == b->priority &&
        a->timestamp == b->timestamp && a->headers.size == b->headers.size &&
        (!a->headers.size || memcmp(a->headers.data, b->headers.data, a->headers.size) == 0);
    for (size_t i = 0; i < count; i++) {
        const void *left = (const char *)a + properties[i].offset;
        const void *right = (const char *)b + properties[i].offset;
        same = same &&
               wr_slice_equals(*(const struct wr_slice *)left, *(const struct wr_slice *)right);
    }
    return same;
}

static struct wr_message full_message(const struct wr_text *headers)
{
    return (struct wr_message){ .exchange = wr_slice_of("warren.dead"),
                                .key = wr_slice_of("emails"),
                                .present = 0xFFFC, /* every property */
                                .content_type = wr_slice_of("application/json"),
                                .content_encoding = wr_slice_of("gzip"),
                                .headers = { headers->data, headers->size },
                                .delivery_mode = 2,
                                .priority = 255,
                                .correlation_id = { "\xff\0", 2 },
                                .reply_to = wr_slice_of("answers"),
                                .expiration = wr_slice_of("60000"),
                                .message_id = wr_slice_of("id \"1\""),
                                .timestamp = UINT64_MAX,
                                .type = wr_slice_of(""),
                                .user_id = wr_slice_of("ada"),
                                .app_id = wr_slice_of("app"),
                                .cluster_id = wr_slice_of("c"),
                                .body = wr_slice_of("{\"to\": \"ada\"}\n") };
}

static void a_letter_comes_back_as_it_was(void)
{
    static const struct wr_slice bodies[] = { { "", 0 },        { "{}", 2 },
                                              { "a\0b", 3 },    { "\xff", 1 },
                                              { "\0\1", 2 },    { "\"\\\x01\x7f", 4 },
                                              { "\xC3\xBC", 2 } };
    struct wr_text headers = { 0 };
    add_headers(&headers);
    CU_ASSERT_EQUAL(wr_table_check((struct wr_table){ headers.data, headers.size },
                                   (struct wr_table_limits){ 0, 0 }, &err),
                    WARREN_OK);
    struct wr_message message = full_message(&headers);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct wr_text line = { 0 };
        struct wr_text again = { 0 };
        struct wr_record record;
        message.body = bodies[i];
        wr_record_write(&message, "emails", &line);
        CU_ASSERT_PTR_NULL(strchr(wr_text_string(&line), '\n'));
        CU_ASSERT(wr_text_is_utf8(slice(&line)));
        warren_status rc = wr_record_read(&record, slice(&line), &err);
        CU_ASSERT_EQUAL(rc, WARREN_OK);
        if (rc) {
            fprintf(stderr, "%s\n%s\n", err.text, wr_text_string(&line));
        } else {
            CU_ASSERT(is_same(&record.message, &message));
            CU_ASSERT_STRING_EQUAL(record.queue, "emails");
            wr_record_write(&record.message, record.queue, &again);
            CU_ASSERT_STRING_EQUAL(wr_text_string(&line), wr_text_string(&again));
            wr_record_done(&record);
        }
        wr_text_done(&line);
        wr_text_done(&again);
    }
    wr_text_done(&headers);
}

static void the_brokers_count_of_looks_is_left_out(void)
{
    struct wr_text headers = { 0 };
    struct wr_text line = { 0 };
    wr_table_add_int(&headers, "x-delivery-count", 7);
    wr_table_add_int(&headers, "x-warren-attempt", 5);
    struct wr_message message = { .present = WR_HEADERS,
                                  .headers = { headers.data, headers.size } };
    wr_record_write(&message, "emails", &line);
    CU_ASSERT_PTR_NULL(strstr(wr_text_string(&line), "x-delivery-count"));
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&line), "x-warren-attempt"));
    wr_text_done(&headers);
    wr_text_done(&line);
}

static const struct fault {
    const char *line;
    const char *says;
} faults[] = {
    { "", "too early" },
    { "{", "too early" },
    { "[]", "no dead letter" },
    { "{\"id\":1}", "no dead letter" },
    { "{\"warren_letter\":2}", "the only form" },
    { "{\"warren_letter\":1} {}", "more than one" },
    { "{\"warren_letter\":1,\"boddy\":\"\"}", "\"boddy\": want a member" },
    { "{\"warren_letter\":1,\"body\":1}", "\"body\": want a string" },
    { "{\"warren_letter\":1,\"body_base64\":\"a\"}", "base64" },
    { "{\"warren_letter\":1,\"body_base64\":\"aa==\"}", "base64" },
    { "{\"warren_letter\":1,\"body\":\"\xff\"}", "no JSON" },
    { "{\"warren_letter\":1,\"properties\":[]}", "an object" },
    { "{\"warren_letter\":1,\"properties\":{\"prio\":1}}", "\"prio\"" },
    { "{\"warren_letter\":1,\"properties\":{\"priority\":256}}", "from 0 to 255" },
    { "{\"warren_letter\":1,\"properties\":{\"priority\":-1}}", "from 0 to 255" },
    { "{\"warren_letter\":1,\"properties\":{\"priority\":null}}", "from 0 to 255" },
    { "{\"warren_letter\":1,\"headers\":{}}", "a list" },
    { "{\"warren_letter\":1,\"headers\":[1]}", "a list of objects" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"int\",\"value\":1}]}",
      "a type" },
    { "{\"warren_letter\":1,\"headers\":[{\"type\":\"int8\",\"value\":1}]}", "with a name" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"int8\"}]}", "either value" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"int8\",\"value\":128}]}",
      "doesn't fit" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"uint8\",\"value\":-1}]}",
      "doesn't fit" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"string\",\"value\":1}]}",
      "a string" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"void\",\"value\":1}]}",
      "null" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"int8\",\"base64\":\"AAA=\"}]}",
      "malformed" },
    { "{\"warren_letter\":1,\"headers\":[{\"name\":\"a\",\"type\":\"table\",\"value\":"
      "[{\"name\":\"b\",\"type\":\"int8\",\"valu\":1}]}]}",
      "\"valu\"" },
};

static void what_is_no_letter_is_refused_with_a_reason(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct wr_record record;
        err.text[0] = '\0';
        CU_ASSERT_EQUAL(wr_record_read(&record, wr_slice_of(faults[i].line), &err), WARREN_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, faults[i].says));
        if (!strstr(err.text, faults[i].says)) {
            fprintf(stderr, "  %s: got \"%s\", want \"%s\"\n", faults[i].line, err.text,
                    faults[i].says);
        }
    }
}

/* Each prefix, and each byte changed: never a crash, and what is read can be written. */
static void damaged_lines_are_read_or_refused(void)
{
    struct wr_text headers = { 0 };
    struct wr_text line = { 0 };
    add_headers(&headers);
    struct wr_message message = full_message(&headers);
    wr_record_write(&message, "emails", &line);
    for (size_t i = 0; i < 2 * line.size; i++) {
        struct wr_text out = { 0 };
        struct wr_record record;
        size_t at = i / 2;
        size_t size = i % 2 ? line.size : at;
        char *exact = malloc(size + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, line.data, size);
        if (i % 2) {
            exact[at] = (char)(exact[at] ^ (1 << (at % 7)));
        }
        if (!wr_record_read(&record, (struct wr_slice){ exact, size }, &err)) {
            wr_record_write(&record.message, record.queue, &out);
            CU_ASSERT(out.size > 0);
            wr_record_done(&record);
        }
        wr_text_done(&out);
        free(exact);
    }
    wr_text_done(&headers);
    wr_text_done(&line);
}

static void base64_is_read_as_it_was_written(void)
{
    static const char *const wrong[] = { "A",    "AA",   "AAA",  "AB==",     "AAB=",
                                         "====", "A===", "AA=A", "AA==AAAA", "A-AA" };
    for (size_t size = 0; size < 40; size++) {
        struct wr_text text = { 0 };
        struct wr_text bytes = { 0 };
        char data[40];
        for (size_t i = 0; i < size; i++) {
            data[i] = (char)(i * 37 + size * 101);
        }
        wr_base64_write((struct wr_slice){ data, size }, &text);
        CU_ASSERT_EQUAL(text.size, (size + 2) / 3 * 4);
        CU_ASSERT(wr_base64_read(slice(&text), &bytes));
        CU_ASSERT(wr_slice_equals(slice(&bytes), (struct wr_slice){ data, size }));
        wr_text_done(&text);
        wr_text_done(&bytes);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct wr_text bytes = { 0 };
        CU_ASSERT_FALSE(wr_base64_read(wr_slice_of(wrong[i]), &bytes));
        wr_text_done(&bytes);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("record", NULL, NULL);
    CU_ADD_TEST(suite, a_letter_comes_back_as_it_was);
    CU_ADD_TEST(suite, the_brokers_count_of_looks_is_left_out);
    CU_ADD_TEST(suite, what_is_no_letter_is_refused_with_a_reason);
    CU_ADD_TEST(suite, damaged_lines_are_read_or_refused);
    CU_ADD_TEST(suite, base64_is_read_as_it_was_written);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
