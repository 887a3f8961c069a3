// SPDX-License-Identifier: MIT
// DESIGN: types are looked up once a delivery, by halving a sorted array: no hash, no allocation,
// and a thousand types cost ten comparisons.
#include "engine/source.h"

#include <stdlib.h>

static int compare(struct wr_slice a, struct wr_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_lanes(const void *a, const void *b)
{
    const struct wr_lane *const *left = a;
    const struct wr_lane *const *right = b;
    return compare(wr_slice_of((*left)->settings->type), wr_slice_of((*right)->settings->type));
}

void wr_source_sort(struct wr_lane **lanes, size_t count)
{
    if (count) {
        qsort(lanes, count, sizeof(struct wr_lane *), compare_lanes);
    }
}

struct wr_lane *wr_source_lane(const struct wr_source *source, struct wr_slice type)
{
    size_t low = 0;
    size_t high = source->lane_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct wr_lane *lane = source->lanes[middle];
        int order = compare(type, wr_slice_of(lane->settings->type));
        if (order == 0) {
            return lane;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
