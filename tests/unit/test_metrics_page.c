// SPDX-License-Identifier: MIT
// docs/metrics.md has a line for each metric, as the table of metrics says it, and no other.
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "web/metrics.h"

static struct wr_text page;

static int read_page(void)
{
    char part[4096];
    FILE *file = fopen(WARREN_SOURCE_DIR "/docs/metrics.md", "r");
    if (!file) {
        return -1;
    }
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;) {
        wr_text_add(&page, part, got);
    }
    (void)fclose(file);
    return 0;
}

static int forget_page(void)
{
    wr_text_done(&page);
    return 0;
}

static const char *labels_of(const struct wr_metric *metric)
{
    static const char *const scopes[] = { "", "`queue`", "`queue`, `type`" };
    static char text[128];
    const char *scope = scopes[metric->scope];
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", scope, *scope && metric->label ? ", " : "",
                   metric->label ? "`" : "", metric->label ? metric->label : "",
                   metric->label ? "`" : "");
    return text;
}

static bool is_known(const struct wr_metric *metric)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    char line[600];
    (void)snprintf(line, sizeof line, "\n| `%s%s` | %s | %s | %s |\n", metric->name,
                   metric->kind == WR_COUNTER ? "_total" : "", kinds[metric->kind],
                   labels_of(metric), metric->help);
    bool is_there = strstr(wr_text_string(&page), line) != NULL;
    if (!is_there) {
        printf("docs/metrics.md lacks:%s", line);
    }
    return is_there;
}

static void each_metric_has_its_line(void)
{
    size_t count;
    const struct wr_metric *metrics = wr_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(is_known(&metrics[i]));
    }
}

static void no_line_is_of_a_metric_that_is_gone(void)
{
    static const char row[] = "\n| `warren_";
    size_t count;
    size_t names = 1; /* warren_build_info is in no row of the table */
    size_t lines = 0;
    const struct wr_metric *metrics = wr_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        names += !i || strcmp(metrics[i - 1].name, metrics[i].name) != 0;
    }
    for (const char *at = wr_text_string(&page); (at = strstr(at, row)); at++) {
        lines++;
    }
    CU_ASSERT_EQUAL(lines, names);
}

static void each_word_of_a_label_is_explained(void)
{
    size_t count;
    const struct wr_metric *metrics = wr_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; metrics[i].label && k < metrics[i].value_count; k++) {
            char word[64];
            (void)snprintf(word, sizeof word, "`%s`", metrics[i].values[k]);
            bool is_there = strstr(wr_text_string(&page), word) != NULL;
            CU_ASSERT(is_there);
            if (!is_there) {
                printf("docs/metrics.md lacks %s of %s\n", word, metrics[i].name);
            }
        }
    }
}

static void the_bounds_of_histograms_are_told(void)
{
    struct wr_text bounds = { 0 };
    for (int i = 0; i < WR_HISTOGRAM_BOUNDS; i++) {
        wr_text_add_format(&bounds, "%s%g", i ? ", " : "", (double)wr_histogram_bounds_us[i] / 1e6);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&page), wr_text_string(&bounds)));
    wr_text_done(&bounds);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("metrics page", read_page, forget_page);
    CU_ADD_TEST(suite, each_metric_has_its_line);
    CU_ADD_TEST(suite, no_line_is_of_a_metric_that_is_gone);
    CU_ADD_TEST(suite, each_word_of_a_label_is_explained);
    CU_ADD_TEST(suite, the_bounds_of_histograms_are_told);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
