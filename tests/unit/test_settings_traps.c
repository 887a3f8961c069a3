// SPDX-License-Identifier: MIT
// What libconfig 1.5 would swallow, what files may not be trusted, and what ${…} stands for.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "config_folder.h"

#define ORDERS "queue: { name = \"orders\"; jobs: ( { type = \"order.paid\"; } ); };"

static void an_integer_that_would_wrap_is_refused_in_its_line(void)
{
    const char *said = folder_complaints("# 99999999999 \"\n/* 99999999999\n \" */ // \"\n"
                                         "threads = 99999999999;\nnamespace = \"a99999999999\";\n"
                                         "limits: { headers = 2147483648; };\n"
                                         "publish: { window = 0xFFFFFFFF; };\n"
                                         "json = 99999999999999999999L;",
                                         NULL);
    CU_ASSERT(has_line(said, "warren.cfg:4: threads: the number 99999999999 is too large"));
    CU_ASSERT(has_line(said, "warren.cfg:6: limits.headers: the number 2147483648 is too large"));
    CU_ASSERT(has_line(said, "warren.cfg:7: publish.window: the number 0xFFFFFFFF is too large"));
    CU_ASSERT(has_line(said, "warren.cfg:8: json: the number 99999999999999999999 is too large"));
    CU_ASSERT_PTR_NULL(strstr(said, ":1:"));
    CU_ASSERT_PTR_NULL(strstr(said, ":2:"));
    CU_ASSERT_PTR_NULL(strstr(said, ":5:"));
}

static void what_the_lexer_finds_hides_nothing_else(void)
{
    const char *said = folder_complaints("threads = 99999999999;\ndrain_timeout = 25;",
                                         "queue: { name = \"q\";\njobs: ( { type = \"a\"; },\n"
                                         "{ type = \"b\"; concurrency = 2147483648;\n"
                                         "retry: { delays = [ \"1s\", \"\\q\" ]; }; } ); };");
    CU_ASSERT_STRING_EQUAL(
        said,
        "warren.cfg:1: threads: the number 99999999999 is too large\n"
        "warren.cfg:2: drain_timeout: got 25, want a duration such as \"90s\" or \"2m\"\n"
        "queues/10.cfg:3: queue.jobs[1].concurrency: the number 2147483648 is too large\n"
        "queues/10.cfg:4: queue.jobs[1].retry.delays[1]: \\q is not an escape here; a "
        "backslash is written \\\\\n"
        "queues/10.cfg:4: queue.jobs[1].retry.delays[1]: got \"\\q\", want a duration such as "
        "\"90s\" or \"2m\"\n");
}

static void numbers_in_names_strings_and_fractions_are_left_alone(void)
{
    const char *said =
        queue_complaints("name = \"q99999999999 \\\" 99999999999\"\n"
                         "\" 99999999999\"; /* \" */ retry: { factor = "
                         "2.00000000000000000001; jitter = 99999999999e-12; };\n"
                         "jobs: ( { type = \"a\"; concurrency = 0000000000000003; } )");
    CU_ASSERT_STRING_EQUAL(said, "");
    said = queue_complaints("n99999999999 = 1; name = \"q\"; jobs: ( { type = \"a\"; } );");
    CU_ASSERT(has_line(said, "queues/10.cfg:2: queue.n99999999999: unknown key; see `warren config "
                             "explain queue`"));
}

static void an_include_is_refused_before_anything_is_read(void)
{
    const char *said =
        folder_complaints("namespace = \"@include\";\n  @include \"/etc/passwd\"\n", ORDERS);
    CU_ASSERT(has_line(said, "warren.cfg:2: @include is not allowed; options belong into "
                             "warren.cfg, and every *.cfg file in the folder of queues is read by "
                             "itself"));
    CU_ASSERT_PTR_NULL(strstr(said, "warren.cfg:1"));
}

static void escapes_that_would_stay_as_they_are_written_are_refused(void)
{
    const char *said = folder_complaints("namespace = \"caf\\u00e9\";\nlog: { level = \"\\q\"; };\n"
                                         "broker: { user = \"a\\x00b\"; };",
                                         ORDERS);
    CU_ASSERT(has_line(
        said, "warren.cfg:1: namespace: \\u is not an escape here; write the character itself, "
              "in UTF-8"));
    CU_ASSERT(has_line(
        said, "warren.cfg:2: log.level: \\q is not an escape here; a backslash is written \\\\"));
    CU_ASSERT(has_line(said, "warren.cfg:3: broker.user: a string can't hold \\x00"));
    CU_ASSERT_STRING_EQUAL(queue_complaints("name = \"caf\xC3\xA9\\x41\\t\";"),
                           "queues/10.cfg:1: "
                           "queue.jobs: is missing\nqueues/10.cfg:2: queue.name: has control "
                           "characters\n");
}

static void a_file_that_is_no_text_is_refused(void)
{
    static const char *const want = "warren.cfg: the file is not text in UTF-8\n";
    CU_ASSERT_STRING_EQUAL(folder_complaints("namespace = \"caf\xE9\";", NULL), want);
    folder_make();
    folder_write_bytes("warren.cfg", "threads = 1;\0threads = 2;", 25);
    CU_ASSERT_PTR_NULL(folder_load("warren.cfg"));
    folder_remove();
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems), want);
    CU_ASSERT(has_line(folder_complaints("\xEF\xBB\xBFthreads = 1;", NULL),
                       "warren.cfg:1: the file begins with a byte order mark; save it as UTF-8 "
                       "without one"));
}

static void a_key_said_twice_and_a_syntax_error_have_their_lines(void)
{
    const char *said = folder_complaints("threads = 1;\n\nthreads = 2;", NULL);
    CU_ASSERT_STRING_EQUAL(said,
                           "warren.cfg:3: threads: the same name stands twice in its group\n");
    said = folder_complaints("threads = 1;\nlog: {\n level = ;\n};", NULL);
    CU_ASSERT_STRING_EQUAL(said, "warren.cfg:3: syntax error\n");
}

static void a_broken_main_file_hides_no_queue_file(void)
{
    const char *said =
        folder_complaints("threads = ;\n", "queue: { name = \"orders\"; prefech = 3;\n"
                                           "jobs: ( { type = \"paid\"; } ); };\n");
    CU_ASSERT_STRING_EQUAL(said, "warren.cfg:1: syntax error\n"
                                 "queues/10.cfg:1: queue.prefech: unknown key, did you mean "
                                 "'prefetch'?\n");
}

static void deep_nesting_and_huge_files_are_refused(void)
{
    char *text = malloc((1 << 20) + 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, '(', 100000);
    (void)snprintf(text, 5, "a = ");
    text[4] = '(';
    text[100000] = '\0';
    CU_ASSERT_STRING_EQUAL(folder_complaints(text, NULL),
                           "warren.cfg:1: nested deeper than 32 groups and lists\n");
    memset(text, ' ', (1 << 20) + 1);
    text[(1 << 20) + 1] = '\0';
    CU_ASSERT_STRING_EQUAL(folder_complaints(text, NULL), "warren.cfg: larger than 1 MiB\n");
    text[1 << 20] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(folder_complaints(text, NULL), "note: no queue"));
    free(text);
}

/* As a file of that mode and group; true when it is refused, with the right words. */
static bool is_refused(mode_t mode, gid_t group)
{
    folder_make();
    folder_write("warren.cfg", "");
    folder_write("queues/10.cfg", ORDERS);
    CU_ASSERT_EQUAL(chown("queues/10.cfg", (uid_t)-1, group), 0);
    CU_ASSERT_EQUAL(chmod("queues/10.cfg", mode), 0);
    struct wr_settings *settings = folder_load("warren.cfg");
    bool refused = !settings;
    wr_settings_free(settings);
    folder_remove();
    if (refused) {
        CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems),
                               "queues/10.cfg: others may write this file, so it can't be trusted; "
                               "chmod go-w it\n");
    }
    return refused;
}

static void files_that_others_may_write_are_refused(void)
{
    CU_ASSERT(is_refused(0646, getegid()));
    CU_ASSERT_FALSE(is_refused(0664, getegid())); /* a checkout under umask 002 */
    if (geteuid() == 0) {
        CU_ASSERT(is_refused(0664, getegid() + 1));
    }
}

static void only_regular_files_are_read(void)
{
    folder_make();
    CU_ASSERT_EQUAL(mkfifo("warren.cfg", 0600), 0);
    CU_ASSERT_PTR_NULL(folder_load("warren.cfg")); /* and doesn't wait for a writer */
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems), "warren.cfg: not a regular file\n");
    CU_ASSERT_PTR_NULL(folder_load("queues"));
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems), "queues: not a regular file\n");
    folder_remove();
}

static void a_password_in_a_file_for_everyone_is_noted(void)
{
    static const char text[] =
        "broker: { password = \"pw\";\nurl = \"amqp://u:pw@localhost\"; };\n" ORDERS;
    CU_ASSERT_STRING_EQUAL(
        folder_complaints(text, NULL),
        "warren.cfg:1: note: broker.password: a password in a file that everyone "
        "may read; chmod o-r it, or use password_file or ${env:NAME}\n"
        "warren.cfg:2: note: broker.url: a password in a file that everyone may "
        "read; chmod o-r it, or use password_file or ${env:NAME}\n");
    setenv("WARREN_TEST_PASSWORD", "pw", 1);
    CU_ASSERT_STRING_EQUAL(
        folder_complaints(
            "broker: { url = \"amqp://u:${env:WARREN_TEST_PASSWORD}@localhost\"; };\n" ORDERS,
            NULL),
        "");
    folder_make();
    folder_write("warren.cfg", text);
    CU_ASSERT_EQUAL(chmod("warren.cfg", 0640), 0);
    wr_settings_free(folder_load("warren.cfg"));
    folder_remove();
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems), "");
}

static void what_connecting_would_refuse_is_told_before(void)
{
    CU_ASSERT(
        has_line(folder_complaints("\nbroker: { url = \"amqp://u:p@localhost:99999\"; };", NULL),
                 "warren.cfg:2: broker.url: a port is not a number from 1 to 65535; in a user "
                 "name or password write '/' as %2F, '@' as %40, '?' as %3F, '#' as %23, '%' "
                 "as %25"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        folder_complaints("broker: { url = \"amqp://u:se@cret@localhost\"; };", NULL), "one '@'"));
    CU_ASSERT_PTR_NULL(strstr(wr_text_string(&folder_problems), "cret"));
    CU_ASSERT(has_line(
        folder_complaints("broker: { url = \"amqp://localhost,rabbit.example\"; };", NULL),
        "warren.cfg:1: note: broker.url: rabbit.example isn't this machine, so nothing connects to "
        "it without TLS: use amqps://, or set broker.allow_plaintext = true"));
    CU_ASSERT_PTR_NULL(
        strstr(folder_complaints("broker: { url = \"amqps://rabbit.example\"; };", NULL), "TLS"));
}

static void files_that_are_not_there_are_noted(void)
{
    const char *said = folder_complaints("plugins = [\"/none.so\"];\n"
                                         "broker: { tls: { ca_file = \"/none.pem\"; }; };",
                                         NULL);
    CU_ASSERT(has_line(said, "warren.cfg:1: note: plugins: /none.so can't be read now"));
    CU_ASSERT(
        has_line(said, "warren.cfg:2: note: broker.tls.ca_file: /none.pem can't be read now"));
    CU_ASSERT(has_line(folder_complaints("plugins = [\"\"];", NULL),
                       "warren.cfg:1: plugins[0]: must not be empty"));
    CU_ASSERT(has_line(folder_complaints("", "# nothing yet\n"),
                       "queues/10.cfg: note: no queue in it; a queue file holds queue: { … };"));
}

static void a_default_holds_no_other_variable(void)
{
    CU_ASSERT_PTR_NOT_NULL(
        strstr(folder_complaints("namespace = \"${env:NOPE_A:-${env:NOPE_B}}\";", NULL),
               "namespace: ${env:NOPE_A:-…}: a default can't hold another \"${\""));
}

static struct wr_settings *load_expanded(const char *text)
{
    folder_make();
    folder_write("pw", "se;cret\"${env:HOME}\n");
    folder_write("warren.cfg", text);
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    return settings;
}

static void variables_and_files_are_expanded_after_parsing(void)
{
    setenv("WARREN_TEST_NAME", "x\"; threads = 3; y = \"", 1);
    setenv("WARREN_TEST_EMPTY", "", 1);
    setenv("WARREN_TEST_NUMBER", "12", 1);
    struct wr_settings *settings =
        load_expanded("broker: { user = \"a${env:WARREN_TEST_NAME}b\"; password = \"${file:pw}\";\n"
                      "connection_name = \"$${env:X} $5 $$ ${env:WARREN_TEST_UNSET:-d:-e}\";\n"
                      "heartbeat = \"${env:WARREN_TEST_EMPTY:-30s}\"; };\n"
                      "publish: { window = \"${env:WARREN_TEST_NUMBER}\"; };\n" ORDERS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_STRING_EQUAL(settings->broker.user, "ax\"; threads = 3; y = \"b");
    CU_ASSERT_STRING_EQUAL(settings->broker.password, "se;cret\"${env:HOME}");
    CU_ASSERT_STRING_EQUAL(settings->broker.connection_name, "${env:X} $5 $ d:-e");
    CU_ASSERT_EQUAL(settings->broker.heartbeat_ms, 30000);
    CU_ASSERT_EQUAL(settings->publish_window, 12);
    CU_ASSERT_EQUAL(settings->threads, 0);
    wr_settings_free(settings);
}

static void what_cannot_be_expanded_is_said_without_the_value(void)
{
    unsetenv("WARREN_TEST_UNSET");
    CU_ASSERT_PTR_NULL(
        load_expanded("namespace = \"${env:WARREN_TEST_UNSET}\";\n"
                      "drain_timeout = \"${file:pw}\";\n"
                      "broker: { user = \"${file:none}\";\npassword = \"${se;cret}\";\n"
                      "url = \"${env:X\"; };\n" ORDERS));
    const char *said = wr_text_string(&folder_problems);
    CU_ASSERT(has_line(said, "warren.cfg:1: namespace: the environment has no WARREN_TEST_UNSET; "
                             "${env:WARREN_TEST_UNSET:-default} would give it a default"));
    CU_ASSERT(has_line(said, "warren.cfg:2: drain_timeout: got what ${file:pw} stands for, want a "
                             "duration such as \"90s\" or \"2m\""));
    CU_ASSERT(has_line(said, "warren.cfg:3: broker.user: ./none can't be read: No such file or "
                             "directory"));
    CU_ASSERT(has_line(
        said, "warren.cfg:4: broker.password: \"${\" with neither env: nor file: behind it; want "
              "${env:NAME} or ${file:PATH}, and write a plain \"${\" as \"$${\""));
    CU_ASSERT(has_line(said,
                       "warren.cfg:5: broker.url: \"${\" without its \"}\"; a plain \"${\" is "
                       "written \"$${\""));
    CU_ASSERT_PTR_NULL(strstr(said, "se;cret"));
}

static void a_value_from_outside_is_limited_and_must_be_text(void)
{
    char long_value[4200];
    memset(long_value, 'x', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    setenv("WARREN_TEST_LONG", long_value, 1);
    setenv("WARREN_TEST_BYTES", "caf\xE9", 1);
    CU_ASSERT_PTR_NULL(load_expanded("broker: { user = \"${env:WARREN_TEST_LONG}\";\n"
                                     "connection_name = \"${env:WARREN_TEST_BYTES}\";\n"
                                     "password = \"${env:WARREN_TEST_BYTES}\"; };\n" ORDERS));
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems),
                           "warren.cfg:1: broker.user: longer than 4096 bytes\n"
                           "warren.cfg:2: broker.connection_name: not UTF-8\n");
}

/* A text that was cut or changed anywhere gives problems or settings, and never anything else. */
static void no_damaged_file_does_harm(void)
{
    struct wr_text text = { 0 };
    wr_settings_template(WR_TEMPLATE_MAIN, &text);
    wr_settings_template(WR_TEMPLATE_QUEUE_FULL, &text);
    unsigned state = 1;
    folder_make();
    for (size_t i = 0; i < 400; i++) {
        state = state * 1103515245 + 12345;
        size_t at = (state >> 8) % text.size;
        char saved = text.data[at];
        text.data[at] = "\"{}()[];,=$\\0x@#L.-"[(state >> 3) % 19];
        folder_write_bytes("warren.cfg", text.data, i % 2 ? text.size : at + 1);
        struct wr_settings *settings = folder_load("warren.cfg");
        CU_ASSERT_FATAL(settings != NULL || folder_problems.size > 0);
        wr_settings_free(settings);
        text.data[at] = saved;
    }
    folder_remove();
    wr_text_done(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings_traps", NULL, NULL);
    CU_ADD_TEST(suite, an_integer_that_would_wrap_is_refused_in_its_line);
    CU_ADD_TEST(suite, what_the_lexer_finds_hides_nothing_else);
    CU_ADD_TEST(suite, numbers_in_names_strings_and_fractions_are_left_alone);
    CU_ADD_TEST(suite, an_include_is_refused_before_anything_is_read);
    CU_ADD_TEST(suite, escapes_that_would_stay_as_they_are_written_are_refused);
    CU_ADD_TEST(suite, a_file_that_is_no_text_is_refused);
    CU_ADD_TEST(suite, a_key_said_twice_and_a_syntax_error_have_their_lines);
    CU_ADD_TEST(suite, a_broken_main_file_hides_no_queue_file);
    CU_ADD_TEST(suite, deep_nesting_and_huge_files_are_refused);
    CU_ADD_TEST(suite, files_that_others_may_write_are_refused);
    CU_ADD_TEST(suite, only_regular_files_are_read);
    CU_ADD_TEST(suite, a_password_in_a_file_for_everyone_is_noted);
    CU_ADD_TEST(suite, variables_and_files_are_expanded_after_parsing);
    CU_ADD_TEST(suite, what_cannot_be_expanded_is_said_without_the_value);
    CU_ADD_TEST(suite, a_value_from_outside_is_limited_and_must_be_text);
    CU_ADD_TEST(suite, what_connecting_would_refuse_is_told_before);
    CU_ADD_TEST(suite, files_that_are_not_there_are_noted);
    CU_ADD_TEST(suite, a_default_holds_no_other_variable);
    CU_ADD_TEST(suite, no_damaged_file_does_harm);
    CU_basic_run_tests();
    wr_text_done(&folder_problems);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
