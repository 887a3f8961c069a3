// SPDX-License-Identifier: MIT
// Errors that differ only in what differs from job to job are one group, and others are not.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/fingerprint.h"

static char out[WR_SHAPE_SIZE];

static const char *shape(const char *text)
{
    return wr_fingerprint_shape(out, sizeof out, wr_slice_of(text));
}

static const struct pair {
    const char *text;
    const char *shape;
} pairs[] = {
    { "", "" },
    { "connection refused", "connection refused" },
    { "got 451 after 812 ms", "got <n> after <n> ms" },
    { "host12: 12ms, utf8", "host<n>: <n>ms, utf<n>" },
    { "10.0.3.7:25 and 3,141.5, then 7.", "<n> and <n>, then <n>." },
    { "at 2026-11-23T03:04:06.123Z", "at <n>-<n>-<n>T<n>Z" },
    { "no user \"Ada\" in 'b c'", "no user <text> in <text>" },
    { "can't do it, it's Bob's", "can't do it, it's Bob's" },
    { "can't find 'it's'", "can't find <text>" },
    { "an open \" quote", "an open \" quote" },
    { "id 123e4567-e89b-12d3-a456-426614174000.", "id <uuid>." },
    { "at 0x7ffE12, 0xz", "at <hex>, <n>xz" },
    { "blob 3f2a99c01b deadbeef cafe", "blob <hex> deadbeef cafe" },
    { "customer cus_9s6XKzkNRiz8i3 gone", "customer <id> gone" },
    { "open /var/lib/x-7/a.db: denied", "open <path>: denied" },
    { "at src and/or ../b/c.d.", "at src and/or <path>." },
    { "/ alone, ~ too", "/ alone, ~ too" },
    { "GET https://a.example:8080/x?y=1 (404)", "GET <url> (<n>)" },
    { "no mailbox ada.l+x@example.org.", "no mailbox <address>." },
    { "two  spaces\n\tand lines ", "two spaces and lines" },
    { "gr\xC3\xB6\xC3\x9F"
      "er als 5",
      "gr\xC3\xB6\xC3\x9F"
      "er als <n>" },
};

static void what_differs_from_job_to_job_is_replaced(void)
{
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        CU_ASSERT_STRING_EQUAL(shape(pairs[i].text), pairs[i].shape);
        if (strcmp(out, pairs[i].shape) != 0) {
            fprintf(stderr, "  \"%s\": got \"%s\", want \"%s\"\n", pairs[i].text, out,
                    pairs[i].shape);
        }
    }
}

static void a_long_text_is_cut_between_characters(void)
{
    char text[3000];
    for (size_t i = 0; i < sizeof text; i += 2) {
        memcpy(text + i, "\xC3\xB6", 2);
    }
    for (size_t skip = 0; skip < 2; skip++) {
        text[0] = 'x';
        wr_fingerprint_shape(out, sizeof out, (struct wr_slice){ text + skip, sizeof text - skip });
        struct wr_slice rest =
            wr_slice_of(out + (skip ? 1 : 2)); /* the first byte is half a letter */
        CU_ASSERT(strlen(out) >= WR_SHAPE_SIZE - 4 && strlen(out) < WR_SHAPE_SIZE);
        CU_ASSERT(wr_text_is_utf8(rest));
    }
}

/* Random bytes of those that mean something here. */
static void any_bytes_have_a_shape_that_fits(void)
{
    static const char bytes[] = "\"'`/.:@-0x19afgz_ ~\n\xC3\xB6<%+,";
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        char text[64] = "";
        size_t size = (seed = seed * 1103515245 + 12345) >> 16 & 63;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = bytes[(seed >> 16) % (sizeof bytes - 1)];
        }
        char *exact = malloc(size + 1); /* so that a sanitizer sees a step too far */
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, text, size);
        char small[20];
        (void)wr_fingerprint_shape(small, sizeof small, (struct wr_slice){ exact, size });
        CU_ASSERT(strlen(small) < sizeof small);
        for (const char *at =
                 wr_fingerprint_shape(out, sizeof out, (struct wr_slice){ exact, size });
             *at; at++) {
            CU_ASSERT(*at < '0' || *at > '9');
        }
        free(exact);
    }
}

static void a_group_is_type_reason_and_shape(void)
{
    char a[WR_GROUP_ID_SIZE];
    char b[WR_GROUP_ID_SIZE];
    CU_ASSERT_STRING_EQUAL(wr_fingerprint_group(a, "mail", "failed", "no <n>"),
                           wr_fingerprint_group(b, "mail", "failed", "no <n>"));
    CU_ASSERT_EQUAL(strlen(a), 12);
    CU_ASSERT_STRING_NOT_EQUAL(a, wr_fingerprint_group(b, "mail", "dead", "no <n>"));
    CU_ASSERT_STRING_NOT_EQUAL(a, wr_fingerprint_group(b, "other", "failed", "no <n>"));
    CU_ASSERT_STRING_NOT_EQUAL(a, wr_fingerprint_group(b, "mail", "failed", "no"));
    CU_ASSERT_STRING_NOT_EQUAL(wr_fingerprint_group(a, "ab", "c", ""),
                               wr_fingerprint_group(b, "a", "bc", ""));
}

/* Operators write group ids into their notes: a change of the rules is a change for them. */
static void a_groups_name_is_the_same_in_every_version(void)
{
    char a[WR_GROUP_ID_SIZE];
    CU_ASSERT_STRING_EQUAL(wr_fingerprint_group(a, "email.welcome", "failed", "smtp: <n>"),
                           "ff9feec1c462");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("fingerprint", NULL, NULL);
    CU_ADD_TEST(suite, what_differs_from_job_to_job_is_replaced);
    CU_ADD_TEST(suite, a_long_text_is_cut_between_characters);
    CU_ADD_TEST(suite, any_bytes_have_a_shape_that_fits);
    CU_ADD_TEST(suite, a_group_is_type_reason_and_shape);
    CU_ADD_TEST(suite, a_groups_name_is_the_same_in_every_version);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
