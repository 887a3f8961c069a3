// SPDX-License-Identifier: MIT
// Field tables and properties as bytes of strangers: what is written reads back, what is cut or
// wrong is refused, and nothing is ever read beyond the end (each input lies in a block of its own
// exact size, for the address sanitizer).
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "base/text.h"
#include "model/message.h"
#include "model/table.h"

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static struct wr_table table_of(const struct wr_text *text)
{
    return (struct wr_table){ text->data, text->size };
}

static struct wr_slice slice_of(const struct wr_text *text)
{
    return (struct wr_slice){ text->data, text->size };
}

/* A block of exactly that size; freed by the caller. */
static char *exact(const void *data, size_t size)
{
    char *block = malloc(size ? size : 1);
    if (!block) {
        abort();
    }
    if (size) {
        memcpy(block, data, size);
    }
    return block;
}

/* One entry of each kind that RabbitMQ knows. */
static void write_all_kinds(struct wr_text *out)
{
    static const struct {
        char kind;
        size_t size;
    } fixed[] = { { 'V', 0 }, { 't', 1 }, { 'b', 1 }, { 'B', 1 }, { 's', 2 },
                  { 'u', 2 }, { 'I', 4 }, { 'i', 4 }, { 'f', 4 }, { 'D', 5 },
                  { 'l', 8 }, { 'L', 8 }, { 'd', 8 }, { 'T', 8 } };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        char name[3] = { 1, fixed[i].kind, fixed[i].kind };
        wr_text_add(out, name, sizeof name);
        static const char seven[8] = { 0, 0, 0, 0, 0, 0, 0, 7 };
        wr_text_add(out, seven + (8 - fixed[i].size), fixed[i].size);
    }
    struct wr_text inner = { 0 };
    struct wr_text members = { 0 };
    wr_table_add_string(out, "S", wr_slice_of("text"));
    wr_table_add_int(&inner, "n", -5);
    wr_array_add_table(&members, slice_of(&inner));
    wr_table_add_nested(out, "F", 'F', slice_of(&inner));
    wr_table_add_nested(out, "A", 'A', slice_of(&members));
    wr_table_add_nested(out, "x", 'x', (struct wr_slice){ "\x00\xff", 2 });
    wr_text_done(&inner);
    wr_text_done(&members);
}

static void every_kind_reads_back_as_it_was_written(void)
{
    struct wr_text text = { 0 };
    struct wr_text copy = { 0 };
    struct wr_field field;
    size_t count = 0;
    write_all_kinds(&text);
    CU_ASSERT_EQUAL(wr_table_check(table_of(&text), (struct wr_table_limits){ 18, 3 }, NULL),
                    WARREN_OK);
    for (size_t offset = 0; wr_table_next(table_of(&text), &offset, &field); count++) {
        wr_table_add_entry(&copy, &field);
        CU_ASSERT_EQUAL(field.kind, field.name.data[0]);
        int64_t number = 0;
        if (strchr("tbBsuIilLT", field.kind)) {
            CU_ASSERT(wr_field_int(&field, &number));
            CU_ASSERT_EQUAL(number, 7);
        }
    }
    CU_ASSERT_EQUAL(count, 18);
    CU_ASSERT(wr_slice_equals(slice_of(&copy), slice_of(&text)));
    wr_text_done(&copy);
    wr_text_done(&text);
}

static void a_table_cut_at_any_byte_is_refused_or_ends_between_entries(void)
{
    struct wr_text text = { 0 };
    size_t whole = 0;
    write_all_kinds(&text);
    for (size_t size = 0; size <= text.size; size++) {
        char *cut = exact(text.data, size);
        struct wr_table table = { cut, size };
        struct wr_field field;
        size_t offset = 0;
        while (wr_table_next(table, &offset, &field)) {
        }
        bool is_whole = wr_table_check(table, (struct wr_table_limits){ 0, 0 }, NULL) == WARREN_OK;
        CU_ASSERT_EQUAL(is_whole, offset == size);
        whole += is_whole;
        CU_ASSERT_EQUAL(wr_table_find(table, "nobody", &field), false);
        free(cut);
    }
    CU_ASSERT_EQUAL(whole, 19); /* empty, and behind each of 18 entries */
    wr_text_done(&text);
}

static void numbers_of_all_sizes_keep_their_sign(void)
{
    static const struct {
        char kind;
        const char *bytes;
        size_t size;
        int64_t want;
    } rows[] = { { 'b', "\xff", 1, -1 },
                 { 'B', "\xff", 1, 255 },
                 { 's', "\x80\x00", 2, -32768 },
                 { 'u', "\x80\x00", 2, 32768 },
                 { 'I', "\xff\xff\xff\xfe", 4, -2 },
                 { 'i', "\xff\xff\xff\xfe", 4, 4294967294 },
                 { 'l', "\x80\x00\x00\x00\x00\x00\x00\x00", 8, INT64_MIN },
                 { 'S', "-12", 3, -12 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wr_field field = { .kind = rows[i].kind, .value = { rows[i].bytes, rows[i].size } };
        int64_t number = 0;
        CU_ASSERT(wr_field_int(&field, &number));
        CU_ASSERT_EQUAL(number, rows[i].want);
    }
    struct wr_field late = { .kind = 'T', .value = { "\xff\xff\xff\xff\xff\xff\xff\xff", 8 } };
    struct wr_field word = { .kind = 'S', .value = { "12x", 3 } };
    struct wr_field half = { .kind = 'd', .value = { "\0\0\0\0\0\0\0\0", 8 } };
    int64_t number;
    CU_ASSERT_FALSE(wr_field_int(&late, &number));
    CU_ASSERT_FALSE(wr_field_int(&word, &number));
    CU_ASSERT_FALSE(wr_field_int(&half, &number));
}

/* A table nested that deep, in tables and arrays by turns. */
static void write_nested(struct wr_text *out, int depth)
{
    struct wr_text content = { 0 };
    wr_table_add_int(&content, "leaf", 1);
    for (int i = 1; i < depth; i++) {
        struct wr_text outer = { 0 };
        wr_table_add_nested(&outer, "deeper", 'F', slice_of(&content));
        wr_text_done(&content);
        content = outer;
    }
    wr_text_add(out, content.data, content.size);
    wr_text_done(&content);
}

static void nesting_has_a_limit_also_without_one(void)
{
    for (int depth = 1; depth <= 10; depth++) {
        struct wr_text text = { 0 };
        warren_error err;
        write_nested(&text, depth);
        struct wr_table_limits limits = { 0, 8 };
        CU_ASSERT_EQUAL(wr_table_check(table_of(&text), limits, &err),
                        depth <= 8 ? WARREN_OK : WARREN_INVALID);
        wr_text_done(&text);
    }
    struct wr_text text = { 0 };
    write_nested(&text, 5000);
    CU_ASSERT_EQUAL(wr_table_check(table_of(&text), (struct wr_table_limits){ 0, 0 }, NULL),
                    WARREN_INVALID);
    wr_text_done(&text);
}

static void the_count_of_entries_is_limited_at_the_top_only(void)
{
    struct wr_text text = { 0 };
    struct wr_text inner = { 0 };
    warren_error err;
    for (int i = 0; i < 10; i++) {
        wr_table_add_int(&inner, "n", i);
    }
    wr_table_add_nested(&text, "many", 'F', slice_of(&inner));
    CU_ASSERT_EQUAL(wr_table_check(table_of(&text), (struct wr_table_limits){ 2, 8 }, &err),
                    WARREN_OK);
    CU_ASSERT_EQUAL(wr_table_check(table_of(&inner), (struct wr_table_limits){ 9, 8 }, &err),
                    WARREN_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "10 headers"));
    wr_text_done(&text);
    wr_text_done(&inner);
}

static void a_length_beyond_the_end_is_refused_however_large(void)
{
    static const char *const lengths[] = { "\x00\x00\x00\x02", "\x7f\xff\xff\xff",
                                           "\xff\xff\xff\xff" };
    for (size_t i = 0; i < 3; i++) {
        char bytes[8] = { 1, 'n', 'S', 0, 0, 0, 0, 'x' };
        memcpy(bytes + 3, lengths[i], 4);
        char *block = exact(bytes, sizeof bytes);
        struct wr_table table = { block, sizeof bytes };
        CU_ASSERT_EQUAL(wr_table_check(table, (struct wr_table_limits){ 0, 8 }, NULL),
                        WARREN_INVALID);
        free(block);
    }
}

static void names_of_255_bytes_fit_and_longer_ones_fail(void)
{
    char name[257];
    struct wr_text text = { 0 };
    struct wr_field field;
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    wr_table_add_int(&text, name, 1);
    CU_ASSERT(wr_table_find(table_of(&text), name, &field));
    CU_ASSERT_FALSE(text.failed);
    name[255] = 'n';
    name[256] = '\0';
    wr_table_add_int(&text, name, 1);
    CU_ASSERT(text.failed);
    wr_text_done(&text);
}

static void random_bytes_never_lead_beyond_the_end(void)
{
    static const char kinds[] = "VtbBsuIifDlLdTSxAFQ";
    for (int round = 0; round < 100000; round++) {
        char bytes[64];
        size_t size = next_random() % sizeof bytes;
        for (size_t i = 0; i < size; i++) { /* short lengths and real kinds, to get far */
            uint64_t random = next_random();
            bytes[i] = (char)(random % 3 == 0   ? (char)(random >> 32 & 3)
                              : random % 3 == 1 ? kinds[(random >> 32) % (sizeof kinds - 1)]
                                                : (char)(random >> 40));
        }
        char *block = exact(bytes, size);
        struct wr_table table = { block, size };
        struct wr_field field;
        struct wr_message message;
        (void)wr_table_check(table, (struct wr_table_limits){ 8, 4 }, NULL);
        (void)wr_table_find(table, "x", &field);
        for (size_t offset = 0; wr_array_next(table, &offset, &field);) {
            int64_t number;
            (void)wr_field_int(&field, &number);
        }
        (void)wr_message_read(&message, (struct wr_slice){ block, size }, NULL);
        free(block);
    }
}

/* --- properties --- */

static struct wr_message full_message(const struct wr_text *headers)
{
    return (struct wr_message){ .present = 0xfffc,
                                .content_type = wr_slice_of("application/json"),
                                .content_encoding = wr_slice_of("gzip"),
                                .headers = table_of(headers),
                                .delivery_mode = 2,
                                .priority = 9,
                                .correlation_id = wr_slice_of("c"),
                                .reply_to = wr_slice_of("r"),
                                .expiration = wr_slice_of("60000"),
                                .message_id = wr_slice_of("id"),
                                .timestamp = UINT64_MAX - 1,
                                .type = wr_slice_of("email.welcome"),
                                .user_id = wr_slice_of("guest"),
                                .app_id = wr_slice_of("app"),
                                .cluster_id = wr_slice_of("cluster") };
}

static void all_properties_read_back_as_they_were_written(void)
{
    struct wr_text headers = { 0 };
    struct wr_text text = { 0 };
    struct wr_text again = { 0 };
    struct wr_message read;
    write_all_kinds(&headers);
    struct wr_message message = full_message(&headers);
    wr_message_write(&message, &text);
    CU_ASSERT_EQUAL(wr_message_read(&read, slice_of(&text), NULL), WARREN_OK);
    CU_ASSERT_EQUAL(read.present, 0xfffc);
    CU_ASSERT(wr_slice_is(read.type, "email.welcome"));
    CU_ASSERT(wr_slice_is(read.cluster_id, "cluster"));
    CU_ASSERT_EQUAL(read.timestamp, UINT64_MAX - 1);
    CU_ASSERT_EQUAL(read.priority, 9);
    wr_message_write(&read, &again);
    CU_ASSERT(wr_slice_equals(slice_of(&text), slice_of(&again)));
    wr_text_done(&headers);
    wr_text_done(&text);
    wr_text_done(&again);
}

static void each_property_stands_alone(void)
{
    struct wr_text headers = { 0 };
    write_all_kinds(&headers);
    for (unsigned bit = 1u << 2; bit <= 1u << 15; bit <<= 1) {
        struct wr_text text = { 0 };
        struct wr_text again = { 0 };
        struct wr_message read;
        struct wr_message message = full_message(&headers);
        message.present = bit;
        wr_message_write(&message, &text);
        CU_ASSERT_EQUAL(wr_message_read(&read, slice_of(&text), NULL), WARREN_OK);
        CU_ASSERT_EQUAL(read.present, bit);
        CU_ASSERT_EQUAL(read.type.size != 0, bit == WR_TYPE);
        wr_message_write(&read, &again);
        CU_ASSERT(wr_slice_equals(slice_of(&text), slice_of(&again)));
        wr_text_done(&text);
        wr_text_done(&again);
    }
    wr_text_done(&headers);
}

static void properties_cut_at_any_byte_are_refused(void)
{
    struct wr_text headers = { 0 };
    struct wr_text text = { 0 };
    write_all_kinds(&headers);
    struct wr_message message = full_message(&headers);
    wr_message_write(&message, &text);
    for (size_t size = 0; size < text.size; size++) {
        struct wr_message read;
        char *cut = exact(text.data, size);
        CU_ASSERT_EQUAL(wr_message_read(&read, (struct wr_slice){ cut, size }, NULL),
                        WARREN_INVALID);
        free(cut);
    }
    CU_ASSERT_EQUAL(wr_message_read(&message, (struct wr_slice){ "\x00\x01", 2 }, NULL),
                    WARREN_INVALID); /* more flags than class basic has */
    wr_text_done(&headers);
    wr_text_done(&text);
}

static void a_property_above_255_bytes_fails_to_be_written(void)
{
    char longest[256];
    struct wr_text text = { 0 };
    memset(longest, 'x', sizeof longest);
    struct wr_message message = { .present = WR_TYPE, .type = { longest, 255 } };
    wr_message_write(&message, &text);
    CU_ASSERT_FALSE(text.failed);
    message.type.size = 256;
    wr_message_write(&message, &text);
    CU_ASSERT(text.failed);
    wr_text_done(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("table and message", NULL, NULL);
    CU_ADD_TEST(suite, every_kind_reads_back_as_it_was_written);
    CU_ADD_TEST(suite, a_table_cut_at_any_byte_is_refused_or_ends_between_entries);
    CU_ADD_TEST(suite, numbers_of_all_sizes_keep_their_sign);
    CU_ADD_TEST(suite, nesting_has_a_limit_also_without_one);
    CU_ADD_TEST(suite, the_count_of_entries_is_limited_at_the_top_only);
    CU_ADD_TEST(suite, a_length_beyond_the_end_is_refused_however_large);
    CU_ADD_TEST(suite, names_of_255_bytes_fit_and_longer_ones_fail);
    CU_ADD_TEST(suite, random_bytes_never_lead_beyond_the_end);
    CU_ADD_TEST(suite, all_properties_read_back_as_they_were_written);
    CU_ADD_TEST(suite, each_property_stands_alone);
    CU_ADD_TEST(suite, properties_cut_at_any_byte_are_refused);
    CU_ADD_TEST(suite, a_property_above_255_bytes_fails_to_be_written);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
