// SPDX-License-Identifier: MIT
// The JSON Schema of a configuration: it says of each option what the table says, what is written fits
// it, and a mistake doesn't. The checker here knows the words that the schema uses, and no others; that
// it means what others understand by them is shown by tests/deploy/test_config_schema.sh.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <json-c/json.h>
#include <regex.h>

#include "config_folder.h"
#include "model/settings_value.h"
#include "repository.h"
#include "warren/config.h"

static json_object *schema;

static int read_schema(void)
{
    char *text = NULL;
    if (warren_config_schema(&text, NULL)) {
        return -1;
    }
    schema = json_tokener_parse(text);
    free(text);
    return schema ? 0 : -1;
}

static int free_schema(void)
{
    (void)json_object_put(schema);
    return 0;
}

static json_object *member(json_object *object, const char *name)
{
    return json_object_object_get(object, name);
}

static bool matches(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) {
        return false;
    }
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/* --- a checker --- */

static bool fits(json_object *rule, json_object *value);

static bool has_type(json_object *types, json_object *value)
{
    static const char *const names[] = {
        [json_type_null] = "null",     [json_type_boolean] = "boolean",
        [json_type_double] = "number", [json_type_int] = "integer",
        [json_type_object] = "object", [json_type_array] = "array",
        [json_type_string] = "string",
    };
    const char *name = names[json_object_get_type(value)];
    if (json_object_is_type(types, json_type_string)) {
        const char *wanted = json_object_get_string(types);
        return strcmp(name, wanted) == 0 ||
               (strcmp(name, "integer") == 0 && strcmp(wanted, "number") == 0);
    }
    for (size_t i = 0; i < json_object_array_length(types); i++) {
        if (has_type(json_object_array_get_idx(types, i), value)) {
            return true;
        }
    }
    return false;
}

static bool is_any(json_object *values, json_object *value)
{
    for (size_t i = 0; i < json_object_array_length(values); i++) {
        if (json_object_equal(json_object_array_get_idx(values, i), value)) {
            return true;
        }
    }
    return false;
}

static bool members_fit(json_object *rule, json_object *value)
{
    json_object *properties = member(rule, "properties");
    json_object *required = member(rule, "required");
    for (size_t i = 0; i < json_object_array_length(required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(required, i));
        if (!json_object_object_get_ex(value, name, NULL)) {
            return false;
        }
    }
    json_object_object_foreach(value, name, inner)
    {
        json_object *inner_rule = member(properties, name);
        if (!inner_rule || !fits(inner_rule, inner)) {
            return false;
        }
    }
    return true;
}

static bool items_fit(json_object *rule, json_object *value)
{
    json_object *most = member(rule, "maxItems");
    size_t count = json_object_array_length(value);
    for (size_t i = 0; i < count; i++) {
        if (!fits(member(rule, "items"), json_object_array_get_idx(value, i))) {
            return false;
        }
    }
    return !most || count <= (size_t)json_object_get_int(most);
}

static bool string_fits(json_object *rule, const char *text)
{
    json_object *pattern = member(rule, "pattern");
    json_object *least = member(rule, "minLength");
    json_object *most = member(rule, "maxLength");
    return (!pattern || matches(json_object_get_string(pattern), text)) &&
           (!least || strlen(text) >= (size_t)json_object_get_int(least)) &&
           (!most || strlen(text) <= (size_t)json_object_get_int(most));
}

static bool number_fits(json_object *rule, double number)
{
    json_object *least = member(rule, "minimum");
    json_object *most = member(rule, "maximum");
    return (!least || number >= json_object_get_double(least)) &&
           (!most || number <= json_object_get_double(most));
}

static bool fits_any(json_object *rules, json_object *value)
{
    for (size_t i = 0; i < json_object_array_length(rules); i++) {
        if (fits(json_object_array_get_idx(rules, i), value)) {
            return true;
        }
    }
    return false;
}

static bool fits(json_object *rule, json_object *value)
{
    json_object *types = member(rule, "type");
    json_object *constant = member(rule, "const");
    json_object *words = member(rule, "enum");
    json_object *either = member(rule, "anyOf");
    if ((types && !has_type(types, value)) || (words && !is_any(words, value)) ||
        (constant && !json_object_equal(constant, value)) || (either && !fits_any(either, value))) {
        return false;
    }
    switch (json_object_get_type(value)) {
    case json_type_object:
        return members_fit(rule, value);
    case json_type_array:
        return items_fit(rule, value);
    case json_type_string:
        return string_fits(rule, json_object_get_string(value));
    case json_type_int:
    case json_type_double:
        return number_fits(rule, json_object_get_double(value));
    default:
        return true;
    }
}

/* --- what it says --- */

static void the_shipped_schema_is_the_tables(void)
{
    char *text = NULL;
    CU_ASSERT_EQUAL_FATAL(warren_config_schema(&text, NULL), WARREN_OK);
    char *file = repository_file("config/warren.schema.json");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_STRING_EQUAL(file, text);
    free(file);
    free(text);
}

/* The rule of an option, by its path; lists are walked into. */
static json_object *rule_of(const char *path)
{
    json_object *rule = schema;
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ".");
        char name[64];
        bool is_queue = at == path && strncmp(at, "queue.", 6) == 0;
        (void)snprintf(name, sizeof name, "%.*s%s", (int)length, at, is_queue ? "s" : "");
        rule = member(member(rule, "properties"), name);
        at += length + (at[length] ? 1 : 0);
        if (*at && member(rule, "items")) {
            rule = member(rule, "items");
        }
    }
    return rule;
}

/* Whether a text as it stands in a file, and then in the JSON, fits the rule. */
static bool text_fits(const struct wr_option *row, json_object *rule, const char *text)
{
    struct wr_value value;
    struct wr_text written = { 0 };
    CU_ASSERT_TRUE(wr_value_parse(row, text, &value));
    wr_value_write(row, &value, &written);
    json_object *json = wr_value_is_quoted(row, wr_text_string(&written))
                            ? json_object_new_string(wr_text_string(&written))
                            : json_tokener_parse(wr_text_string(&written));
    bool ok = fits(rule, json);
    (void)json_object_put(json);
    wr_text_done(&written);
    return ok;
}

static void each_option_is_there_with_its_sentence_limits_and_default(void)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct wr_option *row = &table[i];
        bool is_list = row->kind == WR_OPTION_PATHS || row->kind == WR_OPTION_DURATIONS;
        if (strcmp(row->path, "queues") == 0) {
            continue; /* a folder in the file, its queues in the JSON */
        }
        json_object *rule = rule_of(row->path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        const char *description = json_object_get_string(member(rule, "description"));
        CU_ASSERT_EQUAL(strncmp(description, row->sentence, strlen(row->sentence)), 0);
        json_object *fallback = NULL;
        bool has_default = json_object_object_get_ex(rule, "default", &fallback);
        CU_ASSERT_EQUAL(has_default, row->fallback != NULL);
        CU_ASSERT(!has_default || fits(rule, fallback));
        if (row->least && !is_list) {
            CU_ASSERT_TRUE(text_fits(row, rule, row->least));
            CU_ASSERT_TRUE(text_fits(row, rule, row->most));
        }
    }
}

static void a_secret_can_only_be_hidden(void)
{
    json_object *secret = json_object_new_string("hunter2");
    json_object *hidden = json_object_new_string("***");
    CU_ASSERT_FALSE(fits(rule_of("broker.password"), secret));
    CU_ASSERT_TRUE(fits(rule_of("broker.password"), hidden));
    CU_ASSERT_TRUE(fits(rule_of("broker.password"), NULL));
    (void)json_object_put(secret);
    (void)json_object_put(hidden);
}

/* --- what is written --- */

static json_object *exported(const struct wr_settings *settings)
{
    struct wr_text text = { 0 };
    wr_settings_write(settings, true, &text);
    json_object *root = json_tokener_parse(wr_text_string(&text));
    wr_text_done(&text);
    return root;
}

static json_object *exported_odd(void)
{
    char *text = repository_file("tests/support/odd.cfg");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    folder_make();
    folder_write("odd.cfg", text);
    free(text);
    struct wr_settings *settings = folder_load("odd.cfg");
    folder_remove();
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    json_object *root = exported(settings);
    wr_settings_free(settings);
    return root;
}

static void what_is_written_fits(void)
{
    struct wr_settings *defaults = folder_load(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(defaults);
    json_object *plain = exported(defaults);
    json_object *odd = exported_odd();
    CU_ASSERT_TRUE(fits(schema, plain));
    CU_ASSERT_TRUE(fits(schema, odd));
    (void)json_object_put(plain);
    (void)json_object_put(odd);
    wr_settings_free(defaults);
}

static void a_mistake_does_not_fit(void)
{
    static const struct {
        const char *group; /* "" at the top */
        const char *name;
        const char *json; /* NULL: it is left out */
    } mistakes[] = {
        { "", "namespace", "\"a b\"" },
        { "", "threads", "0" },
        { "", "threads", "\"many\"" },
        { "", "drain_timeout", "\"90\"" },
        { "", "drain_timeout", "90" },
        { "", "namespace", NULL },
        { "", "threds", "1" },
        { "", "queues", "{}" },
        { "broker", "hartbeat", "\"10s\"" },
        { "broker", "password", "\"hunter2\"" },
        { "broker", "login", "\"kerberos\"" },
        { "limits", "body", "\"1 MiB\"" },
        { "limits", "headers", "1001" },
        { "trace", "sample", "1.5" },
        { "control", "enabled", "\"yes\"" },
        { "publish", "window", "1.5" },
        { "log", "level", "\"loud\"" },
        { "delay", "max", "\"-1s\"" },
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        json_object *root = exported_odd();
        json_object *group = mistakes[i].group[0] ? member(root, mistakes[i].group) : root;
        if (mistakes[i].json) {
            json_object_object_add(group, mistakes[i].name, json_tokener_parse(mistakes[i].json));
        } else {
            json_object_object_del(group, mistakes[i].name);
        }
        CU_ASSERT_FALSE(fits(schema, root));
        (void)json_object_put(root);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings_schema", read_schema, free_schema);
    CU_ADD_TEST(suite, the_shipped_schema_is_the_tables);
    CU_ADD_TEST(suite, each_option_is_there_with_its_sentence_limits_and_default);
    CU_ADD_TEST(suite, a_secret_can_only_be_hidden);
    CU_ADD_TEST(suite, what_is_written_fits);
    CU_ADD_TEST(suite, a_mistake_does_not_fit);
    CU_basic_run_tests();
    wr_text_done(&folder_problems);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
