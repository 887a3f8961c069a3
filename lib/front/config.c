// SPDX-License-Identifier: MIT
// DESIGN: the public face of the settings for tools. Everything that can be said about a
// configuration is text here; the types stay inside. Problems are turned into lines once, at
// opening, so that a line can be borrowed.
#include "front/config.h"

#include <stdlib.h>

#include "base/error.h"
#include "model/settings_diff.h"

static bool make_lines(warren_config *config)
{
    size_t count = config->problems.length;
    config->lines = calloc(count + 1, sizeof *config->lines);
    bool ok = config->lines != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        struct wr_text line = { 0 };
        wr_problem_write(&config->problems.items[i], &line);
        config->lines[i] = wr_text_take(&line);
        ok = config->lines[i] != NULL;
    }
    return ok;
}

/* Hands the text over to the caller. */
static warren_status hand_over(struct wr_text *text, char **out, warren_error *err)
{
    char *made = wr_text_take(text);
    if (!made) {
        return wr_no_memory(err);
    }
    *out = made;
    return WARREN_OK;
}

warren_status warren_config_open(warren_config **out, const char *path, warren_error *err)
{
    warren_config *config = calloc(1, sizeof *config);
    if (!config) {
        return wr_no_memory(err);
    }
    warren_status status =
        wr_settings_load(&config->settings, path, &config->problems, &config->error);
    if (status && status != WARREN_CONFIG) {
        status = wr_fail(err, status, "%s", config->error.text);
        warren_config_close(config);
        return status;
    }
    if (!make_lines(config)) {
        warren_config_close(config);
        return wr_no_memory(err);
    }
    *out = config;
    return WARREN_OK;
}

void warren_config_close(warren_config *config)
{
    if (!config) {
        return;
    }
    for (size_t i = 0; config->lines && i < config->problems.length; i++) {
        free(config->lines[i]);
    }
    free(config->lines);
    wr_problems_done(&config->problems);
    wr_settings_free(config->settings);
    free(config);
}

size_t warren_config_errors(const warren_config *config)
{
    return config->problems.errors;
}

size_t warren_config_problem_count(const warren_config *config)
{
    return config->problems.length;
}

const char *warren_config_problem(const warren_config *config, size_t index)
{
    return index < config->problems.length ? config->lines[index] : NULL;
}

bool warren_config_problem_is_note(const warren_config *config, size_t index)
{
    return index < config->problems.length && config->problems.items[index].is_note;
}

size_t warren_config_queue_count(const warren_config *config)
{
    return config->settings ? config->settings->queue_count : 0;
}

const char *warren_config_queue_name(const warren_config *config, size_t index)
{
    return index < warren_config_queue_count(config) ? config->settings->queues[index].name : NULL;
}

const char *warren_config_queue_file(const warren_config *config, size_t index)
{
    return index < warren_config_queue_count(config) ? config->settings->queues[index].file : NULL;
}

warren_status warren_config_write(const warren_config *config, bool as_json, char **out,
                                  warren_error *err)
{
    struct wr_text text = { 0 };
    if (!config->settings) {
        return wr_fail(err, config->error.status, "%s", config->error.text);
    }
    wr_settings_write(config->settings, as_json, &text);
    return hand_over(&text, out, err);
}

warren_status warren_config_diff(const warren_config *from, const warren_config *to,
                                 warren_config_difference_visitor *visit, void *user,
                                 warren_error *err)
{
    const warren_config *broken = !from->settings ? from : !to->settings ? to : NULL;
    struct wr_differences list;
    if (broken) {
        return wr_fail(err, broken->error.status, "%s", broken->error.text);
    }
    wr_settings_diff(from->settings, to->settings, &list);
    for (size_t i = 0; i < list.length && !list.failed; i++) {
        const struct wr_difference *item = &list.items[i];
        warren_config_difference difference = { item->option->path, item->queue, item->type,
                                                item->from,         item->to,    item->is_live };
        if (!item->is_implied) {
            visit(user, &difference);
        }
    }
    warren_status rc = list.failed ? wr_no_memory(err) : WARREN_OK;
    wr_differences_done(&list);
    return rc;
}

warren_status warren_config_explain(const char *path, char **out, warren_error *err)
{
    struct wr_text text = { 0 };
    warren_status status = wr_settings_explain(path, &text, err);
    if (status) {
        wr_text_done(&text);
        return status;
    }
    return hand_over(&text, out, err);
}

/* Shows one option to `visit`. False without memory. */
static bool show_option(const struct wr_option *row, warren_config_option_visitor *visit,
                        void *user)
{
    struct wr_text takes = { 0 };
    struct wr_text example = { 0 };
    wr_option_takes(row, &takes);
    wr_option_example_line(row, &example);
    warren_config_option option = { .path = row->path,
                                    .kind = wr_option_kind_name(row),
                                    .units = wr_option_units(row),
                                    .fallback = row->fallback,
                                    .least = row->least,
                                    .most = row->most,
                                    .words = row->choices,
                                    .sentence = row->sentence,
                                    .takes = wr_text_string(&takes),
                                    .change = wr_option_change(row),
                                    .example = wr_text_string(&example),
                                    .is_required = row->required,
                                    .is_live = row->is_live };
    bool ok = !takes.failed && !example.failed;
    if (ok) {
        visit(user, &option);
    }
    wr_text_done(&takes);
    wr_text_done(&example);
    return ok;
}

warren_status warren_config_options(const char *path, warren_config_option_visitor *visit,
                                    void *user, warren_error *err)
{
    char plain[128];
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    bool found = false;
    wr_settings_plain_path(plain, sizeof plain, path ? path : "");
    for (size_t i = 0; i < count; i++) {
        if (wr_option_is_below(&table[i], plain)) {
            found = true;
            if (!show_option(&table[i], visit, user)) {
                return wr_no_memory(err);
            }
        }
    }
    return found ? WARREN_OK : wr_settings_not_found(plain, err);
}

const char *warren_config_group(const char *path)
{
    return wr_settings_group(wr_slice_of(path));
}

warren_status warren_config_schema(char **out, warren_error *err)
{
    struct wr_text text = { 0 };
    wr_settings_schema(&text);
    return hand_over(&text, out, err);
}

warren_status warren_config_template(warren_config_file which, char **out, warren_error *err)
{
    static const enum wr_template templates[] = {
        [WARREN_CONFIG_FILE_MAIN] = WR_TEMPLATE_MAIN,
        [WARREN_CONFIG_FILE_QUEUE] = WR_TEMPLATE_QUEUE,
        [WARREN_CONFIG_FILE_QUEUE_FULL] = WR_TEMPLATE_QUEUE_FULL,
        [WARREN_CONFIG_FILE_MAIN_SMALL] = WR_TEMPLATE_MAIN_SMALL,
    };
    struct wr_text text = { 0 };
    if ((unsigned)which >= sizeof templates / sizeof templates[0]) {
        return wr_fail(err, WARREN_INVALID, "no template has the number %d", (int)which);
    }
    wr_settings_template(templates[which], &text);
    return hand_over(&text, out, err);
}
