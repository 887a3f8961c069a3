// SPDX-License-Identifier: MIT
// DESIGN: what is to be thought of queues, from what the management API tells of each. Only queues of
// the topology are judged; what a policy does is judged by what its queue is for.
#include <inttypes.h>

#include "model/diagnosis.h"

#define BROKERS_LIMIT INT64_C(20) /* of a broker from 4.0 on, where nobody says one */

/* --- queues --- */

/* Walks through the topology's queues of which there are facts; `*cursor` starts at 0. */
static const struct wr_item *next_queue(const struct wr_topology *topology,
                                        const warren_broker_facts *facts, size_t *cursor,
                                        const warren_queue_facts **out)
{
    while (*cursor < topology->length) {
        const struct wr_item *item = &topology->items[(*cursor)++];
        *out = item->kind == WR_ITEM_QUEUE ? wr_diagnosis_queue(facts, item->name) : NULL;
        if (*out) {
            return item;
        }
    }
    return NULL;
}

/* Queues in which messages wait without being taken: what keeps them must not run out. */
static bool is_kept(const struct wr_item *item)
{
    return item->arguments.delivery_limit == WR_DELIVERY_LIMIT_KEEP;
}

/* What holds for a queue. */
struct limit {
    bool is_known;
    bool is_of_policy;
    bool is_default; /* the broker's own */
    int64_t count;   /* -1: none from 4.0 on, and below it not even one delivery */
};

/* The smaller one counts. From 4.0 on -1 stands for none, and then the greater one does, which is the
 * other; and who says nothing gets the broker's own. */
static struct limit effective_limit(const struct wr_diagnosis_server *server,
                                    const warren_queue_facts *queue)
{
    int64_t own = queue->delivery_limit;
    int64_t policy = queue->policy_delivery_limit;
    bool is_from_4 = server->major >= 4;
    if (!queue->has_delivery_limit && !queue->has_policy_delivery_limit) {
        return (struct limit){ .is_known = !is_from_4 || queue->has_policies,
                               .is_default = true,
                               .count = is_from_4 ? BROKERS_LIMIT : INT64_MAX };
    }
    if (!queue->has_delivery_limit || !queue->has_policy_delivery_limit) {
        bool is_of_policy = queue->has_policy_delivery_limit;
        return (struct limit){ true, is_of_policy, false, is_of_policy ? policy : own };
    }
    bool wants_greater = is_from_4 && (own < 0 || policy < 0);
    bool is_of_policy = wants_greater ? policy > own : policy <= own;
    return (struct limit){ true, is_of_policy, false, is_of_policy ? policy : own };
}

static const char *whose_policy(const warren_queue_facts *queue)
{
    return queue->operator_policy ? queue->operator_policy
           : queue->policy        ? queue->policy
                                  : "a policy";
}

/* False: it is not known. */
static bool judge_limit(const struct wr_diagnosis_server *server, const struct wr_item *item,
                        const warren_queue_facts *queue, struct wr_diagnosis *out)
{
    int64_t wanted = item->arguments.delivery_limit;
    struct limit limit = effective_limit(server, queue);
    bool is_classic = queue->type && strcmp(queue->type, "classic") == 0; /* it knows none */
    if (!wanted || is_classic || !limit.is_known || limit.count >= wanted) {
        return limit.is_known;
    }
    const char *whose = limit.is_default     ? "the broker's own, since none is said"
                        : limit.is_of_policy ? whose_policy(queue)
                                             : "its argument";
    if (limit.count >= 0) {
        wr_diagnose(out, is_kept(item) ? WARREN_CHECK_FAIL : WARREN_CHECK_WARN,
                    "queue %s: %" PRId64 " deliveries (%s), want %" PRId64, item->name, limit.count,
                    whose, wanted);
    } else if (server->major < 4) {
        wr_diagnose(out, WARREN_CHECK_FAIL,
                    "queue %s: %" PRId64 " deliveries (%s), so that all of it is gone at the first "
                    "look",
                    item->name, limit.count, whose);
    }
    return true;
}

void wr_diagnose_delivery_limits(const struct wr_diagnosis_server *server,
                                 const struct wr_topology *topology,
                                 const warren_broker_facts *facts, struct wr_diagnosis *out)
{
    const warren_queue_facts *queue;
    size_t cursor = 0;
    size_t count = 0;
    const struct wr_item *item;
    if (!facts || !facts->queues) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "a policy may lower the queues' own limits; " WR_NO_MANAGEMENT);
        return;
    }
    while ((item = next_queue(topology, facts, &cursor, &queue))) {
        count += judge_limit(server, item, queue, out);
    }
    if (out->state) {
        wr_advise(out, "looking at a dead queue must lose nothing, and a worker's restarts must "
                       "not bury its jobs: take delivery-limit out of that policy, or shield the "
                       "queues (deploy/rabbitmq/definitions.json); a queue that says none was "
                       "not declared by this configuration (`warren topology plan`)");
    } else if (count) {
        wr_diagnose(out, WARREN_CHECK_OK, "%zu queues have the limits that the config wants",
                    count);
    } else {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "the queues are not there, or their policies not told yet");
    }
}

static void judge_lengths(const struct wr_item *item, const warren_queue_facts *queue,
                          struct wr_diagnosis *out)
{
    if (queue->max_length >= 0 || queue->max_bytes >= 0) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "queue %s: %s limits its length%s", item->name,
                    whose_policy(queue), queue->drops_head ? " and drops the oldest" : "");
        wr_advise(out, "a full queue stops the delay ladder for all others: take length limits off "
                       "Warren's queues");
    }
    if (queue->expires_ms >= 0) {
        wr_diagnose(out, WARREN_CHECK_FAIL,
                    "queue %s: %s deletes it with its messages when nobody uses it for %" PRId64
                    " s",
                    item->name, whose_policy(queue), queue->expires_ms / 1000);
        wr_advise(out, "take expires off them");
    }
}

static void judge_ttl(const struct wr_item *item, const warren_queue_facts *queue,
                      struct wr_diagnosis *out)
{
    int64_t own = item->arguments.ttl_ms;
    if (queue->message_ttl_ms < 0 || (own && queue->message_ttl_ms >= own)) {
        return;
    }
    bool is_work = !own && !is_kept(item);
    wr_diagnose(out, is_work ? WARREN_CHECK_WARN : WARREN_CHECK_FAIL,
                "queue %s: %s lets messages expire after %" PRId64 " ms", item->name,
                whose_policy(queue), queue->message_ttl_ms);
    wr_advise(out, "take message-ttl off them: %s",
              own       ? "retries come too early"
              : is_work ? "jobs that wait too long become dead letters"
                        : "dead letters vanish");
}

void wr_diagnose_policies(const struct wr_topology *topology, const warren_broker_facts *facts,
                          struct wr_diagnosis *out)
{
    const warren_queue_facts *queue;
    size_t cursor = 0;
    size_t bare = 0;
    size_t count = 0;
    const struct wr_item *item;
    if (!facts || !facts->queues) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "%s", WR_NO_MANAGEMENT);
        wr_advise(out, "look at them by hand: rabbitmqctl list_policies, list_operator_policies");
        return;
    }
    while ((item = next_queue(topology, facts, &cursor, &queue))) {
        if (!queue->has_policies) {
            continue;
        }
        count++;
        judge_lengths(item, queue, out);
        judge_ttl(item, queue, out);
        bool is_shielded = queue->policy || !(item->is_level || is_kept(item));
        bare += is_shielded ? 0 : 1;
    }
    if (!count) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN,
                    "the management API has no queue of this configuration, or not yet: it is some "
                    "seconds behind");
    } else if (!out->state) {
        wr_diagnose(out, WARREN_CHECK_OK, "none works against %zu queues of Warren's", count);
    }
    if (bare) {
        wr_diagnose(out, WARREN_CHECK_OK,
                    "%zu queues of the ladder and of dead letters have no shield policy", bare);
        wr_advise(out, "a policy on \".*\" would reach them: shield policies stand in "
                       "deploy/rabbitmq/definitions.json");
    }
}

void wr_diagnose_stuck(const struct wr_topology *topology, const warren_broker_facts *facts,
                       struct wr_diagnosis *out)
{
    const warren_queue_facts *queue;
    size_t cursor = 0;
    bool is_known = false;
    const struct wr_item *item;
    if (facts && facts->queues) {
        while ((item = next_queue(topology, facts, &cursor, &queue))) {
            is_known = is_known || queue->dead_lettering >= 0;
            if (queue->dead_lettering > 0) {
                wr_diagnose(out, WARREN_CHECK_WARN, "%" PRId64 " on their way out of %s",
                            queue->dead_lettering, item->name);
            }
        }
    }
    if (!is_known) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "plain counts show them as 0; messages_dlx: %s",
                    facts && facts->queues ? "not told yet, the management API is some seconds "
                                             "behind"
                                           : WR_NO_MANAGEMENT);
        return;
    }
    if (!out->state) {
        wr_diagnose(out, WARREN_CHECK_OK, "no dead letter waits for its confirm");
        return;
    }
    wr_advise(out, "look again in ten seconds: a number that stays is stuck; after a restart of "
                   "the broker for three minutes, unless dead_letter_worker_publisher_confirm_"
                   "timeout is 5 s (deploy/rabbitmq/advanced.config); else apply the topology "
                   "(`warren topology apply`) and look for queues with a length limit");
}
