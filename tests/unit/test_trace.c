// SPDX-License-Identifier: MIT
// Trace context by the letter of the W3C Recommendation: what is a traceparent and what is none, the
// tracestate's grammar, the binary form, ids that are never zero, and sampling that all agree on.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>

#include "base/random.h"
#include "model/trace.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static bool reads(const char *text)
{
    struct wr_trace trace;
    return wr_trace_read(wr_slice_of(text), &trace);
}

static void a_traceparent_is_read_and_written_again(void)
{
    struct wr_trace trace;
    char text[WR_TRACEPARENT_SIZE];
    char id[WR_TRACE_ID_SIZE];
    char span[WR_SPAN_ID_SIZE];
    CU_ASSERT_FATAL(wr_trace_read(wr_slice_of("00-" ID "-" SPAN "-01"), &trace));
    CU_ASSERT_EQUAL(trace.flags, WR_TRACE_SAMPLED);
    wr_trace_write(&trace, text);
    wr_trace_id_write(trace.id, id);
    wr_span_id_write(trace.span, span);
    CU_ASSERT_STRING_EQUAL(text, "00-" ID "-" SPAN "-01");
    CU_ASSERT_STRING_EQUAL(id, ID);
    CU_ASSERT_STRING_EQUAL(span, SPAN);
    CU_ASSERT(wr_trace_read(wr_slice_of("00-" ID "-" SPAN "-ff"), &trace));
    CU_ASSERT_EQUAL(trace.flags, 0xFF);
}

static void what_is_malformed_is_no_traceparent(void)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" ID "-" SPAN,
        "00-" ID "-" SPAN "-",
        "00-" ID "-" SPAN "-1",
        "00-" ID "-" SPAN "-01-", /* version 00 ends here */
        "00-" ID "-" SPAN "-01-more",
        "00-" ID "-" SPAN "-01 ",
        " 00-" ID "-" SPAN "-01",
        "ff-" ID "-" SPAN "-01", /* no version */
        "0x-" ID "-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", /* lower case only */
        "00-" ID "-00F067AA0BA902B7-01",
        "00-" ID "-" SPAN "-0X",
        "00-" ID "-" SPAN "-.0",
        "00_" ID "-" SPAN "-01",
        "00-" ID "_" SPAN "-01",
        "00-" ID "-" SPAN "_01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01",
        "00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01",
        "00-" ID "-.0f067aa0ba902b7-01",
        "cc-" ID "-" SPAN "-01.what-the-future-will-not-be-like",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (reads(bad[i])) {
            fprintf(stderr, "it was read: %s\n", bad[i]);
            CU_FAIL("it is malformed");
        }
    }
    CU_ASSERT_FALSE(wr_trace_read((struct wr_slice){ "00-" ID "-" SPAN "-01", 54 },
                                  &(struct wr_trace){ .flags = 0 }));
}

static void a_later_version_is_read_as_far_as_it_is_known(void)
{
    CU_ASSERT(reads("cc-" ID "-" SPAN "-01"));
    CU_ASSERT(reads("cc-" ID "-" SPAN "-01-what-the-future-will-be-like"));
    CU_ASSERT(reads("01-" ID "-" SPAN "-00-"));
}

static void the_binary_form_is_read_too(void)
{
    static const char binary[] = "\0\0\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47"
                                 "\x36\1\0\xf0\x67\xaa\x0b\xa9\x02\xb7\2\1";
    char bytes[29];
    char text[WR_TRACEPARENT_SIZE];
    struct wr_trace trace;
    memcpy(bytes, binary, sizeof bytes);
    CU_ASSERT_FATAL(wr_trace_read((struct wr_slice){ bytes, sizeof bytes }, &trace));
    wr_trace_write(&trace, text);
    CU_ASSERT_STRING_EQUAL(text, "00-" ID "-" SPAN "-01");
    CU_ASSERT_FALSE(wr_trace_read((struct wr_slice){ bytes, 28 }, &trace));
    bytes[18] = 3; /* another field */
    CU_ASSERT_FALSE(wr_trace_read((struct wr_slice){ bytes, sizeof bytes }, &trace));
    bytes[18] = 1;
    memset(bytes + 19, 0, 8);
    CU_ASSERT_FALSE(wr_trace_read((struct wr_slice){ bytes, sizeof bytes }, &trace));
}

/* `count` members: k0=v,k1=v,… */
static struct wr_slice members(char *out, int count)
{
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        used += (size_t)sprintf(out + used, "%sk%d=v", i ? "," : "", i);
    }
    return (struct wr_slice){ out, used };
}

static void a_tracestate_has_the_grammar_of_the_recommendation(void)
{
    static const char *const good[] = { "a=1",
                                        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
                                        "a=1 , b=2\t,,c=3",
                                        "foo@bar=1,tenant-1@sys_2=x",
                                        "0tenant@a=1",
                                        "a_-*/9=!~ x",
                                        ",a=1," };
    static const char *const bad[] = {
        "",      ",",    "a",    "=1",    "a=",     "A=1",    "9=1",        "a=1,a=2",  "a=b=c",
        "a b=1", "a@=1", "@a=1", "a@9=1", "a@@b=1", "a=\x7f", "a=\xc3\xa9", "a=1;b=2,="
    };
    char text[1024];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT(wr_tracestate_is_valid(wr_slice_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(wr_tracestate_is_valid(wr_slice_of(bad[i])));
    }
    CU_ASSERT(wr_tracestate_is_valid(members(text, 32)));
    CU_ASSERT_FALSE(wr_tracestate_is_valid(members(text, 33)));
}

static void made_ids_are_never_zero(void)
{
    struct wr_trace trace = { .flags = 0 };
    char text[WR_TRACEPARENT_SIZE];
    wr_trace_id_make(trace.id, (const uint64_t[2]){ 0, 0 });
    wr_span_id_make(trace.span, 0);
    wr_trace_write(&trace, text);
    CU_ASSERT(reads(text));
}

static void the_same_part_of_all_traces_is_chosen_everywhere(void)
{
    enum { TRACES = 20000 };
    int chosen[3] = { 0 };
    for (int i = 0; i < TRACES; i++) {
        uint8_t id[16];
        wr_trace_id_make(id, (const uint64_t[2]){ wr_random(), wr_random() });
        bool is_in_tenth = wr_trace_is_chosen(id, 0.1);
        chosen[0] += wr_trace_is_chosen(id, 0.0);
        chosen[1] += is_in_tenth;
        chosen[2] += wr_trace_is_chosen(id, 1.0);
        CU_ASSERT(!is_in_tenth || wr_trace_is_chosen(id, 0.2)); /* a smaller part is within */
    }
    CU_ASSERT_EQUAL(chosen[0], 0);
    CU_ASSERT(chosen[1] > TRACES / 10 - 400 && chosen[1] < TRACES / 10 + 400);
    CU_ASSERT_EQUAL(chosen[2], TRACES);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("trace", NULL, NULL);
    CU_ADD_TEST(suite, a_traceparent_is_read_and_written_again);
    CU_ADD_TEST(suite, what_is_malformed_is_no_traceparent);
    CU_ADD_TEST(suite, a_later_version_is_read_as_far_as_it_is_known);
    CU_ADD_TEST(suite, the_binary_form_is_read_too);
    CU_ADD_TEST(suite, a_tracestate_has_the_grammar_of_the_recommendation);
    CU_ADD_TEST(suite, made_ids_are_never_zero);
    CU_ADD_TEST(suite, the_same_part_of_all_traces_is_chosen_everywhere);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
