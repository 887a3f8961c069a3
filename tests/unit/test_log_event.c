// SPDX-License-Identifier: MIT
// The table of log events against the two others that it has to agree with: the calls that log, in
// all sources of the library, and docs/logs.md. A new event without a row, a row that nobody logs, a
// level that differs or a page that is out of date makes this red.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <dirent.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log_event.h"
#include "base/text.h"

static int calls;
static int used[WR_LOG_EVENTS_MOST];

static char *read_file(const char *path)
{
    struct wr_text text = { 0 };
    char block[4096];
    FILE *file = fopen(path, "re");
    if (!file) {
        return NULL;
    }
    for (size_t size; (size = fread(block, 1, sizeof block, file)) > 0;) {
        wr_text_add(&text, block, size);
    }
    (void)fclose(file);
    return wr_text_take(&text);
}

static void fault(const char *path, const char *what, const char *name)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, name);
    CU_FAIL("a call and the table differ");
}

static bool is_event(const char *name, size_t size)
{
    return memchr(name, '.', size) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789.") == size;
}

/* One event that a call names, with the level that stands there (NULL: it is computed). */
static void check_event(const char *path, const char *name, const char *level)
{
    size_t count;
    const struct wr_log_event *table = wr_log_event_table(&count);
    const struct wr_log_event *row = wr_log_event_find(name);
    if (!row) {
        fault(path, "no row in base/log_event.c", name);
        return;
    }
    used[row - table]++;
    if (level && strcasecmp(level, wr_level_name(row->level)) != 0) {
        fault(path, "another level than in base/log_event.c", name);
    }
}

/* From behind the call's opening parenthesis to the semicolon: which strings are events? */
static void check_call(const char *path, const char *at)
{
    char level[8] = "";
    bool is_plain = sscanf(at, " WR_%7[A-Z],", level) == 1;
    const char *end = strchr(at, ';');
    int found = 0;
    calls++;
    for (const char *quote = strchr(at, '"'); quote && quote < end;) {
        const char *close = strchr(quote + 1, '"');
        size_t size = (size_t)(close - quote - 1);
        char name[64] = "";
        if (size < sizeof name && is_event(quote + 1, size)) {
            memcpy(name, quote + 1, size);
            check_event(path, name, is_plain ? level : NULL);
            found++;
        }
        quote = strchr(close + 1, '"');
    }
    const char *first = strchr(at, '"');
    const char *passed_on = strstr(at, " event,"); /* a function around the call names it */
    if (!found && !(passed_on && passed_on < first)) {
        fault(path, "a call that names no event", at);
    }
}

static void check_file(const char *path)
{
    regex_t call;
    regmatch_t match;
    char *text = read_file(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(
        regcomp(&call, "[^a-z_](wr_log|wr_log_asked|log_job|emit)\\([^)]*\"", REG_EXTENDED), 0);
    for (const char *at = text; regexec(&call, at, 1, &match, 0) == 0;) {
        const char *open = strchr(at + match.rm_so, '(');
        check_call(path, open + 1);
        at = open + 1;
    }
    regfree(&call);
    free(text);
}

static void check_folder(const char *folder)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/lib/%s", WARREN_SOURCE_DIR, folder);
    DIR *dir = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t size = strlen(entry->d_name);
        if (size > 2 && strcmp(entry->d_name + size - 2, ".c") == 0) {
            (void)snprintf(path, sizeof path, "%s/lib/%s/%s", WARREN_SOURCE_DIR, folder,
                           entry->d_name);
            check_file(path);
        }
    }
    (void)closedir(dir);
}

static void every_call_has_a_row_and_every_row_a_call(void)
{
    static const char *const folders[] = { ".", "base", "model", "io", "engine", "web", "front" };
    size_t count;
    const struct wr_log_event *table = wr_log_event_table(&count);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        check_folder(folders[i]);
    }
    CU_ASSERT(calls > 30); /* it did look */
    for (size_t i = 0; i < count; i++) {
        if (!used[i]) {
            fault("base/log_event.c", "nobody logs it", table[i].name);
        }
    }
}

static void the_rows_stand_in_order_and_say_what_to_do(void)
{
    size_t count;
    const struct wr_log_event *table = wr_log_event_table(&count);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(i == 0 || strcmp(table[i - 1].name, table[i].name) < 0);
        CU_ASSERT_PTR_EQUAL(wr_log_event_find(table[i].name), &table[i]);
        CU_ASSERT(*table[i].means && *table[i].next);
        CU_ASSERT_PTR_NULL(strpbrk(table[i].means, "|\"\\"));
        CU_ASSERT_EQUAL(table[i].next[strlen(table[i].next) - 1], '.');
    }
    CU_ASSERT_PTR_NULL(wr_log_event_find("job.forgotten"));
}

static void the_page_lists_the_same_rows(void)
{
    static const char begin[] = "|---|---|---|---|\n";
    struct wr_text want = { 0 };
    size_t count;
    const struct wr_log_event *table = wr_log_event_table(&count);
    for (size_t i = 0; i < count; i++) {
        wr_text_add_format(&want, "| `%s` | %s | %s | %s |\n", table[i].name,
                           wr_level_name(table[i].level), table[i].means, table[i].next);
    }
    char *page = read_file(WARREN_SOURCE_DIR "/docs/logs.md");
    CU_ASSERT_PTR_NOT_NULL_FATAL(page);
    const char *rows = strstr(page, begin);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
    if (strncmp(rows + strlen(begin), want.data, want.size) != 0 ||
        rows[strlen(begin) + want.size] == '|') {
        fprintf(stderr, "docs/logs.md: its table of events should be:\n%s", want.data);
        CU_FAIL("docs/logs.md is out of date");
    }
    free(page);
    wr_text_done(&want);
}

int main(void)
{
    if (CU_initialize_registry()) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite("log_event", NULL, NULL);
    CU_ADD_TEST(suite, every_call_has_a_row_and_every_row_a_call);
    CU_ADD_TEST(suite, the_rows_stand_in_order_and_say_what_to_do);
    CU_ADD_TEST(suite, the_page_lists_the_same_rows);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
