// SPDX-License-Identifier: MIT
// The confirm window against a model: whatever a broker confirms (singly, in groups, late, twice,
// for nobody), each request is answered exactly once.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "engine/window.h"

enum { REQUESTS = 3000 };

static struct wr_request requests[REQUESTS];
static int answers[REQUESTS];
static struct wr_window window;
static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void begin(size_t capacity, uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 1;
    memset(requests, 0, sizeof requests);
    memset(answers, 0, sizeof answers);
    CU_ASSERT_EQUAL_FATAL(wr_window_init(&window, capacity, NULL), WARREN_OK);
}

static size_t take(struct wr_list *list)
{
    size_t count = 0;
    for (struct wr_link *link; (link = wr_list_take(list)); count++) {
        answers[WR_OF(link, struct wr_request, link) - requests]++;
    }
    return count;
}

static size_t resolve(uint64_t tag, bool multiple)
{
    struct wr_list out = { 0 };
    wr_window_resolve(&window, tag, multiple, &out);
    return take(&out);
}

static size_t reset(void)
{
    struct wr_list out = { 0 };
    wr_window_reset(&window, &out);
    return take(&out);
}

static size_t expire(int64_t now_us, int64_t *next_us)
{
    struct wr_list out = { 0 };
    *next_us = wr_window_expire(&window, now_us, &out);
    return take(&out);
}

/* Resolves, and checks that nobody else's number is answered: here request i has number i + 1. */
static void resolve_rightly(uint64_t tag, bool multiple)
{
    struct wr_list out = { 0 };
    wr_window_resolve(&window, tag, multiple, &out);
    for (struct wr_link *link = out.first; link; link = link->next) {
        uint64_t number = (uint64_t)(WR_OF(link, struct wr_request, link) - requests) + 1;
        CU_ASSERT_FATAL(number == tag || (multiple && (number < tag || tag == 0)));
    }
    (void)take(&out);
}

static void whatever_is_confirmed_each_request_is_answered_once(void)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        size_t sent = 0;
        begin(1 + seed % 70, seed);
        for (int i = 0; i < 2000; i++) {
            int64_t next_us;
            while (!wr_window_is_full(&window) && sent < REQUESTS && next_random() % 4) {
                requests[sent].deadline_us = i + (int64_t)(next_random() % 200);
                requests[sent].insists = next_random() % 2;
                wr_window_add(&window, &requests[sent++]);
            }
            resolve_rightly(next_random() % (window.next + 3), next_random() % 2);
            (void)expire(i, &next_us);
            CU_ASSERT_FATAL(next_us > i);
        }
        (void)reset();
        CU_ASSERT(wr_window_is_empty(&window));
        for (size_t i = 0; i < REQUESTS; i++) {
            CU_ASSERT_EQUAL_FATAL(answers[i], i < sent ? 1 : 0);
        }
        wr_window_done(&window);
    }
}

static void a_group_is_answered_up_to_its_number_and_no_further(void)
{
    begin(8, 1);
    for (int i = 0; i < 8; i++) {
        CU_ASSERT_FALSE(wr_window_is_full(&window));
        wr_window_add(&window, &requests[i]);
    }
    CU_ASSERT(wr_window_is_full(&window));
    CU_ASSERT_EQUAL(resolve(2, false), 1);
    CU_ASSERT_EQUAL(resolve(5, true), 4);
    CU_ASSERT_EQUAL(resolve(5, true), 0);
    CU_ASSERT_EQUAL(resolve(2, false), 0);
    CU_ASSERT_EQUAL(resolve(99, true), 0);
    CU_ASSERT_EQUAL(answers[5] + answers[6] + answers[7], 0);
    CU_ASSERT_EQUAL(resolve(0, true), 3); /* everything so far */
    CU_ASSERT(wr_window_is_empty(&window));
    wr_window_done(&window);
}

static void a_number_that_was_given_up_stays_taken_until_its_confirm(void)
{
    int64_t next_us;
    begin(2, 1);
    requests[0].deadline_us = 10;
    requests[1].deadline_us = 20;
    wr_window_add(&window, &requests[0]);
    wr_window_add(&window, &requests[1]);
    CU_ASSERT_EQUAL(expire(10, &next_us), 1);
    CU_ASSERT_EQUAL(next_us, 20);
    CU_ASSERT(wr_window_is_full(&window)); /* the broker still owes its answer */
    CU_ASSERT_EQUAL(resolve(1, false), 0);
    CU_ASSERT_FALSE(wr_window_is_full(&window));
    wr_window_add(&window, &requests[2]);
    CU_ASSERT_EQUAL(resolve(3, true), 2);
    CU_ASSERT_EQUAL(answers[0], 1);
    wr_window_done(&window);
}

static void a_window_takes_as_many_as_it_was_made_for(void)
{
    begin(5, 1); /* no power of two, as the ring is */
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT(wr_window_has_room(&window));
        wr_window_add(&window, &requests[i]);
    }
    CU_ASSERT_FALSE(wr_window_has_room(&window));
    CU_ASSERT_EQUAL(resolve(3, false), 1);
    CU_ASSERT(wr_window_has_room(&window));
    wr_window_done(&window);
}

static void a_number_without_an_answer_stands_in_nobodys_way(void)
{
    begin(4, 1);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        CU_ASSERT(wr_window_has_room(&window));
        wr_window_add(&window, &requests[tag - 1]);
    }
    CU_ASSERT_FALSE(wr_window_has_room(&window)); /* four wait, and four may */
    for (uint64_t tag = 2; tag <= 1000; tag++) {  /* the first one never hears a word */
        CU_ASSERT_EQUAL(resolve(tag, false), 1);
        CU_ASSERT_FATAL(wr_window_has_room(&window));
        wr_window_add(&window, &requests[tag + 2]);
    }
    CU_ASSERT_FALSE(wr_window_has_room(&window));
    CU_ASSERT_EQUAL(answers[0], 0);
    CU_ASSERT_EQUAL(reset(), 4);
    CU_ASSERT_EQUAL(answers[0], 1);
    CU_ASSERT_EQUAL(window.open, 0);
    wr_window_done(&window);
}

static void a_returned_message_finds_its_request_by_id_and_place(void)
{
    begin(4, 1);
    for (int i = 0; i < 3; i++) {
        requests[i].parcel.message.message_id = wr_slice_of(i < 2 ? "twin" : "other");
        requests[i].parcel.message.exchange = wr_slice_of("x");
        requests[i].parcel.message.key = wr_slice_of(i == 1 ? "second" : "first");
        wr_window_add(&window, &requests[i]);
    }
    struct wr_message returned = requests[1].parcel.message;
    CU_ASSERT_PTR_EQUAL(wr_window_find(&window, &returned), &requests[1]);
    requests[1].is_returned = true; /* each return is for another one */
    CU_ASSERT_PTR_NULL(wr_window_find(&window, &returned));
    CU_ASSERT_EQUAL(reset(), 3);
    wr_window_done(&window);
}

static void a_lost_channel_gives_all_back_in_order_and_counts_anew(void)
{
    begin(4, 1);
    for (int i = 0; i < 4; i++) {
        wr_window_add(&window, &requests[i]);
    }
    CU_ASSERT_EQUAL(resolve(2, false), 1);
    struct wr_list open = { 0 };
    wr_window_reset(&window, &open);
    const int order[] = { 0, 2, 3 };
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_PTR_EQUAL(wr_list_take(&open), &requests[order[i]].link);
    }
    wr_window_add(&window, &requests[9]);
    CU_ASSERT_EQUAL(resolve(1, false), 1);
    CU_ASSERT_EQUAL(answers[9], 1);
    wr_window_done(&window);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("window", NULL, NULL);
    CU_ADD_TEST(suite, whatever_is_confirmed_each_request_is_answered_once);
    CU_ADD_TEST(suite, a_group_is_answered_up_to_its_number_and_no_further);
    CU_ADD_TEST(suite, a_number_that_was_given_up_stays_taken_until_its_confirm);
    CU_ADD_TEST(suite, a_window_takes_as_many_as_it_was_made_for);
    CU_ADD_TEST(suite, a_number_without_an_answer_stands_in_nobodys_way);
    CU_ADD_TEST(suite, a_returned_message_finds_its_request_by_id_and_place);
    CU_ADD_TEST(suite, a_lost_channel_gives_all_back_in_order_and_counts_anew);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
