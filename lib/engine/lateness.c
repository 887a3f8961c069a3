// SPDX-License-Identifier: MIT
// DESIGN: a job can be late because it stood behind others in its queue, or because the ladder held
// it back. The two are told apart by our own window: while it has room the broker hands over what
// is ready at once. So only the time counts in which the job was due, its queue was consumed, and
// the window had room. What is left has one common cause: a broker without Warren's settings waits
// three minutes for the confirms that were lost in a restart.
#include "engine/lateness.h"

#include "base/log.h"

enum { TELL_EVERY_US = 60000000 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void wr_lateness_note(struct wr_lateness *lateness, const struct warren_job *job, int64_t wall_ms,
                      int64_t now_us)
{
    const struct wr_source *source = job->source;
    if (!job->books.run_at_ms || job->redelivered) {
        return;
    }
    wr_count_alone(&lateness->counters->home, 1);
    if (wall_ms <= job->books.run_at_ms) {
        return;
    }
    int64_t late_us = (wall_ms - job->books.run_at_ms) * WR_US_PER_MS;
    late_us = least(late_us, least(now_us - source->opened_us, now_us - source->full_us));
    if (late_us < WR_LATE_US) {
        return;
    }
    wr_count(&lateness->counters->late);
    lateness->untold++;
    lateness->queue = source->name;
    lateness->worst_us = late_us > lateness->worst_us ? late_us : lateness->worst_us;
}

void wr_lateness_tell(struct wr_lateness *lateness, int64_t now_us)
{
    if (!lateness->untold || now_us < lateness->next_tell_us) {
        return;
    }
    char queue[WR_LOG_WORD_SIZE];
    wr_log(WR_WARN, "ladder.late",
           "jobs=%llu queue=%s worst_ms=%lld cause=\"the broker held back delayed jobs, as it does "
           "after a restart\" hint=\"set dead_letter_worker_publisher_confirm_timeout to 5000 in "
           "its advanced.config, as deploy/rabbitmq/advanced.config does\"",
           (unsigned long long)lateness->untold, wr_log_word(queue, sizeof queue, lateness->queue),
           (long long)(lateness->worst_us / WR_US_PER_MS));
    lateness->untold = 0;
    lateness->worst_us = 0;
    lateness->next_tell_us = now_us + TELL_EVERY_US;
}
