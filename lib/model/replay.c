// SPDX-License-Identifier: MIT
// DESIGN: first the broker's headers go (model/strip), then those of Warren's that belong to the
// life that ended or are written anew. A letter that was stopped on the ladder (from the catch-all)
// is not dead: it goes on with the counters that it has. An expiry that has passed is dropped, or
// the replayed job would die of it again before it starts.
#include "model/replay.h"

#include "model/strip.h"

static const char *const ended_life[] = {
    "x-warren-attempt",  "x-warren-crashes", "x-warren-interrupts", "x-warren-dead-reason",
    "x-warren-delay-ms", "x-warren-died-ms", "x-warren-run-at-ms",
};

static const char *const written_anew[] = { "x-warren-replays", "x-warren-replayed-at-ms" };

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

static bool is_dropped(const struct wr_field *field, const struct wr_message *dead,
                       bool begins_anew, int64_t now_ms)
{
    if (is_one_of(field->name, written_anew, COUNT(written_anew))) {
        return true;
    }
    if ((dead->present & WR_EXPIRATION && wr_slice_is(field->name, "x-warren-expiration")) ||
        (dead->present & WR_USER_ID && wr_slice_is(field->name, "x-warren-user-id"))) {
        return true;
    }
    return begins_anew &&
           (is_one_of(field->name, ended_life, COUNT(ended_life)) || has_expired(field, now_ms));
}

static void write_headers(const struct wr_message *dead, const struct wr_letter *letter,
                          int64_t now_ms, struct wr_text *out)
{
    struct wr_text kept = { 0 };
    struct wr_field field;
    size_t offset = 0;
    wr_strip_copy(dead->headers, &kept);
    while (wr_table_next((struct wr_table){ kept.data, kept.size }, &offset, &field)) {
        if (!is_dropped(&field, dead, !letter->is_on_ladder, now_ms)) {
            wr_table_add_entry(out, &field);
        }
    }
    out->failed = out->failed || kept.failed;
    wr_text_done(&kept);
    if (dead->present & WR_EXPIRATION) {
        wr_table_add_string(out, "x-warren-expiration", dead->expiration);
    }
    if (dead->present & WR_USER_ID) {
        wr_table_add_string(out, "x-warren-user-id", dead->user_id);
    }
    wr_table_add_int(out, "x-warren-replayed-at-ms", now_ms);
    wr_table_add_int(out, "x-warren-replays", (int64_t)letter->data.replays + 1);
}

warren_status wr_replay_write(const struct wr_message *dead, const struct wr_letter *letter,
                              const struct wr_replay *how, struct wr_text *headers,
                              struct wr_message *out)
{
    write_headers(dead, letter, how->now_ms, headers);
    if (headers->failed) {
        return WARREN_NO_MEMORY;
    }
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
    return WARREN_OK;
}
