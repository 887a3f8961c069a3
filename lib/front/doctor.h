/* SPDX-License-Identifier: MIT */
/*
 * What the doctor's files share: a run under way, and the checks by name. doctor.c has the table and
 * the run, doctor_reach.c the way to the broker, doctor_broker.c the broker and what stands there.
 * Threads: the caller's of warren_doctor_run.
 */
#ifndef WR_FRONT_DOCTOR_H
#define WR_FRONT_DOCTOR_H

#include "engine/examiner.h"
#include "engine/topologist.h"
#include "io/reach.h"
#include "model/uri.h"
#include "warren/doctor.h"

enum { WR_DOCTOR_STEP_US = 5000000 /* the most that one answer may take */ };

struct wr_doctor {
    const warren_doctor_options *options;
    int64_t deadline_us; /* of the run */
    struct wr_settings *settings;
    bool is_local; /* the memory broker: no network */
    struct wr_uri uri;
    struct wr_reach reach[WR_HOSTS_MOST];
    bool was_tried; /* to connect */
    struct wr_broker *broker;
    enum wr_stage stage;
    warren_status status; /* of the connect, or of the configuration */
    warren_error why;
    struct wr_topology *topology;
    bool has_plan;
    struct wr_plan plan;
    struct wr_examiner examiner;
};

/** How long the next answer may take: `most_us`, or what is left of the run. */
int64_t wr_doctor_left_us(const struct wr_doctor *doctor, int64_t most_us);

/** Connects once; what became of it serves several checks. */
void wr_doctor_connect(struct wr_doctor *doctor);

/* The checks of the table. Each says in `out` what it found. */
void wr_doctor_check_dns(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_port(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_tls(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_login(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_vhost(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_management(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_version(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_deprecated(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_clock(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_alarms(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_permissions(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_topology(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_delivery_limits(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_policies(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_confirm_timeout(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_consumer_timeout(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_memory(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_unroutable(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_ladder(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_stuck(struct wr_doctor *doctor, struct wr_diagnosis *out);
void wr_doctor_check_unrouted(struct wr_doctor *doctor, struct wr_diagnosis *out);

#endif
