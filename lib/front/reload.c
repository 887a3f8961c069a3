// SPDX-License-Identifier: MIT
// DESIGN: a reload reads the files as a start does, and one error means that nothing happens. What they
// say is then compared with what is in effect, option by option; what is live goes into a copy of the
// present settings, and that copy is put into effect as a whole. What isn't live is named and stays as
// it was, and so does a queue or a type that is gone: its jobs would have nobody.
//
//     files ─▶ check ─▶ differences ─▶ copy with what is live ─▶ wr_worker_adopt
//                └─ an error: named, nothing changes      └─ the rest: named, waits for a restart
//
// A Kubernetes volume is changed by putting another folder in the place of the old one, between any two
// files that are read. So the folder is looked at before and after, and if it is another one by then,
// all of it is read again.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "front/worker.h"
#include "model/settings_diff.h"

enum { READ_TRIES = 5, LINES_MOST = 200, VALUE_SIZE = 300 };

/* One reload under way. */
struct reload {
    warren *w;
    struct wr_settings *files;  /* what they say */
    struct wr_settings *newer;  /* what is in effect, and what is live of the files */
    struct wr_differences list; /* from what is in effect to the files */
    struct wr_text waiting;     /* what waits for a restart, by name */
    size_t changed;             /* that are told */
    size_t refused;
    bool has_news;     /* something can be taken */
    bool is_in_effect; /* what can */
};

/* --- reading --- */

static void tell_problems(const struct wr_problems *problems)
{
    size_t told = 0;
    for (size_t i = 0; i < problems->length && told < LINES_MOST; i++) {
        struct wr_text line = { 0 };
        char quoted[600];
        if (!problems->items[i].is_note) {
            wr_problem_write(&problems->items[i], &line);
            wr_log(WR_ERROR, "config.error", "text=%s",
                   wr_log_quote(quoted, sizeof quoted, wr_text_string(&line)));
            told++;
        }
        wr_text_done(&line);
    }
}

static bool is_same_place(const char *path, const char *before)
{
    char *now = realpath(path, NULL);
    bool is_same = (!now && !before) || (now && before && strcmp(now, before) == 0);
    free(now);
    return is_same;
}

static warren_status load(struct wr_settings **out, const char *path, warren_error *err)
{
    warren_status rc = WARREN_OK;
    bool is_same = false;
    for (int i = 0; i < READ_TRIES && !is_same; i++) {
        struct wr_problems problems;
        char *place = realpath(path, NULL);
        wr_settings_free(*out);
        *out = NULL;
        rc = wr_settings_load(out, path, &problems, err);
        is_same = is_same_place(path, place);
        if (is_same || i + 1 == READ_TRIES) {
            tell_problems(&problems);
        }
        wr_problems_done(&problems);
        free(place);
    }
    return rc;
}

/* --- comparing --- */

static const char *quote(char out[VALUE_SIZE], const char *text)
{
    return text ? wr_log_quote(out, VALUE_SIZE, text) : "-";
}

static void tell(const struct reload *reload, const struct wr_difference *difference,
                 const char *why)
{
    char from[VALUE_SIZE];
    char to[VALUE_SIZE];
    char reason[VALUE_SIZE + 8];
    if (reload->changed + reload->refused > LINES_MOST) {
        return;
    }
    bool is_refused = why != NULL;
    wr_log(is_refused ? WR_WARN : WR_INFO, is_refused ? "config.refused" : "config.changed",
           "option=%s queue=%s type=%s from=%s to=%s%s%s", difference->option->path,
           difference->queue ? difference->queue : "-", difference->type ? difference->type : "-",
           quote(from, difference->from), quote(to, difference->to), is_refused ? " why=" : "",
           is_refused ? quote(reason, why) : "");
}

static void refuse(struct reload *reload, const struct wr_difference *difference, const char *why)
{
    if (difference->is_implied) {
        return;
    }
    reload->refused++;
    wr_text_add_string(&reload->waiting, reload->refused > 1 ? "; " : "");
    wr_difference_write(difference, &reload->waiting);
    tell(reload, difference, why);
}

/* NULL: it can be taken. Else why not. */
static const char *objection(struct reload *reload, const struct wr_difference *difference,
                             struct wr_text *why)
{
    const struct wr_settings *now = reload->w->settings;
    bool is_queue = difference->queue && !difference->type;
    if (is_queue && !difference->from) {
        const struct wr_queue_settings *queue = wr_settings_queue(reload->files, difference->queue);
        return wr_roster_accepts(&reload->w->roster, queue, why) ? NULL : wr_text_string(why);
    }
    if (!difference->to) {
        return "what is gone is consumed until a restart";
    }
    if (!difference->from) {
        return "a queue's types are fixed until a restart";
    }
    if (strcmp(difference->option->path, "log.level") == 0 &&
        wr_log_level() != wr_level_find(now->log_level)) {
        return "the program has chosen another level (--log-level, warren_log_to)";
    }
    if (strcmp(difference->option->path, "threads") == 0 &&
        reload->files->threads > reload->w->roster.threads_most) {
        wr_text_add_format(why, "at most %d can be had without one",
                           reload->w->roster.threads_most);
        return wr_text_string(why);
    }
    return difference->is_live ? NULL : "it needs a restart";
}

static warren_status take_one(struct reload *reload, struct wr_difference *difference,
                              warren_error *err)
{
    struct wr_text why = { 0 };
    const char *against = objection(reload, difference, &why);
    warren_status rc = WARREN_OK;
    difference->is_live = against == NULL;
    if (against) {
        refuse(reload, difference, against);
    } else {
        rc = wr_settings_take(reload->newer, reload->files, difference, err);
        reload->has_news = true;
    }
    wr_text_done(&why);
    return rc;
}

static warren_status compare(struct reload *reload, warren_error *err)
{
    warren_status rc = wr_settings_copy(&reload->newer, reload->w->settings, err);
    wr_settings_diff(reload->w->settings, reload->files, &reload->list);
    if (!rc && reload->list.failed) {
        rc = wr_no_memory(err);
    }
    for (size_t i = 0; i < reload->list.length && !rc; i++) {
        rc = take_one(reload, &reload->list.items[i], err);
    }
    return rc;
}

/* --- the whole --- */

static void done(struct reload *reload)
{
    wr_differences_done(&reload->list);
    wr_settings_free(reload->files);
    wr_settings_free(reload->newer);
    wr_text_done(&reload->waiting);
}

static warren_status put_into_effect(struct reload *reload, warren_error *err)
{
    warren *w = reload->w;
    warren_status rc = reload->has_news ? wr_worker_adopt(w, TAKE(reload->newer), err) : WARREN_OK;
    for (size_t i = 0; i < reload->list.length && !rc; i++) {
        const struct wr_difference *difference = &reload->list.items[i];
        if (difference->is_live && !difference->is_implied) {
            reload->changed++;
            tell(reload, difference, NULL);
        }
    }
    reload->is_in_effect = !rc;
    return rc;
}

static warren_status reload_files(struct reload *reload, warren_error *err)
{
    const char *path = reload->w->settings->file;
    if (!path) {
        return wr_fail(err, WARREN_STATE, "the worker runs without a configuration file");
    }
    warren_status rc = load(&reload->files, path, err);
    rc = rc ? rc : compare(reload, err);
    rc = rc ? rc : put_into_effect(reload, err);
    if (rc) {
        return rc;
    }
    wr_log(reload->refused ? WR_WARN : WR_INFO, "config.reloaded",
           "file=%s changed=%zu refused=%zu%s", path, reload->changed, reload->refused,
           reload->refused ? " hint=\"restart the worker for the rest\"" : "");
    return reload->refused ? wr_fail(err, WARREN_STATE, "%zu change%s for a restart: %s",
                                     reload->refused, reload->refused == 1 ? " waits" : "s wait",
                                     wr_text_string(&reload->waiting))
                           : WARREN_OK;
}

warren_status warren_reload(warren *w, warren_error *err)
{
    struct reload reload = { .w = w };
    warren_error failure = { .status = WARREN_OK };
    char quoted[600];
    if (w->state != WR_WORKER_RUNNING) {
        return wr_fail(err, WARREN_STATE, "the worker does not run");
    }
    WR_SCOPED_LOCK(&w->live_lock);
    warren_status rc = reload_files(&reload, &failure);
    atomic_store(&w->is_as_configured, !rc);
    if (!rc) {
        atomic_store(&w->configured_ms, wr_clock_wall_ms(w->clock));
    } else if (!reload.is_in_effect) {
        wr_log(WR_ERROR, "config.kept", "error=%s hint=\"the configuration of before goes on\"",
               wr_log_quote(quoted, sizeof quoted, failure.text));
    }
    done(&reload);
    return rc ? wr_fail(err, rc, "%s", failure.text) : WARREN_OK;
}
