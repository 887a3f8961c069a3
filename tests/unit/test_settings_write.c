// SPDX-License-Identifier: MIT
// What is printed from the table: effective settings, the shipped files, explanations; and the same
// through the public header.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <json-c/json.h>

#include "config_folder.h"
#include "model/settings_value.h"
#include "repository.h"
#include "warren/config.h"

static char *written(const struct wr_settings *settings, bool as_json)
{
    struct wr_text text = { 0 };
    wr_settings_write(settings, as_json, &text);
    return wr_text_take(&text);
}

/* Loads the configuration in which every option has a value of its own. */
static struct wr_settings *load_odd(void)
{
    char *text = repository_file("tests/support/odd.cfg");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    folder_write("odd.cfg", text);
    free(text);
    return folder_load("odd.cfg");
}

static void effective_settings_load_again_to_the_same(void)
{
    folder_make();
    struct wr_settings *first = load_odd();
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    char *text = written(first, false);
    folder_write("again.cfg", text);
    struct wr_settings *second = folder_load("again.cfg");
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    char *text2 = written(second, false);
    CU_ASSERT_STRING_EQUAL(text, text2);
    CU_ASSERT_STRING_EQUAL(second->broker.user, "u\\\n${env:HOME}");
    CU_ASSERT_STRING_EQUAL(second->plugins[1], "/c\"d.so");
    CU_ASSERT_STRING_EQUAL(second->state_dir, "/s");
    CU_ASSERT_EQUAL(second->queues[0].max_crashes, 4);
    CU_ASSERT(second->broker.login_external);
    CU_ASSERT(second->topology_check && second->threads == 77 && second->headers_bytes == 2000);
    CU_ASSERT_EQUAL(second->delay_max_ms, 388 * 86400 * INT64_C(1000));
    CU_ASSERT_EQUAL(
        memcmp(&first->queues[0].retry, &second->queues[0].retry, sizeof first->queues[0].retry),
        0);
    CU_ASSERT_EQUAL(second->queues[0].jobs[0].retry.delays_ms[1], 2500);
    CU_ASSERT_EQUAL(second->queues[0].jobs[1].retry.jitter, 0.333);
    free(text);
    free(text2);
    wr_settings_free(first);
    wr_settings_free(second);
    folder_remove();
}

static void the_defaults_are_written_as_a_file_that_loads(void)
{
    struct wr_settings *settings = folder_load(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT_EQUAL(wr_settings_add_type(settings, "a", NULL), WARREN_OK);
    char *text = written(settings, false);
    folder_make();
    folder_write("warren.cfg", text);
    struct wr_settings *again = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL(again);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# The queue 'default' takes every type"));
    free(text);
    wr_settings_free(again);
    wr_settings_free(settings);
}

static void the_odd_configuration_leaves_no_option_at_its_default(void)
{
    folder_make();
    struct wr_settings *settings = load_odd();
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    char *text = written(settings, false);
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count && strncmp(table[i].path, "queue.", 6) != 0; i++) {
        char line[128];
        const char *dot = strrchr(table[i].path, '.');
        const char *name = dot ? dot + 1 : table[i].path;
        (void)snprintf(line, sizeof line, "%s = \"%s\";", name, table[i].fallback);
        bool is_secret = strcmp(name, "password") == 0 || strcmp(name, "user_file") == 0;
        CU_ASSERT(is_secret || !strstr(text, line));
    }
    free(text);
    wr_settings_free(settings);
}

static void no_secret_is_ever_written(void)
{
    folder_make();
    folder_write("warren.cfg", "broker: { url = \"amqp://u:hidden@h\"; password = \"hidden\"; "
                               "management_url = \"http://u:hidden@h:1\"; };");
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    for (int as_json = 0; as_json <= 1; as_json++) {
        char *text = written(settings, as_json);
        CU_ASSERT_PTR_NULL(strstr(text, "hidden"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"amqp://u:***@h\""));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"http://u:***@h:1\""));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(text, as_json ? "\"password\": \"***\"" : "password = \"***\""));
        free(text);
    }
    wr_settings_free(settings);
}

static void as_json_it_is_one_object_with_the_same_tree(void)
{
    folder_make();
    struct wr_settings *settings = load_odd();
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    char *text = written(settings, true);
    json_object *root = json_tokener_parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    json_object *broker = json_object_object_get(root, "broker");
    json_object *queues = json_object_object_get(root, "queues");
    json_object *queue = json_object_array_get_idx(queues, 0);
    json_object *job = json_object_array_get_idx(json_object_object_get(queue, "jobs"), 0);
    json_object *delays = json_object_object_get(json_object_object_get(job, "retry"), "delays");
    CU_ASSERT_EQUAL(json_object_array_length(queues), 2);
    CU_ASSERT_STRING_EQUAL(json_object_get_string(json_object_object_get(broker, "heartbeat")),
                           "6s");
    CU_ASSERT_PTR_NULL(json_object_object_get(broker, "password"));
    CU_ASSERT_STRING_EQUAL(json_object_get_string(json_object_object_get(queue, "name")), "q\"1");
    CU_ASSERT_EQUAL(json_object_get_int(json_object_object_get(root, "threads")), 77);
    CU_ASSERT_EQUAL(json_object_array_length(delays), 2);
    json_object_put(root);
    free(text);
    wr_settings_free(settings);
}

/* --- the shipped files --- */

static void the_shipped_files_are_the_tables(void)
{
    static const char *const names[] = { "config/warren.cfg", "config/queues/minimal.cfg",
                                         "config/queues/full.cfg" };
    for (int i = 0; i < 3; i++) {
        char *text = NULL;
        char *file = repository_file(names[i]);
        CU_ASSERT_EQUAL_FATAL(warren_config_template((warren_config_file)i, &text, NULL),
                              WARREN_OK);
        CU_ASSERT_STRING_EQUAL(file, text);
        free(file);
        free(text);
    }
    char *none = NULL;
    CU_ASSERT_EQUAL(warren_config_template((warren_config_file)4, &none, NULL), WARREN_INVALID);
}

static void the_small_warren_cfg_is_a_part_of_the_large_one_and_loads(void)
{
    char *text = NULL;
    CU_ASSERT_EQUAL_FATAL(warren_config_template(WARREN_CONFIG_FILE_MAIN_SMALL, &text, NULL),
                          WARREN_OK);
    char *large = repository_file("config/warren.cfg");
    for (char *at = strchr(text, '\n'), *end; at && (end = strchr(at + 1, '\n')); at = end) {
        char line[128];
        (void)snprintf(line, sizeof line, "%.*s\n", (int)(end - at), at);
        CU_ASSERT(at[1] == '#' || strstr(large, line));
    }
    unsetenv("WARREN_AMQP_URL");
    folder_make();
    folder_write("warren.cfg", text);
    folder_write("queues/1.cfg", "queue: { name = \"q\"; jobs: ( { type = \"t\"; } ); };");
    struct wr_settings *settings = folder_load("warren.cfg");
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems), "");
    CU_ASSERT_PTR_NOT_NULL(settings);
    wr_settings_free(settings);
    folder_remove();
    free(large);
    free(text);
}

/* The lines "name = value;" of a text, in order, with their groups: "broker.tls.verify". */
static void list_options(const char *text, struct wr_text *out)
{
    char stack[8][32] = { "" };
    int depth = 0;
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
        const char *line = at + strspn(at, " ");
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        if (line[0] == '{' || line[0] == '}' || line[0] == ')') {
            depth -= line[0] == '}' && line[1] == ';' ? 1 : 0;
        } else if (name && line[name] == ':') {
            (void)snprintf(stack[depth++], 32, "%.*s", (int)name, line);
        } else if (name) {
            for (int i = 0; i < depth; i++) {
                wr_text_add_format(out, "%s.", stack[i]);
            }
            wr_text_add_format(out, "%.*s\n", (int)name, line);
        }
    }
}

static void together_they_list_exactly_the_table(void)
{
    struct wr_text listed = { 0 };
    struct wr_text want = { 0 };
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].kind != WR_OPTION_GROUPS) {
            wr_text_add_format(&want, "%s\n", table[i].path);
        }
    }
    char *file = repository_file("config/warren.cfg");
    list_options(file, &listed);
    free(file);
    file = repository_file("config/queues/full.cfg");
    list_options(file, &listed);
    free(file);
    CU_ASSERT_STRING_EQUAL(wr_text_string(&listed), wr_text_string(&want));
    wr_text_done(&listed);
    wr_text_done(&want);
}

static void the_shipped_files_load_without_a_word_and_change_nothing(void)
{
    static const char *const names[] = { "warren.cfg", "queues/minimal.cfg", "queues/full.cfg" };
    unsetenv("WARREN_AMQP_URL");
    folder_make();
    for (int i = 0; i < 3; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "config/%s", names[i]);
        char *file = repository_file(path);
        folder_write(names[i], file);
        free(file);
    }
    struct wr_settings *settings = folder_load("warren.cfg");
    CU_ASSERT_STRING_EQUAL(wr_text_string(&folder_problems), "");
    struct wr_settings *defaults = folder_load(NULL);
    folder_remove();
    CU_ASSERT_FATAL(settings != NULL && defaults != NULL);
    char *text = written(settings, false);
    char *want = written(defaults, false);
    size_t length = (size_t)(strstr(text, "queues: (") - text);
    CU_ASSERT_EQUAL(strncmp(text, want, length), 0);
    CU_ASSERT_EQUAL(settings->queue_count, 2);
    CU_ASSERT_EQUAL(memcmp(&settings->queues[0].retry, &defaults->queues[0].retry,
                           sizeof settings->queues[0].retry),
                    0);
    free(text);
    free(want);
    wr_settings_free(settings);
    wr_settings_free(defaults);
}

/* --- the public header --- */

static void a_tool_sees_all_problems_and_the_queues(void)
{
    folder_make();
    folder_write("warren.cfg", "broker: { allow_plaintext = true; };");
    folder_write("queues/10.cfg", "queue: { name = \"a\"; jobs: ( { type = \"t\"; } ); };");
    warren_config *config = NULL;
    CU_ASSERT_EQUAL_FATAL(warren_config_open(&config, "warren.cfg", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_config_errors(config), 0);
    CU_ASSERT_EQUAL(warren_config_problem_count(config), 1);
    CU_ASSERT_TRUE(warren_config_problem_is_note(config, 0));
    CU_ASSERT_STRING_EQUAL(
        warren_config_problem(config, 0),
        "warren.cfg:1: note: broker.allow_plaintext: the password and the jobs may "
        "cross the network unencrypted");
    CU_ASSERT_PTR_NULL(warren_config_problem(config, 1));
    CU_ASSERT_EQUAL(warren_config_queue_count(config), 1);
    CU_ASSERT_STRING_EQUAL(warren_config_queue_name(config, 0), "a");
    CU_ASSERT_PTR_NULL(warren_config_queue_name(config, 1));
    CU_ASSERT_STRING_EQUAL(warren_config_queue_file(config, 0), "queues/10.cfg");
    CU_ASSERT_PTR_NULL(warren_config_queue_file(config, 1));
    warren_config_close(config);
    folder_remove();
}

static void a_tool_may_open_a_broken_configuration(void)
{
    folder_make();
    folder_write("warren.cfg", "threds = 1;\nbroker: { allow_plaintext = true; };");
    warren_config *config = NULL;
    char *text = NULL;
    warren_error err = { 0 };
    CU_ASSERT_EQUAL_FATAL(warren_config_open(&config, "warren.cfg", NULL), WARREN_OK);
    CU_ASSERT_EQUAL(warren_config_errors(config), 1);
    CU_ASSERT_EQUAL(warren_config_problem_count(config), 2);
    CU_ASSERT_FALSE(warren_config_problem_is_note(config, 0));
    CU_ASSERT_EQUAL(warren_config_queue_count(config), 0);
    CU_ASSERT_EQUAL(warren_config_write(config, false, &text, &err), WARREN_CONFIG);
    CU_ASSERT_STRING_EQUAL(err.text, "warren.cfg:1: threds: unknown key, did you mean 'threads'?");
    warren_config_close(config);
    warren_config_close(NULL);
    folder_remove();
}

static void an_option_is_explained_by_its_path_or_the_nearest_is_named(void)
{
    char *text = NULL;
    warren_error err = { 0 };
    CU_ASSERT_EQUAL_FATAL(warren_config_explain("broker.heartbeat", &text, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(text,
                           "broker.heartbeat\n    After how long a silent connection counts as "
                           "dead. Whole seconds.\n    Takes a duration such as \"90s\" or "
                           "\"2m\", from 5s to 1h; default: \"15s\".\n"
                           "    A change waits for a restart.\n"
                           "    Example: broker: { heartbeat = \"15s\"; };\n");
    free(text);
    CU_ASSERT_EQUAL_FATAL(warren_config_explain("queues[2].jobs[1].retry", &text, &err), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "queue.jobs.retry.delays\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "queue.retry.delays\n"));
    free(text);
    CU_ASSERT_EQUAL_FATAL(warren_config_explain(NULL, &text, &err), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "namespace\n"));
    free(text);
    CU_ASSERT_EQUAL(warren_config_explain("heartbeet", &text, &err), WARREN_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(err.text, "no option 'heartbeet', did you mean 'broker.heartbeat'?");
    CU_ASSERT_EQUAL(warren_config_explain("something.else", &text, &err), WARREN_NOT_FOUND);
}

static void a_group_is_explained_or_the_nearest_is_named(void)
{
    char *text = NULL;
    warren_error err = { 0 };
    CU_ASSERT_EQUAL_FATAL(warren_config_explain("queue.retry", &text, &err), WARREN_OK);
    CU_ASSERT_EQUAL(strncmp(text, "queue.retry\n    When failed jobs", 32), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nqueue.retry.attempts\n"));
    free(text);
    CU_ASSERT_EQUAL(warren_config_explain("queue.retri", &text, &err), WARREN_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(err.text, "no option 'queue.retri', did you mean 'queue.retry'?");
}

static void each_group_has_a_sentence(void)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        const char *dot = strrchr(table[i].path, '.');
        char group[64];
        (void)snprintf(group, sizeof group, "%.*s", dot ? (int)(dot - table[i].path) : 0,
                       table[i].path);
        CU_ASSERT(!dot || warren_config_group(group));
    }
    CU_ASSERT_PTR_NULL(warren_config_group("broker.heartbeat"));
}

/* Whether a value stands in a file as the example says it, and the file says nothing against it. */
static bool example_holds(const struct wr_option *row)
{
    struct wr_value value;
    const char *example = wr_option_example(row);
    bool is_list = row->kind == WR_OPTION_PATHS || row->kind == WR_OPTION_DURATIONS ||
                   row->kind == WR_OPTION_GROUPS;
    return example && example[0] &&
           (is_list ? example[0] == '[' || example[0] == '('
                    : wr_value_parse(row, example, &value) && wr_value_fits(row, &value));
}

static void count_option(void *user, const warren_config_option *option)
{
    size_t count;
    const struct wr_option *row = wr_settings_table(&count) + (*(size_t *)user)++;
    CU_ASSERT_STRING_EQUAL(option->path, row->path);
    CU_ASSERT_STRING_EQUAL(option->sentence, row->sentence);
    CU_ASSERT(example_holds(row));
    CU_ASSERT_PTR_NOT_NULL(strstr(option->example, wr_option_example(row)));
    CU_ASSERT_EQUAL(option->is_live, row->is_live);
}

static void a_tool_visits_each_option_in_order_with_an_example(void)
{
    size_t count;
    size_t seen = 0;
    warren_error err = { 0 };
    (void)wr_settings_table(&count);
    CU_ASSERT_EQUAL(warren_config_options(NULL, count_option, &seen, &err), WARREN_OK);
    CU_ASSERT_EQUAL(seen, count);
    CU_ASSERT_EQUAL(warren_config_options("no.such", count_option, &seen, &err), WARREN_NOT_FOUND);
    CU_ASSERT_EQUAL(seen, count);
}

static void keep_option(void *user, const warren_config_option *option)
{
    wr_text_add_format(user, "%s %s %s %s %s %s\n", option->path, option->kind, option->units,
                       option->fallback, option->example, option->change);
}

static void an_option_says_what_it_is_and_how_it_is_written(void)
{
    struct wr_text text = { 0 };
    CU_ASSERT_EQUAL(warren_config_options("queues[0].jobs[3].timeout", keep_option, &text, NULL),
                    WARREN_OK);
    CU_ASSERT_STRING_EQUAL(wr_text_string(&text), "queue.jobs.timeout duration ms, s, m, h, d none "
                                                  "queue: { jobs: ( { timeout = \"30s\"; } ); }; "
                                                  "A running worker takes a change at a reload.\n");
    wr_text_done(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings_write", NULL, NULL);
    CU_ADD_TEST(suite, effective_settings_load_again_to_the_same);
    CU_ADD_TEST(suite, the_defaults_are_written_as_a_file_that_loads);
    CU_ADD_TEST(suite, the_odd_configuration_leaves_no_option_at_its_default);
    CU_ADD_TEST(suite, no_secret_is_ever_written);
    CU_ADD_TEST(suite, as_json_it_is_one_object_with_the_same_tree);
    CU_ADD_TEST(suite, the_shipped_files_are_the_tables);
    CU_ADD_TEST(suite, together_they_list_exactly_the_table);
    CU_ADD_TEST(suite, the_shipped_files_load_without_a_word_and_change_nothing);
    CU_ADD_TEST(suite, a_tool_sees_all_problems_and_the_queues);
    CU_ADD_TEST(suite, a_tool_may_open_a_broken_configuration);
    CU_ADD_TEST(suite, an_option_is_explained_by_its_path_or_the_nearest_is_named);
    CU_ADD_TEST(suite, the_small_warren_cfg_is_a_part_of_the_large_one_and_loads);
    CU_ADD_TEST(suite, a_group_is_explained_or_the_nearest_is_named);
    CU_ADD_TEST(suite, each_group_has_a_sentence);
    CU_ADD_TEST(suite, a_tool_visits_each_option_in_order_with_an_example);
    CU_ADD_TEST(suite, an_option_says_what_it_is_and_how_it_is_written);
    CU_basic_run_tests();
    wr_text_done(&folder_problems);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
