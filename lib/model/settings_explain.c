// SPDX-License-Identifier: MIT
// DESIGN: `warren config explain`: the rows of the table as text for people. A path may be written
// as in a message, with indices ("queues[2].jobs[1].type"), and may name a group.
#include <stdio.h>

#include "base/error.h"
#include "model/settings_value.h"

static void explain(const struct wr_option *option, struct wr_text *out)
{
    wr_text_add_format(out, "%s%s\n    %s\n    Takes ", out->size ? "\n" : "", option->path,
                       option->sentence);
    wr_option_want(option, out);
    wr_option_range(option, out);
    if (option->required) {
        wr_text_add_string(out, "; required.\n");
    } else if (!option->fallback) {
        wr_text_add_string(out, "; default: what the queue says.\n");
    } else if (!option->fallback[0]) {
        wr_text_add_string(out, "; default: not set.\n");
    } else {
        const char *quote = wr_value_is_quoted(option, option->fallback) ? "\"" : "";
        wr_text_add_format(out, "; default: %s%s%s.\n", quote, option->fallback, quote);
    }
    wr_text_add_string(out, option->is_live ? "    A running worker takes a change at a reload.\n"
                                            : "    A change waits for a restart.\n");
}

/* "queues[2].jobs[1].type" becomes "queue.jobs.type". */
static void plain_path(char *out, size_t size, const char *path)
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

static bool is_meant(const struct wr_option *option, const char *path)
{
    size_t length = strlen(path);
    return length == 0 || (strncmp(option->path, path, length) == 0 &&
                           (option->path[length] == '\0' || option->path[length] == '.'));
}

/* Near by its whole path, or by its last word alone. */
static size_t distance_to(const struct wr_option *option, const char *path)
{
    const char *dot = strrchr(option->path, '.');
    size_t whole = wr_text_distance(path, option->path);
    size_t last = wr_text_distance(path, dot ? dot + 1 : option->path);
    return last < whole ? last : whole;
}

static warren_status not_found(const char *path, warren_error *err)
{
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    const struct wr_option *nearest = &table[0];
    for (size_t i = 1; i < count; i++) {
        if (distance_to(&table[i], path) < distance_to(nearest, path)) {
            nearest = &table[i];
        }
    }
    if (distance_to(nearest, path) > 2 + strlen(path) / 4) {
        return wr_fail(err, WARREN_NOT_FOUND,
                       "no option '%.80s'; `warren config explain` lists all of them", path);
    }
    return wr_fail(err, WARREN_NOT_FOUND, "no option '%.80s', did you mean '%s'?", path,
                   nearest->path);
}

warren_status wr_settings_explain(const char *path, struct wr_text *out, warren_error *err)
{
    char plain[128] = "";
    size_t count;
    const struct wr_option *table = wr_settings_table(&count);
    bool found = false;
    plain_path(plain, sizeof plain, path ? path : "");
    for (size_t i = 0; i < count; i++) {
        if (is_meant(&table[i], plain)) {
            explain(&table[i], out);
            found = true;
        }
    }
    if (!found) {
        return not_found(plain, err);
    }
    return out->failed ? wr_no_memory(err) : WARREN_OK;
}
