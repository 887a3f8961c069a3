// SPDX-License-Identifier: MIT
// Changes of a worker that runs, at a real broker: what is live takes effect under load with nothing
// lost and nothing run twice, what isn't is named, and after an error all is as before. And quiet.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "live.h"

enum { DEADLINE_MS = 60000, STORM = 200, STORM_JOBS = 3000 };

static sem_t permits; /* a run takes one before it ends */
static atomic_bool fails;

/* A run lasts until the test lets it end. */
static warren_verdict work(warren_job *job, void *user)
{
    (void)user;
    size_t run = crew_note(job);
    while (sem_wait(&permits)) {
    }
    crew_note_end(run);
    return atomic_load(&fails) ? warren_retry(job, "told to") : WARREN_DONE;
}

static void permit(int count)
{
    for (int i = 0; i < count; i++) {
        (void)sem_post(&permits);
    }
}

static void forget_permits(void)
{
    while (!sem_trywait(&permits)) {
    }
}

static warren_stats_data stats_of(const warren *w)
{
    warren_stats_data stats = { .size = sizeof stats };
    warren_stats(w, &stats);
    return stats;
}

/* --- a worker, what it does, and what its files say --- */

static struct {
    char *config;
    char name[32];
    warren *w;
} here;

/* `options` of the type, `more` of the queue. */
static void write_queue(const char *more, const char *options)
{
    char text[1000];
    (void)snprintf(text, sizeof text,
                   "queue: { name = \"%s\"; %s jobs: ( { type = \"%s\"; %s } ); };", here.name,
                   more, here.name, options);
    crew_change(here.config, text);
}

static void begin_with(const char *main_text, const char *name, const char *more,
                       const char *options)
{
    crew_forget();
    forget_permits();
    atomic_store(&fails, false);
    (void)snprintf(here.name, sizeof here.name, "%s", name);
    here.config = crew_config(main_text, "");
    write_queue(more, options);
    here.w = crew_open(here.config);
    CU_ASSERT_FATAL(!warren_handle(here.w, name, work, NULL, NULL));
    crew_start(here.w);
}

static void begin(const char *name, const char *more, const char *options)
{
    begin_with("", name, more, options);
}

static void end(void)
{
    permit(100);
    crew_stop(here.w);
    free(here.config);
}

static void publish(int count)
{
    warren_batch *batch = NULL;
    size_t confirmed = 0;
    warren_message message = { .type = here.name, .body = "x" };
    CU_ASSERT_FATAL(!warren_batch_open(&batch, warren_worker_publisher(here.w), 0, NULL));
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(warren_batch_publish(batch, &message, NULL), WARREN_OK);
    }
    CU_ASSERT_EQUAL(warren_batch_close(batch, &confirmed, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(confirmed, (size_t)count);
}

static void reload_well(void)
{
    warren_error err = { .status = WARREN_OK };
    if (warren_reload(here.w, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
    }
    CU_ASSERT_EQUAL(err.status, WARREN_OK);
}

static bool are_running(void *user)
{
    return stats_of(here.w).running == *(const uint32_t *)user;
}

static bool wait_running(uint32_t count)
{
    return live_wait(are_running, &count, DEADLINE_MS);
}

static bool are_done(void *user)
{
    return stats_of(here.w).done == *(const uint64_t *)user;
}

static bool wait_done(uint64_t count)
{
    return live_wait(are_done, &count, DEADLINE_MS);
}

static bool is_prefetch(void *user)
{
    return stats_of(here.w).prefetch == *(const uint32_t *)user;
}

static bool wait_prefetch(uint32_t count)
{
    return live_wait(is_prefetch, &count, DEADLINE_MS);
}

static bool has_ended(void *user)
{
    (void)user;
    return stats_of(here.w).in_flight == 0;
}

static bool is_ready(void *user)
{
    return stats_of(user).ready;
}

/* --- limits --- */

static void a_raised_limit_runs_more_at_once_and_a_lowered_one_fewer(void)
{
    begin("limits", "", "concurrency = 1;");
    publish(40);
    CU_ASSERT(wait_running(1));
    write_queue("", "concurrency = 8;");
    reload_well();
    CU_ASSERT(wait_running(8));
    write_queue("", "concurrency = 2;");
    reload_well();
    CU_ASSERT_EQUAL(stats_of(here.w).running, 8); /* what runs goes on */
    permit(8);
    CU_ASSERT(wait_done(8));
    CU_ASSERT(wait_running(2));
    CU_ASSERT(crew_wait_runs(10, DEADLINE_MS));
    permit(32);
    CU_ASSERT(wait_done(40));
    CU_ASSERT_EQUAL(crew_runs(), 40);
    CU_ASSERT_EQUAL(crew_most_at_once("limits"), 8);
    end();
}

/* Puts other words into warren.cfg in the place of those. */
static void change_main(const char *from, const char *to)
{
    char text[4096];
    FILE *file = fopen(here.config, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    char *at = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    file = fopen(here.config, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    (void)fclose(file);
}

static void the_number_of_threads_bounds_what_runs_and_can_be_changed(void)
{
    begin_with("threads = 2;", "threads", "", "concurrency = 8;");
    publish(20);
    CU_ASSERT(wait_running(2));
    change_main("threads = 2;", "threads = 6;");
    reload_well();
    CU_ASSERT(wait_running(6));
    change_main("threads = 6;", "threads = 3;");
    reload_well();
    permit(6);
    CU_ASSERT(wait_done(6));
    CU_ASSERT(crew_wait_runs(9, DEADLINE_MS));
    permit(3);
    CU_ASSERT(crew_wait_runs(12, DEADLINE_MS));
    CU_ASSERT(wait_running(3));
    CU_ASSERT_EQUAL(crew_runs(), 12); /* a fourth one would have begun by now */
    permit(20);
    CU_ASSERT(wait_done(20));
    CU_ASSERT_EQUAL(crew_most_at_once("threads"), 6);
    end();
}

static int lines_of_level[4];

static void count_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)event;
    (void)fields;
    lines_of_level[level & 3]++;
}

static void the_level_of_the_log_follows_unless_the_program_has_chosen_another(void)
{
    warren_error err = { .status = WARREN_OK };
    begin_with("log: { level = \"warn\"; };", "level", "", "");
    warren_log_to(count_line, NULL, warren_log_level(here.w));
    reload_well();
    CU_ASSERT_EQUAL(lines_of_level[2], 0);
    change_main("\"warn\"", "\"info\"");
    reload_well();
    CU_ASSERT(lines_of_level[2] > 0); /* config.reloaded, to begin with */
    warren_log_to(count_line, NULL, 3);
    change_main("\"info\"", "\"error\"");
    CU_ASSERT_EQUAL(warren_reload(here.w, &err), WARREN_STATE);
    CU_ASSERT_STRING_EQUAL(err.text, "1 change waits for a restart: log.level: info -> error");
    end();
}

/* --- what can go wrong --- */

static void a_broken_file_changes_nothing_and_says_where(void)
{
    warren_error err = { .status = WARREN_OK };
    char want[600];
    begin("broken", "", "concurrency = 2;");
    int64_t since_ms = stats_of(here.w).config_reloaded_ms;
    CU_ASSERT(stats_of(here.w).config_reload_ok && since_ms > 0);
    write_queue("", "concurrency = 4; concurency = 5;");
    CU_ASSERT_EQUAL(warren_reload(here.w, &err), WARREN_CONFIG);
    (void)snprintf(want, sizeof want, "%.*s/queues/10-test.cfg:1: queue.jobs[0].concurency",
                   (int)(strrchr(here.config, '/') - here.config), here.config);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, want));
    CU_ASSERT_FALSE(stats_of(here.w).config_reload_ok);
    CU_ASSERT_EQUAL(stats_of(here.w).config_reloaded_ms, since_ms);
    publish(6);
    CU_ASSERT(crew_wait_runs(2, DEADLINE_MS));
    permit(6);
    CU_ASSERT(wait_done(6));
    CU_ASSERT_EQUAL(crew_most_at_once("broken"), 2);
    write_queue("", "concurrency = 4;");
    reload_well();
    CU_ASSERT(stats_of(here.w).config_reload_ok);
    CU_ASSERT(stats_of(here.w).config_reloaded_ms >= since_ms);
    end();
}

static void what_needs_a_restart_is_named_and_the_rest_takes_effect(void)
{
    warren_error err = { .status = WARREN_OK };
    begin("refused", "", "concurrency = 1;");
    write_queue("default_type = \"refused\";", "concurrency = 3; isolate = true;");
    CU_ASSERT_EQUAL(warren_reload(here.w, &err), WARREN_STATE);
    CU_ASSERT_STRING_EQUAL(err.text,
                           "2 changes wait for a restart: queue refused: default_type: \"\" -> "
                           "refused; queue refused, type refused: isolate: false -> true");
    CU_ASSERT_FALSE(stats_of(here.w).config_reload_ok);
    publish(3);
    CU_ASSERT(wait_running(3)); /* in the old queue, with the new limit */
    write_queue("", "concurrency = 3;");
    reload_well();
    end();
}

static void a_queue_or_a_type_that_is_gone_is_consumed_until_a_restart(void)
{
    warren_error err = { .status = WARREN_OK };
    begin("gone", "", "");
    crew_change(here.config, "queue: { name = \"gone.other\"; jobs: ( { type = \"gone\"; }, { type "
                             "= \"nobodys\"; } ); };");
    CU_ASSERT_EQUAL(warren_reload(here.w, &err), WARREN_STATE);
    CU_ASSERT_STRING_EQUAL(err.text,
                           "2 changes wait for a restart: queue gone: gone; queue gone.other: new");
    publish(1);
    permit(1);
    CU_ASSERT(wait_done(1));
    end();
}

/* --- prefetch, retries, queues --- */

/* What the old consumer had may stay as far as it fits, beside what the new one gets and what runs. */
static bool holds_few(void *user)
{
    (void)user;
    return stats_of(here.w).in_flight <= 2 * 3 + 1 && stats_of(here.w).given_back > 0;
}

static void another_prefetch_is_told_to_the_broker(void)
{
    begin("prefetch", "prefetch = 5;", "");
    publish(60);
    CU_ASSERT(wait_prefetch(5));
    write_queue("prefetch = 40;", "");
    reload_well();
    CU_ASSERT(wait_prefetch(40));
    CU_ASSERT_EQUAL(stats_of(here.w).given_back, 0);
    write_queue("prefetch = 3;", "");
    reload_well();
    CU_ASSERT(wait_prefetch(3));
    CU_ASSERT(live_wait(holds_few, NULL, DEADLINE_MS));
    permit(60);
    CU_ASSERT(wait_done(60));
    CU_ASSERT_EQUAL(crew_runs(), 60);
    end();
}

static bool is_dead(void *user)
{
    (void)user;
    return stats_of(here.w).dead == 1;
}

static void a_failure_goes_by_the_newest_policy_also_of_a_job_that_runs_already(void)
{
    begin("retry", "retry: { backoff = \"fixed\"; first = \"10h\"; };", "");
    atomic_store(&fails, true);
    publish(1);
    CU_ASSERT(wait_running(1));
    write_queue("retry: { backoff = \"fixed\"; first = \"125ms\"; attempts = 2; };", "");
    reload_well();
    permit(2);
    CU_ASSERT(live_wait(is_dead, NULL, DEADLINE_MS));
    CU_ASSERT_EQUAL(crew_runs(), 2);
    end();
}

static void a_new_queue_is_declared_and_consumed(void)
{
    begin("first", "", "");
    permit(2);
    crew_change(here.config, "queues: ( { name = \"first\"; jobs: ( { type = \"first\"; } ); }, "
                             "{ name = \"second\"; prefetch = 7; jobs: ( { type = \"first\"; "
                             "isolate = true; } ); } );");
    reload_well();
    CU_ASSERT(wait_prefetch(15)); /* 1, and 7 of the new queue and of its isolated type */
    CU_ASSERT(live_wait(is_ready, here.w, DEADLINE_MS));
    publish(1); /* its type is bound on both */
    CU_ASSERT(wait_done(2));
    CU_ASSERT_EQUAL(crew_runs(), 2);
    CU_ASSERT_STRING_NOT_EQUAL(crew_run(0).queue, crew_run(1).queue);
    reload_well(); /* nothing more to do */
    end();
}

static void a_folder_that_is_swapped_is_read_anew(void)
{
    char data[300];
    char old[320];
    begin("swapped", "", "concurrency = 1;");
    publish(3);
    CU_ASSERT(wait_running(1));
    /* As a Kubernetes volume does: the files are links into a folder that is a link. */
    (void)snprintf(data, sizeof data, "%.*s", (int)(strrchr(here.config, '/') - here.config),
                   here.config);
    (void)snprintf(old, sizeof old, "%s.old", data);
    char *next = crew_config("", "");
    char *first = here.config;
    here.config = next;
    write_queue("", "concurrency = 3;");
    char target[300];
    (void)snprintf(target, sizeof target, "%.*s", (int)(strrchr(next, '/') - next), next);
    CU_ASSERT_EQUAL(rename(data, old), 0);
    CU_ASSERT_EQUAL(symlink(target, data), 0);
    reload_well();
    CU_ASSERT(wait_running(3));
    CU_ASSERT_EQUAL(unlink(data), 0);
    CU_ASSERT_EQUAL(rename(old, data), 0);
    free(first);
    end();
}

/* --- a storm --- */

static atomic_bool scrapes;

static bool scrape(const char *address)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    static char answer[1 << 16];
    struct sockaddr_in peer = { .sin_family = AF_INET };
    peer.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t size = 0;
    bool ok = !connect(fd, (struct sockaddr *)&peer, sizeof peer) &&
              send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0;
    for (ssize_t got = 1; ok && got > 0; size += got > 0 ? (size_t)got : 0) {
        got = read(fd, answer + size, sizeof answer - 1 - size);
    }
    answer[size] = '\0';
    (void)close(fd);
    return ok && strstr(answer, "queue=\"storm\"") && strstr(answer, "# HELP");
}

/* Looks at the worker all the time, as a monitoring system and an operator do. */
static void *look_on(void *user)
{
    static uintptr_t count;
    const char *address = user;
    count = 0;
    while (atomic_load(&scrapes)) {
        (void)stats_of(here.w);
        count += scrape(address) ? 1 : 0;
    }
    return &count;
}

static void a_storm_of_reloads_under_load_loses_and_doubles_nothing(void)
{
    pthread_t onlooker;
    void *scraped = NULL;
    begin_with("http: { listen = \"0\"; };", "storm", "prefetch = 50;", "concurrency = 4;");
    atomic_store(&scrapes, true);
    CU_ASSERT_FATAL(
        !pthread_create(&onlooker, NULL, look_on, (void *)(uintptr_t)warren_http_address(here.w)));
    permit(STORM_JOBS);
    publish(STORM_JOBS);
    for (int i = 0; i < STORM; i++) {
        char more[100];
        char options[60];
        (void)snprintf(more, sizeof more, "prefetch = %d; retry: { attempts = %d; };",
                       20 + 20 * (i % 3), 2 + i % 5);
        (void)snprintf(options, sizeof options, "concurrency = %d;", 1 + i % 8);
        write_queue(more, options);
        reload_well();
    }
    CU_ASSERT(wait_done(STORM_JOBS));
    CU_ASSERT(live_wait(has_ended, NULL, DEADLINE_MS));
    CU_ASSERT_EQUAL(crew_runs(), STORM_JOBS);
    CU_ASSERT_EQUAL(stats_of(here.w).stale, 0);
    atomic_store(&scrapes, false);
    (void)pthread_join(onlooker, &scraped);
    CU_ASSERT(*(uintptr_t *)scraped > 0);
    CU_ASSERT(crew_wait_depth(here.config, "storm", 0, DEADLINE_MS));
    end();
}

/* --- quiet --- */

static bool is_quiet(void *user)
{
    warren_stats_data stats = stats_of(user);
    return stats.quiet && !stats.ready && stats.in_flight == 1; /* the one that runs */
}

static void a_quiet_worker_starts_nothing_and_another_gets_what_it_had(void)
{
    begin("quiet", "prefetch = 10;", "concurrency = 1;");
    publish(10);
    CU_ASSERT(wait_running(1));
    CU_ASSERT_EQUAL(warren_pause(here.w, NULL), WARREN_OK);
    CU_ASSERT(live_wait(is_quiet, here.w, DEADLINE_MS));
    CU_ASSERT(crew_wait_depth(here.config, "quiet", 9, DEADLINE_MS));
    permit(1);
    CU_ASSERT(wait_done(1)); /* what ran is acknowledged */
    warren *first = here.w;
    here.w = crew_open(here.config);
    CU_ASSERT_FATAL(!warren_handle(here.w, "quiet", work, NULL, NULL));
    crew_start(here.w);
    permit(9);
    CU_ASSERT(wait_done(9));
    crew_stop(here.w);
    here.w = first;
    CU_ASSERT_EQUAL(crew_runs(), 10);
    reload_well(); /* fine while it is quiet */
    CU_ASSERT_EQUAL(warren_resume(here.w, NULL), WARREN_OK);
    CU_ASSERT(live_wait(is_ready, here.w, DEADLINE_MS));
    permit(2);
    publish(2);
    CU_ASSERT(wait_done(3));
    end();
}

static void a_worker_that_does_not_run_is_neither_changed_nor_paused(void)
{
    char *config = crew_config("", "queue: { name = \"idle\"; jobs: ( { type = \"idle\"; } ); };");
    warren *w = crew_open(config);
    warren_error err = { .status = WARREN_OK };
    CU_ASSERT_EQUAL(warren_reload(w, &err), WARREN_STATE);
    CU_ASSERT_EQUAL(warren_pause(w, &err), WARREN_STATE);
    CU_ASSERT_EQUAL(warren_resume(w, &err), WARREN_STATE);
    warren_close(w);
    free(config);
}

int main(void)
{
    (void)sem_init(&permits, 0, 0);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("reload", NULL, NULL);
    CU_ADD_TEST(suite, a_raised_limit_runs_more_at_once_and_a_lowered_one_fewer);
    CU_ADD_TEST(suite, the_number_of_threads_bounds_what_runs_and_can_be_changed);
    CU_ADD_TEST(suite, the_level_of_the_log_follows_unless_the_program_has_chosen_another);
    CU_ADD_TEST(suite, a_broken_file_changes_nothing_and_says_where);
    CU_ADD_TEST(suite, what_needs_a_restart_is_named_and_the_rest_takes_effect);
    CU_ADD_TEST(suite, a_queue_or_a_type_that_is_gone_is_consumed_until_a_restart);
    CU_ADD_TEST(suite, another_prefetch_is_told_to_the_broker);
    CU_ADD_TEST(suite, a_failure_goes_by_the_newest_policy_also_of_a_job_that_runs_already);
    CU_ADD_TEST(suite, a_new_queue_is_declared_and_consumed);
    CU_ADD_TEST(suite, a_folder_that_is_swapped_is_read_anew);
    CU_ADD_TEST(suite, a_storm_of_reloads_under_load_loses_and_doubles_nothing);
    CU_ADD_TEST(suite, a_quiet_worker_starts_nothing_and_another_gets_what_it_had);
    CU_ADD_TEST(suite, a_worker_that_does_not_run_is_neither_changed_nor_paused);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
