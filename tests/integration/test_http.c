// SPDX-License-Identifier: MIT
// Probes and metrics of a running worker, asked over a socket as any client may ask, politely or not.
#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crew.h"
#include "live.h"
#include "proxy.h"

enum { MOST_MS = 10000, ANSWER_BYTES = 65536 };

static const char queue_text[] =
    "queue: { name = \"web\"; jobs: ( { type = \"nap\"; concurrency = 2; } ); };";
static const char listens[] = "http: { listen = \"0\"; connections = 4; timeout = \"1s\"; };";

#define NAP "queue=\"web\",type=\"nap\""

static char answer[ANSWER_BYTES];

/* --- a client --- */

static int dial(const warren *w)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((uint16_t)atoi(strrchr(warren_http_address(w), ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Reads until the peer closes; false when it doesn't in time. */
static bool read_all(int fd)
{
    size_t size = 0;
    int64_t until_us = crew_now_us() + MOST_MS * 1000;
    for (;;) {
        struct pollfd polled = { .fd = fd, .events = POLLIN };
        int64_t left_ms = (until_us - crew_now_us()) / 1000;
        if (left_ms <= 0 || poll(&polled, 1, (int)left_ms) <= 0) {
            return false;
        }
        ssize_t got = read(fd, answer + size, sizeof answer - 1 - size);
        size += got > 0 ? (size_t)got : 0;
        answer[size] = '\0';
        if (got <= 0) {
            return true;
        }
    }
}

/* Sends this and returns the status of the answer; 0: closed without one, -1: nothing came. */
static int say(const warren *w, const char *text)
{
    int fd = dial(w);
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    answer[0] = '\0';
    bool is_closed = read_all(fd);
    (void)close(fd);
    return strncmp(answer, "HTTP/1.", 7) == 0 ? atoi(answer + 9) : is_closed ? 0 : -1;
}

static int get(const warren *w, const char *path)
{
    char request[256];
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nAccept: text/plain\r\n\r\n", path);
    return say(w, request);
}

/* --- stories --- */

static warren *start(const char *config, warren_handler *handler, void *user)
{
    warren *w = crew_open(config);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "nap", handler, user, NULL), WARREN_OK);
    crew_start(w);
    return w;
}

static void a_worker_tells_how_it_is_and_what_it_did(void)
{
    char *config = crew_config(listens, queue_text);
    warren *w = start(config, crew_accept, NULL);
    const warren_message message = { .type = "nap", .body = "{}" };
    CU_ASSERT_EQUAL(strncmp(warren_http_address(w), "127.0.0.1:", 10), 0);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    }
    CU_ASSERT(crew_wait_ended(w, 5, MOST_MS));
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"status\":\"ok\""));
    CU_ASSERT_EQUAL(get(w, "/readyz"), 200);
    CU_ASSERT_EQUAL(get(w, "/startupz?verbose"), 200);
    CU_ASSERT_EQUAL(get(w, "/metrics"), 200);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(answer, "\nwarren_jobs_processed_total{" NAP ",outcome=\"done\"} 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_job_duration_seconds_count{" NAP "} 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_job_wait_seconds_count{" NAP "} 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_job_end_to_end_seconds_count{" NAP "} 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_queue_consumed{queue=\"web\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_publishes_total{result=\"confirmed\"} 5\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_ready 1\n"));
    CU_ASSERT_EQUAL(get(w, "/nothing"), 404);
    CU_ASSERT_EQUAL(say(w, "HEAD /livez HTTP/1.0\r\n\r\n"), 200);
    CU_ASSERT_PTR_NULL(strstr(answer, "status"));
    crew_stop(w);
    free(config);
}

static void the_trace_of_a_run_is_shown_to_who_reads_openmetrics(void)
{
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const warren_header header = { .name = "traceparent", .value = trace };
    const warren_message message = {
        .type = "nap", .body = "{}", .headers = &header, .header_count = 1
    };
    char *config = crew_config(listens, queue_text);
    warren *w = start(config, crew_accept, NULL);
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    CU_ASSERT(crew_wait_ended(w, 1, MOST_MS));
    CU_ASSERT_EQUAL(say(w, "GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n"),
                    200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, " # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} "));
    CU_ASSERT_EQUAL(get(w, "/metrics"), 200);
    CU_ASSERT_PTR_NULL(strstr(answer, "trace_id"));
    crew_stop(w);
    free(config);
}

struct gate {
    atomic_bool is_running;
    atomic_bool is_open;
};

static bool is_set(void *flag)
{
    return atomic_load((atomic_bool *)flag);
}

static warren_verdict wait_at_gate(warren_job *job, void *user)
{
    struct gate *gate = user;
    (void)job;
    atomic_store(&gate->is_running, true);
    (void)live_wait(is_set, &gate->is_open, MOST_MS);
    return WARREN_DONE;
}

static bool is_not_alive(void *user)
{
    return get(user, "/livez") == 503;
}

static void a_handler_past_its_hard_limit_fails_the_liveness_probe(void)
{
    struct gate gate = { false, false };
    char *config = crew_config(listens, "queue: { name = \"web\"; jobs: ( { type = \"nap\"; "
                                        "concurrency = 2; hard_timeout = \"100ms\"; } ); };");
    warren *w = start(config, wait_at_gate, &gate);
    const warren_message message = { .type = "nap", .body = "{}" };
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    CU_ASSERT(live_wait(is_not_alive, w, MOST_MS));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"stuck\":1,\"type\":\"nap\""));
    CU_ASSERT_EQUAL(get(w, "/metrics"), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_threads_stuck 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\nwarren_jobs_running{" NAP "} 1\n"));
    CU_ASSERT_PTR_NULL(
        strstr(answer, "\nwarren_job_oldest_start_timestamp_seconds{" NAP "} 0.000\n"));
    atomic_store(&gate.is_open, true);
    CU_ASSERT(crew_wait_ended(w, 1, MOST_MS));
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    crew_stop(w);
    free(config);
}

struct stop {
    warren *w;
    atomic_bool has_ended;
};

static void *stop_it(void *user)
{
    struct stop *stop = user;
    (void)warren_stop(stop->w, MOST_MS, NULL);
    atomic_store(&stop->has_ended, true);
    return NULL;
}

static bool is_draining(void *user)
{
    return get(user, "/readyz") == 503 && strstr(answer, "\"not_draining\":{\"ok\":false}");
}

static void in_a_drain_it_is_alive_and_not_ready(void)
{
    struct gate gate = { false, false };
    char *config = crew_config(listens, queue_text);
    warren *w = start(config, wait_at_gate, &gate);
    struct stop stop = { w, false };
    const warren_message message = { .type = "nap", .body = "{}" };
    pthread_t thread;
    CU_ASSERT_EQUAL(warren_publish(warren_worker_publisher(w), &message, NULL), WARREN_OK);
    CU_ASSERT(live_wait(is_set, &gate.is_running, MOST_MS));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, stop_it, &stop), 0);
    CU_ASSERT(live_wait(is_draining, w, MOST_MS));
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    CU_ASSERT_EQUAL(get(w, "/startupz"), 200);
    CU_ASSERT_FALSE(atomic_load(&stop.has_ended));
    atomic_store(&gate.is_open, true);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT_STRING_EQUAL(warren_http_address(w), "0");
    warren_close(w);
    free(config);
}

static bool is_not_ready(void *user)
{
    return get(user, "/readyz") == 503;
}

static bool is_ready(void *user)
{
    return get(user, "/readyz") == 200;
}

static void without_a_broker_it_is_alive_and_not_ready(void)
{
    struct proxy *proxy = proxy_open(proxy_port_of(live_url()));
    char *url = proxy_url(proxy, live_url());
    char broker[600];
    (void)snprintf(broker, sizeof broker, "url = \"%s\";", url);
    char *config = crew_config_at(broker, listens, queue_text);
    warren *w = start(config, crew_accept, NULL);
    CU_ASSERT_EQUAL(get(w, "/readyz"), 200);
    proxy_refuse(proxy, true);
    proxy_reset(proxy, PROXY_ALL);
    CU_ASSERT(live_wait(is_not_ready, w, MOST_MS));
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    CU_ASSERT_EQUAL(get(w, "/startupz"), 200);
    proxy_refuse(proxy, false);
    CU_ASSERT(live_wait(is_ready, w, 4 * MOST_MS));
    crew_stop(w);
    proxy_close(proxy);
    free(config);
    free(url);
}

static void rude_clients_are_shown_the_door(void)
{
    char *config = crew_config(listens, queue_text);
    warren *w = start(config, crew_accept, NULL);
    char *large = malloc(200000);
    memset(large, 'x', 199999);
    large[199999] = '\0';
    memcpy(large, "GET /livez HTTP/1.0\r\nX: ", 24);
    CU_ASSERT_EQUAL(say(w, "POST /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"), 405);
    CU_ASSERT_EQUAL(say(w, "GET /livez HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"), 0);
    CU_ASSERT_EQUAL(say(w, "DELETE /livez HTTP/1.0\r\n\r\n"), 405);
    int status = say(w, large);
    CU_ASSERT(status == 0 || status >= 400);
    status = say(w, "\x16\x03\x01\x02 no HTTP at all\r\n\r\n");
    CU_ASSERT(status == 0 || status >= 400);
    CU_ASSERT_EQUAL(say(w, "GET /livez HT"), 0); /* and then silence, for 1 s */
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    free(large);
    crew_stop(w);
    free(config);
}

static bool is_served(void *user)
{
    return get(user, "/livez") == 200;
}

static void more_connections_than_allowed_are_closed_and_others_served_later(void)
{
    enum { ALLOWED = 4 };
    char *config = crew_config(listens, queue_text);
    warren *w = start(config, crew_accept, NULL);
    int idle[ALLOWED];
    for (int i = 0; i < ALLOWED; i++) {
        idle[i] = dial(w);
        (void)send(idle[i], "GET ", 4, MSG_NOSIGNAL);
    }
    CU_ASSERT(live_wait(is_served, w, MOST_MS)); /* the silent ones were closed */
    for (int i = 0; i < ALLOWED; i++) {
        CU_ASSERT(read_all(idle[i]));
        (void)close(idle[i]);
    }
    crew_stop(w);
    free(config);
}

/* Sends a byte of an endless header now and then; returns after how long nobody would have it any
 * more, in ms. */
static int64_t drip(const warren *w)
{
    int fd = dial(w);
    int64_t begun_us = crew_now_us();
    (void)send(fd, "GET /livez HTTP/1.0\r\nX: ", 24, MSG_NOSIGNAL);
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    while (poll(&polled, 1, 100) == 0 && crew_now_us() - begun_us < MOST_MS * 1000) {
        (void)send(fd, "x", 1, MSG_NOSIGNAL);
    }
    (void)close(fd);
    return (crew_now_us() - begun_us) / 1000;
}

static void who_never_comes_to_an_end_is_cut_off(void)
{
    char *config = crew_config(listens, queue_text);
    warren *w = start(config, crew_accept, NULL);
    int64_t after_ms = drip(w);
    CU_ASSERT(after_ms >= 2000 && after_ms < MOST_MS);
    CU_ASSERT_EQUAL(get(w, "/livez"), 200);
    crew_stop(w);
    free(config);
}

static void an_address_that_is_taken_ends_the_start(void)
{
    char *config = crew_config(listens, queue_text);
    warren *first = start(config, crew_accept, NULL);
    char main_text[100];
    warren_error err;
    (void)snprintf(main_text, sizeof main_text, "http: { listen = \"%s\"; };",
                   warren_http_address(first));
    char *same = crew_config(main_text, queue_text);
    warren *second = crew_open(same);
    CU_ASSERT_EQUAL(warren_handle(second, "nap", crew_accept, NULL, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_start(second, &err), WARREN_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "http.listen"));
    warren_close(second);
    crew_stop(first);
    free(config);
    free(same);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http", NULL, NULL);
    CU_ADD_TEST(suite, a_worker_tells_how_it_is_and_what_it_did);
    CU_ADD_TEST(suite, the_trace_of_a_run_is_shown_to_who_reads_openmetrics);
    CU_ADD_TEST(suite, a_handler_past_its_hard_limit_fails_the_liveness_probe);
    CU_ADD_TEST(suite, in_a_drain_it_is_alive_and_not_ready);
    CU_ADD_TEST(suite, without_a_broker_it_is_alive_and_not_ready);
    CU_ADD_TEST(suite, rude_clients_are_shown_the_door);
    CU_ADD_TEST(suite, more_connections_than_allowed_are_closed_and_others_served_later);
    CU_ADD_TEST(suite, who_never_comes_to_an_end_is_cut_off);
    CU_ADD_TEST(suite, an_address_that_is_taken_ends_the_start);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
