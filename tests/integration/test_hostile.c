// SPDX-License-Identifier: MIT
/*
 * Hostile messages among clean jobs, on a broker of this test's own, since on RabbitMQ below 4.0
 * some of them stop the whole node when they reach its dead-lettering. Nobody else's jobs are late,
 * lost, doubled or sent elsewhere, and the hostile ones come home, too.
 */
#include <CUnit/Basic.h>

#include "crew.h"
#include "model/table.h"
#include "stranger.h"

enum { CLEAN = 50, RETRIES_MS = 375, LATE_MOST_MS = 100, ROUNDS_MOST = 5 };

/* 375 ms have two bits set, so each retry goes through two levels of the ladder. */
static const char queues_text[] =
    "queues: ("
    "{ name = \"foreign\"; retry: { attempts = 3; backoff = \"fixed\"; first = \"375ms\"; jitter = "
    "0.0; }; jobs: ( { type = \"foreign\"; concurrency = 20; } ); },"
    "{ name = \"clean\"; jobs: ( { type = \"clean\"; concurrency = 20; } ); },"
    "{ name = \"victim\"; jobs: ( { type = \"harmless\"; } ); } );";

static warren_verdict fail_twice(warren_job *job, void *user)
{
    (void)user;
    crew_note_end(crew_note(job));
    return warren_job_attempt(job) < 3 ? warren_retry(job, "not yet") : WARREN_DONE;
}

static warren *start_worker(const char *config)
{
    warren *w = crew_open(config);
    crew_forget();
    CU_ASSERT_FATAL(!warren_handle(w, "foreign", fail_twice, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "clean", crew_accept, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "harmless", crew_accept, NULL, NULL));
    crew_start(w);
    return w;
}

/* --- what a stranger thinks of --- */

static void add_strings(struct wr_text *out, const char *name, const char *first,
                        const char *second)
{
    struct wr_text members = { 0 };
    const char *const strings[] = { first, second };
    for (size_t i = 0; i < 2; i++) {
        char head[5] = { 'S', 0, 0, 0, (char)strlen(strings[i]) };
        wr_text_add(&members, head, sizeof head);
        wr_text_add_string(&members, strings[i]);
    }
    wr_table_add_nested(out, name, 'A', (struct wr_slice){ members.data, members.size });
    wr_text_done(&members);
}

static void add_death(struct wr_text *out, const char *queue, bool has_text_count)
{
    struct wr_text death = { 0 };
    struct wr_text deaths = { 0 };
    if (has_text_count) {
        wr_table_add_string(&death, "count", wr_slice_of("many"));
    } else {
        wr_table_add_int(&death, "count", 3);
    }
    wr_table_add_string(&death, "reason", wr_slice_of("expired"));
    wr_table_add_string(&death, "queue", wr_slice_of(queue));
    wr_table_add_string(&death, "exchange", wr_slice_of("warren.jobs"));
    wr_array_add_table(&deaths, (struct wr_slice){ death.data, death.size });
    wr_table_add_nested(out, "x-death", 'A', (struct wr_slice){ deaths.data, deaths.size });
    wr_text_done(&death);
    wr_text_done(&deaths);
}

static void malformed_death(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    add_strings(headers, "x-death", "all", "dead");
}

static void death_with_text_count(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    add_death(headers, "warren.delay.250", true);
}

static void death_that_is_no_array(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    wr_table_add_string(headers, "x-death", wr_slice_of("dead"));
}

/* On 3.10 a copy that names a level makes the broker see a cycle there. */
static void copied_death(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    add_death(headers, "warren.delay.125", false);
    wr_table_add_string(headers, "x-first-death-queue", wr_slice_of("victim"));
    wr_table_add_string(headers, "x-last-death-reason", wr_slice_of("maxlen"));
}

static void copies(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    add_strings(headers, "CC", "queue/victim", "1.queue/victim");
    add_strings(headers, "BCC", "victim", "3.type/victim");
}

static void copies_that_are_no_array(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    wr_table_add_int(headers, "x-delivery-count", 99);
    add_strings(headers, "CC", "#", "#.queue/victim");
}

static void a_user_id(struct wr_text *headers, struct wr_message *message)
{
    (void)headers;
    message->present |= WR_USER_ID;
    message->user_id = wr_slice_of("warren");
}

/* Shorter than the retry, so that it would bring it home early. */
static void an_expiration(struct wr_text *headers, struct wr_message *message)
{
    (void)headers;
    message->present |= WR_EXPIRATION;
    message->expiration = wr_slice_of("200");
}

static void headers_like_warrens(struct wr_text *headers, struct wr_message *message)
{
    (void)message;
    add_strings(headers, "x-warren-errors", "no", "tables");
    wr_table_add_int(headers, "x-warren-delay-ms", 1);
    wr_table_add_int(headers, "x-warren-run-at-ms", 1);
    wr_table_add_string(headers, "x-warren-queue", wr_slice_of("victim"));
    wr_table_add_string(headers, "x-warren-dead-reason", wr_slice_of("failed"));
    wr_table_add_string(headers, "x-warren-expiration", wr_slice_of("1"));
    wr_table_add_string(headers, "x-warren-unheard-of", wr_slice_of("#"));
}

static void words_of_patterns(struct wr_text *headers, struct wr_message *message)
{
    wr_table_add_string(headers, "*.#", wr_slice_of("#"));
    message->present |= WR_CORRELATION_ID | WR_REPLY_TO | WR_APP_ID;
    message->correlation_id = wr_slice_of("#.queue/victim");
    message->reply_to = wr_slice_of("#");
    message->app_id = wr_slice_of("*");
}

typedef void hostile_part(struct wr_text *headers, struct wr_message *message);

static hostile_part *const hostile[] = {
    malformed_death,
    death_with_text_count,
    death_that_is_no_array,
    copied_death,
    copies,
    copies_that_are_no_array,
    a_user_id,
    an_expiration,
    headers_like_warrens,
    words_of_patterns,
};

enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

static void publish_hostile(size_t kind)
{
    char id[32];
    struct wr_text headers = { 0 };
    (void)snprintf(id, sizeof id, "hostile-%zu", kind);
    struct wr_message message = { .exchange = wr_slice_of("warren.jobs"),
                                  .key = wr_slice_of("foreign"),
                                  .present = WR_MESSAGE_ID | WR_DELIVERY_MODE | WR_HEADERS,
                                  .message_id = wr_slice_of(id),
                                  .delivery_mode = 2,
                                  .body = wr_slice_of("x") };
    hostile[kind](&headers, &message);
    message.headers = (struct wr_table){ headers.data, headers.size };
    CU_ASSERT(stranger_publish(message));
    wr_text_done(&headers);
}

/* --- clean jobs against the clock --- */

static struct {
    int64_t due_us[CLEAN]; /* counted from before the publish: never too late */
    int64_t late_us[CLEAN];
} clock_of;

static void publish_clean(warren *w, int number)
{
    char id[32];
    warren_error err;
    int64_t delay_ms = 375 + (number % 5) * 250;
    (void)snprintf(id, sizeof id, "clean-%d", number);
    warren_message message = { .type = "clean", .body = "x", .id = id, .delay_ms = delay_ms };
    clock_of.due_us[number] = crew_now_us() + delay_ms * 1000;
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, &err), WARREN_OK);
}

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Checks who ran how often; returns by how much the clean ones were late, at the median. */
static int64_t check_runs(void)
{
    int clean[CLEAN] = { 0 };
    int attempts[HOSTILE] = { 0 };
    int64_t ended_us[HOSTILE] = { 0 };
    for (size_t i = 0; i < crew_runs(); i++) {
        struct crew_run run = crew_run(i);
        int number = atoi(strrchr(run.id, '-') + 1);
        CU_ASSERT(strcmp(run.type, "harmless") != 0);
        if (strcmp(run.type, "clean") == 0) {
            clean[number]++;
            clock_of.late_us[number] = run.began_us - clock_of.due_us[number];
            CU_ASSERT(clock_of.late_us[number] >= 0);
        } else {
            CU_ASSERT_EQUAL(run.attempt, ++attempts[number]);
            CU_ASSERT(run.attempt == 1 ||
                      run.began_us >= ended_us[number] + (int64_t)RETRIES_MS * 1000);
            ended_us[number] = run.ended_us;
        }
    }
    for (int i = 0; i < CLEAN; i++) {
        CU_ASSERT_EQUAL(clean[i], 1);
    }
    for (size_t i = 0; i < HOSTILE; i++) {
        CU_ASSERT_EQUAL(attempts[i], 3);
    }
    qsort(clock_of.late_us, CLEAN, sizeof clock_of.late_us[0], compare_times);
    (void)printf("\n    %d clean jobs among %d hostile ones: late p50 %.1f ms, max %.1f ms ", CLEAN,
                 (int)HOSTILE, (double)clock_of.late_us[CLEAN / 2] / 1000,
                 (double)clock_of.late_us[CLEAN - 1] / 1000);
    return clock_of.late_us[CLEAN / 2];
}

static int64_t mix(warren *w, size_t round)
{
    crew_forget();
    for (int i = 0; i < CLEAN; i++) {
        publish_clean(w, i);
        if (i % (CLEAN / HOSTILE) == 0) {
            publish_hostile((size_t)i / (CLEAN / HOSTILE));
        }
    }
    CU_ASSERT_FATAL(crew_wait_runs(CLEAN + 3 * HOSTILE, 20000));
    CU_ASSERT(crew_wait_ended(w, (round + 1) * (CLEAN + HOSTILE), 10000));
    return check_runs();
}

static void hostile_messages_harm_nobody_and_come_home(void)
{
    char *config = crew_config("", queues_text);
    warren *w = start_worker(config);
    int64_t late_us = INT64_MAX;
    /* A machine that does other things may make one round late; stuck jobs make all of them so. */
    for (size_t round = 0; round < ROUNDS_MOST && late_us > LATE_MOST_MS * 1000; round++) {
        late_us = mix(w, round);
    }
    CU_ASSERT(late_us <= LATE_MOST_MS * 1000);
    static const char *const others[] = { "foreign.dead", "clean.dead", "victim", "victim.dead",
                                          "warren.unrouted" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT(crew_wait_depth(config, others[i], 0, 1000));
    }
    crew_stop(w);
    free(config);
}

static void a_type_or_key_is_never_a_pattern(void)
{
    static const char *const patterns[] = { "*", "#", "*.#", "clean.#", "foreign.*" };
    char *config = crew_config("", queues_text);
    warren *w = start_worker(config);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct wr_message message = { .exchange = wr_slice_of("warren.jobs"),
                                      .key = wr_slice_of(patterns[i]) };
        CU_ASSERT_FALSE(stranger_publish(message)); /* as a key: nobody's */
        message.key = wr_slice_of("harmless");
        message.present = WR_TYPE;
        message.type = wr_slice_of(patterns[i]);
        CU_ASSERT(stranger_publish(message)); /* as a type: dead where it came to */
        CU_ASSERT(crew_wait_depth(config, "victim.dead", i + 1, 10000));
    }
    CU_ASSERT_EQUAL(crew_runs(), 0);
    crew_stop(w);
    free(config);
}

int main(void)
{
    live_own_broker();
    stranger_open();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("hostile", NULL, NULL);
    CU_ADD_TEST(suite, hostile_messages_harm_nobody_and_come_home);
    CU_ADD_TEST(suite, a_type_or_key_is_never_a_pattern);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    stranger_close();
    return failures ? 1 : 0;
}
