// SPDX-License-Identifier: MIT
// DESIGN: the public side of the log: where lines go, and what the configuration says about them. The library chooses
// no format; whoever sets the sink does.
#include <string.h>

#include "base/log.h"
#include "front/worker.h"

void warren_log_to(warren_log_sink *sink, void *user, int level)
{
    enum wr_level most = level < 0 ? WR_ERROR : level > WR_DEBUG ? WR_DEBUG : (enum wr_level)level;
    wr_log_to(sink, user, most);
}

int warren_log_level(const warren *w)
{
    for (int level = WR_ERROR; level < WR_DEBUG; level++) {
        if (strcmp(w->settings->log_level, wr_level_name((enum wr_level)level)) == 0) {
            return level;
        }
    }
    return WR_DEBUG;
}

const char *warren_log_format(const warren *w)
{
    return w->settings->log_format;
}
