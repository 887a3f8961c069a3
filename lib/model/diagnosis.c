// SPDX-License-Identifier: MIT
// DESIGN: what is to be thought of facts. Judging is apart from asking, so that each judgment can be
// tested with facts that are written down instead of a broker in that state.
//
// What a version changes is a table: the version from which it holds, whether this configuration or
// this broker uses it, and a sentence. A row speaks of the future to an older broker and is silent
// afterwards, unless it breaks something there, which the version's own check says.
#include "model/diagnosis.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE_MOST = 1024, TEXT_MOST = 800 };

#define MIB (INT64_C(1024) * 1024)
#define AMQP_MESSAGE_MOST (16 * MIB)         /* of a broker from 4.0 on */
#define AUTO_BYTES (16 * MIB)                /* what prefetch = "auto" lets lie ahead */
#define CONSUMER_TIMEOUT_MS INT64_C(1800000) /* a broker's, unless it was told another */
#define CLOCK_WARN_MS 5000
#define CLOCK_FAIL_MS 60000

void wr_diagnosis_done(struct wr_diagnosis *diagnosis)
{
    wr_text_done(&diagnosis->found);
    wr_text_done(&diagnosis->advice);
    *diagnosis = (struct wr_diagnosis){ 0 };
}

/* How bad a state is; unknown is worse than ok and better than a warning. */
static int rank(warren_check_state state)
{
    return state == WARREN_CHECK_OK ? 0 : state == WARREN_CHECK_UNKNOWN ? 1 : (int)state + 1;
}

/* What was said already is not said again, and nobody reads a hundred queues on one line. */
__attribute__((format(printf, 2, 0))) static void join(struct wr_text *text, const char *format,
                                                       va_list args)
{
    static const char more[] = "; and more";
    char line[LINE_MOST];
    (void)vsnprintf(line, sizeof line, format, args);
    if (strstr(wr_text_string(text), line)) {
        return;
    }
    if (text->size < TEXT_MOST) {
        wr_text_add_string(text, text->size ? "; " : "");
        wr_text_add_string(text, line);
    } else if (!strstr(wr_text_string(text), more)) {
        wr_text_add_string(text, more);
    }
}

void wr_diagnose(struct wr_diagnosis *diagnosis, warren_check_state state, const char *format, ...)
{
    va_list args;
    if (rank(state) > rank(diagnosis->state)) {
        diagnosis->state = state;
    }
    va_start(args, format);
    join(&diagnosis->found, format, args);
    va_end(args);
}

void wr_advise(struct wr_diagnosis *diagnosis, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    join(&diagnosis->advice, format, args);
    va_end(args);
}

/* --- versions --- */

static bool is_before(const struct wr_diagnosis_server *server, int major, int minor)
{
    return server->major < major || (server->major == major && server->minor < minor);
}

static bool is_rabbitmq(const struct wr_diagnosis_server *server)
{
    return strcmp(server->product, "RabbitMQ") == 0;
}

static bool has_classic(const struct wr_settings *settings)
{
    for (size_t i = 0; i < settings->queue_count; i++) {
        if (settings->queues[i].type == WR_CLASSIC) {
            return true;
        }
    }
    return false;
}

/* 3.13.0 to 3.13.2 drop what is rejected, waits and comes back as a cycle. */
static bool drops_cycles(const struct wr_diagnosis_server *server)
{
    return strcmp(server->version, "3.13.0") == 0 || strcmp(server->version, "3.13.1") == 0 ||
           strcmp(server->version, "3.13.2") == 0;
}

void wr_diagnose_version(const struct wr_diagnosis_server *server,
                         const struct wr_settings *settings, struct wr_diagnosis *out)
{
    wr_diagnose(out, WARREN_CHECK_OK, "%s %s", server->product, server->version);
    if (!is_rabbitmq(server)) {
        wr_diagnose(out, WARREN_CHECK_WARN, "not a RabbitMQ, so nothing is known of it");
        wr_advise(out, "run the tests of your service against it before you trust it");
        return;
    }
    if (is_before(server, 3, 10)) {
        wr_diagnose(out, WARREN_CHECK_FAIL,
                    "it has no at-least-once dead letters, so a restart would lose waiting jobs");
        wr_advise(out, "upgrade to 3.10 or later");
    }
    if (drops_cycles(server)) {
        wr_diagnose(out, WARREN_CHECK_WARN,
                    "it takes some dead letters for a cycle and drops them");
        wr_advise(out, "upgrade to 3.13.3 or later");
    }
    if (is_before(server, 4, 0) && has_classic(settings)) {
        wr_diagnose(out, WARREN_CHECK_WARN,
                    "below 4.0 a stranger's malformed x-death on a message that expires stops a "
                    "classic queue (and three within 5 s a quorum queue)");
        wr_advise(out,
                  "let trusted senders only publish, or upgrade to 4.0 or later; quorum queues "
                  "(`warren topology migrate`) stand more");
    }
    if (!is_before(server, 4, 0) && settings->body_most > AMQP_MESSAGE_MOST) {
        wr_diagnose(out, WARREN_CHECK_WARN,
                    "it takes messages of 16 MiB by default, limits.body allows %" PRId64 " MiB",
                    settings->body_most / MIB);
        wr_advise(out, "raise the broker's max_message_size, or lower limits.body");
    }
}

/* --- what later versions change --- */

/* What a row of the table looks at. */
struct usage {
    const struct wr_settings *settings;
    const warren_broker_facts *facts; /* NULL: not known */
};

static bool uses_large_bodies(const struct usage *usage)
{
    return usage->settings->body_most > AMQP_MESSAGE_MOST;
}

static bool uses_mirrors(const struct usage *usage)
{
    const warren_broker_facts *facts = usage->facts;
    for (size_t i = 0; facts && facts->queues && i < facts->queue_count; i++) {
        if (facts->queues[i].is_mirrored) {
            return true;
        }
    }
    return false;
}

static bool uses_looking(const struct usage *usage)
{
    return usage->settings->topology_check;
}

static bool uses_quorum(const struct usage *usage)
{
    for (size_t i = 0; i < usage->settings->queue_count; i++) {
        if (usage->settings->queues[i].type == WR_QUORUM) {
            return true;
        }
    }
    return false;
}

static const struct change {
    int major; /* from this version on */
    int minor;
    warren_check_state state; /* for who uses it */
    bool (*is_used)(const struct usage *usage);
    const char *text;
    const char *advice;
} changes[] = {
    { 4, 0, WARREN_CHECK_WARN, uses_mirrors, "4.0 has no mirrored classic queues",
      "make them quorum queues first (`warren topology migrate QUEUE`)" },
    { 4, 0, WARREN_CHECK_WARN, uses_large_bodies, "4.0 takes messages of 16 MiB by default",
      "raise max_message_size at the broker, or lower limits.body" },
    { 4, 0, WARREN_CHECK_OK, uses_quorum,
      "from 4.0 new work queues get at-least-once dead letters; older ones keep what they have",
      NULL },
    { 4, 3, WARREN_CHECK_WARN, uses_looking,
      "4.3 wants the configure right for a passive declare, which topology = \"check\" uses",
      "give the worker's user configure on its queues and the exchanges of the namespace" },
};

static void judge_used(const warren_broker_facts *facts, struct wr_diagnosis *out)
{
    if (!facts || !facts->has_deprecated) {
        wr_diagnose(out, WARREN_CHECK_OK,
                    "what others use is unknown (the management API tells it from 3.13 on)");
    } else if (*facts->deprecated) {
        wr_diagnose(out, WARREN_CHECK_WARN, "the broker says that these are in use: %s",
                    facts->deprecated);
        wr_advise(out, "Warren uses none of them by itself: look for who does (rabbitmqctl "
                       "list_deprecated_features --used), before the upgrade");
    } else {
        wr_diagnose(out, WARREN_CHECK_OK, "the broker counts no deprecated feature in use");
    }
}

void wr_diagnose_deprecated(const struct wr_diagnosis_server *server,
                            const struct wr_settings *settings, const warren_broker_facts *facts,
                            struct wr_diagnosis *out)
{
    struct usage usage = { settings, facts };
    size_t count = 0;
    if (!is_rabbitmq(server)) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "%s is not known here", server->product);
        return;
    }
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct change *change = &changes[i];
        if (is_before(server, change->major, change->minor) && change->is_used(&usage)) {
            wr_diagnose(out, change->state, "%s", change->text);
            count++;
            if (change->advice) {
                wr_advise(out, "%s", change->advice);
            }
        }
    }
    if (!count) {
        wr_diagnose(out, WARREN_CHECK_OK,
                    "no later version is known to change what this configuration uses");
    }
    judge_used(facts, out);
}

/* --- time --- */

const warren_queue_facts *wr_diagnosis_queue(const warren_broker_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->queue_count; i++) {
        if (strcmp(facts->queues[i].name, name) == 0) {
            return &facts->queues[i];
        }
    }
    return NULL;
}

void wr_diagnose_clock(const warren_broker_facts *facts, struct wr_diagnosis *out)
{
    if (!facts || !facts->has_clock) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "AMQP tells no time; %s", WR_NO_MANAGEMENT);
        return;
    }
    int64_t off_ms = facts->clock_off_ms;
    int64_t size_ms = off_ms < 0 ? -off_ms : off_ms;
    if (size_ms <= CLOCK_WARN_MS) {
        wr_diagnose(out, WARREN_CHECK_OK, "the broker's clock and ours agree within %" PRId64 " s",
                    (size_ms + 999) / 1000 + 1);
        return;
    }
    wr_diagnose(out, size_ms > CLOCK_FAIL_MS ? WARREN_CHECK_FAIL : WARREN_CHECK_WARN,
                "the broker's clock is %" PRId64 " s %s ours", size_ms / 1000,
                off_ms < 0 ? "behind" : "ahead of");
    wr_advise(out,
              "expiry, run-at times and lateness are told by clocks: run NTP on both machines");
}

/* The shortest that is said for one of our queues; -1: none. */
static int64_t said_timeout(const struct wr_settings *settings, const warren_broker_facts *facts)
{
    int64_t least = -1;
    for (size_t i = 0; facts && facts->queues && i < settings->queue_count; i++) {
        const warren_queue_facts *queue = wr_diagnosis_queue(facts, settings->queues[i].name);
        if (queue && queue->consumer_timeout_ms > 0 &&
            (least < 0 || queue->consumer_timeout_ms < least)) {
            least = queue->consumer_timeout_ms;
        }
    }
    return least;
}

/* What lies ahead of a job at a fixed prefetch waits for the ones before it. */
static int64_t held_ms(const struct wr_queue_settings *queue, const struct wr_job_settings *job)
{
    int64_t rounds =
        queue->prefetch ? (queue->prefetch + job->concurrency - 1) / job->concurrency : 1;
    return job->timeout_ms > INT64_MAX / (rounds + 1) ? INT64_MAX : job->timeout_ms * rounds;
}

/* What all types together come to. */
struct holding {
    const struct wr_queue_settings
        *queue; /* of the one that may be held longest; NULL: none is known */
    const struct wr_job_settings *job;
    const struct wr_job_settings *endless; /* one without a timeout, or NULL */
    int64_t most_ms;
};

static struct holding find_longest(const struct wr_settings *settings)
{
    struct holding found = { 0 };
    for (size_t i = 0; i < settings->queue_count; i++) {
        const struct wr_queue_settings *queue = &settings->queues[i];
        for (size_t j = 0; j < queue->job_count; j++) {
            const struct wr_job_settings *job = &queue->jobs[j];
            if (!job->timeout_ms) {
                found.endless = found.endless ? found.endless : job;
            } else if (!found.job || held_ms(queue, job) > found.most_ms) {
                found.queue = queue;
                found.job = job;
                found.most_ms = held_ms(queue, job);
            }
        }
    }
    return found;
}

void wr_diagnose_consumer_timeout(const struct wr_settings *settings,
                                  const warren_broker_facts *facts, struct wr_diagnosis *out)
{
    struct holding longest = find_longest(settings);
    int64_t said_ms = said_timeout(settings, facts);
    int64_t limit_ms = said_ms > 0 ? said_ms : CONSUMER_TIMEOUT_MS;
    const char *whose = said_ms > 0 ? "the queue's" : "the default, the broker's own is unknown";
    if (!longest.job) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "no job type has a timeout; the broker gives up on a delivery after %" PRId64
                    " s (%s)",
                    limit_ms / 1000, whose);
        wr_advise(out, "say queue.jobs.timeout for types that may run long");
        return;
    }
    bool is_near = longest.most_ms > limit_ms / 10 * 8;
    wr_diagnose(out, is_near ? WARREN_CHECK_WARN : WARREN_CHECK_OK,
                "a delivery of %s may be held for %" PRId64 " s, the broker's consumer_timeout is "
                "%" PRId64 " s (%s)",
                longest.job->type, longest.most_ms / 1000, limit_ms / 1000, whose);
    if (is_near) {
        wr_advise(out,
                  "the broker would give the job to another worker while it still runs: lower "
                  "queue.jobs.timeout%s, or raise consumer_timeout in rabbitmq.conf",
                  longest.queue->prefetch ? " or queue.prefetch" : "");
    }
    if (longest.endless) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "%s has no timeout, so it may be held for any time",
                    longest.endless->type);
        wr_advise(out, "say queue.jobs.timeout for types that may run long");
    }
}

/* --- memory --- */

static int64_t times(int64_t a, int64_t b)
{
    return b && a > INT64_MAX / b ? INT64_MAX : a * b;
}

static int64_t plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* One consumer: what `auto` lets lie ahead is bounded in bytes, but never less than a job a slot
 * (two with several types); see engine/prefetch.c. */
static int64_t source_most(const struct wr_settings *settings, int prefetch, int64_t slots,
                           size_t types)
{
    int64_t least = times(types > 1 ? 2 * slots : slots, settings->body_most);
    return prefetch             ? times(prefetch, settings->body_most)
           : least > AUTO_BYTES ? least
                                : AUTO_BYTES;
}

static int64_t queue_most(const struct wr_settings *settings, const struct wr_queue_settings *queue)
{
    int64_t slots = 0;
    size_t shared = 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < queue->job_count; i++) {
        if (queue->jobs[i].isolate) {
            bytes =
                plus(bytes, source_most(settings, queue->prefetch, queue->jobs[i].concurrency, 1));
        } else {
            slots += queue->jobs[i].concurrency;
            shared++;
        }
    }
    if (settings->threads && slots > settings->threads) {
        slots = settings->threads;
    }
    return shared || !queue->job_count
               ? plus(bytes, source_most(settings, queue->prefetch, slots ? slots : 1, shared))
               : bytes;
}

int64_t wr_diagnosis_bodies_most(const struct wr_settings *settings)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < settings->queue_count; i++) {
        bytes = plus(bytes, queue_most(settings, &settings->queues[i]));
    }
    return bytes;
}

void wr_diagnose_memory(const struct wr_settings *settings, int64_t limit, const char *whose,
                        struct wr_diagnosis *out)
{
    int64_t most = wr_diagnosis_bodies_most(settings);
    if (!limit) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "bodies may take %" PRId64 " MiB at once; how much memory there is could not "
                    "be read",
                    most / MIB);
        return;
    }
    bool is_tight = most > limit / 2;
    wr_diagnose(out, is_tight ? WARREN_CHECK_WARN : WARREN_CHECK_OK,
                "if all bodies were as large as limits.body, %" PRId64 " MiB of them could be here "
                "at once; this %s has %" PRId64 " MiB",
                most / MIB, whose, limit / MIB);
    if (is_tight) {
        wr_advise(out, "lower limits.body or queue.prefetch (or say \"auto\"), or give the worker "
                       "more memory");
    }
}

/* --- alarms --- */

void wr_diagnose_alarms(const warren_broker_facts *facts, struct wr_diagnosis *out)
{
    if (!facts || !facts->has_alarms) {
        return;
    }
    if (facts->memory_alarm) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "memory alarm on %s: no publish gets through",
                    facts->memory_alarm);
        wr_advise(out, "find what fills its memory (rabbitmq-diagnostics memory_breakdown); jobs "
                       "go on being taken, their retries wait");
    }
    if (facts->disk_alarm) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "disk alarm on %s: no publish gets through",
                    facts->disk_alarm);
        wr_advise(out, "make room on its disk (disk_free_limit)");
    }
    if (!out->state) {
        wr_diagnose(out, WARREN_CHECK_OK, "none, says the management API");
    }
}
