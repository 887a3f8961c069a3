/* SPDX-License-Identifier: MIT */
/*
 * What a running worker goes by: the newest settings and what follows from them. Each change makes
 * another one of these, which never changes again, and tells it to all who look at something live:
 *
 *     wr_roster_adopt ─▶ wr_pool_adopt ─▶ runner.settings ─▶ wr_consumer_adopt
 *
 * Nobody waits for anybody: each takes it up when it next looks. A job keeps the settings that it
 * has read. So older ones stay until the worker is closed (some hundred bytes a job type and change).
 */
#ifndef WR_ENGINE_LIVE_H
#define WR_ENGINE_LIVE_H

#include "model/settings.h"

struct wr_live {
    const struct wr_settings *settings;
    int threads;
    int shared_limit;    /* how many jobs of types that aren't isolated may run at once */
    size_t source_count; /* new queues have sources behind those of the old ones */
};

#endif
