// SPDX-License-Identifier: MIT
// DESIGN: the memory behind a topology. Items point into blocks of strings that never move and are
// freed together; a builder remembers that an allocation failed, so whoever builds checks once, at
// the end.
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "model/topology.h"

#define BLOCK_BYTES ((size_t)16 * 1024)

struct wr_topology_block {
    struct wr_topology_block *next;
    size_t used;
    size_t size;
    char bytes[];
};

warren_status wr_topology_start(struct wr_topology_builder *builder, warren_error *err)
{
    *builder = (struct wr_topology_builder){ .topology = calloc(1, sizeof(struct wr_topology)) };
    return builder->topology ? WARREN_OK : wr_no_memory(err);
}

void wr_topology_free(struct wr_topology *topology)
{
    if (!topology) {
        return;
    }
    while (topology->blocks) {
        struct wr_topology_block *block = topology->blocks;
        topology->blocks = block->next;
        free(block);
    }
    free(topology->items);
    free(topology->leftovers);
    free(topology);
}

static struct wr_topology_block *block_with_room(struct wr_topology *topology, size_t size)
{
    struct wr_topology_block *block = topology->blocks;
    if (block && block->size - block->used >= size) {
        return block;
    }
    size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    block = malloc(sizeof *block + bytes);
    if (block) {
        *block = (struct wr_topology_block){ .next = topology->blocks, .size = bytes };
        topology->blocks = block;
    }
    return block;
}

const char *wr_topology_keep(struct wr_topology_builder *builder, const char *text)
{
    if (!text) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    struct wr_topology_block *block = block_with_room(builder->topology, size);
    if (!block) {
        builder->failed = true;
        return NULL;
    }
    char *copy = block->bytes + block->used;
    memcpy(copy, text, size);
    block->used += size;
    return copy;
}

/* Makes room for one more element of `size` bytes; the array, or NULL. */
static void *grow(void *array, size_t length, size_t *capacity, size_t size)
{
    if (length < *capacity) {
        return array;
    }
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(array, wanted * size);
    if (grown) {
        *capacity = wanted;
    }
    return grown;
}

static void keep_arguments(struct wr_topology_builder *builder,
                           struct wr_queue_arguments *arguments)
{
    arguments->dead_exchange = wr_topology_keep(builder, arguments->dead_exchange);
    arguments->dead_key = wr_topology_keep(builder, arguments->dead_key);
}

void wr_topology_add(struct wr_topology_builder *builder, struct wr_item item)
{
    struct wr_topology *topology = builder->topology;
    struct wr_item *items =
        grow(topology->items, topology->length, &builder->capacity, sizeof *items);
    if (!items) {
        builder->failed = true;
        return;
    }
    topology->items = items;
    item.name = wr_topology_keep(builder, item.name);
    item.type = wr_topology_keep(builder, item.type);
    item.alternate = wr_topology_keep(builder, item.alternate);
    item.destination = wr_topology_keep(builder, item.destination);
    item.key = wr_topology_keep(builder, item.key);
    item.leftover = wr_topology_keep(builder, item.leftover);
    keep_arguments(builder, &item.arguments);
    items[topology->length++] = item;
}

void wr_topology_add_leftover(struct wr_topology_builder *builder, struct wr_leftover leftover)
{
    struct wr_topology *topology = builder->topology;
    struct wr_leftover *leftovers = grow(topology->leftovers, topology->leftover_count,
                                         &builder->leftover_capacity, sizeof *leftovers);
    if (!leftovers) {
        builder->failed = true;
        return;
    }
    topology->leftovers = leftovers;
    leftover.queue = wr_topology_keep(builder, leftover.queue);
    leftover.marker = wr_topology_keep(builder, leftover.marker);
    leftover.of_queue = wr_topology_keep(builder, leftover.of_queue);
    leftover.type = wr_topology_keep(builder, leftover.type);
    keep_arguments(builder, &leftover.arguments);
    leftovers[topology->leftover_count++] = leftover;
}

warren_status wr_topology_finish(struct wr_topology_builder *builder, struct wr_topology **out,
                                 warren_error *err)
{
    struct wr_topology *topology = TAKE(builder->topology);
    if (builder->failed) {
        wr_topology_free(topology);
        return wr_no_memory(err);
    }
    *out = topology;
    return WARREN_OK;
}
