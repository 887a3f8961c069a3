// SPDX-License-Identifier: MIT
// DESIGN: one table of the broker's headers. A name that ends in "-" stands for all that begin so.
// What a header is kept as tells a reader later where copies once went, and routes nothing.
#include "model/strip.h"

static const struct strip_row {
    const char *name;
    const char *kept_as; /* NULL: dropped */
} rows[] = {
    { "x-death", NULL },          { "x-first-death-", NULL }, { "x-last-death-", NULL },
    { "x-delivery-count", NULL }, { "CC", "x-warren-cc" },    { "BCC", "x-warren-bcc" },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static bool matches(const struct strip_row *row, struct wr_slice name)
{
    size_t size = strlen(row->name);
    if (row->name[size - 1] != '-') {
        return wr_slice_is(name, row->name);
    }
    return name.size >= size && memcmp(name.data, row->name, size) == 0;
}

static const struct strip_row *find_row(struct wr_slice name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (matches(&rows[i], name)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Whether a header is an earlier copy of one that `from` still has under its own name. */
static bool is_replaced(struct wr_table from, struct wr_slice name)
{
    struct wr_field field;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kept_as && wr_slice_is(name, rows[i].kept_as)) {
            return wr_table_find(from, rows[i].name, &field);
        }
    }
    return false;
}

bool wr_strip_is_broker_header(struct wr_slice name)
{
    return find_row(name) != NULL;
}

void wr_strip_copy(struct wr_table from, struct wr_text *to)
{
    size_t offset = 0;
    struct wr_field field;
    while (wr_table_next(from, &offset, &field)) {
        const struct strip_row *row = find_row(field.name);
        if (row && row->kept_as) {
            wr_table_add_renamed(to, row->kept_as, &field);
        } else if (!row && !is_replaced(from, field.name)) {
            wr_table_add_entry(to, &field);
        }
    }
}

/* One death: the broker compares queue and reason, and adds to the count. */
static bool is_death(struct wr_table death)
{
    struct wr_field field;
    return wr_table_find(death, "queue", &field) && field.kind == 'S' &&
           wr_table_find(death, "reason", &field) && field.kind == 'S' &&
           (!wr_table_find(death, "count", &field) || field.kind == 'l');
}

bool wr_strip_has_bad_death(struct wr_table headers)
{
    struct wr_field field;
    struct wr_table deaths;
    struct wr_table death;
    size_t offset = 0;
    if (!wr_table_find(headers, "x-death", &field)) {
        return false;
    }
    if (!wr_field_table(&field, 'A', &deaths)) {
        return true;
    }
    while (wr_array_next(deaths, &offset, &field)) {
        if (!wr_field_table(&field, 'F', &death) || !is_death(death)) {
            return true;
        }
    }
    return offset < deaths.size;
}
