// SPDX-License-Identifier: MIT
// DESIGN: the public side of the log: where lines go, what the configuration says about them, and a line as JSON for
// whoever wants it so. The library chooses no format; whoever sets the sink does.
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_json.h"
#include "front/worker.h"

static enum wr_level level_of(int level)
{
    return level < 0 ? WR_ERROR : level > WR_DEBUG ? WR_DEBUG : (enum wr_level)level;
}

void warren_log_to(warren_log_sink *sink, void *user, int level)
{
    wr_log_to(sink, user, level_of(level));
}

void warren_log_set_level(int level)
{
    wr_log_set_level(level_of(level));
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

size_t warren_log_json(char *out, size_t size, int level, const char *event, const char *fields)
{
    struct wr_text line = { 0 };
    wr_log_json(&line, wr_clock_wall_ms(NULL), level, event, fields);
    bool fits = !line.failed && line.size < size;
    size_t written = fits ? line.size : 0;
    if (size) {
        memcpy(out, fits ? line.data : "", written + 1);
    }
    wr_text_done(&line);
    return written;
}
