/* SPDX-License-Identifier: MIT */
/*
 * What probes ask: is it alive, is it ready, has it started. Each answer is JSON that names every
 * check with its result, so that an operator sees which one failed. Threads: pure functions.
 */
#ifndef WR_WEB_HEALTH_H
#define WR_WEB_HEALTH_H

#include "base/text.h"
#include "web/view.h"

enum wr_health {
    WR_HEALTH_LIVE,   /* its threads come round, and no job runs past its hard_timeout; never the
                         broker, which a restart wouldn't mend */
    WR_HEALTH_READY,  /* it takes jobs now */
    WR_HEALTH_STARTED /* it has taken jobs once */
};

/** Writes the checks as JSON; true if all are well. */
bool wr_health_write(struct wr_text *out, enum wr_health what, const struct wr_view *view);

#endif
