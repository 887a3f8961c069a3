// SPDX-License-Identifier: MIT
// What a reload would change: every option of the table is named when it differs, nothing is when all
// is equal, a secret stays one, and what is carried over makes a copy equal.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "config_folder.h"
#include "model/settings_diff.h"
#include "model/settings_value.h"

static const char plain[] =
    "broker: { url = \"amqp://u:first@localhost\"; password_file = \"/a\"; };\n"
    "queues: ( { name = \"q\"; retry: { attempts = 3; }; jobs: ( { type = \"a\"; }, "
    "{ type = \"b\"; retry: { attempts = 9; }; } ); }, "
    "{ name = \"r\"; jobs: ( { type = \"c\"; } ); } );\n";

static struct wr_settings *load(const char *text)
{
    folder_make();
    folder_write("warren.cfg", text);
    struct wr_settings *settings = folder_load("warren.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    return settings;
}

static struct wr_settings *copy_of(const struct wr_settings *settings)
{
    struct wr_settings *copy = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_settings_copy(&copy, settings, NULL), WARREN_OK);
    return copy;
}

static size_t count_differences(const struct wr_settings *from, const struct wr_settings *to)
{
    struct wr_differences differences;
    wr_settings_diff(from, to, &differences);
    size_t count = differences.length;
    CU_ASSERT_FALSE(differences.failed);
    wr_differences_done(&differences);
    return count;
}

static void equal_settings_do_not_differ(void)
{
    struct wr_settings *settings = load(plain);
    struct wr_settings *copy = copy_of(settings);
    CU_ASSERT_EQUAL(count_differences(settings, settings), 0);
    CU_ASSERT_EQUAL(count_differences(settings, copy), 0);
    wr_settings_free(copy);
    wr_settings_free(settings);
}

static void *base_of(struct wr_settings *settings, const struct wr_option *option)
{
    enum wr_option_home home = wr_option_home(option);
    return home == WR_IN_SETTINGS ? (void *)settings
           : home == WR_IN_QUEUE  ? (void *)&settings->queues[0]
                                  : (void *)&settings->queues[0].jobs[0];
}

/* Gives the option another value than it has. */
static void alter(struct wr_settings *settings, const struct wr_option *option)
{
    void *base = base_of(settings, option);
    struct wr_value value;
    if (option->kind == WR_OPTION_DURATIONS) {
        struct wr_retry_policy *policy = (void *)((char *)base + option->offset);
        policy->delays_ms[policy->delay_count++] = 7000;
        return;
    }
    if (option->kind == WR_OPTION_PATHS) {
        settings->plugins = realloc(settings->plugins, 2 * sizeof *settings->plugins);
        settings->plugins[settings->plugin_count++] = wr_slice_copy(wr_slice_of("/p.so"));
        return;
    }
    wr_value_load(option, base, &value);
    value.number = value.number ? 0 : 1;
    value.real = value.real + 1;
    value.text = "other";
    CU_ASSERT_FATAL(wr_value_store(option, base, &value));
}

/* The difference about an option; NULL: it isn't named. */
static const struct wr_difference *find(const struct wr_differences *differences, const char *path)
{
    for (size_t i = 0; i < differences->length; i++) {
        if (strcmp(differences->items[i].option->path, path) == 0) {
            return &differences->items[i];
        }
    }
    return NULL;
}

static void every_option_of_the_table_is_named_when_it_differs(void)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    struct wr_settings *settings = load(plain);
    for (size_t i = 0; i < count; i++) {
        if (table[i].kind == WR_OPTION_GROUPS) { /* its rows differ, one by one */
            continue;
        }
        struct wr_settings *copy = copy_of(settings);
        struct wr_differences differences;
        alter(copy, &table[i]);
        wr_settings_diff(settings, copy, &differences);
        const struct wr_difference *found = find(&differences, table[i].path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        bool is_whole = !found->from || !found->to;
        CU_ASSERT_EQUAL(differences.length, is_whole ? 2 : 1); /* a name: gone, and new */
        CU_ASSERT(is_whole || found->is_live == table[i].is_live);
        wr_differences_done(&differences);
        wr_settings_free(copy);
    }
    wr_settings_free(settings);
}

static void what_is_carried_over_differs_no_more(void)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    struct wr_settings *settings = load(plain);
    struct wr_settings *other = copy_of(settings);
    struct wr_differences differences;
    for (size_t i = 0; i < count; i++) {
        if (table[i].is_live) {
            alter(other, &table[i]);
        }
    }
    wr_settings_diff(settings, other, &differences);
    CU_ASSERT(differences.length > 20);
    for (size_t i = 0; i < differences.length; i++) {
        CU_ASSERT_EQUAL(wr_settings_take(settings, other, &differences.items[i], NULL), WARREN_OK);
    }
    CU_ASSERT_EQUAL(count_differences(settings, other), 0);
    wr_differences_done(&differences);
    wr_settings_free(other);
    wr_settings_free(settings);
}

/* All that is told of the way from one text to the other, a line each. */
static char *told(const char *from, const char *to, bool *out_all_live)
{
    struct wr_settings *before = load(from);
    struct wr_settings *after = load(to);
    struct wr_differences differences;
    struct wr_text text = { 0 };
    wr_settings_diff(before, after, &differences);
    *out_all_live = true;
    for (size_t i = 0; i < differences.length; i++) {
        if (!differences.items[i].is_implied) {
            wr_difference_write(&differences.items[i], &text);
            wr_text_add_string(&text, "\n");
        }
        *out_all_live = *out_all_live && differences.items[i].is_live;
    }
    wr_text_add_string(&text, "");
    wr_differences_done(&differences);
    wr_settings_free(before);
    wr_settings_free(after);
    return wr_text_take(&text);
}

static void a_difference_is_a_line_and_a_type_that_follows_its_queue_has_none(void)
{
    bool is_live;
    char *text =
        told(plain,
             "broker: { url = \"amqp://u:first@localhost\"; password_file = \"/a\"; };\n"
             "queues: ( { name = \"r\"; jobs: ( { type = \"c\"; timeout = \"9s\"; } ); }, "
             "{ name = \"q\"; retry: { attempts = 4; }; jobs: ( { type = \"b\"; retry: { attempts "
             "= 9; }; }, { type = \"a\"; concurrency = 8; } ); } );\n",
             &is_live);
    CU_ASSERT_STRING_EQUAL(text, "queue q: retry.attempts: 3 -> 4\n"
                                 "queue q, type a: concurrency: 1 -> 8\n"
                                 "queue r, type c: timeout: none -> 9s\n");
    CU_ASSERT(is_live);
    free(text);
}

static void a_new_queue_is_live_and_nothing_else_that_comes_or_goes(void)
{
    bool is_live;
    char *text = told("queues: ( { name = \"q\"; jobs: ( { type = \"a\"; } ); } );",
                      "queues: ( { name = \"q\"; jobs: ( { type = \"a\"; } ); }, "
                      "{ name = \"s\"; jobs: ( { type = \"a\"; } ); } );",
                      &is_live);
    CU_ASSERT_STRING_EQUAL(text, "queue s: new\n");
    CU_ASSERT(is_live);
    free(text);
    text = told("queues: ( { name = \"q\"; jobs: ( { type = \"a\"; } ); } );",
                "queues: ( { name = \"q\"; jobs: ( { type = \"b\"; } ); } );", &is_live);
    CU_ASSERT_STRING_EQUAL(text, "queue q, type a: gone\nqueue q, type b: new\n");
    CU_ASSERT_FALSE(is_live);
    free(text);
    text = told("queues: ( { name = \"q\"; jobs: ( { type = \"a\"; } ); }, "
                "{ name = \"s\"; jobs: ( { type = \"b\"; } ); } );",
                "queues: ( { name = \"q\"; jobs: ( { type = \"a\"; } ); } );", &is_live);
    CU_ASSERT_STRING_EQUAL(text, "queue s: gone\n");
    CU_ASSERT_FALSE(is_live);
    free(text);
}

static void a_secret_that_differs_is_named_and_not_shown(void)
{
    bool is_live;
    char *text =
        told("broker: { url = \"amqp://u:first@localhost\"; password = \"one\"; };",
             "broker: { url = \"amqp://u:second@localhost\"; password = \"two\"; };", &is_live);
    CU_ASSERT_STRING_EQUAL(text, "broker.url: amqp://u:***@localhost -> amqp://u:***@localhost\n"
                                 "broker.password: *** -> ***\n");
    CU_ASSERT_FALSE(is_live);
    free(text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings_diff", NULL, NULL);
    CU_ADD_TEST(suite, equal_settings_do_not_differ);
    CU_ADD_TEST(suite, every_option_of_the_table_is_named_when_it_differs);
    CU_ADD_TEST(suite, what_is_carried_over_differs_no_more);
    CU_ADD_TEST(suite, a_difference_is_a_line_and_a_type_that_follows_its_queue_has_none);
    CU_ADD_TEST(suite, a_new_queue_is_live_and_nothing_else_that_comes_or_goes);
    CU_ADD_TEST(suite, a_secret_that_differs_is_named_and_not_shown);
    CU_basic_run_tests();
    wr_text_done(&folder_problems);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
