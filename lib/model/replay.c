// SPDX-License-Identifier: MIT
// DESIGN: first the broker's headers go (model/strip), then those of Warren's that belong to the
// life that ended or are written anew. A letter that was stopped on the ladder (from the catch-all)
// is not dead: it goes on with the counters that it has. An expiry that has passed is dropped, or
// the replayed job would die of it again before it starts.
//
// A letter that is moved to another dead queue stays what it is. What the broker noted names its old
// queue and means nothing in the new one, so reason, time and type become Warren's own headers first.
#include "model/replay.h"

#include "model/header.h"
#include "model/strip.h"

static const char *const ended_life[] = {
    "x-warren-attempt",  "x-warren-crashes", "x-warren-interrupts", "x-warren-dead-reason",
    "x-warren-delay-ms", "x-warren-died-ms", "x-warren-run-at-ms",
};

static const char *const written_anew[] = { "x-warren-replays", "x-warren-replayed-at-ms" };

static const char *const written_by_move[] = { WR_H_DEAD_REASON, WR_H_DIED_MS, WR_H_QUEUE,
                                               "x-warren-moved-from", "x-warren-moved-at-ms" };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is_one_of(struct wr_slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (wr_slice_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool has_expired(const struct wr_field *field, int64_t now_ms)
{
    int64_t at_ms;
    return wr_slice_is(field->name, "x-warren-expires-ms") && wr_field_int(field, &at_ms) &&
           at_ms <= now_ms;
}

/* A header that an earlier hop wrote for a property which this message has again. */
static bool is_kept_property(const struct wr_field *field, const struct wr_message *dead)
{
    return (dead->present & WR_EXPIRATION && wr_slice_is(field->name, WR_H_EXPIRATION)) ||
           (dead->present & WR_USER_ID && wr_slice_is(field->name, WR_H_USER_ID));
}

static bool is_dropped_by_replay(const struct wr_field *field, bool begins_anew, int64_t now_ms)
{
    if (is_one_of(field->name, written_anew, COUNT(written_anew))) {
        return true;
    }
    return begins_anew &&
           (is_one_of(field->name, ended_life, COUNT(ended_life)) || has_expired(field, now_ms));
}

static bool is_dropped_by_move(const struct wr_field *field, bool begins_anew, int64_t now_ms)
{
    (void)begins_anew;
    (void)now_ms;
    return is_one_of(field->name, written_by_move, COUNT(written_by_move));
}

/* What is kept of the properties that can't be sent again. */
static void keep_properties(const struct wr_message *dead, struct wr_text *out)
{
    if (dead->present & WR_EXPIRATION) {
        wr_table_add_string(out, WR_H_EXPIRATION, dead->expiration);
    }
    if (dead->present & WR_USER_ID) {
        wr_table_add_string(out, WR_H_USER_ID, dead->user_id);
    }
}

/* Copies the headers but the broker's and those that `drops` names. */
static void copy_headers(const struct wr_message *dead, const struct wr_letter *letter,
                         int64_t now_ms, bool (*drops)(const struct wr_field *, bool, int64_t),
                         struct wr_text *out)
{
    struct wr_text kept = { 0 };
    struct wr_field field;
    size_t offset = 0;
    wr_strip_copy(dead->headers, &kept);
    while (wr_table_next((struct wr_table){ kept.data, kept.size }, &offset, &field)) {
        if (!is_kept_property(&field, dead) && !drops(&field, !letter->is_on_ladder, now_ms)) {
            wr_table_add_entry(out, &field);
        }
    }
    out->failed = out->failed || kept.failed;
    wr_text_done(&kept);
    keep_properties(dead, out);
}

/* What can be sent of a dead letter's properties, with these headers, and to where. */
static void address(const struct wr_message *dead, const struct wr_letter *letter,
                    const struct wr_replay *how, const struct wr_text *headers,
                    struct wr_message *out)
{
    *out = *dead;
    out->exchange = wr_slice_of(how->exchange);
    out->key = wr_slice_of(how->key);
    out->headers = (struct wr_table){ headers->data, headers->size };
    out->delivery_mode = 2;
    out->present |= WR_HEADERS | WR_DELIVERY_MODE;
    out->present &= ~(unsigned)(WR_EXPIRATION | WR_USER_ID | WR_CLUSTER_ID);
    if (!(out->present & WR_TYPE) && *letter->data.type && strlen(letter->data.type) < 256) {
        out->type = wr_slice_of(letter->data.type);
        out->present |= WR_TYPE;
    }
}

warren_status wr_replay_write(const struct wr_message *dead, const struct wr_letter *letter,
                              const struct wr_replay *how, struct wr_text *headers,
                              struct wr_message *out)
{
    copy_headers(dead, letter, how->now_ms, is_dropped_by_replay, headers);
    wr_table_add_int(headers, "x-warren-replayed-at-ms", how->now_ms);
    wr_table_add_int(headers, "x-warren-replays", (int64_t)letter->data.replays + 1);
    if (headers->failed) {
        return WARREN_NO_MEMORY;
    }
    address(dead, letter, how, headers, out);
    return WARREN_OK;
}

warren_status wr_replay_write_move(const struct wr_message *dead, const struct wr_letter *letter,
                                   const struct wr_replay *how, struct wr_text *headers,
                                   struct wr_message *out)
{
    const warren_dead_letter *data = &letter->data;
    copy_headers(dead, letter, how->now_ms, is_dropped_by_move, headers);
    wr_table_add_string(headers, WR_H_DEAD_REASON, wr_slice_of(data->reason));
    if (data->died_ms) {
        wr_table_add_int(headers, WR_H_DIED_MS, data->died_ms);
    }
    wr_table_add_string(headers, WR_H_QUEUE, wr_slice_of(how->key));
    if (strcmp(data->queue, how->key) != 0) {
        wr_table_add_string(headers, "x-warren-moved-from", wr_slice_of(data->queue));
        wr_table_add_int(headers, "x-warren-moved-at-ms", how->now_ms);
    }
    if (headers->failed) {
        return WARREN_NO_MEMORY;
    }
    address(dead, letter, how, headers, out);
    return WARREN_OK;
}
