// SPDX-License-Identifier: MIT
// The ack window in random programs against a model of the broker's unacked set: deliveries, ends in
// any order, rejects, flushes at any time, fresh windows after a lost connection with jobs of the old
// one still coming home, settles told twice or for tags that nobody knows. A failing seed is printed
// and replays: test_acks_model --seed 7 tells it step by step.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/acks.h"
#include "seeded.h"

enum { PROGRAMS = 5000, STEPS = 300, TAGS_MOST = STEPS * 8, JOBS_MOST = 256 };

/* What the broker knows of a tag of the channel that is open now. */
enum tag_state { UNKNOWN_TAG, OPEN, SETTLED, ANSWERED };

struct job {
    unsigned generation;
    uint64_t tag;
};

static struct {
    struct wr_acks acks;
    size_t window;
    unsigned generation;
    enum tag_state tags[TAGS_MOST + 1];
    int64_t settled_us[TAGS_MOST + 1];
    int64_t flushed_us; /* when something was last acknowledged */
    uint64_t delivered;
    size_t unacked;
    size_t settled;
    bool may_straggle; /* in this flush */
    int64_t now_us;
    struct job jobs[JOBS_MOST]; /* that are not home */
    size_t job_count;
    bool tells;
    char failure[200];
} model;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    if (model.tells) {
        va_list args;
        va_start(args, format);
        printf("  %8.3f ms  ", (double)model.now_us / 1e3);
        (void)vprintf(format, args);
        printf("\n");
        va_end(args);
    }
}

static void fail(const char *what, uint64_t tag)
{
    tell("*** %s: tag %llu", what, (unsigned long long)tag);
    if (!model.failure[0]) {
        (void)snprintf(model.failure, sizeof model.failure, "%s: tag %llu", what,
                       (unsigned long long)tag);
    }
}

static void open_window(void)
{
    model.generation++;
    memset(model.tags, 0, sizeof model.tags);
    model.delivered = model.unacked = model.settled = 0;
    model.flushed_us = INT64_MIN / 2;
    if (wr_acks_init(&model.acks, model.window, WR_ACKS_GATHER_US)) {
        fail("no memory", 0);
    }
    tell("a fresh channel, generation %u", model.generation);
}

/* --- the broker --- */

static bool has_open_below(uint64_t tag)
{
    for (uint64_t i = 1; i < tag; i++) {
        if (model.tags[i] == OPEN) {
            return true;
        }
    }
    return false;
}

static void answer(uint64_t tag)
{
    if (model.tags[tag] != SETTLED) {
        fail("acknowledged before it was settled", tag);
    }
    model.tags[tag] = ANSWERED;
    model.unacked--;
    model.settled--;
}

static void broker_ack(void *user, uint64_t tag, bool multiple)
{
    (void)user;
    tell("ack %llu%s", (unsigned long long)tag, multiple ? " and all below" : "");
    if (tag == 0 || tag > model.delivered || model.tags[tag] == ANSWERED) {
        fail("acknowledged an unknown tag", tag);
        return;
    }
    if (has_open_below(tag) && !model.may_straggle) {
        fail("acknowledged alone without need", tag);
    }
    model.flushed_us = model.now_us;
    for (uint64_t i = 1; multiple && i < tag; i++) {
        if (model.tags[i] != ANSWERED) {
            answer(i);
        }
    }
    answer(tag);
}

/* --- the worker --- */

static void deliver(void)
{
    if (model.unacked >= model.window || model.delivered == TAGS_MOST ||
        model.job_count == JOBS_MOST) {
        return;
    }
    uint64_t tag = ++model.delivered;
    tell("delivery %llu", (unsigned long long)tag);
    model.tags[tag] = OPEN;
    model.unacked++;
    model.jobs[model.job_count++] = (struct job){ model.generation, tag };
    if (wr_acks_deliver(&model.acks, tag)) {
        fail("refused a delivery", tag);
    }
}

static void settle(uint64_t tag)
{
    tell("settle %llu", (unsigned long long)tag);
    bool counts = tag && tag <= model.delivered && model.tags[tag] == OPEN;
    if (counts) {
        model.tags[tag] = SETTLED;
        model.settled_us[tag] = model.now_us;
        model.settled++;
    }
    wr_acks_settle(&model.acks, tag, model.now_us);
}

static void forget(uint64_t tag)
{
    tell("nack %llu", (unsigned long long)tag);
    bool is_out = model.tags[tag] == OPEN; /* else it was abandoned */
    model.tags[tag] = ANSWERED;
    model.unacked -= is_out ? 1 : 0;
    if (wr_acks_forget(&model.acks, tag) != is_out) {
        fail("takes for open what isn't, or not what is", tag);
    }
}

/* The queue is gone: the broker is told of all at once. */
static void abandon(void)
{
    uint64_t last = 0;
    tell("abandon");
    for (uint64_t tag = 1; tag <= model.delivered; tag++) {
        last = model.tags[tag] == ANSWERED ? last : tag;
        model.tags[tag] = ANSWERED;
    }
    model.unacked = 0;
    model.settled = 0;
    if (wr_acks_abandon(&model.acks) != last || wr_acks_open(&model.acks)) {
        fail("abandons another tag than the last that is out", last);
    }
}

/* Some job comes home; one of an older channel touches nothing, as in the consumer. */
static void come_home(bool is_rejected)
{
    if (!model.job_count) {
        return;
    }
    size_t at = below((unsigned)model.job_count);
    struct job job = model.jobs[at];
    model.jobs[at] = model.jobs[--model.job_count];
    if (job.generation != model.generation) {
        tell("stale %llu of generation %u", (unsigned long long)job.tag, job.generation);
    } else if (is_rejected) {
        forget(job.tag);
    } else {
        settle(job.tag);
    }
}

/* A tag that is not out: never delivered, settled already, or answered long ago. */
static void settle_wrongly(void)
{
    uint64_t tag = below((unsigned)model.delivered + 4);
    if (tag > model.delivered || !tag || model.tags[tag] != OPEN) {
        settle(tag);
        if (below(2) && (!tag || tag > model.delivered || model.tags[tag] == ANSWERED)) {
            wr_acks_forget(&model.acks, tag);
        }
    }
}

static void check_flushed(void)
{
    bool prefix = true;
    for (uint64_t tag = 1; tag <= model.delivered; tag++) {
        prefix = prefix && model.tags[tag] != OPEN;
        if (model.tags[tag] != SETTLED) {
            continue;
        }
        int64_t waits_us = model.now_us - model.settled_us[tag];
        int64_t due_us = model.flushed_us + WR_ACKS_GATHER_US;
        if (prefix && model.now_us >= due_us) {
            fail("the settled prefix waits though none was acknowledged for 1 ms", tag);
        }
        if (prefix && wr_acks_deadline_us(&model.acks) > due_us) {
            fail("its deadline as one of the prefix is too late", tag);
        }
        if (model.settled * 4 >= model.window) {
            fail("waits though a quarter of the window is settled", tag);
        }
        if (waits_us >= WR_ACKS_STRAGGLER_US) {
            fail("waits for more than 50 ms", tag);
        }
        if (wr_acks_deadline_us(&model.acks) > model.settled_us[tag] + WR_ACKS_STRAGGLER_US) {
            fail("its deadline is too late", tag);
        }
    }
    if (!model.settled && wr_acks_deadline_us(&model.acks) != INT64_MAX) {
        fail("a deadline though nothing is settled", 0);
    }
    if (wr_acks_open(&model.acks) != model.unacked) {
        fail("counts other than the broker", wr_acks_open(&model.acks));
    }
}

/* Whether what is settled behind an open tag is much, or has waited for long. */
static bool may_straggle(void)
{
    size_t count = 0;
    bool is_behind = false;
    int64_t oldest_us = model.now_us;
    for (uint64_t tag = 1; tag <= model.delivered; tag++) {
        is_behind = is_behind || model.tags[tag] == OPEN;
        if (is_behind && model.tags[tag] == SETTLED) {
            count++;
            oldest_us = model.settled_us[tag] < oldest_us ? model.settled_us[tag] : oldest_us;
        }
    }
    bool is_full = model.unacked >= model.window; /* the broker sends nothing more */
    return count * 4 >= model.window || model.now_us - oldest_us >= WR_ACKS_STRAGGLER_US ||
           (is_full && model.now_us >= model.flushed_us + WR_ACKS_GATHER_US / 2);
}

static void flush(void)
{
    model.may_straggle = may_straggle();
    tell("flush");
    wr_acks_flush(&model.acks, model.now_us, broker_ack, NULL);
    check_flushed();
}

static void lose_connection(void)
{
    wr_acks_done(&model.acks);
    open_window();
}

static void pass(void)
{
    int64_t due_us = wr_acks_deadline_us(&model.acks);
    int64_t step_us = below(30000);
    bool is_due = due_us - model.now_us <= step_us; /* the owner is back by then */
    due_us = due_us > model.now_us ? due_us : model.now_us;
    model.now_us = is_due ? due_us : model.now_us + step_us;
    if (is_due) {
        flush();
    }
}

static void take_step(void)
{
    unsigned kind = below(100);
    for (unsigned n = below(8); kind < 30 && n; n--) {
        deliver();
    }
    if (kind >= 30 && kind < 60) {
        come_home(false);
    } else if (kind >= 60 && kind < 66) {
        come_home(true);
    } else if (kind >= 66 && kind < 72) {
        settle_wrongly();
    } else if (kind >= 72 && kind < 87) {
        flush();
    } else if (kind >= 87 && kind < 98) {
        pass();
    } else if (kind == 98) {
        lose_connection();
    } else if (kind == 99) {
        abandon();
    }
}

static const char *play(uint64_t seed, bool tells)
{
    memset(&model, 0, sizeof model);
    seeded_start(seed);
    model.tells = tells;
    model.window = 1 + below(below(3) ? 12 : 100);
    tell("window %zu", model.window);
    open_window();
    for (int i = 0; i < STEPS && !model.failure[0]; i++) {
        take_step();
    }
    while (model.job_count && !model.failure[0]) {
        come_home(false);
    }
    model.now_us += WR_ACKS_GATHER_US;
    flush();
    if (model.unacked) {
        fail("unacknowledged at the end", model.unacked);
    }
    wr_acks_done(&model.acks);
    return model.failure;
}

static void no_program_acknowledges_wrongly_or_late(void)
{
    seeded_play_all("test_acks_model", play, PROGRAMS);
}

int main(int count, char **words)
{
    CU_TestInfo tests[] = { { "no_program_acknowledges_wrongly_or_late",
                              no_program_acknowledges_wrongly_or_late },
                            CU_TEST_INFO_NULL };
    return seeded_main(count, words, play, "acks against a model", tests);
}
