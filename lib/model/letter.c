// SPDX-License-Identifier: MIT
// DESIGN: strings are copied once into one pool with a NUL behind each, since visitors want C
// strings. The pool can't run out: every string comes from the headers or from a short property,
// and each of them is copied at most once.
//
// What the broker itself dead-letters carries `x-death`, an array of tables, one for each queue
// that the message left. The entry whose queue is the work queue says why, and how it had come
// there; the order of entries differs by the broker's version. Only oversized bodies are rejected
// by a worker, so the broker's "rejected" is told as `body_too_large`.
//
// The group of a letter is found when it is read, not when somebody asks: it costs two microseconds.
#include "model/letter.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/delay.h"
#include "model/fingerprint.h"
#include "model/table_json.h"

enum { ERRORS_MOST = 100, SHORT_STRINGS = 5 * 256 + WR_SHAPE_SIZE + WR_GROUP_ID_SIZE };

/* What x-death says about the work queue. */
struct death {
    bool found;
    struct wr_slice reason;
    struct wr_slice exchange;
    struct wr_slice key;
    int64_t time_s;
};

static const char *keep(struct wr_letter *letter, struct wr_slice slice)
{
    if (!slice.size || letter->pool_size - letter->pool_used <= slice.size) {
        return "";
    }
    char *copy = letter->pool + letter->pool_used;
    memcpy(copy, slice.data, slice.size);
    copy[slice.size] = '\0';
    letter->pool_used += slice.size + 1;
    return copy;
}

static struct wr_slice find_string(struct wr_table table, const char *name)
{
    struct wr_field field;
    struct wr_slice value = { 0 };
    if (wr_table_find(table, name, &field)) {
        (void)wr_field_string(&field, &value);
    }
    return value;
}

/* 0 when it isn't there, is no whole number, or is negative. */
static int64_t find_count(struct wr_table table, const char *name)
{
    struct wr_field field;
    int64_t value = 0;
    if (wr_table_find(table, name, &field) && wr_field_int(&field, &value) && value > 0) {
        return value;
    }
    return 0;
}

static int to_int(int64_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

/* `name` itself, or one of its isolated queues. */
static bool is_queue_of(struct wr_slice queue, const char *name)
{
    size_t size = strlen(name);
    return queue.data && queue.size >= size && memcmp(queue.data, name, size) == 0 &&
           (queue.size == size || queue.data[size] == '.');
}

static struct wr_slice first_string(struct wr_table entry, const char *array_name)
{
    struct wr_field field;
    struct wr_table array;
    struct wr_slice value = { 0 };
    size_t offset = 0;
    if (wr_table_find(entry, array_name, &field) && wr_field_table(&field, 'A', &array) &&
        wr_array_next(array, &offset, &field)) {
        (void)wr_field_string(&field, &value);
    }
    return value;
}

static struct death find_death(struct wr_table headers, const char *queue)
{
    struct wr_field field;
    struct wr_table deaths;
    struct wr_table entry;
    size_t offset = 0;
    if (!wr_table_find(headers, "x-death", &field) || !wr_field_table(&field, 'A', &deaths)) {
        return (struct death){ 0 };
    }
    while (wr_array_next(deaths, &offset, &field)) {
        if (!wr_field_table(&field, 'F', &entry) ||
            !is_queue_of(find_string(entry, "queue"), queue)) {
            continue;
        }
        return (struct death){ .found = true,
                               .reason = find_string(entry, "reason"),
                               .exchange = find_string(entry, "exchange"),
                               .key = first_string(entry, "routing-keys"),
                               .time_s = find_count(entry, "time") };
    }
    return (struct death){ 0 };
}

static const char *read_reason(struct wr_letter *letter, struct wr_table headers,
                               const struct death *death, const struct wr_letter_place *place)
{
    struct wr_slice own = find_string(headers, "x-warren-dead-reason");
    if (own.size) {
        return keep(letter, own);
    }
    if (!place->queue) {
        return "unrouted";
    }
    letter->is_brokers = death->found;
    if (wr_slice_is(death->reason, "rejected")) {
        return "body_too_large";
    }
    return death->reason.size ? keep(letter, death->reason) : "unknown";
}

static const char *read_type(struct wr_letter *letter, const struct wr_message *message,
                             const struct death *death, const struct wr_letter_place *place)
{
    if (message->type.size) {
        return keep(letter, message->type);
    }
    struct wr_slice header = find_string(message->headers, "x-warren-type");
    if (header.size) {
        return keep(letter, header);
    }
    char jobs[256];
    (void)snprintf(jobs, sizeof jobs, "%s.jobs", place->ns);
    if (wr_slice_is(death->exchange, place->exchange ? place->exchange : jobs)) {
        return keep(letter, death->key);
    }
    return "";
}

/* In the catch-all, key and exchange tell where a message was going. */
static void read_way_home(struct wr_letter *letter, const struct wr_message *message,
                          const struct wr_letter_place *place)
{
    char dead[256];
    char home[WR_DELAY_KEY_SIZE];
    (void)snprintf(dead, sizeof dead, "%s.dead", place->ns);
    if (wr_slice_is(message->exchange, dead)) {
        letter->data.queue = keep(letter, message->key);
    } else if (wr_delay_key_home(home, sizeof home, message->key, "queue")) {
        letter->is_on_ladder = true;
        letter->data.queue = keep(letter, wr_slice_of(home));
    } else if (wr_delay_key_home(home, sizeof home, message->key, "type")) {
        letter->is_on_ladder = true;
        if (!*letter->data.type) {
            letter->data.type = keep(letter, wr_slice_of(home));
        }
    }
}

static warren_status read_errors(struct wr_letter *letter, struct wr_table headers)
{
    struct wr_field field;
    struct wr_table array;
    struct wr_table entry;
    if (!wr_table_find(headers, "x-warren-errors", &field) ||
        !wr_field_table(&field, 'A', &array)) {
        return WARREN_OK;
    }
    letter->errors = calloc(ERRORS_MOST, sizeof *letter->errors);
    if (!letter->errors) {
        return WARREN_NO_MEMORY;
    }
    size_t offset = 0;
    size_t count = 0;
    while (count < ERRORS_MOST && wr_array_next(array, &offset, &field)) {
        if (!wr_field_table(&field, 'F', &entry)) {
            continue;
        }
        letter->errors[count++] = (warren_dead_error){
            .at_ms = find_count(entry, "at-ms"),
            .attempt = to_int(find_count(entry, "attempt")),
            .worker = keep(letter, find_string(entry, "worker")),
            .text = keep(letter, find_string(entry, "text")),
        };
    }
    letter->data.errors = letter->errors;
    letter->data.error_count = count;
    letter->data.error = count ? letter->errors[count - 1].text : "";
    return WARREN_OK;
}

static int64_t seconds_to_ms(uint64_t seconds)
{
    return seconds > (uint64_t)(INT64_MAX / 1000) ? 0 : (int64_t)seconds * 1000;
}

static void read_times(warren_dead_letter *data, const struct wr_message *message,
                       const struct death *death)
{
    struct wr_table headers = message->headers;
    data->died_ms = find_count(headers, "x-warren-died-ms");
    data->first_failed_ms = find_count(headers, "x-warren-first-failed-at");
    data->enqueued_ms = find_count(headers, "x-warren-enqueued-ms");
    data->replayed_ms = find_count(headers, "x-warren-replayed-at-ms");
    if (!data->died_ms) {
        data->died_ms = seconds_to_ms((uint64_t)death->time_s);
    }
    if (!data->enqueued_ms) {
        data->enqueued_ms = seconds_to_ms(message->timestamp);
    }
}

static void read_group(struct wr_letter *letter)
{
    warren_dead_letter *data = &letter->data;
    char shape[WR_SHAPE_SIZE];
    char group[WR_GROUP_ID_SIZE];
    data->shape = keep(
        letter, wr_slice_of(wr_fingerprint_shape(shape, sizeof shape, wr_slice_of(data->error))));
    data->group = keep(
        letter, wr_slice_of(wr_fingerprint_group(group, data->type, data->reason, data->shape)));
}

static warren_status read_all(struct wr_letter *letter, const struct wr_message *message,
                              const struct wr_letter_place *place)
{
    warren_dead_letter *data = &letter->data;
    struct wr_table headers = message->headers;
    struct death death = place->queue ? find_death(headers, place->queue) : (struct death){ 0 };
    data->id = keep(letter, message->message_id);
    data->reason = read_reason(letter, headers, &death, place);
    data->type = read_type(letter, message, &death, place);
    data->queue = place->queue ? place->queue : "";
    data->content_type = keep(letter, message->content_type);
    data->attempts = to_int(find_count(headers, "x-warren-attempt"));
    data->replays = to_int(find_count(headers, "x-warren-replays"));
    data->body = message->body.data;
    data->body_size = message->body.size;
    if (!place->queue) {
        read_way_home(letter, message, place);
    }
    read_times(data, message, &death);
    if (!place->is_brief) {
        wr_table_write_json(headers, &letter->headers_json);
    }
    data->headers_json = wr_text_string(&letter->headers_json);
    warren_status rc = read_errors(letter, headers);
    read_group(letter);
    return letter->headers_json.failed ? WARREN_NO_MEMORY : rc;
}

warren_status wr_letter_read(struct wr_letter *out, const struct wr_message *message,
                             const struct wr_letter_place *place)
{
    size_t size = message->headers.size + SHORT_STRINGS;
    struct wr_letter letter = { .message = message, .pool = malloc(size), .pool_size = size };
    letter.data.error = "";
    warren_status rc = letter.pool ? read_all(&letter, message, place) : WARREN_NO_MEMORY;
    if (rc) {
        wr_letter_done(&letter);
        return rc;
    }
    *out = letter;
    return WARREN_OK;
}

void wr_letter_done(struct wr_letter *letter)
{
    free(letter->pool);
    free(letter->errors);
    wr_text_done(&letter->headers_json);
    *letter = (struct wr_letter){ 0 };
}

static bool agrees(const char *wanted, const char *got)
{
    return !wanted || strcmp(wanted, got) == 0;
}

static bool died_within(int64_t at_ms, const warren_dead_filter *filter)
{
    if (!filter->since_ms && !filter->until_ms) {
        return true;
    }
    return at_ms && at_ms >= filter->since_ms && (!filter->until_ms || at_ms < filter->until_ms);
}

bool wr_letter_matches(const struct wr_letter *letter, const warren_dead_filter *filter)
{
    return agrees(filter->id, letter->data.id) && agrees(filter->type, letter->data.type) &&
           agrees(filter->reason, letter->data.reason) &&
           agrees(filter->group, letter->data.group) &&
           (!filter->error || strstr(letter->data.error, filter->error)) &&
           died_within(letter->data.died_ms, filter) &&
           (!filter->replayed_ms || letter->data.replayed_ms >= filter->replayed_ms);
}
