// SPDX-License-Identifier: MIT
// When a failed job runs again: properties over many policies and random numbers, and the texts.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "model/delay.h"
#include "model/retry.h"

static struct wr_retry_policy exponential(void)
{
    return (struct wr_retry_policy){ .backoff = WR_BACKOFF_EXPONENTIAL,
                                     .attempts = 5,
                                     .first_ms = 1000,
                                     .max_ms = 600000,
                                     .factor = 2.0,
                                     .jitter = 0.0 };
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void five_attempts_make_four_waits(void)
{
    struct wr_retry_policy policy = exponential();
    int64_t wait = -1;
    int64_t want[] = { 1000, 2000, 4000, 8000 };
    for (int attempt = 1; attempt <= 4; attempt++) {
        CU_ASSERT(wr_retry_plan(&policy, attempt, 7, &wait));
        CU_ASSERT_EQUAL(wait, want[attempt - 1]);
    }
    CU_ASSERT_FALSE(wr_retry_plan(&policy, 5, 7, &wait));
    CU_ASSERT_EQUAL(wait, 8000);
    CU_ASSERT_EQUAL(wr_retry_total_ms(&policy), 15000);
    policy.attempts = 1;
    CU_ASSERT_EQUAL(wr_retry_total_ms(&policy), 0);
    CU_ASSERT_FALSE(wr_retry_plan(&policy, 1, 7, &wait));
    CU_ASSERT_EQUAL(wr_retry_longest_ms(&policy), 0);
}

static void no_exponential_wait_is_longer_than_max(void)
{
    struct wr_retry_policy policy = exponential();
    policy.attempts = 1000;
    policy.max_ms = 10000;
    policy.jitter = 1.0;
    uint64_t state = 42;
    for (int attempt = 1; attempt < 1000; attempt++) {
        int64_t wait;
        CU_ASSERT_FATAL(wr_retry_plan(&policy, attempt, next_random(&state), &wait));
        CU_ASSERT_FATAL(wait <= 10000);
        CU_ASSERT_FATAL(attempt < 5 || wait == 10000);
    }
    CU_ASSERT_EQUAL(wr_retry_longest_ms(&policy), 10000);
}

static int bits_in(int64_t units)
{
    return __builtin_popcountll((uint64_t)units);
}

static void jitter_only_adds_and_stays_in_its_range(void)
{
    uint64_t state = 1;
    for (int round = 0; round < 200000; round++) {
        struct wr_retry_policy policy = { .backoff = WR_BACKOFF_FIXED, .attempts = 3 };
        policy.first_ms = 1 + (int64_t)(next_random(&state) % (1 << (1 + round % 24)));
        policy.jitter = (double)(next_random(&state) % 101) / 100;
        int64_t wait;
        CU_ASSERT_FATAL(wr_retry_plan(&policy, 1, next_random(&state), &wait));
        int64_t planned = wr_delay_round_up(policy.first_ms);
        double most = (double)planned * (1 + policy.jitter) + 0.001;
        CU_ASSERT_FATAL(wait % WR_DELAY_UNIT_MS == 0);
        CU_ASSERT_FATAL(wait >= policy.first_ms && wait >= planned);
        CU_ASSERT_FATAL((double)wait <= most);
        CU_ASSERT_FATAL(wait <= wr_retry_longest_ms(&policy));
    }
}

static void jitter_prefers_few_hops_and_still_spreads(void)
{
    struct wr_retry_policy policy = {
        .backoff = WR_BACKOFF_FIXED, .attempts = 2, .first_ms = 600000, .jitter = 1.0
    };
    uint64_t state = 99;
    bool seen[5] = { false };
    for (int round = 0; round < 1000; round++) {
        int64_t wait;
        CU_ASSERT_FATAL(wr_retry_plan(&policy, 1, next_random(&state), &wait));
        int64_t units = wait / WR_DELAY_UNIT_MS;
        CU_ASSERT_FATAL(bits_in(units) <= 3 || units > 8192);
        seen[(units - 4800) / 961] = true;
    }
    CU_ASSERT(seen[0] && seen[1] && seen[2] && seen[3] && seen[4]);
}

static void without_jitter_the_wait_is_the_policys_own(void)
{
    struct wr_retry_policy policy = { .backoff = WR_BACKOFF_FIXED,
                                      .attempts = 2,
                                      .first_ms = 3875 };
    int64_t wait;
    CU_ASSERT(wr_retry_plan(&policy, 1, UINT64_MAX, &wait));
    CU_ASSERT_EQUAL(wait, 3875);
    policy.first_ms = 0;
    CU_ASSERT(wr_retry_plan(&policy, 1, UINT64_MAX, &wait));
    CU_ASSERT_EQUAL(wait, 0);
}

static void fractions_of_a_factor_round_up(void)
{
    struct wr_retry_policy policy = exponential();
    policy.factor = 1.1;
    int64_t wait;
    CU_ASSERT(wr_retry_plan(&policy, 2, 0, &wait));
    CU_ASSERT_EQUAL(wait, 1125); /* 1100 */
    CU_ASSERT(wr_retry_plan(&policy, 3, 0, &wait));
    CU_ASSERT_EQUAL(wait, 1250); /* 1210 */
}

static void a_list_repeats_its_last_delay(void)
{
    struct wr_retry_policy policy = { .backoff = WR_BACKOFF_LIST,
                                      .attempts = 5,
                                      .delays_ms = { 5000, 60000, 30000 },
                                      .delay_count = 3 };
    int64_t want[] = { 5000, 60000, 30000, 30000 };
    for (int attempt = 1; attempt <= 4; attempt++) {
        int64_t wait;
        CU_ASSERT(wr_retry_plan(&policy, attempt, 3, &wait));
        CU_ASSERT_EQUAL(wait, want[attempt - 1]);
    }
    CU_ASSERT_EQUAL(wr_retry_longest_ms(&policy), 60000);
    policy.jitter = 0.5;
    CU_ASSERT_EQUAL(wr_retry_longest_ms(&policy), 90000);
}

static void durations_are_read_with_their_unit(void)
{
    static const struct row {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {
        { "125ms", 125 },
        { "1.5s", 1500 },
        { "10m", 600000 },
        { "36h", 129600000 },
        { "7d", 604800000 },
        { "0", 0 },
        { "0s", 0 },
        { "0.001s", 1 },
        { "1.25h", 4500000 },
        { "1.500s", 1500 },
        { "", -1 },
        { "s", -1 },
        { "5", -1 },
        { "5 s", -1 },
        { "-5s", -1 },
        { "1.s", -1 },
        { ".5s", -1 },
        { "1.5ms", -1 },
        { "1.0005s", -1 },
        { "1e3s", -1 },
        { "5sec", -1 },
        { "5S", -1 },
        { "1.0ms", 1 },
        { "9223372036854775807d", -1 },
        { "9007199254740992ms", INT64_C(9007199254740992) },
        { "9007199254740993ms", -1 },
        { "9007199254740s", INT64_C(9007199254740000) },
        { "150119987579m", INT64_C(9007199254740000) }, /* the same, as it is written */
        { "150119987580m", -1 },
        { "9007199254740.9929s", -1 },
        { "9007199254741s", -1 },
        { "99999999999999999999s", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        bool read = wr_duration_parse(wr_slice_of(rows[i].text), &ms);
        CU_ASSERT_EQUAL(read, rows[i].ms >= 0);
        CU_ASSERT_EQUAL(ms, rows[i].ms);
    }
}

static void durations_are_written_so_that_they_read_back(void)
{
    char text[32];
    CU_ASSERT_STRING_EQUAL(wr_duration_write(text, sizeof text, 90000), "90s");
    CU_ASSERT_STRING_EQUAL(wr_duration_write(text, sizeof text, 1500), "1500ms");
    CU_ASSERT_STRING_EQUAL(wr_duration_write(text, sizeof text, 0), "0s");
    CU_ASSERT_STRING_EQUAL(wr_duration_write(text, sizeof text, 129600000), "36h");
    CU_ASSERT_STRING_EQUAL(wr_duration_write(text, sizeof text, 172800000), "2d");
    uint64_t state = 5;
    for (int round = 0; round < 10000; round++) {
        int64_t ms = (int64_t)(next_random(&state) % 100000000000);
        int64_t back = -1;
        CU_ASSERT_FATAL(
            wr_duration_parse(wr_slice_of(wr_duration_write(text, sizeof text, ms)), &back));
        CU_ASSERT_FATAL(back == ms);
    }
}

static void a_message_may_bring_its_own_backoff(void)
{
    struct wr_retry_policy policy = exponential();
    CU_ASSERT(wr_retry_parse(wr_slice_of("fixed 30s"), &policy));
    CU_ASSERT_EQUAL(policy.backoff, WR_BACKOFF_FIXED);
    CU_ASSERT_EQUAL(policy.first_ms, 30000);
    CU_ASSERT_EQUAL(policy.attempts, 5);
    CU_ASSERT(wr_retry_parse(wr_slice_of("exponential 500ms 1.5 10m"), &policy));
    CU_ASSERT_EQUAL(policy.backoff, WR_BACKOFF_EXPONENTIAL);
    CU_ASSERT_EQUAL(policy.first_ms, 500);
    CU_ASSERT_DOUBLE_EQUAL(policy.factor, 1.5, 1e-9);
    CU_ASSERT_EQUAL(policy.max_ms, 600000);
    CU_ASSERT(wr_retry_parse(wr_slice_of("list 5s 1m 10m"), &policy));
    CU_ASSERT_EQUAL(policy.delay_count, 3);
    CU_ASSERT_EQUAL(policy.delays_ms[2], 600000);
}

static void a_malformed_backoff_changes_nothing(void)
{
    static const char *const wrong[] = { "",
                                         "fixed",
                                         "fixed 30",
                                         "fixed 1s 2s",
                                         "exponential 1s 2.0",
                                         "exponential 1s x 10m",
                                         "list",
                                         "list 5s nonsense",
                                         "linear 5s",
                                         "fixed 0s",
                                         "exponential 1s 0.5 10m",
                                         "exponential 1s 1e9 10m",
                                         "fixed 9999999d",
                                         "exponential 1s 2. 10m" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct wr_retry_policy policy = exponential();
        struct wr_retry_policy before = policy;
        CU_ASSERT_FALSE(wr_retry_parse(wr_slice_of(wrong[i]), &policy));
        CU_ASSERT_EQUAL(memcmp(&policy, &before, sizeof policy), 0);
    }
    char many[33 * 3 + 5] = "list";
    for (int i = 0; i < 33; i++) {
        strcat(many, " 1s");
    }
    struct wr_retry_policy policy = exponential();
    CU_ASSERT_FALSE(wr_retry_parse(wr_slice_of(many), &policy));
    many[strlen(many) - 3] = '\0';
    CU_ASSERT(wr_retry_parse(wr_slice_of(many), &policy));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("retry", NULL, NULL);
    CU_ADD_TEST(suite, five_attempts_make_four_waits);
    CU_ADD_TEST(suite, no_exponential_wait_is_longer_than_max);
    CU_ADD_TEST(suite, jitter_only_adds_and_stays_in_its_range);
    CU_ADD_TEST(suite, jitter_prefers_few_hops_and_still_spreads);
    CU_ADD_TEST(suite, without_jitter_the_wait_is_the_policys_own);
    CU_ADD_TEST(suite, fractions_of_a_factor_round_up);
    CU_ADD_TEST(suite, a_list_repeats_its_last_delay);
    CU_ADD_TEST(suite, durations_are_read_with_their_unit);
    CU_ADD_TEST(suite, durations_are_written_so_that_they_read_back);
    CU_ADD_TEST(suite, a_message_may_bring_its_own_backoff);
    CU_ADD_TEST(suite, a_malformed_backoff_changes_nothing);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
