/* SPDX-License-Identifier: MIT */
/*
 * A source: one queue at the broker that the consumer takes from, with its channel, its ack window
 * and the lanes that its jobs go to. Threads: set before the start; then owned by the consumer
 * thread.
 */
#ifndef WR_ENGINE_SOURCE_H
#define WR_ENGINE_SOURCE_H

#include "engine/acks.h"
#include "engine/lane.h"
#include "model/job.h"

struct wr_source {
    char *name;     /* of the queue at the broker; also the consumer's tag */
    bool is_absent; /* an earlier configuration's queue that the broker lacks: not taken from */
    uint16_t channel;
    uint16_t prefetch;
    struct wr_job_rules rules;
    struct wr_lane *
        *lanes; /* of the configured queue, sorted by type; shared with its other sources */
    size_t lane_count;
    struct wr_acks acks;
    bool is_consuming;
};

/** The lane of a type, NULL when the queue doesn't know it. */
struct wr_lane *wr_source_lane(const struct wr_source *source, struct wr_slice type);

/** Sorts lanes for wr_source_lane. */
void wr_source_sort(struct wr_lane **lanes, size_t count);

#endif
