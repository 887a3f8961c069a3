// SPDX-License-Identifier: MIT
// DESIGN: AMQP field tables from bytes into rabbitmq-c's tree. The library could decode them
// itself, but it allocates for each table, knows no depth limit in 0.11, and wants a copy with a
// length in front. Here the fields are counted first, so that each table is one piece of the pool;
// strings stay where they are. The library writes the same bytes from this tree again.
#include "io/broker_amqp_state.h"

#include "base/error.h"

enum { DEPTH_MOST = 64 };

static uint64_t number_of(struct wr_slice bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        number = number << 8 | (unsigned char)bytes.data[i];
    }
    return number;
}

/* Numbers of a fixed size; false for other kinds or sizes. */
static bool read_number(const struct wr_field *field, amqp_field_value_t *out)
{
    static const struct {
        char kind;
        unsigned char size;
    } sizes[] = { { 't', 1 }, { 'b', 1 }, { 'B', 1 }, { 's', 2 }, { 'u', 2 }, { 'I', 4 },
                  { 'i', 4 }, { 'f', 4 }, { 'l', 8 }, { 'L', 8 }, { 'd', 8 }, { 'T', 8 } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].kind != field->kind || sizes[i].size != field->value.size) {
            continue;
        }
        uint64_t bits = number_of(field->value);
        uint32_t bits32 = (uint32_t)bits;
        switch (sizes[i].size) {
        case 1:
            out->value.u8 = (uint8_t)bits;
            break;
        case 2:
            out->value.u16 = (uint16_t)bits;
            break;
        case 4:
            memcpy(&out->value, &bits32, sizeof bits32);
            break;
        default:
            memcpy(&out->value, &bits, sizeof bits);
        }
        if (field->kind == 't') {
            out->value.boolean = bits != 0;
        }
        return true;
    }
    return false;
}

static warren_status read_table(struct wr_table table, amqp_pool_t *pool, amqp_table_t *out,
                                int depth);
static warren_status read_array(struct wr_table array, amqp_pool_t *pool, amqp_array_t *out,
                                int depth);

static warren_status read_value(const struct wr_field *field, amqp_pool_t *pool,
                                amqp_field_value_t *out, int depth)
{
    struct wr_table nested = { field->value.data, field->value.size };
    out->kind = (uint8_t)field->kind;
    switch (field->kind) {
    case 'S':
    case 'x':
        out->value.bytes = wr_amqp_bytes(field->value);
        return WARREN_OK;
    case 'V':
        return WARREN_OK;
    case 'D':
        if (field->value.size != 5) {
            return WARREN_INVALID;
        }
        out->value.decimal.decimals = (uint8_t)field->value.data[0];
        out->value.decimal.value =
            (uint32_t)number_of((struct wr_slice){ field->value.data + 1, 4 });
        return WARREN_OK;
    case 'F':
        return read_table(nested, pool, &out->value.table, depth + 1);
    case 'A':
        return read_array(nested, pool, &out->value.array, depth + 1);
    default:
        return read_number(field, out) ? WARREN_OK : WARREN_INVALID;
    }
}

static warren_status read_table(struct wr_table table, amqp_pool_t *pool, amqp_table_t *out,
                                int depth)
{
    *out = (amqp_table_t){ 0 };
    struct wr_field field;
    size_t count = 0;
    size_t at = 0;
    while (wr_table_next(table, &at, &field)) {
        count++;
    }
    if (at != table.size || depth > DEPTH_MOST) {
        return WARREN_INVALID;
    }
    if (!count) {
        return WARREN_OK;
    }
    out->entries = amqp_pool_alloc(pool, count * sizeof *out->entries);
    if (!out->entries) {
        return WARREN_NO_MEMORY;
    }
    warren_status status = WARREN_OK;
    for (at = 0; !status && wr_table_next(table, &at, &field);) {
        amqp_table_entry_t *entry = &out->entries[out->num_entries++];
        entry->key = wr_amqp_bytes(field.name);
        status = read_value(&field, pool, &entry->value, depth);
    }
    return status;
}

static warren_status read_array(struct wr_table array, amqp_pool_t *pool, amqp_array_t *out,
                                int depth)
{
    *out = (amqp_array_t){ 0 };
    struct wr_field field;
    size_t count = 0;
    size_t at = 0;
    while (wr_array_next(array, &at, &field)) {
        count++;
    }
    if (at != array.size || depth > DEPTH_MOST) {
        return WARREN_INVALID;
    }
    if (!count) {
        return WARREN_OK;
    }
    out->entries = amqp_pool_alloc(pool, count * sizeof *out->entries);
    if (!out->entries) {
        return WARREN_NO_MEMORY;
    }
    warren_status status = WARREN_OK;
    for (at = 0; !status && wr_array_next(array, &at, &field);) {
        status = read_value(&field, pool, &out->entries[out->num_entries++], depth);
    }
    return status;
}

warren_status wr_amqp_table(struct wr_table table, amqp_pool_t *pool, amqp_table_t *out,
                            warren_error *err)
{
    warren_status status = read_table(table, pool, out, 1);
    if (status == WARREN_NO_MEMORY) {
        return wr_no_memory(err);
    }
    return status ? wr_fail(err, status, "the headers are malformed or nested too deeply") : status;
}
