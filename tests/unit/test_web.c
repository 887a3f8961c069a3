// SPDX-License-Identifier: MIT
// What a worker shows of itself: addresses to listen at, probes, and metrics in both formats.
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "model/listen.h"
#include "web/health.h"
#include "web/metrics.h"
#include "web/pages.h"

/* --- where to listen --- */

static void expect_listen(const char *text, const char *address, int port, bool is_v6)
{
    struct wr_listen listen;
    CU_ASSERT_PTR_NULL(wr_listen_read(&listen, text));
    CU_ASSERT_STRING_EQUAL(listen.address, address);
    CU_ASSERT_EQUAL(listen.port, port);
    CU_ASSERT_EQUAL(listen.is_v6, is_v6);
    CU_ASSERT_FALSE(listen.is_off);
}

static void a_port_alone_is_on_loopback(void)
{
    struct wr_listen listen;
    expect_listen("9400", "127.0.0.1", 9400, false);
    expect_listen("0", "127.0.0.1", 0, false);
    expect_listen("localhost:9400", "127.0.0.1", 9400, false);
    expect_listen("10.1.2.3:65535", "10.1.2.3", 65535, false);
    expect_listen("[::1]:1", "::1", 1, true);
    expect_listen("*:9400", "::", 9400, true);
    CU_ASSERT_PTR_NULL(wr_listen_read(&listen, "none"));
    CU_ASSERT(listen.is_off);
}

static void what_is_no_address_is_refused(void)
{
    static const char *const wrong[] = {
        "",        ":",     ":80",         "65536",        "-1",       " 80",
        "80 ",     "http",  "host:80",     "1.2.3:80",     "1.2.3.4:", "1.2.3.4:x",
        "::1:80",  "[::1]", "[]:80",       "[1.2.3.4]:80", "None",     "1.2.3.4",
        "[::1:80", "0x50",  "99999999999",
    };
    struct wr_listen listen;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_PTR_NOT_NULL(wr_listen_read(&listen, wrong[i]));
    }
}

/* --- probes --- */

enum { NOW_US = 1000000000 };

static struct wr_view well(void)
{
    return (struct wr_view){ .has_started = true,
                             .now_us = NOW_US,
                             .stats = { .ready = true },
                             .loops = { { "consumer", NOW_US - 20000 }, { "publisher", NOW_US } } };
}

static bool says(enum wr_health what, const struct wr_view *view, const char *part)
{
    struct wr_text text = { 0 };
    bool is_well = wr_health_write(&text, what, view);
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&text), part));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(wr_text_string(&text), is_well ? "\"status\":\"ok\"" : "\"status\":\"failed\""));
    wr_text_done(&text);
    return is_well;
}

static void a_worker_that_takes_jobs_is_well(void)
{
    struct wr_view view = well();
    CU_ASSERT(says(WR_HEALTH_LIVE, &view, "\"consumer\":{\"ok\":true,\"age_s\":0.020}"));
    CU_ASSERT(says(WR_HEALTH_READY, &view, "\"consuming\":{\"ok\":true}"));
    CU_ASSERT(says(WR_HEALTH_STARTED, &view, "\"started\":{\"ok\":true}"));
}

static void without_a_broker_it_is_alive_and_not_ready(void)
{
    struct wr_view view = well();
    view.stats.ready = false;
    CU_ASSERT(says(WR_HEALTH_LIVE, &view, "consumer"));
    CU_ASSERT_FALSE(says(WR_HEALTH_READY, &view, "\"consuming\":{\"ok\":false}"));
    CU_ASSERT(says(WR_HEALTH_STARTED, &view, "started"));
}

static void in_a_drain_it_is_not_ready(void)
{
    struct wr_view view = well();
    view.stats.draining = true;
    CU_ASSERT(says(WR_HEALTH_LIVE, &view, "publisher"));
    CU_ASSERT_FALSE(says(WR_HEALTH_READY, &view, "\"not_draining\":{\"ok\":false}"));
}

static void when_it_is_quiet_it_is_not_ready(void)
{
    struct wr_view view = well();
    view.stats.quiet = true;
    CU_ASSERT(says(WR_HEALTH_LIVE, &view, "consumer"));
    CU_ASSERT_FALSE(says(WR_HEALTH_READY, &view, "\"not_quiet\":{\"ok\":false}"));
    CU_ASSERT(says(WR_HEALTH_STARTED, &view, "started"));
}

static void before_the_start_it_is_alive_only(void)
{
    struct wr_view view = { .now_us = NOW_US, .loops = { { "consumer", 0 }, { "publisher", 0 } } };
    CU_ASSERT(says(WR_HEALTH_LIVE, &view, "\"consumer\":{\"ok\":true}"));
    CU_ASSERT_FALSE(says(WR_HEALTH_STARTED, &view, "\"started\":{\"ok\":false}"));
    CU_ASSERT_FALSE(says(WR_HEALTH_READY, &view, "\"started\":{\"ok\":false}"));
}

static void a_thread_that_does_not_come_round_is_not_alive(void)
{
    struct wr_view view = well();
    view.loops[1].round_us = NOW_US - 130 * INT64_C(1000000);
    CU_ASSERT_FALSE(says(WR_HEALTH_LIVE, &view, "\"publisher\":{\"ok\":false,\"age_s\":130.000}"));
    CU_ASSERT(says(WR_HEALTH_READY, &view, "consuming"));
}

static void a_job_past_its_hard_limit_is_named(void)
{
    struct wr_view view = well();
    CU_ASSERT(says(WR_HEALTH_LIVE, &view, "\"threads\":{\"ok\":true}"));
    view.stuck = 2;
    view.stuck_type = "video.render";
    CU_ASSERT_FALSE(says(WR_HEALTH_LIVE, &view,
                         "\"threads\":{\"ok\":false,\"stuck\":2,\"type\":\"video.render\"}"));
    CU_ASSERT(says(WR_HEALTH_READY, &view, "consuming"));
}

/* --- metrics --- */

static struct wr_text written(bool is_open)
{
    struct wr_text text = { 0 };
    struct wr_view view = well();
    struct wr_view_queue queue = {
        .queue = "mail", .deliveries = { 993, 7 }, .dead = { [1] = 3 }, .is_consumed = true
    };
    struct wr_view_type type = {
        .queue = "mail",
        .type = "wel\"come\\",
        .outcomes = { INT64_C(5000000000) },
        .oldest_ms = INT64_C(1700000000007),
        .exemplar = { "0af7651916cd43dd8448eb211c80319c", 7000, INT64_C(1700000000250) },
        .run = { { [0] = 2, [3] = 1, [WR_HISTOGRAM_BOUNDS] = 4 }, 1500000 }
    };
    view.queues = &queue;
    view.queue_count = 1;
    view.types = &type;
    view.type_count = 1;
    wr_metrics_write(&text, &view, is_open);
    return text;
}

#define TYPE "queue=\"mail\",type=\"wel\\\"come\\\\\""

static bool has_line(const struct wr_text *text, const char *line)
{
    for (const char *at = wr_text_string(text); (at = strstr(at, line)); at++) {
        if ((at == text->data || at[-1] == '\n') && at[strlen(line)] == '\n') {
            return true;
        }
    }
    return false;
}

static void the_text_format_names_counters_with_their_suffix(void)
{
    struct wr_text text = written(false);
    CU_ASSERT(has_line(&text, "# TYPE warren_jobs_processed_total counter"));
    CU_ASSERT(has_line(&text, "warren_jobs_processed_total{" TYPE ",outcome=\"done\"} 5000000000"));
    CU_ASSERT(has_line(&text, "warren_jobs_processed_total{" TYPE ",outcome=\"interrupted\"} 0"));
    CU_ASSERT(has_line(&text, "warren_deliveries_total{queue=\"mail\",redelivered=\"false\"} 993"));
    CU_ASSERT(has_line(&text, "warren_deliveries_total{queue=\"mail\",redelivered=\"true\"} 7"));
    CU_ASSERT(has_line(&text, "warren_dead_letters_total{queue=\"mail\",reason=\"dead\"} 3"));
    CU_ASSERT(has_line(&text, "warren_dead_letters_total{queue=\"mail\",reason=\"failed\"} 0"));
    CU_ASSERT(has_line(&text, "warren_queue_consumed{queue=\"mail\"} 1"));
    CU_ASSERT(
        has_line(&text, "warren_job_oldest_start_timestamp_seconds{" TYPE "} 1700000000.007"));
    CU_ASSERT(has_line(&text, "# TYPE warren_ready gauge"));
    CU_ASSERT(has_line(&text, "warren_ready 1"));
    CU_ASSERT(has_line(&text, "# TYPE warren_build_info gauge"));
    CU_ASSERT_PTR_NULL(strstr(wr_text_string(&text), "# EOF"));
    wr_text_done(&text);
}

static void openmetrics_names_families_without_it(void)
{
    struct wr_text text = written(true);
    CU_ASSERT(has_line(&text, "# TYPE warren_jobs_processed counter"));
    CU_ASSERT(has_line(&text, "warren_jobs_processed_total{" TYPE ",outcome=\"done\"} 5000000000"));
    CU_ASSERT(has_line(&text, "# TYPE warren_build info"));
    CU_ASSERT_STRING_EQUAL(text.data + text.size - 6, "# EOF\n");
    wr_text_done(&text);
}

static void a_histogram_adds_up_from_bucket_to_bucket(void)
{
    struct wr_text text = written(false);
    CU_ASSERT(has_line(&text, "# TYPE warren_job_duration_seconds histogram"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_bucket{" TYPE ",le=\"0.001\"} 2"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_bucket{" TYPE ",le=\"0.0025\"} 2"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_bucket{" TYPE ",le=\"0.01\"} 3"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_bucket{" TYPE ",le=\"1800.0\"} 3"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_bucket{" TYPE ",le=\"+Inf\"} 7"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_sum{" TYPE "} 1.500000"));
    CU_ASSERT(has_line(&text, "warren_job_duration_seconds_count{" TYPE "} 7"));
    wr_text_done(&text);
}

static void openmetrics_shows_a_trace_behind_its_bucket(void)
{
    static const char exemplar[] = " # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.007000 "
                                   "1700000000.250";
    struct wr_text open = written(true);
    struct wr_text text = written(false);
    char line[400];
    (void)snprintf(line, sizeof line, "warren_job_duration_seconds_bucket{%s,le=\"0.01\"} 3%s",
                   TYPE, exemplar);
    CU_ASSERT(has_line(&open, line));
    CU_ASSERT_PTR_NULL(strstr(wr_text_string(&text), " # {"));
    wr_text_done(&open);
    wr_text_done(&text);
}

static void a_family_is_named_once_and_its_series_stand_together(void)
{
    size_t count;
    const struct wr_metric *metrics = wr_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(strncmp(metrics[i].name, "warren_", 7), 0);
        CU_ASSERT_PTR_NULL(strstr(metrics[i].name, "_total"));
        CU_ASSERT_EQUAL(metrics[i].help[strlen(metrics[i].help) - 1], '.');
        for (size_t j = i + 1; j < count; j++) {
            bool is_same = strcmp(metrics[i].name, metrics[j].name) == 0;
            CU_ASSERT(!is_same || strcmp(metrics[j - 1].name, metrics[j].name) == 0);
            CU_ASSERT(!is_same || metrics[i].offset != metrics[j].offset);
        }
    }
}

/* --- pages --- */

static void look(void *user, struct wr_view *out)
{
    *out = *(const struct wr_view *)user;
}

static int get(const char *path, const char *accept, struct wr_view view, const char *type)
{
    struct wr_pages pages = { .look = look, .user = &view };
    struct wr_http_reply reply = { .status = 404, .content_type = "text/plain" };
    wr_pages_answer(&pages, path, accept, &reply);
    CU_ASSERT_STRING_EQUAL(reply.content_type, type);
    CU_ASSERT(reply.body.size > 0);
    wr_text_done(&reply.body);
    return reply.status;
}

static void each_path_has_its_page(void)
{
    static const char prometheus[] =
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    struct wr_view ill = well();
    ill.stats.ready = false;
    CU_ASSERT_EQUAL(get("/livez", "", well(), "application/json"), 200);
    CU_ASSERT_EQUAL(get("/readyz", "", well(), "application/json"), 200);
    CU_ASSERT_EQUAL(get("/readyz", "", ill, "application/json"), 503);
    CU_ASSERT_EQUAL(get("/startupz", "", well(), "application/json"), 200);
    CU_ASSERT_EQUAL(get("/metrics", "", well(), wr_metrics_type(false)), 200);
    CU_ASSERT_EQUAL(get("/metrics", prometheus, well(), wr_metrics_type(true)), 200);
    CU_ASSERT_EQUAL(get("/", "", well(), "text/plain"), 404);
    CU_ASSERT_EQUAL(get("/metrics/../livez", "", well(), "text/plain"), 404);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("web", NULL, NULL);
    CU_ADD_TEST(suite, a_port_alone_is_on_loopback);
    CU_ADD_TEST(suite, what_is_no_address_is_refused);
    CU_ADD_TEST(suite, a_worker_that_takes_jobs_is_well);
    CU_ADD_TEST(suite, without_a_broker_it_is_alive_and_not_ready);
    CU_ADD_TEST(suite, in_a_drain_it_is_not_ready);
    CU_ADD_TEST(suite, when_it_is_quiet_it_is_not_ready);
    CU_ADD_TEST(suite, before_the_start_it_is_alive_only);
    CU_ADD_TEST(suite, a_thread_that_does_not_come_round_is_not_alive);
    CU_ADD_TEST(suite, a_job_past_its_hard_limit_is_named);
    CU_ADD_TEST(suite, the_text_format_names_counters_with_their_suffix);
    CU_ADD_TEST(suite, openmetrics_names_families_without_it);
    CU_ADD_TEST(suite, a_histogram_adds_up_from_bucket_to_bucket);
    CU_ADD_TEST(suite, openmetrics_shows_a_trace_behind_its_bucket);
    CU_ADD_TEST(suite, a_family_is_named_once_and_its_series_stand_together);
    CU_ADD_TEST(suite, each_path_has_its_page);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
