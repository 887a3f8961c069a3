// SPDX-License-Identifier: MIT
// Durations, sizes, plain numbers and backoffs: what is read is written and read to the same, never
// negative, and what a policy plans is never shorter than it says and never longer than its longest.
#include "fuzz.h"

#include "model/delay.h"
#include "model/retry.h"
#include "model/settings_value.h"

static void check_duration(struct wr_slice text)
{
    int64_t ms = -1;
    if (!wr_duration_parse(text, &ms)) {
        MUST(ms == -1);
        return;
    }
    MUST(ms >= 0);
    char written[32];
    int64_t again = -1;
    (void)wr_duration_write(written, sizeof written, ms);
    MUST(wr_duration_parse(wr_slice_of(written), &again) && again == ms);
}

static void check_size(struct wr_slice text)
{
    int64_t bytes = -1;
    if (!wr_size_parse(text, &bytes)) {
        return;
    }
    MUST(bytes >= 0);
    struct wr_text written = { 0 };
    int64_t again = -1;
    wr_size_write(bytes, &written);
    MUST(wr_size_parse((struct wr_slice){ written.data, written.size }, &again) && again == bytes);
    wr_text_done(&written);
}

static void check_int(struct wr_slice text)
{
    int64_t number;
    int64_t again;
    if (!wr_slice_to_int(text, &number)) {
        return;
    }
    char written[32];
    (void)snprintf(written, sizeof written, "%lld", (long long)number);
    MUST(wr_slice_to_int(wr_slice_of(written), &again) && again == number);
}

/* Every option of the table reads the text in its own way. */
static void check_options(const char *text)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        struct wr_value value;
        struct wr_value again;
        const struct wr_option *option = &table[i];
        if (option->kind == WR_OPTION_GROUPS || !wr_value_parse(option, text, &value) ||
            !wr_value_fits(option, &value)) {
            continue;
        }
        struct wr_text written = { 0 };
        wr_value_write(option, &value, &written);
        MUST(wr_value_parse(option, wr_text_string(&written), &again));
        MUST(again.number == value.number && again.real - value.real < 1e-9 &&
             value.real - again.real < 1e-9);
        wr_text_done(&written);
    }
}

static void check_plan(const struct wr_retry_policy *policy)
{
    int64_t longest = wr_retry_longest_ms(policy);
    for (int attempt = 1; attempt < 1000; attempt += 1 + attempt / 4) {
        int64_t plain = -1;
        int64_t delay = -1;
        MUST(wr_retry_plan(policy, attempt, 0, &plain) && plain > 0);
        MUST(wr_retry_plan(policy, attempt, UINT64_MAX, &delay) && delay > 0);
        MUST(delay % WR_DELAY_UNIT_MS == 0 && plain % WR_DELAY_UNIT_MS == 0);
        MUST(delay <= longest && plain <= longest);
        int64_t said = policy->backoff == WR_BACKOFF_FIXED ? policy->first_ms : 0;
        if (policy->backoff == WR_BACKOFF_LIST) {
            int last = policy->delay_count - 1;
            said = policy->delays_ms[attempt - 1 < last ? attempt - 1 : last];
        }
        MUST(plain >= said && delay >= said);
    }
}

static void check_backoff(struct wr_slice text)
{
    struct wr_retry_policy policy = { .backoff = WR_BACKOFF_FIXED,
                                      .attempts = 1000,
                                      .first_ms = 1000,
                                      .max_ms = 60000,
                                      .factor = 2.0,
                                      .jitter = 0.2 };
    struct wr_retry_policy before = policy;
    if (!wr_retry_parse(text, &policy)) {
        MUST(memcmp(&policy, &before, sizeof policy) == 0);
        return;
    }
    MUST(policy.attempts == before.attempts && policy.jitter == before.jitter);
    MUST(policy.delay_count >= 0 && policy.delay_count <= WR_RETRY_DELAYS);
    check_plan(&policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) {
        return -1;
    }
    struct wr_slice text = { (const char *)data, size };
    check_duration(text);
    check_size(text);
    check_int(text);
    check_backoff(text);
    char *string = fuzz_string(text);
    check_options(string);
    free(string);
    return 0;
}
