/* SPDX-License-Identifier: MIT */
/*
 * The doctor: looks at a configuration and its broker from the name of the host to a job's trip
 * through the delay ladder, and says of each check what was found and what to do next.
 *
 * AMQP tells little of a broker's inside. A caller who can ask its management API hands over what
 * that told (warren_broker_facts); without it the checks that need it say so, as unknown.
 *
 * Threads: a call does all its work on the caller's thread (a name is looked up on one of its own).
 * Strings handed to a visitor are valid during its call only.
 */
#ifndef WARREN_DOCTOR_H
#define WARREN_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/topology.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a check came out. */
typedef enum warren_check_state {
    WARREN_CHECK_OK = 0,     /**< nothing to do */
    WARREN_CHECK_WARN = 1,   /**< it works, but something may go wrong or already does */
    WARREN_CHECK_FAIL = 2,   /**< a worker can't do its work like this */
    WARREN_CHECK_UNKNOWN = 3 /**< it could not be found out; `found` says why */
} warren_check_state;

/**
 * The name of a state: "ok", "warn", "fail" or "unknown". Never NULL; static memory.
 * @param state how a check came out
 */
WARREN_API const char *warren_check_state_name(warren_check_state state);

/** One check's outcome. */
typedef struct warren_finding {
    const char *check;        /**< its name, "dns" */
    const char *about;        /**< what it looks at, a sentence */
    warren_check_state state; /**< how it came out */
    const char *found;        /**< one line */
    const char *advice;       /**< what to do next; "" when there is nothing to do */
} warren_finding;

/** Called for each check, in the order of the table; false ends the run. */
typedef bool warren_finding_visitor(const warren_finding *finding, void *user);

/** A row of the table of checks. */
typedef struct warren_check {
    const char *name;  /**< "dns" */
    const char *about; /**< what it looks at, a sentence */
    bool writes; /**< publishes or declares something, and removes it again: skipped by read_only */
} warren_check;

/** The i-th check, in the order in which they run; NULL when there are not so many. Static memory.
 */
WARREN_API const warren_check *warren_doctor_check(size_t index);

/** What is known about one queue. Numbers: -1 when the API didn't say. */
typedef struct warren_queue_facts {
    const char *name;            /**< as the broker knows it */
    const char *type;            /**< "quorum", "classic"; NULL: not said */
    const char *policy;          /**< the policy that holds for it; NULL: none */
    const char *operator_policy; /**< the same of an operator; NULL: none */
    int64_t unacked;             /**< messages handed to consumers and not settled */
    int64_t dead_lettering;      /**< `messages_dlx`: waiting for their dead letter's confirm */
    bool has_delivery_limit;     /**< its argument is said; it may be -1 */
    int64_t delivery_limit;      /**< x-delivery-limit */
    int64_t consumer_timeout_ms; /**< its argument, or the policies' */
    bool has_policies;           /**< the rest is known (a fresh queue's is not for some seconds) */
    /* What its policies say, both kinds together. */
    bool has_policy_delivery_limit; /**< the next is said; it may be -1 */
    int64_t policy_delivery_limit;  /**< delivery-limit */
    int64_t max_length;             /**< max-length, messages */
    int64_t max_bytes;              /**< max-length-bytes */
    int64_t message_ttl_ms;         /**< message-ttl */
    int64_t expires_ms;             /**< expires: an unused queue goes away after so long */
    bool drops_head;                /**< overflow = drop-head is said */
    bool is_mirrored;               /**< ha-mode is said */
} warren_queue_facts;

/** What the management API told. Borrowed from the caller during a call. */
typedef struct warren_broker_facts {
    const char *source;               /**< where it was asked, without a login */
    bool has_clock;                   /**< the next is known */
    int64_t clock_off_ms;             /**< the broker's clock less ours; good to about a second */
    bool has_alarms;                  /**< the next two are known */
    const char *memory_alarm;         /**< the node whose memory alarm is on; NULL: none */
    const char *disk_alarm;           /**< the node whose disk alarm is on; NULL: none */
    bool has_deprecated;              /**< the next is known */
    const char *deprecated;           /**< deprecated features in use, by name; "" for none */
    const warren_queue_facts *queues; /**< all of the vhost; NULL: not known */
    size_t queue_count;               /**< how many of them */
    const warren_bindings *bindings;  /**< NULL: not known */
    const char *problem;              /**< what of it could not be asked, and why; NULL: nothing */
} warren_broker_facts;

/** How to look. Zeroed is fine. */
typedef struct warren_doctor_options {
    bool read_only;                   /**< publish and declare nothing */
    int64_t timeout_ms;               /**< of the whole run; 0: 30 s. Later checks are unknown */
    const warren_broker_facts *facts; /**< NULL: no management API */
    const char *no_facts;             /**< why there are none, a sentence; NULL: not configured */
} warren_doctor_options;

/**
 * Runs all checks; each is visited, also those that an earlier failure left without an answer. The
 * status is about the connection, not about the findings: OK: the broker was reached. CONFIG: the
 * configuration has errors. UNREACHABLE, REFUSED: the connection did not come about, and the
 * checks up to it say why. `options` and `err` may be NULL.
 * @param options may be NULL
 */
WARREN_API warren_status warren_doctor_run(const char *config, const warren_doctor_options *options,
                                           warren_finding_visitor *visit, void *user,
                                           warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
