// SPDX-License-Identifier: MIT
// A worker in a pod: what the API server is told, over TLS and with the service account's token, and that a
// server that refuses, fails, hangs or is a stranger costs no job anything.
#include <CUnit/Basic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "crew.h"
#include "front/worker.h"
#include "live.h"
#include "receiver.h"

enum { MOST_MS = 30000 };

static const char queue_text[] =
    "queue: { name = \"pods\"; jobs: ( { type = \"stay\"; concurrency = 4; } ); };";

/* --- the account and the server --- */

static char account[64];
static struct certificate *authority;
static struct certificate *stranger;
static struct certificate *server;
static struct receiver api;

/* Also before the first test, where CUnit's asserts don't work. */
static void need(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", account, name);
    FILE *file = fopen(path, "we");
    need(file != NULL, path);
    need(fputs(text, file) >= 0, path);
    (void)fclose(file);
    (void)chmod(path, 0600);
}

static void trust(const struct certificate *certificate)
{
    char text[8192] = "";
    FILE *file = fopen(certificate->file, "re");
    need(file != NULL, certificate->file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    write_file("ca.crt", text);
}

static void make_account(void)
{
    (void)snprintf(account, sizeof account, "/tmp/warren-account.XXXXXX");
    need(mkdtemp(account) != NULL, account);
    struct certificate_wish ca = { .name = "kubernetes", .is_ca = true };
    authority = certificate_make(&ca);
    ca.name = "somebody else";
    stranger = certificate_make(&ca);
    struct certificate_wish wish = { .name = "kube-apiserver",
                                     .alternatives = "DNS:kubernetes.default.svc,IP:127.0.0.1",
                                     .issuer = authority };
    server = certificate_make(&wish);
    write_file("token", "first-token\n");
    trust(authority);
    (void)setenv("POD_NAME", "pod-1", 1);
    (void)setenv("POD_NAMESPACE", "ns-1", 1);
}

static void remove_account(void)
{
    static const char *const names[] = { "token", "ca.crt" };
    char path[128];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", account, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(account);
    certificate_free(server);
    certificate_free(stranger);
    certificate_free(authority);
}

static void start_api(const char *mode)
{
    char words[400];
    (void)snprintf(words, sizeof words, "%s %s %s/token %s", server->file, server->key_file,
                   account, mode);
    receiver_start_script(&api, "kubernetes_api.py", words);
}

/* Its address in the environment, as a pod has it. */
static void show_api(void)
{
    (void)setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", strrchr(api.url, ':') + 1, 1);
}

/* What it was told, all of it with a line end behind each, and how often it was no request of ours. */
static char told[4096];

static const char *last_told(void)
{
    FILE *file = fopen(api.file, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    told[fread(told, 1, sizeof told - 1, file)] = '\0';
    (void)fclose(file);
    CU_ASSERT_PTR_NULL(strstr(told, "BAD"));
    const char *last = told;
    for (const char *at = told; (at = strchr(at, '\n')) && at[1]; at++) {
        last = at + 1;
    }
    return last;
}

static bool is_told(void *user)
{
    return strcmp(last_told(), user) == 0;
}

static bool wait_told(const char *line)
{
    char copy[32];
    (void)snprintf(copy, sizeof copy, "%s\n", line);
    return live_wait(is_told, copy, MOST_MS);
}

/* --- a worker --- */

struct gate {
    atomic_bool is_open;
};

static bool is_open(void *user)
{
    return atomic_load(&((struct gate *)user)->is_open);
}

static warren_verdict stay(warren_job *job, void *user)
{
    size_t run = crew_note(job);
    (void)live_wait(is_open, user, 2 * MOST_MS);
    crew_note_end(run);
    return WARREN_DONE;
}

static int unusable;

static void count_unusable(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)level;
    if (strcmp(event, "pod.unusable") == 0 && strstr(fields, "POD_NAME")) {
        unusable++;
    }
}

static warren *start(const char *more, struct gate *gate)
{
    char text[400];
    (void)snprintf(text, sizeof text,
                   "kubernetes: { deletion_cost = true; interval = \"1s\"; account = \"%s\"; %s };",
                   account, more);
    char *config = crew_config(text, queue_text);
    warren *w = crew_open(config);
    warren_log_to(count_unusable, NULL, 1);
    CU_ASSERT_EQUAL_FATAL(warren_handle(w, "stay", stay, gate, NULL), WARREN_OK);
    crew_forget();
    crew_start(w);
    free(config);
    return w;
}

static void publish(const warren *w, int count)
{
    const warren_message message = { .type = "stay", .body = "{}" };
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(
            warren_publish(warren_worker_publisher((warren *)(uintptr_t)w), &message, NULL),
            WARREN_OK);
    }
}

static bool has_failed(void *user)
{
    const warren *w = user;
    return wr_pod_cost_counts(w->pod_cost).failed > 0;
}

/* The server has a request before the worker has its answer. */
static bool has_written_three(void *user)
{
    const warren *w = user;
    return wr_pod_cost_counts(w->pod_cost).done >= 3;
}

/* Jobs run and end while the API does what it does, and the worker stops in time. */
static void expect_undisturbed(warren *w, struct gate *gate)
{
    publish(w, 4);
    CU_ASSERT(crew_wait_runs(4, MOST_MS));
    atomic_store(&gate->is_open, true);
    CU_ASSERT(crew_wait_ended(w, 4, MOST_MS));
    int64_t began_us = crew_now_us();
    CU_ASSERT_EQUAL(warren_stop(w, MOST_MS, NULL), WARREN_OK);
    CU_ASSERT(crew_now_us() - began_us < 10000000);
}

/* --- stories --- */

struct stop {
    warren *w;
    warren_status rc;
};

static void *stop_it(void *user)
{
    struct stop *stop = user;
    stop->rc = warren_stop(stop->w, MOST_MS, NULL);
    return NULL;
}

static void a_busy_pod_says_so_and_a_draining_one_is_the_cheapest(void)
{
    struct gate first = { false };
    pthread_t thread;
    start_api("");
    show_api();
    warren *w = start("", &first);
    CU_ASSERT(wait_told("0"));
    publish(w, 1);
    CU_ASSERT(crew_wait_runs(1, MOST_MS));
    CU_ASSERT(wait_told("1"));
    write_file("token", "second-token\n"); /* as the kubelet does now and then */
    struct stop stop = { w, WARREN_FAILED };
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, stop_it, &stop), 0);
    CU_ASSERT(wait_told("-1"));
    CU_ASSERT(live_wait(has_written_three, w, MOST_MS));
    atomic_store(&first.is_open, true);
    (void)pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(stop.rc, WARREN_OK);
    CU_ASSERT_EQUAL(wr_pod_cost_counts(w->pod_cost).failed, 0);
    warren_close(w);
    receiver_stop(&api);
}

static void what_ended_is_taken_back(void)
{
    struct gate gate = { false };
    start_api("");
    show_api();
    warren *w = start("", &gate);
    publish(w, 2);
    CU_ASSERT(crew_wait_runs(2, MOST_MS));
    CU_ASSERT(wait_told("2"));
    atomic_store(&gate.is_open, true);
    CU_ASSERT(wait_told("0"));
    crew_stop(w);
    receiver_stop(&api);
}

static void a_role_that_is_missing_costs_no_job(void)
{
    struct gate gate = { false };
    start_api("--fail 1 403");
    show_api();
    warren *w = start("", &gate);
    CU_ASSERT(live_wait(has_failed, w, MOST_MS));
    CU_ASSERT(wait_told("0")); /* somebody has granted it */
    expect_undisturbed(w, &gate);
    warren_close(w);
    receiver_stop(&api);
}

static void a_server_that_fails_or_hangs_costs_no_job(void)
{
    static const char *const modes[] = { "--fail 1000 500", "--hang" };
    for (int i = 0; i < 2; i++) {
        struct gate gate = { false };
        start_api(modes[i]);
        show_api();
        warren *w = start("", &gate);
        expect_undisturbed(w, &gate);
        CU_ASSERT_EQUAL(wr_pod_cost_counts(w->pod_cost).done, 0);
        warren_close(w);
        receiver_stop(&api);
    }
}

static void a_stranger_is_not_shown_the_token(void)
{
    struct gate gate = { false };
    char where[100];
    start_api("");
    trust(stranger);
    (void)snprintf(where, sizeof where, "api = \"https://127.0.0.1:%s\";",
                   strrchr(api.url, ':') + 1);
    warren *w = start(where, &gate);
    CU_ASSERT(live_wait(has_failed, w, MOST_MS));
    CU_ASSERT_STRING_EQUAL(last_told(), "");
    trust(authority);
    CU_ASSERT(wait_told("0")); /* the CA file is read again, too */
    expect_undisturbed(w, &gate);
    warren_close(w);
    receiver_stop(&api);
}

static void outside_of_a_pod_it_says_so_and_works(void)
{
    struct gate gate = { false };
    (void)unsetenv("POD_NAME");
    unusable = 0;
    warren *w = start("", &gate);
    CU_ASSERT_EQUAL(unusable, 1);
    expect_undisturbed(w, &gate);
    warren_close(w);
    (void)setenv("POD_NAME", "../../secrets/all", 1);
    atomic_store(&gate.is_open, false);
    w = start("", &gate);
    CU_ASSERT_EQUAL(unusable, 2);
    expect_undisturbed(w, &gate);
    warren_close(w);
    (void)setenv("POD_NAME", "pod-1", 1);
}

int main(void)
{
    (void)live_url();
    CU_initialize_registry();
    make_account();
    CU_pSuite suite = CU_add_suite("pod", NULL, NULL);
    CU_ADD_TEST(suite, a_busy_pod_says_so_and_a_draining_one_is_the_cheapest);
    CU_ADD_TEST(suite, what_ended_is_taken_back);
    CU_ADD_TEST(suite, a_role_that_is_missing_costs_no_job);
    CU_ADD_TEST(suite, a_server_that_fails_or_hangs_costs_no_job);
    CU_ADD_TEST(suite, a_stranger_is_not_shown_the_token);
    CU_ADD_TEST(suite, outside_of_a_pod_it_says_so_and_works);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    remove_account();
    return failures ? 1 : 0;
}
