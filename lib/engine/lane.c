// SPDX-License-Identifier: MIT
// DESIGN: what a lane's jobs take, measured by those who run them and believed by those who plan: how
// many go into a hand, how many threads to wake, how far to look ahead. A lane that nobody has seen
// run counts as long, so that each of its first jobs gets a thread of its own.
#include "engine/lane.h"

#include "base/clock.h"

enum { NS_PER_US = 1000 };

int64_t wr_lane_expected_ns(const struct wr_lane *lane)
{
    int64_t run_ns = wr_lane_run_ns(lane);
    return run_ns && run_ns < WR_QUANTUM_NS ? run_ns : WR_QUANTUM_NS;
}

size_t wr_lanes_adopt(struct wr_lane *lanes, const struct wr_settings *settings)
{
    struct wr_lane *lane = lanes;
    for (size_t i = 0; i < settings->queue_count; i++) {
        for (size_t j = 0; j < settings->queues[i].job_count; j++) {
            atomic_store(&lane->settings, &settings->queues[i].jobs[j]);
            lane++;
        }
    }
    return (size_t)(lane - lanes);
}

/* What one run took goes in by a quarter. A single longer one counts little, since its thread may just
 * have been put off its processor; but nobody is for SURE_NS. */
void wr_lane_note_runs(struct wr_lane *lane, int64_t took_us, int64_t runs)
{
    enum { OUTLIER_NS = 20000, SURE_NS = 20000000 };
    int64_t before_ns = wr_lane_run_ns(lane);
    int64_t took_ns = took_us * NS_PER_US / runs + 1;
    if (before_ns) {
        int64_t most_ns = took_ns < SURE_NS ? 4 * before_ns + OUTLIER_NS : took_ns;
        took_ns = before_ns + ((took_ns < most_ns ? took_ns : most_ns) - before_ns) / 4;
    }
    atomic_store_explicit(&lane->run_ns, took_ns, memory_order_relaxed);
}
