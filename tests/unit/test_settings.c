// SPDX-License-Identifier: MIT
// Loading a configuration: what is read, and what a user is told about mistakes.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "config_folder.h"

#define ORDERS "queue: { name = \"orders\"; jobs: ( { type = \"order.paid\"; } ); };"

static void without_a_file_everything_has_its_default(void)
{
    unsetenv("WARREN_AMQP_URL");
    struct wr_settings *settings = folder_load(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_STRING_EQUAL(settings->ns, "warren");
    CU_ASSERT_STRING_EQUAL(settings->broker.url, "amqp://localhost");
    CU_ASSERT_EQUAL(settings->broker.heartbeat_ms, 15000);
    CU_ASSERT_EQUAL(settings->broker.connect_wait_ms, 300000);
    CU_ASSERT_TRUE(settings->broker.tls.verify);
    CU_ASSERT_PTR_NULL(settings->broker.password);
    CU_ASSERT_EQUAL(settings->threads, 0);
    CU_ASSERT_EQUAL(settings->drain_timeout_ms, 25000);
    CU_ASSERT_EQUAL(settings->delay_max_ms, 36 * 3600 * INT64_C(1000));
    CU_ASSERT_EQUAL(settings->body_most, 1 << 20);
    CU_ASSERT_EQUAL(settings->headers_bytes, 16 << 10);
    CU_ASSERT_STRING_EQUAL(settings->log_level, "info");
    CU_ASSERT_FALSE(settings->topology_check);
    wr_settings_free(settings);
}

static void without_a_file_one_queue_takes_all_types(void)
{
    struct wr_settings *settings = folder_load(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_TRUE(settings->takes_all);
    CU_ASSERT_EQUAL_FATAL(settings->queue_count, 1);
    CU_ASSERT_EQUAL(wr_settings_add_type(settings, "a", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_settings_add_type(settings, "b", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_settings_add_type(settings, "a", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(wr_settings_add_type(settings, "a.*", NULL), WARREN_INVALID);
    const struct wr_queue_settings *queue = wr_settings_queue(settings, "default");
    CU_ASSERT_PTR_NOT_NULL_FATAL(queue);
    CU_ASSERT_EQUAL(queue->type, WR_QUORUM);
    CU_ASSERT_EQUAL_FATAL(queue->job_count, 2);
    CU_ASSERT_EQUAL(queue->jobs[1].concurrency, 1);
    CU_ASSERT_EQUAL(queue->jobs[1].retry.attempts, 5);
    wr_settings_free(settings);
}

static void the_environment_gives_the_default_url(void)
{
    setenv("WARREN_AMQP_URL", "amqps://broker/orders", 1);
    struct wr_settings *settings = folder_load(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_STRING_EQUAL(settings->broker.url, "amqps://broker/orders");
    wr_settings_free(settings);
    setenv("WARREN_AMQP_URL", "http://u:hidden@broker", 1);
    CU_ASSERT_PTR_NULL(folder_load(NULL));
    CU_ASSERT(has_line(
        wr_text_string(&folder_problems),
        "defaults: broker.url (WARREN_AMQP_URL): got \"http://u:***@broker\", want amqp://host, "
        "amqps://host or memory:"));
    unsetenv("WARREN_AMQP_URL");
}

static void a_queue_file_says_everything_about_its_queue(void)
{
    folder_make();
    folder_write("warren.cfg", "threads = 6;");
    folder_write("queues/10.cfg",
                 "queue: { name = \"emails\"; type = \"classic\"; json = \"raw\"; prefetch = 20;\n"
                 "retry: { attempts = 3; first = \"2s\"; factor = 3; }; jobs: (\n"
                 "{ type = \"w\"; concurrency = 4; timeout = \"30s\"; },\n"
                 "{ type = \"d\"; isolate = true; retry: { delays = [\"5s\", \"1m\"]; }; } ); };");
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    const struct wr_queue_settings *queue = &settings->queues[0];
    CU_ASSERT_STRING_EQUAL(queue->name, "emails");
    CU_ASSERT(queue->type == WR_CLASSIC && queue->json_raw && queue->prefetch == 20);
    CU_ASSERT(queue->jobs[0].concurrency == 4 && queue->jobs[0].timeout_ms == 30000);
    CU_ASSERT(queue->jobs[0].retry.attempts == 3 && queue->jobs[0].retry.first_ms == 2000);
    CU_ASSERT(queue->jobs[0].retry.factor == 3.0 && queue->jobs[0].line == 3);
    CU_ASSERT(queue->jobs[1].isolate && queue->jobs[1].retry.backoff == WR_BACKOFF_LIST);
    CU_ASSERT(queue->jobs[1].retry.delay_count == 2 && queue->jobs[1].retry.attempts == 3);
    CU_ASSERT_EQUAL(queue->jobs[1].retry.delays_ms[1], 60000);
    CU_ASSERT_STRING_EQUAL(queue->jobs[1].file, "queues/10.cfg");
    wr_settings_free(settings);
}

static void queue_files_are_read_in_the_order_of_their_names(void)
{
    folder_make();
    folder_write("warren.cfg", "");
    folder_write("queues/20.cfg", "queue: { name = \"b\"; jobs: ( { type = \"b\"; } ); };");
    folder_write("queues/10.cfg", "queues: ( { name = \"a\"; jobs: ( { type = \"a\"; } ); },"
                                  "{ name = \"a2\"; jobs: ( { type = \"a2\"; } ); } );");
    folder_write("queues/.hidden.cfg", "nonsense");
    folder_write("queues/30.cfg~", "nonsense");
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_EQUAL_FATAL(settings->queue_count, 3);
    CU_ASSERT_STRING_EQUAL(settings->queues[0].name, "a");
    CU_ASSERT_STRING_EQUAL(settings->queues[1].name, "a2");
    CU_ASSERT_STRING_EQUAL(settings->queues[2].name, "b");
    CU_ASSERT_EQUAL(wr_settings_add_type(settings, "c", NULL), WARREN_STATE);
    wr_settings_free(settings);
}

static void a_missing_file_is_named(void)
{
    struct wr_settings *settings = NULL;
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(wr_settings_load(&settings, "/nowhere/warren.cfg", NULL, &err), WARREN_CONFIG);
    CU_ASSERT_PTR_NULL(settings);
    CU_ASSERT_EQUAL(err.status, WARREN_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text,
                           "/nowhere/warren.cfg: no such file; `warren config init` writes one");
}

static void an_unknown_key_comes_with_the_one_that_was_meant(void)
{
    const char *said = queue_complaints("name = \"q\";\nprefech = 5;\njobs: ( { type = \"a\"; },\n"
                                        "{ type = \"b\"; concurency = 2; } );\ntimeout = \"5s\";");
    CU_ASSERT(
        has_line(said, "queues/10.cfg:3: queue.prefech: unknown key, did you mean 'prefetch'?"));
    CU_ASSERT(has_line(said, "queues/10.cfg:5: queue.jobs[1].concurency: unknown key, did you mean "
                             "'concurrency'?"));
    CU_ASSERT(has_line(said, "queues/10.cfg:6: queue.timeout: unknown key here, did you mean "
                             "queue.jobs.timeout?"));
    said = folder_complaints("xyzzy = 1;\nbroker: {\n tls: { verifi = true; }; };", ORDERS);
    CU_ASSERT(has_line(said, "warren.cfg:1: xyzzy: unknown key; see `warren config explain`"));
    CU_ASSERT(
        has_line(said, "warren.cfg:3: broker.tls.verifi: unknown key, did you mean 'verify'?"));
}

static void a_wrong_value_says_what_it_got_and_what_it_wants(void)
{
    const char *said =
        folder_complaints("broker: { heartbeat = \"90\";\nconnect_wait = 90;\n"
                          "tls: { verify = \"yes\"; }; };\nlimits: { headers = \"64\"; "
                          "body = \"17MiB\"; };\nlog = \"debug\";\ntopology = \"chek\";"
                          "\nthreads = 0;\nplugins = \"a.so\";",
                          ORDERS);
    CU_ASSERT(has_line(said, "warren.cfg:1: broker.heartbeat: got \"90\", want a duration such as "
                             "\"90s\" or \"2m\""));
    CU_ASSERT(has_line(said, "warren.cfg:2: broker.connect_wait: got 90, want a duration such as "
                             "\"90s\" or \"2m\""));
    CU_ASSERT(has_line(said, "warren.cfg:3: broker.tls.verify: got \"yes\", want true or false"));
    CU_ASSERT(has_line(said, "warren.cfg:4: limits.headers: got \"64\", want a whole number"));
    CU_ASSERT(has_line(said, "warren.cfg:4: limits.body: got \"17MiB\", want from 1B to 16MiB"));
    CU_ASSERT(has_line(said, "warren.cfg:5: log: want a group: log: { … };"));
    CU_ASSERT(
        has_line(said, "warren.cfg:6: topology: got \"chek\", want one of \"apply\", \"check\""));
    CU_ASSERT(has_line(said,
                       "warren.cfg:7: threads: got 0, want a whole number, from 1 to 1024, or "
                       "\"auto\""));
    CU_ASSERT(has_line(said, "warren.cfg:8: plugins: got a string, want a list of paths such as "
                             "[\"a.so\", \"b.so\"]"));
}

static void a_long_number_where_a_short_one_belongs_is_out_of_range(void)
{
    const char *said = folder_complaints("publish: { window = 4294967552L; };", ORDERS);
    CU_ASSERT(has_line(said, "warren.cfg:1: publish.window: got 4294967552, want from 1 to 65535"));
    CU_ASSERT_STRING_EQUAL(folder_complaints("publish: { window = 5L; };", ORDERS), "");
}

static void all_errors_of_all_files_come_at_once(void)
{
    folder_make();
    folder_write("warren.cfg", "threds = 1;");
    folder_write("queues/10.cfg", "queue: { name = \"a\"; jobs: ( { typ = \"a\"; } ); };");
    folder_write("queues/20.cfg", "queue: {\n name = ;\n};");
    folder_write("queues/30.cfg", "namespace = \"x\"; quewe = 1;");
    warren_error err = { 0 };
    struct wr_settings *settings = NULL;
    CU_ASSERT_EQUAL(wr_settings_load(&settings, "warren.cfg", NULL, &err), WARREN_CONFIG);
    folder_remove();
    CU_ASSERT_STRING_EQUAL(
        err.text, "warren.cfg:1: threds: unknown key, did you mean 'threads'?\n"
                  "queues/10.cfg:1: queue.jobs[0].typ: unknown key, did you mean 'type'?\n"
                  "queues/10.cfg:1: queue.jobs[0].type: is missing\n"
                  "queues/20.cfg:2: syntax error\n"
                  "queues/30.cfg:1: namespace: belongs into warren.cfg; a queue file holds queue: "
                  "{ … };\n"
                  "queues/30.cfg:1: quewe: unknown key, a queue file holds queue: { … };");
}

static void an_error_text_that_is_full_says_how_many_more_there_are(void)
{
    struct wr_text text = { 0 };
    for (int i = 0; i < 200; i++) {
        wr_text_add_format(&text, "xyzzy_%d = 1;\n", i);
    }
    folder_make();
    folder_write("warren.cfg", wr_text_string(&text));
    wr_text_done(&text);
    warren_error err = { 0 };
    struct wr_settings *settings = NULL;
    CU_ASSERT_EQUAL(wr_settings_load(&settings, "warren.cfg", NULL, &err), WARREN_CONFIG);
    folder_remove();
    int lines = 0;
    for (const char *at = err.text; *at; at++) {
        lines += *at == '\n';
    }
    char last[64];
    (void)snprintf(last, sizeof last, "\nand %d more errors", 200 - lines);
    CU_ASSERT(lines > 10);
    CU_ASSERT_STRING_EQUAL(err.text + strlen(err.text) - strlen(last), last);
}

static void relative_paths_start_at_the_files_folder(void)
{
    folder_make();
    folder_write("queues/10.cfg", ORDERS);
    folder_write("secret", "pw");
    folder_write("warren.cfg", "plugins = [ \"a.so\", \"/b.so\" ];\n"
                               "broker: { password_file = \"secret\"; };");
    struct wr_settings *settings = folder_load("warren.cfg");
    char want[128];
    (void)snprintf(want, sizeof want, "%s/secret", folder_path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_STRING_EQUAL(settings->broker.password_file, want);
    CU_ASSERT_EQUAL_FATAL(settings->plugin_count, 2);
    CU_ASSERT_STRING_EQUAL(strrchr(settings->plugins[0], '/'), "/a.so");
    CU_ASSERT_EQUAL(settings->plugins[0][0], '/');
    CU_ASSERT_STRING_EQUAL(settings->plugins[1], "/b.so");
    wr_settings_free(settings);
    folder_remove();
}

static void the_queues_folder_may_be_elsewhere_but_must_be_there_when_named(void)
{
    const char *said = folder_complaints("\nqueues = \"no such\";", NULL);
    CU_ASSERT(has_line(said, "warren.cfg:2: queues: no such: No such file or directory"));
    folder_make();
    folder_write("warren.cfg", "queues = \"more\";");
    CU_ASSERT_EQUAL(rename("queues", "more"), 0);
    folder_write("more/10.cfg", ORDERS);
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_STRING_EQUAL(settings->queues[0].file, "more/10.cfg");
    wr_settings_free(settings);
}

static void one_file_may_hold_everything(void)
{
    folder_make();
    folder_write("one.cfg", "namespace = \"shop\";\n" ORDERS);
    struct wr_settings *settings = folder_load("one.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_PTR_NOT_NULL(wr_settings_queue(settings, "orders"));
    CU_ASSERT_PTR_NULL(wr_settings_queue(settings, "other"));
    wr_settings_free(settings);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings", NULL, NULL);
    CU_ADD_TEST(suite, without_a_file_everything_has_its_default);
    CU_ADD_TEST(suite, without_a_file_one_queue_takes_all_types);
    CU_ADD_TEST(suite, the_environment_gives_the_default_url);
    CU_ADD_TEST(suite, a_queue_file_says_everything_about_its_queue);
    CU_ADD_TEST(suite, queue_files_are_read_in_the_order_of_their_names);
    CU_ADD_TEST(suite, a_missing_file_is_named);
    CU_ADD_TEST(suite, an_unknown_key_comes_with_the_one_that_was_meant);
    CU_ADD_TEST(suite, a_wrong_value_says_what_it_got_and_what_it_wants);
    CU_ADD_TEST(suite, a_long_number_where_a_short_one_belongs_is_out_of_range);
    CU_ADD_TEST(suite, all_errors_of_all_files_come_at_once);
    CU_ADD_TEST(suite, an_error_text_that_is_full_says_how_many_more_there_are);
    CU_ADD_TEST(suite, relative_paths_start_at_the_files_folder);
    CU_ADD_TEST(suite, the_queues_folder_may_be_elsewhere_but_must_be_there_when_named);
    CU_ADD_TEST(suite, one_file_may_hold_everything);
    CU_basic_run_tests();
    wr_text_done(&folder_problems);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
