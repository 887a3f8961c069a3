// SPDX-License-Identifier: MIT
// DESIGN: `warren config explain`: the rows of the table as text for people. A path may be written
// as in a message, with indices ("queues[2].jobs[1].type"), and may name a group.
#include <stdio.h>

#include "base/error.h"
#include "model/settings_value.h"

void wr_option_takes(const struct wr_option *option, struct wr_text *out)
{
    wr_option_want(option, out);
    wr_option_range(option, out);
    if (option->required) {
        wr_text_add_string(out, "; required");
    } else if (!option->fallback) {
        wr_text_add_string(out, "; default: what the queue says");
    } else if (!option->fallback[0]) {
        wr_text_add_string(out, "; default: not set");
    } else {
        const char *quote = wr_value_is_quoted(option, option->fallback) ? "\"" : "";
        wr_text_add_format(out, "; default: %s%s%s", quote, option->fallback, quote);
    }
}

const char *wr_option_change(const struct wr_option *option)
{
    return option->is_live ? "A running worker takes a change at a reload."
                           : "A change waits for a restart.";
}

/* Begins an entry: an option, or a group. */
static void add_head(const char *path, const char *sentence, struct wr_text *out)
{
    wr_text_add_format(out, "%s%s\n    %s\n", out->size ? "\n" : "", path, sentence);
}

static void explain(const struct wr_option *option, struct wr_text *out)
{
    add_head(option->path, option->sentence, out);
    wr_text_add_string(out, "    Takes ");
    wr_option_takes(option, out);
    wr_text_add_format(out, ".\n    %s\n    Example: ", wr_option_change(option));
    wr_option_example_line(option, out);
    wr_text_add_string(out, "\n");
}

void wr_settings_plain_path(char *out, size_t size, const char *path)
{
    size_t length = 0;
    for (const char *at = path; *at && length + 1 < size;) {
        if (*at == '[') {
            at += strcspn(at, "]");
            at += *at ? 1 : 0;
        } else {
            out[length++] = *at++;
        }
    }
    out[length] = '\0';
    if (strncmp(out, "queues.", 7) == 0) {
        memmove(out + 5, out + 6, strlen(out + 6) + 1);
    }
}

bool wr_option_is_below(const struct wr_option *option, const char *path)
{
    size_t length = strlen(path);
    return length == 0 || (strncmp(option->path, path, length) == 0 &&
                           (option->path[length] == '\0' || option->path[length] == '.'));
}

/* Near by its whole path, or by its last word alone. */
static size_t distance_to(const char *known, const char *path)
{
    const char *dot = strrchr(known, '.');
    size_t whole = wr_text_distance(path, known);
    size_t last = wr_text_distance(path, dot ? dot + 1 : known);
    return last < whole ? last : whole;
}

struct nearest {
    char path[64];
    size_t distance;
};

static void consider(struct nearest *nearest, struct wr_slice known, const char *path)
{
    char text[sizeof nearest->path];
    (void)snprintf(text, sizeof text, "%.*s", WR_SLICE(known));
    size_t distance = distance_to(text, path);
    if (!nearest->path[0] || distance < nearest->distance) {
        memcpy(nearest->path, text, sizeof text);
        nearest->distance = distance;
    }
}

warren_status wr_settings_not_found(const char *path, warren_error *err)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    struct nearest nearest = { .distance = 0 };
    for (size_t i = 0; i < count; i++) {
        const char *known = table[i].path;
        consider(&nearest, wr_slice_of(known), path);
        for (size_t size = 0; known[size]; size++) {
            if (known[size] == '.') { /* the groups that it is in */
                consider(&nearest, (struct wr_slice){ known, size }, path);
            }
        }
    }
    if (nearest.distance > 2 + strlen(path) / 4) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "no option '%.80s'; `warren config explain` lists all of them", path);
    }
    return wr_fail(err, WARREN_NOT_FOUND, "no option '%.80s', did you mean '%s'?", path,
                   nearest.path);
}

warren_status wr_settings_explain(const char *path, struct wr_text *out, warren_error *err)
{
    char plain[128] = "";
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    wr_settings_plain_path(plain, sizeof plain, path ? path : "");
    bool is_option = wr_settings_option(wr_slice_of(plain)) != NULL;
    const char *group = is_option ? NULL : wr_settings_group(wr_slice_of(plain));
    if (group) {
        add_head(plain, group, out);
    }
    for (size_t i = 0; i < count; i++) {
        if (wr_option_is_below(&table[i], plain)) {
            explain(&table[i], out);
        }
    }
    if (!out->size) {
        return wr_settings_not_found(plain, err);
    }
    return out->failed ? wr_no_memory(err) : WARREN_OK;
}
