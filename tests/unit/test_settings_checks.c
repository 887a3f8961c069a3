// SPDX-License-Identifier: MIT
// What only the whole configuration can tell: names, policies, threads, and settings that hurt.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "config_folder.h"
#include "model/settings_name.h"

#define JOB "jobs: ( { type = \"a\"; } );"

static void queue_names_that_warren_or_the_broker_keeps_are_refused(void)
{
    CU_ASSERT_PTR_NULL(wr_queue_name_problem("warren", "orders.eu-west*1#.a b"));
    CU_ASSERT_PTR_NULL(wr_queue_name_problem("warren", "warrens.delay.1"));
    CU_ASSERT_PTR_NULL(wr_queue_name_problem("shop", "warren.delay.1"));
    CU_ASSERT_PTR_NULL(wr_queue_name_problem("warren", "caf\xC3\xA9"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", ""));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "a.*.b"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "#"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "a.#"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "amq.gen"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "warren.delay.250"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "warren.unrouted"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "a.dead"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "a\nb"));
    CU_ASSERT_PTR_NOT_NULL(wr_queue_name_problem("warren", "caf\xE9"));
}

static void names_fit_into_a_routing_key_with_a_delay_before_them(void)
{
    char name[300];
    memset(name, 'q', sizeof name);
    name[235] = '\0';
    CU_ASSERT_PTR_NULL(wr_queue_name_problem("warren", name));
    name[235] = 'q';
    name[236] = '\0';
    CU_ASSERT_STRING_EQUAL(wr_queue_name_problem("warren", name), "is longer than 235 bytes");
    CU_ASSERT_PTR_NULL(wr_type_problem(name));
    name[236] = 'q';
    name[237] = '\0';
    CU_ASSERT_STRING_EQUAL(wr_type_problem(name), "is longer than 236 bytes");
}

static void exchanges_of_others_are_fine_and_warrens_own_are_not(void)
{
    CU_ASSERT_PTR_NULL(wr_exchange_problem("warren", "events"));
    CU_ASSERT_PTR_NULL(wr_exchange_problem("warren", "amq.topic"));
    CU_ASSERT_PTR_NULL(wr_exchange_problem("warren", "warren.jobs"));
    CU_ASSERT_PTR_NOT_NULL(wr_exchange_problem("warren", "amq.direct"));
    CU_ASSERT_PTR_NOT_NULL(wr_exchange_problem("warren", "warren.dead"));
    CU_ASSERT_PTR_NOT_NULL(wr_exchange_problem("warren", "warren.delay.125"));
    CU_ASSERT(
        has_line(queue_complaints("name = \"q\"; " JOB "\nexchange = \"amq.fanout\";"),
                 "queues/10.cfg:3: queue.exchange: begins with 'amq.', which the broker keeps "
                 "for itself; only amq.topic would do"));
}

static void a_namespace_is_letters_digits_dots_dashes_and_underscores(void)
{
    CU_ASSERT_PTR_NULL(wr_namespace_problem("Shop-1_eu.west"));
    CU_ASSERT_PTR_NOT_NULL(wr_namespace_problem("a b"));
    CU_ASSERT_PTR_NOT_NULL(wr_namespace_problem("a*"));
    CU_ASSERT_PTR_NOT_NULL(wr_namespace_problem("amq.x"));
    CU_ASSERT(has_line(folder_complaints("\nnamespace = \"a/b\";", NULL),
                       "warren.cfg:2: namespace: want letters, digits, '.', '_' and '-' only"));
    CU_ASSERT(has_line(folder_complaints("namespace = \"\";", NULL),
                       "warren.cfg:1: namespace: must not be empty"));
    CU_ASSERT(has_line(folder_complaints("namespace = \"0123456789012345678901234567890123456789"
                                         "01234567890123456789x\";",
                                         NULL),
                       "warren.cfg:1: namespace: want 1 to 60 bytes"));
}

static void wrong_names_are_told_with_their_lines(void)
{
    const char *said = queue_complaints("name = \"a.dead\";\njobs: (\n{ type = \"x.#\"; },\n"
                                        "{ type = \"\"; } );\ndefault_type = \"y\";");
    CU_ASSERT(
        has_line(said, "queues/10.cfg:2: queue.name: ends with '.dead', as the dead queues do"));
    CU_ASSERT(has_line(said,
                       "queues/10.cfg:4: queue.jobs[0].type: has the word '*' or '#', which is "
                       "a wildcard in a routing key"));
    CU_ASSERT(has_line(said, "queues/10.cfg:5: queue.jobs[1].type: must not be empty"));
    CU_ASSERT(
        has_line(said, "queues/10.cfg:6: queue.default_type: is none of the queue's job types"));
}

static void an_isolated_queue_collides_with_nothing(void)
{
    const char *said =
        queue_complaints("name = \"q\"; jobs: (\n{ type = \"dead\"; isolate = true; },"
                         "\n{ type = \"dead\"; } );");
    CU_ASSERT(has_line(said, "queues/10.cfg:3: queue.jobs.type: its isolated queue 'q.dead' ends "
                             "with '.dead', as the dead queues do"));
    CU_ASSERT_STRING_EQUAL(queue_complaints("name = \"q\"; jobs: ( { type = \"dead\"; } );"), "");
    said =
        folder_complaints("", "queues: (\n{ name = \"q\"; jobs: ( { type = \"b\"; isolate = true; "
                              "} ); },\n{ name = \"q.b\"; " JOB " },\n{ name = \"q\"; jobs: ( { "
                              "type = \"c\"; } ); } );");
    CU_ASSERT(has_line(said, "queues/10.cfg:3: queue.name: the queue 'q.b' is there already, at "
                             "queues/10.cfg:2"));
    CU_ASSERT(has_line(said, "queues/10.cfg:4: queue.name: the queue 'q' is there already, at "
                             "queues/10.cfg:2"));
}

static void a_type_stands_once_in_a_queue(void)
{
    const char *said =
        queue_complaints("name = \"q\"; jobs: (\n{ type = \"a\"; },\n{ type = \"b\"; "
                         "},\n{ type = \"a\"; } );");
    CU_ASSERT_STRING_EQUAL(said, "queues/10.cfg:5: queue.jobs.type: the type 'a' is there already, "
                                 "at line 3\n");
    said =
        folder_complaints("", "queues: ( { name = \"q\"; " JOB " },\n{ name = \"r\"; " JOB " },\n"
                              "{ name = \"s\"; exchange = \"events\"; " JOB " } );");
    CU_ASSERT_STRING_EQUAL(said,
                           "queues/10.cfg:2: note: queue.jobs.type: the queue 'q' has the type "
                           "'a', too, so each such job runs once for each of the two queues\n");
}

static void what_is_required_is_missed(void)
{
    const char *said = folder_complaints("", "queue: {\n};");
    CU_ASSERT(has_line(said, "queues/10.cfg:1: queue.name: is missing"));
    CU_ASSERT(has_line(said, "queues/10.cfg:1: queue.jobs: is missing"));
    said = queue_complaints("name = \"q\"; jobs: ( 5,\n{ concurrency = 2; } );");
    CU_ASSERT(has_line(said, "queues/10.cfg:2: queue.jobs[0]: want a group such as { type = "
                             "\"email\"; }"));
    CU_ASSERT(has_line(said, "queues/10.cfg:3: queue.jobs[1].type: is missing"));
    said = queue_complaints("name = \"q\"; jobs: { type = \"a\"; };");
    CU_ASSERT(has_line(said,
                       "queues/10.cfg:2: queue.jobs: want a list of groups such as ( { type = "
                       "\"email\"; } )"));
    said = folder_complaints("", "queues: ( 3 );");
    CU_ASSERT(has_line(said, "queues/10.cfg:1: queues[0]: want a group such as queue: { name = "
                             "\"emails\"; … };"));
}

static void a_wait_longer_than_the_ladder_is_an_error_that_names_both(void)
{
    const char *said = folder_complaints(
        "delay: { max = \"1m\"; };", "queue: { name = \"q\";\nretry: { first = \"1m\"; jitter = "
                                     "0.0; };\njobs: ( { type = \"a\";\nretry: { delays = [\"5s\""
                                     ", \"2m\"]; jitter = 0.5; }; } ); };");
    CU_ASSERT(has_line(said, "queues/10.cfg:2: queue.retry: asks for waits of up to 8m (with "
                             "jitter), longer than delay.max (1m); shorten the waits or raise "
                             "delay.max"));
    CU_ASSERT(has_line(said,
                       "queues/10.cfg:4: queue.jobs[0].retry: asks for waits of up to 3m "
                       "(with jitter), longer than delay.max (1m); shorten the waits or raise "
                       "delay.max"));
    CU_ASSERT(has_line(folder_complaints("delay: { max = \"389d\"; };", NULL),
                       "warren.cfg:1: delay.max: got \"389d\", want from 125ms to 388d"));
}

static void a_policy_that_contradicts_itself_is_refused(void)
{
    const char *said = queue_complaints(
        "name = \"q\"; retry: { backoff = \"list\"; }; jobs: (\n"
        "{ type = \"a\"; retry: { backoff = \"fixed\"; delays = [\"1s\"]; }; },\n"
        "{ type = \"b\"; retry: { backoff = \"exponential\"; first = \"1h\"; }; },\n"
        "{ type = \"c\"; retry: { delays = [\"1s\", \"0s\", \"x\"]; }; },\n"
        "{ type = \"d\"; retry: { delays = [ 5 ]; attempts = 0; }; } );");
    CU_ASSERT(has_line(said, "queues/10.cfg:2: queue.retry.backoff: \"list\" needs delays, such as "
                             "[\"5s\", \"1m\"]"));
    CU_ASSERT(has_line(said, "queues/10.cfg:3: queue.jobs[0].retry.backoff: contradicts delays, "
                             "which are for backoff \"list\"; drop one of them"));
    CU_ASSERT(has_line(said, "queues/10.cfg:4: queue.jobs[1].retry.first: is longer than max"));
    CU_ASSERT(has_line(said,
                       "queues/10.cfg:5: queue.jobs[2].retry.delays[1]: got \"0s\", want from "
                       "1ms to 388d"));
    CU_ASSERT(has_line(said, "queues/10.cfg:5: queue.jobs[2].retry.delays[2]: got \"x\", want a "
                             "duration such as \"90s\" or \"2m\""));
    CU_ASSERT(has_line(said, "queues/10.cfg:6: queue.jobs[3].retry.delays[0]: got 5, want a "
                             "duration such as \"90s\" or \"2m\""));
    CU_ASSERT_PTR_NULL(strstr(said, "jobs[3].retry.backoff"));
    CU_ASSERT(has_line(said, "queues/10.cfg:6: queue.jobs[3].retry.attempts: got 0, want from 1 to "
                             "1000"));
}

static void what_a_policy_does_not_use_is_noted(void)
{
    const char *said =
        queue_complaints("name = \"q\"; jobs: (\n{ type = \"a\"; retry: { delays = "
                         "[\"1s\", \"2s\", \"3s\"]; attempts = 3; factor = 3.0; }; } "
                         ");");
    CU_ASSERT_STRING_EQUAL(
        said, "queues/10.cfg:3: note: queue.jobs[0].retry.factor: has no effect with backoff "
              "\"list\"\n"
              "queues/10.cfg:3: note: queue.jobs[0].retry.delays: 3 attempts make 2 waits, so the "
              "last of the 3 delays are never used\n");
}

static void a_type_may_leave_the_list_of_its_queue(void)
{
    folder_make();
    folder_write("warren.cfg",
                 "queue: { name = \"q\"; retry: { delays = [\"1s\"]; }; jobs: ( { type "
                 "= \"a\"; retry: { backoff = \"fixed\"; first = \"3s\"; }; },"
                 "{ type = \"b\"; retry: { delays = [\"2s\", \"3s\"]; }; } ); };");
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    const struct wr_job_settings *jobs = settings->queues[0].jobs;
    CU_ASSERT(jobs[0].retry.backoff == WR_BACKOFF_FIXED && jobs[0].retry.first_ms == 3000);
    CU_ASSERT(jobs[1].retry.backoff == WR_BACKOFF_LIST && jobs[1].retry.delay_count == 2);
    wr_settings_free(settings);
}

static void isolated_types_keep_their_threads(void)
{
    static const char queue[] = "queue: { name = \"q\"; jobs: ( { type = \"a\"; isolate = true; "
                                "concurrency = 3; }, { type = \"b\"; } ); };";
    CU_ASSERT_STRING_EQUAL(folder_complaints("\nthreads = 3;", queue),
                           "warren.cfg:2: threads: 3 are too few: the isolated types together need "
                           "3, and the others at least one more\n");
    CU_ASSERT_STRING_EQUAL(folder_complaints("threads = 4;", queue), "");
    CU_ASSERT_STRING_EQUAL(folder_complaints("threads = \"auto\";", queue), "");
    const char *said = queue_complaints("name = \"q\"; jobs: ( { type = \"a\"; isolate = true; "
                                        "concurrency = 300; } );");
    CU_ASSERT_STRING_EQUAL(said,
                           "warren.cfg: threads: 256 are too few: the isolated types together "
                           "need 300; say how many, since auto makes 256 at most\n");
}

static void a_broker_section_that_cannot_work_is_refused(void)
{
    const char *said =
        folder_complaints("broker: { url = \"http://u:hidden@h\";\nheartbeat = "
                          "\"5500ms\";\nuser = \"a\"; user_file = \"b\";\npassword = "
                          "\"a\"; password_file = \"b\";\nmanagement_url = \"h:1\";\n"
                          "tls: { cert_file = \"c\"; }; };",
                          NULL);
    CU_ASSERT(has_line(said, "warren.cfg:1: broker.url: got \"http://u:***@h\", want amqp://host, "
                             "amqps://host or memory:"));
    CU_ASSERT(has_line(said, "warren.cfg:2: broker.heartbeat: want whole seconds"));
    CU_ASSERT(has_line(said, "warren.cfg:3: broker.user_file: user is set, too; drop one of them"));
    CU_ASSERT(has_line(said,
                       "warren.cfg:4: broker.password_file: password is set, too; drop one of "
                       "them"));
    CU_ASSERT(has_line(said,
                       "warren.cfg:5: broker.management_url: got \"h:1\", want http://host or "
                       "https://host"));
    CU_ASSERT(has_line(said, "warren.cfg:6: broker.tls.cert_file: needs key_file as well"));
    CU_ASSERT(has_line(folder_complaints("broker: { heartbeat = \"1s\"; };", NULL),
                       "warren.cfg:1: broker.heartbeat: got \"1s\", want from 5s to 1h"));
    CU_ASSERT_PTR_NULL(strstr(said, "hidden"));
}

static void a_login_by_certificate_needs_tls_and_a_certificate(void)
{
    const char *said =
        folder_complaints("broker: { url = \"amqp://h\";\nlogin = \"external\"; };", NULL);
    CU_ASSERT(has_line(said, "warren.cfg:2: broker.login: external is by certificate, so "
                             "broker.url must begin with amqps://"));
    CU_ASSERT(has_line(said, "warren.cfg:2: broker.login: external is by certificate: it needs "
                             "broker.tls.cert_file and key_file"));
    said = folder_complaints("broker: { url = \"amqps://h?certfile=c&keyfile=k\"; login = "
                             "\"external\"; };",
                             NULL);
    CU_ASSERT_PTR_NULL(strstr(said, "broker.login"));
}

static void settings_that_hurt_are_noted_and_start_anyway(void)
{
    folder_make();
    folder_write(
        "warren.cfg",
        "broker: { url = \"memory:\"; allow_plaintext = true;\ntls: { verify = false; };\n"
        "password_file = \"none\"; };\nqueue: { name = \"q\"; type = \"classic\";\n"
        "prefetch = 2; jobs: ( { type = \"a\"; concurrency = 3;\ntimeout = \"31m\"; } ); };");
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    const char *said = wr_text_string(&folder_problems);
    CU_ASSERT_PTR_NOT_NULL(settings);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:1: note: broker.allow_plaintext: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:2: note: broker.tls.verify: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:3: note: broker.password_file: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:4: note: queue.type: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:5: note: queue.prefetch: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:6: note: queue.jobs[0].timeout: "));
    wr_settings_free(settings);
}

/* What is said about a configuration with a file "secret" of this mode beside it. */
static const char *secret_complaints(const char *option, mode_t mode)
{
    char text[256];
    folder_make();
    folder_write("secret", "S3cret");
    (void)chmod("secret", mode);
    (void)snprintf(text, sizeof text, "broker: {\n%s };\n", option);
    folder_write("warren.cfg", text);
    wr_settings_free(folder_load("warren.cfg"));
    folder_remove();
    return wr_text_string(&folder_problems);
}

static void a_password_file_is_for_its_reader_alone(void)
{
    const char *option = "password_file = \"secret\";";
    CU_ASSERT_PTR_NULL(strstr(secret_complaints(option, 0600), "secret"));
    CU_ASSERT_PTR_NULL(strstr(secret_complaints(option, 0440), "secret"));
    CU_ASSERT_PTR_NOT_NULL(strstr(secret_complaints(option, 0644),
                                  "warren.cfg:2: note: broker.password_file: everyone may read /"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(secret_complaints(option, 0602), "warren.cfg:2: broker.password_file: /"));
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&folder_problems), "may be changed by others"));
}

static void a_private_key_that_others_may_read_is_refused(void)
{
    const char *option =
        "url = \"amqps://h\"; tls: { cert_file = \"c\";\nkey_file = \"secret\"; };";
    CU_ASSERT_PTR_NULL(strstr(secret_complaints(option, 0400), "private key"));
    CU_ASSERT_PTR_NULL(strstr(secret_complaints(option, 0440), "private key"));
    for (int i = 0; i < 2; i++) {
        const char *said = secret_complaints(option, i ? 0644 : 0460);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "warren.cfg:3: broker.tls.key_file: /"));
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "a private key, may be read or changed by others"));
    }
}

static void ten_thousand_types_are_read_and_one_more_is_refused(void)
{
    for (int count = 10000; count <= 10001; count++) {
        struct wr_text text = { 0 };
        wr_text_add_string(&text, "queue: { name = \"q\"; jobs: (");
        for (int i = 0; i < count; i++) {
            wr_text_add_format(&text, "%s{ type = \"t%d\"; }", i ? "," : "", i);
        }
        wr_text_add_string(&text, ");};");
        const char *said = folder_complaints("", wr_text_string(&text));
        CU_ASSERT_STRING_EQUAL(said, count == 10000 ? ""
                                                    : "queues/10.cfg:1: queue.jobs: want at most "
                                                      "10000 job types in all queues together\n");
        wr_text_done(&text);
    }
}

static void spans_go_to_a_url_without_a_password(void)
{
    static const char *const bad[] = { "localhost:4318", "ftp://c:4318", "http://", "https:///v1",
                                       "http://:4318" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        char want[160];
        (void)snprintf(text, sizeof text, "trace: { endpoint = \"%s\"; };", bad[i]);
        (void)snprintf(want, sizeof want,
                       "warren.cfg:1: trace.endpoint: got \"%s\", want http://host:port or "
                       "https://host:port",
                       bad[i]);
        CU_ASSERT(has_line(folder_complaints(text, NULL), want));
    }
    const char *said =
        folder_complaints("trace: { endpoint = \"http://u:S3cret@c:4318\"; };", NULL);
    CU_ASSERT(has_line(said, "warren.cfg:1: trace.endpoint: want a URL without user and password"));
    CU_ASSERT_PTR_NULL(strstr(said, "S3cret"));
}

static void an_api_server_is_spoken_to_by_https(void)
{
    static const char *const bad[] = { "10.0.0.1:443", "http://10.0.0.1", "https://",
                                       "https://:443" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        char want[160];
        (void)snprintf(text, sizeof text, "kubernetes: { api = \"%s\"; };", bad[i]);
        (void)snprintf(want, sizeof want,
                       "warren.cfg:1: kubernetes.api: got \"%s\", want https://host:port", bad[i]);
        CU_ASSERT(has_line(folder_complaints(text, NULL), want));
    }
    const char *said = folder_complaints("kubernetes: { api = \"https://u:S3cret@k\"; };", NULL);
    CU_ASSERT(has_line(said, "warren.cfg:1: kubernetes.api: want a URL without user and password"));
    CU_ASSERT_PTR_NULL(strstr(said, "S3cret"));
    said = folder_complaints("kubernetes: { api = \"https://[::1]:6443\"; };", NULL);
    CU_ASSERT_PTR_NULL(strstr(said, "kubernetes"));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings_checks", NULL, NULL);
    CU_ADD_TEST(suite, queue_names_that_warren_or_the_broker_keeps_are_refused);
    CU_ADD_TEST(suite, names_fit_into_a_routing_key_with_a_delay_before_them);
    CU_ADD_TEST(suite, exchanges_of_others_are_fine_and_warrens_own_are_not);
    CU_ADD_TEST(suite, a_namespace_is_letters_digits_dots_dashes_and_underscores);
    CU_ADD_TEST(suite, wrong_names_are_told_with_their_lines);
    CU_ADD_TEST(suite, an_isolated_queue_collides_with_nothing);
    CU_ADD_TEST(suite, a_type_stands_once_in_a_queue);
    CU_ADD_TEST(suite, what_is_required_is_missed);
    CU_ADD_TEST(suite, a_wait_longer_than_the_ladder_is_an_error_that_names_both);
    CU_ADD_TEST(suite, a_policy_that_contradicts_itself_is_refused);
    CU_ADD_TEST(suite, what_a_policy_does_not_use_is_noted);
    CU_ADD_TEST(suite, a_type_may_leave_the_list_of_its_queue);
    CU_ADD_TEST(suite, isolated_types_keep_their_threads);
    CU_ADD_TEST(suite, a_broker_section_that_cannot_work_is_refused);
    CU_ADD_TEST(suite, a_login_by_certificate_needs_tls_and_a_certificate);
    CU_ADD_TEST(suite, settings_that_hurt_are_noted_and_start_anyway);
    CU_ADD_TEST(suite, a_password_file_is_for_its_reader_alone);
    CU_ADD_TEST(suite, a_private_key_that_others_may_read_is_refused);
    CU_ADD_TEST(suite, spans_go_to_a_url_without_a_password);
    CU_ADD_TEST(suite, an_api_server_is_spoken_to_by_https);
    CU_ADD_TEST(suite, ten_thousand_types_are_read_and_one_more_is_refused);
    CU_basic_run_tests();
    wr_text_done(&folder_problems);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
