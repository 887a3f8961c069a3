// SPDX-License-Identifier: MIT
// DESIGN: letters as lines of JSON: writing one, putting many back, and putting an edited one in the place
// of the old one. An edit may take hours, so nothing is held meanwhile: the letter is looked up again by
// all that it was, and if it isn't there like that any more, nothing happens.
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "front/dead_hunt.h"
#include "model/header.h"
#include "model/record.h"
#include "model/strip.h"
#include "model/topology.h"

enum { NAME_SIZE = 256, WHY_MOST = 500 };

warren_status warren_dead_write(const warren_dead_letter *letter, char **out, warren_error *err)
{
    const struct wr_letter *whole = (const struct wr_letter *)(const void *)letter;
    struct wr_text line = { 0 };
    if (!whole->message) {
        return wr_fail(err, WARREN_INVALID,
                       "the letter can't be read, so it can't be written down");
    }
    wr_record_write(whole->message, *letter->queue ? letter->queue : "unrouted", &line);
    *out = wr_text_take(&line);
    return *out ? WARREN_OK : wr_no_memory(err);
}

/* --- import --- */

struct import {
    warren_admin *admin;
    char dead_queue[NAME_SIZE];
    struct wr_replayer replayer;
    size_t
        lines[WR_REPLAYER_WINDOW]; /* the line of each tag that waits, by tag modulo the window */
    size_t line;                   /* the one in hand, from 1 */
};

/* As it was, but for what would be a command to the broker. */
static void write_import_headers(const struct wr_message *message, struct wr_text *out)
{
    struct wr_field field;
    size_t offset = 0;
    while (wr_table_next(message->headers, &offset, &field)) {
        if (wr_slice_is(field.name, "CC")) {
            wr_table_add_renamed(out, "x-warren-cc", &field);
        } else if (wr_slice_is(field.name, "BCC")) {
            wr_table_add_renamed(out, "x-warren-bcc", &field);
        } else {
            wr_table_add_entry(out, &field);
        }
    }
    if (message->present & WR_EXPIRATION) {
        wr_table_add_string(out, WR_H_EXPIRATION, message->expiration);
    }
    if (message->present & WR_USER_ID) {
        wr_table_add_string(out, WR_H_USER_ID, message->user_id);
    }
}

static warren_status import_line(struct import *import, struct wr_slice line, warren_error *err)
{
    struct wr_record record;
    struct wr_text headers = { 0 };
    warren_status rc = wr_record_read(&record, line, err);
    if (rc) {
        return rc;
    }
    struct wr_message message = record.message;
    write_import_headers(&record.message, &headers);
    message.exchange = (struct wr_slice){ 0 }; /* the default one: straight into the queue */
    message.key = wr_slice_of(import->dead_queue);
    message.headers = (struct wr_table){ headers.data, headers.size };
    message.present &= ~(unsigned)(WR_EXPIRATION | WR_USER_ID | WR_CLUSTER_ID);
    message.present |= WR_DELIVERY_MODE | (headers.size ? WR_HEADERS : 0);
    message.delivery_mode = 2;
    rc = headers.failed ? wr_no_memory(err) : wr_replayer_post(&import->replayer, &message, err);
    if (!rc) {
        import->lines[import->replayer.last_tag % WR_REPLAYER_WINDOW] = import->line;
    }
    wr_text_done(&headers);
    wr_record_done(&record);
    return rc;
}

/* How many lines are done: all before the first that is not confirmed, or before the one in hand. */
static size_t count_done(const struct import *import)
{
    const struct wr_replayer *replayer = &import->replayer;
    return replayer->confirmed < replayer->last_tag
               ? import->lines[(replayer->confirmed + 1) % WR_REPLAYER_WINDOW] - 1
               : import->line - 1;
}

static bool is_blank(struct wr_slice line)
{
    for (size_t i = 0; i < line.size; i++) {
        if (!strchr(" \t\r\n", line.data[i])) {
            return false;
        }
    }
    return true;
}

static warren_status import_all(struct import *import, warren_dead_source *next, void *user,
                                warren_error *err)
{
    struct wr_slice line;
    warren_status rc = WARREN_OK;
    for (import->line = 1; !rc && next(&line.data, &line.size, user);) {
        rc = is_blank(line) ? WARREN_OK : import_line(import, line, err);
        import->line += rc == WARREN_OK;
    }
    if (rc == WARREN_INVALID || !rc) { /* what was sent before is as good as it was */
        warren_status late = wr_replayer_drain(&import->replayer, rc ? NULL : err);
        rc = rc ? rc : late;
    }
    return rc;
}

warren_status warren_dead_import(warren_admin *admin, const char *queue, warren_dead_source *next,
                                 void *user, size_t *out_count, warren_error *err)
{
    struct import import = { .admin = admin, .line = 1 };
    struct wr_depth depth;
    const struct wr_queue_settings *settings = wr_hunt_queue(admin->settings, queue ? queue : "");
    if (out_count) {
        *out_count = 0;
    }
    if (!settings) {
        return wr_fail(err, WARREN_NOT_FOUND, "queue \"%s\" is not in this configuration",
                       queue ? queue : "");
    }
    wr_topology_dead_queue(import.dead_queue, NAME_SIZE, settings->name);
    warren_status rc = wr_admin_depth(admin, import.dead_queue, &depth, err);
    if (!rc) {
        rc = wr_replayer_open(&import.replayer, admin->settings, err);
    }
    if (rc) {
        return rc;
    }
    rc = import_all(&import, next, user, err);
    if (out_count) {
        *out_count = count_done(&import);
    }
    wr_replayer_close(&import.replayer);
    return rc;
}

/* --- edit --- */

struct edit {
    const warren_dead_edit *wanted;
    struct wr_record after;
    struct wr_text headers; /* of the edited letter, with its marks */
    bool is_found;
};

static bool is_mark(struct wr_slice name)
{
    return wr_slice_is(name, "x-warren-edited-at-ms") || wr_slice_is(name, "x-warren-edited-by") ||
           wr_slice_is(name, "x-warren-edited-why") || wr_slice_is(name, "x-warren-edits");
}

static void write_marks(struct edit *edit, int64_t now_ms)
{
    struct wr_field field;
    struct wr_table headers = edit->after.message.headers;
    int64_t edits = 0;
    size_t offset = 0;
    while (wr_table_next(headers, &offset, &field)) {
        if (wr_slice_is(field.name, "x-warren-edits")) {
            (void)wr_field_int(&field, &edits);
        }
        if (!is_mark(field.name)) {
            wr_table_add_entry(&edit->headers, &field);
        }
    }
    wr_table_add_int(&edit->headers, "x-warren-edited-at-ms", now_ms);
    wr_table_add_string(&edit->headers, "x-warren-edited-by", wr_slice_of(edit->wanted->by));
    if (edit->wanted->why) {
        wr_table_add_string(&edit->headers, "x-warren-edited-why", wr_slice_of(edit->wanted->why));
    }
    wr_table_add_int(&edit->headers, "x-warren-edits",
                     edits >= 0 && edits < INT32_MAX ? edits + 1 : 1);
}

/* Whether the letter is the one that was shown, in everything. */
static bool is_the_same(const struct edit *edit, const struct wr_letter *letter, warren_status *rc)
{
    char *line = NULL;
    *rc = warren_dead_write(&letter->data, &line, NULL);
    bool same = line && strcmp(line, edit->wanted->before) == 0;
    free(line);
    return same;
}

/* Sends the edited letter: home, or to its dead queue again. */
static warren_status send_edited(struct wr_hunt *hunt, const struct edit *edit,
                                 const struct wr_message *old)
{
    struct wr_homes homes = { .admin = hunt->admin };
    struct wr_message message = edit->after.message;
    struct wr_letter letter;
    message.headers = (struct wr_table){ edit->headers.data, edit->headers.size };
    message.present |= WR_HEADERS;
    message.exchange = old->exchange;
    message.key = old->key;
    if (wr_letter_read(&letter, &message, &hunt->place)) {
        return wr_no_memory(hunt->err);
    }
    warren_status rc = edit->wanted->replays
                           ? wr_hunt_replay(hunt, &homes, &message, &letter)
                           : wr_hunt_bury(hunt, hunt->place.queue, &message, &letter);
    wr_letter_done(&letter);
    return rc;
}

static enum wr_walk_choice replace_letter(struct wr_hunt *hunt, const struct wr_message *message,
                                          const struct wr_letter *letter)
{
    struct edit *edit = hunt->verb;
    if (edit->is_found) {
        return WR_WALK_STOP;
    }
    if (!is_the_same(edit, letter, &hunt->rc) || hunt->rc) {
        return WR_WALK_KEEP;
    }
    edit->is_found = true;
    hunt->rc = send_edited(hunt, edit, message);
    return WR_WALK_REMOVE;
}

static warren_status read_edit(struct edit *edit, warren_admin *admin, struct wr_record *before,
                               warren_error *err)
{
    const warren_dead_edit *wanted = edit->wanted;
    warren_status rc = wr_record_read(&edit->after, wr_slice_of(wanted->after), err);
    if (!rc) {
        rc = wr_record_read(before, wr_slice_of(wanted->before), err);
    }
    if (rc) {
        return rc;
    }
    if (!wr_slice_equals(before->message.message_id, edit->after.message.message_id)) {
        return wr_fail(
            err, WARREN_INVALID,
            "the edited letter has another message_id: its id is what it is known by, and "
            "stays");
    }
    if (wanted->why && strlen(wanted->why) > WHY_MOST) {
        return wr_fail(err, WARREN_INVALID, "why: %zu bytes, at most %d fit into a header",
                       strlen(wanted->why), WHY_MOST);
    }
    if (!wanted->replays && !wr_hunt_queue(admin->settings, wanted->queue)) {
        return wr_fail(err, WARREN_STATE, "an edited letter of %s must be replayed", wanted->queue);
    }
    write_marks(edit, wr_clock_wall_ms(NULL));
    return edit->headers.failed ? wr_no_memory(err) : WARREN_OK;
}

static warren_status replace(warren_admin *admin, struct edit *edit, const struct wr_record *before,
                             warren_error *err)
{
    char *id = wr_slice_copy(before->message.message_id);
    warren_dead_filter filter = { .queue = edit->wanted->queue, .id = id };
    struct wr_hunt hunt = { .admin = admin,
                            .filter = &filter,
                            .publishes = true,
                            .needs_message = true,
                            .treat = replace_letter,
                            .verb = edit,
                            .err = err };
    warren_status rc = id ? wr_hunt_run(&hunt) : wr_no_memory(err);
    if (!rc && !edit->is_found) {
        rc = wr_fail(err, WARREN_NOT_FOUND,
                     "message %s no longer stands in the dead queue as it was shown", id);
    }
    free(id);
    return rc;
}

warren_status warren_dead_replace(warren_admin *admin, const warren_dead_edit *wanted,
                                  warren_error *err)
{
    struct edit edit = { .wanted = wanted };
    struct wr_record before = { .queue = NULL };
    warren_status rc = read_edit(&edit, admin, &before, err);
    if (!rc) {
        rc = replace(admin, &edit, &before, err);
    }
    wr_record_done(&before);
    wr_record_done(&edit.after);
    wr_text_done(&edit.headers);
    return rc;
}
