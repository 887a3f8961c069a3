/* SPDX-License-Identifier: MIT */
/*
 * Diagnoses: what is to be thought of facts about a broker. Each function judges one check of the
 * doctor from what is already known. Threads: pure functions.
 */
#ifndef WR_MODEL_DIAGNOSIS_H
#define WR_MODEL_DIAGNOSIS_H

#include "base/text.h"
#include "model/topology.h"
#include "warren/doctor.h"

/** A diagnosis: state, what was found, what to do. Zero-initialise; done with wr_diagnosis_done. */
struct wr_diagnosis {
    warren_check_state state;
    struct wr_text found;
    struct wr_text advice;
};

void wr_diagnosis_done(struct wr_diagnosis *diagnosis);

/** Says what was found. A state never gets better: what is worse stands, and texts are joined with
 * "; ". */
void wr_diagnose(struct wr_diagnosis *diagnosis, warren_check_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Says what to do next; texts are joined with "; ". */
void wr_advise(struct wr_diagnosis *diagnosis, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Why something is unknown. */
#define WR_NO_MANAGEMENT                                                                           \
    "only the management API tells it (broker.management_url; its user needs the tag monitoring)"

/** The facts of a queue of that name; NULL when there are none. */
const warren_queue_facts *wr_diagnosis_queue(const warren_broker_facts *facts, const char *name);

/** A server as it names itself. */
struct wr_diagnosis_server {
    const char *product;
    const char *version;
    int major;
    int minor;
};

/** Whether Warren runs on it, and what is known of that version. */
void wr_diagnose_version(const struct wr_diagnosis_server *server,
                         const struct wr_settings *settings, struct wr_diagnosis *out);

/** What this configuration uses and a later version treats in another way. `facts` may be NULL. */
void wr_diagnose_deprecated(const struct wr_diagnosis_server *server,
                            const struct wr_settings *settings, const warren_broker_facts *facts,
                            struct wr_diagnosis *out);

/** The limit on deliveries that holds for each of our queues. Without one a broker from 4.0 has one of
 * its own, and what -1 means depends on the version, too. */
void wr_diagnose_delivery_limits(const struct wr_diagnosis_server *server,
                                 const struct wr_topology *topology,
                                 const warren_broker_facts *facts, struct wr_diagnosis *out);

/** Policies that work against what the queues are for. */
void wr_diagnose_policies(const struct wr_topology *topology, const warren_broker_facts *facts,
                          struct wr_diagnosis *out);

/** The broker's patience with a delivery against the longest that a job may take. */
void wr_diagnose_consumer_timeout(const struct wr_settings *settings,
                                  const warren_broker_facts *facts, struct wr_diagnosis *out);

/** The most that jobs can take of the memory there is. `limit`: of it, in bytes; 0: not known.
 * `whose`: "cgroup" or "machine". */
void wr_diagnose_memory(const struct wr_settings *settings, int64_t limit, const char *whose,
                        struct wr_diagnosis *out);

/** The most bytes of bodies that this configuration's jobs can hold at once. */
int64_t wr_diagnosis_bodies_most(const struct wr_settings *settings);

/** The two clocks. */
void wr_diagnose_clock(const warren_broker_facts *facts, struct wr_diagnosis *out);

/** Alarms that stop all publishing. */
void wr_diagnose_alarms(const warren_broker_facts *facts, struct wr_diagnosis *out);

/** Dead letters that the broker holds back, which plain counts show as 0. */
void wr_diagnose_stuck(const struct wr_topology *topology, const warren_broker_facts *facts,
                       struct wr_diagnosis *out);

#endif
