// SPDX-License-Identifier: MIT
// DESIGN: x-death is an array of tables, the newest death first, one for each pair of queue and
// reason with a count. The fields stand in the order of their names, as RabbitMQ writes them. What
// a client put there itself is dropped at the first real death (RabbitMQ does so from 4.0 on).
//
//   x-death: [ { count, exchange, [original-expiration], queue, reason, routing-keys, time }, … ]
//   x-first-death-{exchange,queue,reason}   x-last-death-{exchange,queue,reason}
#include "io/memory_death.h"

#include <stdio.h>

struct death {
    const struct wr_memory_held *held;
    const struct wr_message *message;
    const struct wr_memory_queue *queue;
    const char *reason;
    int64_t wall_s;
};

static void add_number(struct wr_text *out, uint64_t value, size_t bytes)
{
    while (bytes-- > 0) {
        char byte = (char)(value >> (8 * bytes));
        wr_text_add(out, &byte, 1);
    }
}

static void add_time(struct wr_text *out, const char *name, int64_t seconds)
{
    add_number(out, strlen(name), 1);
    wr_text_add_string(out, name);
    wr_text_add(out, "T", 1);
    add_number(out, (uint64_t)seconds, 8);
}

static void add_member(struct wr_text *out, struct wr_slice value)
{
    wr_text_add(out, "S", 1);
    add_number(out, value.size, 4);
    wr_text_add(out, value.data, value.size);
}

static bool find(const struct wr_message *message, const char *name, struct wr_field *out)
{
    return message->present & WR_HEADERS && wr_table_find(message->headers, name, out);
}

static void add_keys(struct wr_text *out, const struct wr_message *message, struct wr_slice key)
{
    struct wr_text keys = { 0 };
    add_member(&keys, key);
    struct wr_field field;
    struct wr_table members;
    if (find(message, "CC", &field) && wr_field_table(&field, 'A', &members)) {
        wr_text_add(&keys, members.data, members.size);
    }
    wr_table_add_nested(out, "routing-keys", 'A', (struct wr_slice){ keys.data, keys.size });
    out->failed |= keys.failed;
    wr_text_done(&keys);
}

static void add_first_time(struct wr_text *out, const struct death *death)
{
    struct wr_text entry = { 0 };
    wr_table_add_int(&entry, "count", 1);
    wr_table_add_string(&entry, "exchange", death->held->exchange);
    if (death->message->present & WR_EXPIRATION) {
        wr_table_add_string(&entry, "original-expiration", death->message->expiration);
    }
    wr_table_add_string(&entry, "queue", wr_slice_of(death->queue->name));
    wr_table_add_string(&entry, "reason", wr_slice_of(death->reason));
    add_keys(&entry, death->message, death->held->key);
    add_time(&entry, "time", death->wall_s);
    wr_array_add_table(out, (struct wr_slice){ entry.data, entry.size });
    out->failed |= entry.failed;
    wr_text_done(&entry);
}

/* The same entry with a count one higher. */
static void add_again(struct wr_text *out, struct wr_table entry)
{
    struct wr_text again = { 0 };
    struct wr_field field;
    for (size_t offset = 0; wr_table_next(entry, &offset, &field);) {
        int64_t count;
        if (wr_slice_is(field.name, "count") && wr_field_int(&field, &count)) {
            wr_table_add_int(&again, "count", count + 1);
        } else {
            wr_table_add_entry(&again, &field);
        }
    }
    wr_array_add_table(out, (struct wr_slice){ again.data, again.size });
    out->failed |= again.failed;
    wr_text_done(&again);
}

static bool says(struct wr_table entry, const char *name, const char *value)
{
    struct wr_field field;
    struct wr_slice string;
    return wr_table_find(entry, name, &field) && wr_field_string(&field, &string) &&
           wr_slice_is(string, value);
}

static bool is_same(const struct wr_field *member, const struct death *death)
{
    struct wr_table entry;
    return wr_field_table(member, 'F', &entry) && says(entry, "queue", death->queue->name) &&
           says(entry, "reason", death->reason);
}

/* The deaths that the server itself wrote, as the members of an array. */
static struct wr_table deaths_of(const struct wr_memory_held *held,
                                 const struct wr_message *message)
{
    struct wr_field field;
    struct wr_table deaths = { 0 };
    if (held->has_deaths && find(message, "x-death", &field)) {
        (void)wr_field_table(&field, 'A', &deaths);
    }
    return deaths;
}

static void add_deaths(struct wr_text *out, const struct death *death)
{
    struct wr_table before = deaths_of(death->held, death->message);
    struct wr_text members = { 0 };
    struct wr_text others = { 0 };
    struct wr_field member;
    struct wr_table entry;
    for (size_t offset = 0; wr_array_next(before, &offset, &member);) {
        if (is_same(&member, death) && wr_field_table(&member, 'F', &entry)) {
            add_again(&members, entry);
        } else if (wr_field_table(&member, 'F', &entry)) {
            wr_array_add_table(&others, (struct wr_slice){ entry.data, entry.size });
        }
    }
    if (!members.size) {
        add_first_time(&members, death);
    }
    wr_text_add(&members, others.data, others.size);
    wr_table_add_nested(out, "x-death", 'A', (struct wr_slice){ members.data, members.size });
    out->failed |= members.failed || others.failed;
    wr_text_done(&members);
    wr_text_done(&others);
}

static void add_companions(struct wr_text *out, const char *which, const struct death *death)
{
    char name[64];
    (void)snprintf(name, sizeof name, "x-%s-death-exchange", which);
    wr_table_add_string(out, name, death->held->exchange);
    (void)snprintf(name, sizeof name, "x-%s-death-queue", which);
    wr_table_add_string(out, name, wr_slice_of(death->queue->name));
    (void)snprintf(name, sizeof name, "x-%s-death-reason", which);
    wr_table_add_string(out, name, wr_slice_of(death->reason));
}

static bool starts_with(struct wr_slice name, const char *start)
{
    size_t size = strlen(start);
    return name.size >= size && memcmp(name.data, start, size) == 0;
}

/* Whether a header of the living goes along. */
static bool survives(struct wr_slice name, const struct death *death)
{
    if (wr_slice_is(name, "x-death") || starts_with(name, "x-last-death-")) {
        return false;
    }
    if (starts_with(name, "x-first-death-")) {
        return death->held->has_deaths;
    }
    return !(death->queue->arguments.dead_key && wr_slice_is(name, "CC"));
}

static void write_headers(struct wr_text *out, const struct death *death)
{
    struct wr_field field;
    size_t offset = 0;
    bool has_headers = death->message->present & WR_HEADERS;
    while (has_headers && wr_table_next(death->message->headers, &offset, &field)) {
        if (survives(field.name, death)) {
            wr_table_add_entry(out, &field);
        }
    }
    add_deaths(out, death);
    if (!death->held->has_deaths) {
        add_companions(out, "first", death);
    }
    add_companions(out, "last", death);
}

struct wr_memory_held *wr_memory_death_record(const struct wr_memory_held *held,
                                              const struct wr_memory_queue *queue,
                                              const char *reason, int64_t wall_s)
{
    struct wr_message message;
    if (wr_message_read(&message, held->properties, NULL)) {
        return NULL;
    }
    struct death death = { held, &message, queue, reason, wall_s };
    struct wr_text headers = { 0 };
    write_headers(&headers, &death);
    message.headers = (struct wr_table){ headers.data, headers.size };
    message.present = (message.present | WR_HEADERS) & ~(unsigned)WR_EXPIRATION;
    struct wr_text properties = { 0 };
    wr_message_write(&message, &properties);
    const char *key = queue->arguments.dead_key;
    struct wr_memory_content content = {
        .exchange = wr_slice_of(queue->arguments.dead_exchange),
        .key = key ? wr_slice_of(key) : held->key,
        .properties = { properties.data, properties.size },
        .body = held->body,
    };
    struct wr_memory_held *letter = NULL;
    if (!headers.failed && !properties.failed) {
        letter = wr_memory_held_new(&content, held->census);
    }
    if (letter) {
        letter->has_deaths = true;
    }
    wr_text_done(&headers);
    wr_text_done(&properties);
    return letter;
}

bool wr_memory_death_is_cycle(const struct wr_memory_held *letter, const char *queue)
{
    struct wr_message message;
    if (wr_message_read(&message, letter->properties, NULL)) {
        return false;
    }
    struct wr_table deaths = deaths_of(letter, &message);
    struct wr_field member;
    for (size_t offset = 0; wr_array_next(deaths, &offset, &member);) {
        struct wr_table entry;
        if (!wr_field_table(&member, 'F', &entry)) {
            continue;
        }
        if (says(entry, "reason", "rejected")) {
            return false;
        }
        if (says(entry, "queue", queue)) {
            return true;
        }
    }
    return false;
}

void wr_memory_death_copies(const struct wr_memory_held *held,
                            void (*take)(void *user, struct wr_slice key), void *user)
{
    static const char *const NAMES[] = { "CC", "BCC" };
    struct wr_message message;
    if (wr_message_read(&message, held->properties, NULL)) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct wr_field field;
        struct wr_table members;
        if (!find(&message, NAMES[i], &field) || !wr_field_table(&field, 'A', &members)) {
            continue;
        }
        for (size_t offset = 0; wr_array_next(members, &offset, &field);) {
            struct wr_slice key;
            if (wr_field_string(&field, &key)) {
                take(user, key);
            }
        }
    }
}
