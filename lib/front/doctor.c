// SPDX-License-Identifier: MIT
// DESIGN: one table of checks, run from top to bottom, each a short function with a deadline of its
// own. A check stands on those before it: what needs the configuration or the broker and has none is
// told as not reached, and why, so that a reader finds the first thing that is wrong at once. What
// can be judged without the broker still is.
#include "front/doctor.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"

enum { TIMEOUT_MS = 30000 };

/* What a check stands on. */
enum need { NEEDS_NOTHING, NEEDS_CONFIG, NEEDS_BROKER };

int64_t wr_doctor_left_us(const struct wr_doctor *doctor, int64_t most_us)
{
    int64_t left = doctor->deadline_us - wr_clock_mono_us(NULL);
    return left < most_us ? left : most_us;
}

/* --- configuration --- */

/* The doctor waits less than a worker. */
static void shorten(const struct wr_doctor *doctor, struct wr_broker_settings *broker)
{
    int64_t most_ms = wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US) / WR_US_PER_MS;
    most_ms = most_ms > 10 ? most_ms : 10;
    broker->rpc_timeout_ms = broker->rpc_timeout_ms < most_ms ? broker->rpc_timeout_ms : most_ms;
}

static void check_config(struct wr_doctor *doctor, const char *config, struct wr_diagnosis *out)
{
    doctor->status = wr_settings_load(&doctor->settings, config, NULL, &doctor->why);
    if (!doctor->status) {
        doctor->is_local = wr_broker_is_local(&doctor->settings->broker);
        doctor->status =
            wr_topology_build(&doctor->topology, doctor->settings, false, &doctor->why);
    }
    if (!doctor->status && !doctor->is_local) {
        doctor->status = wr_uri_read(&doctor->uri, doctor->settings->broker.url, &doctor->why);
    }
    if (doctor->status) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", doctor->why.text);
        wr_advise(out, "`warren config check` lists all of it");
        wr_settings_free(doctor->settings);
        doctor->settings = NULL;
        return;
    }
    shorten(doctor, &doctor->settings->broker);
    wr_diagnose(out, WARREN_CHECK_OK, "%s, %zu queue%s",
                doctor->settings->file ? doctor->settings->file : "the defaults, no file",
                doctor->settings->queue_count, doctor->settings->queue_count == 1 ? "" : "s");
}

/* --- the table --- */

/* `run` NULL: the configuration, which comes first. */
static const struct row {
    warren_check check;
    enum need need;
    bool is_network; /* nothing to look at with the memory broker */
    void (*run)(struct wr_doctor *doctor, struct wr_diagnosis *out);
} rows[] = {
    { { "config", "the configuration and its queue files", false }, NEEDS_NOTHING, false, NULL },
    { { "dns", "the names of the hosts in broker.url", false },
      NEEDS_CONFIG,
      true,
      wr_doctor_check_dns },
    { { "port", "a TCP connection to each of them", false },
      NEEDS_CONFIG,
      true,
      wr_doctor_check_port },
    { { "tls", "the certificate, its chain, name and expiry; or that none is needed", false },
      NEEDS_CONFIG,
      true,
      wr_doctor_check_tls },
    { { "login", "user and password, or the client certificate", false },
      NEEDS_CONFIG,
      true,
      wr_doctor_check_login },
    { { "vhost", "that it exists and the user may enter it", false },
      NEEDS_CONFIG,
      true,
      wr_doctor_check_vhost },
    { { "management", "the management API at broker.management_url", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_management },
    { { "version", "the broker's version, and what is known of it", false },
      NEEDS_BROKER,
      false,
      wr_doctor_check_version },
    { { "deprecated", "what a later broker version changes for this configuration", false },
      NEEDS_BROKER,
      false,
      wr_doctor_check_deprecated },
    { { "alarms", "memory and disk alarms, which stop all publishing", false },
      NEEDS_BROKER,
      false,
      wr_doctor_check_alarms },
    { { "clock", "the broker's clock against this machine's", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_clock },
    { { "permissions", "the rights to configure and to read", false },
      NEEDS_BROKER,
      false,
      wr_doctor_check_permissions },
    { { "topology", "exchanges, queues and bindings against the configuration", false },
      NEEDS_BROKER,
      false,
      wr_doctor_check_topology },
    { { "delivery_limits", "how often a message may be delivered before the broker buries it",
        false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_delivery_limits },
    { { "policies", "policies in effect that limit or empty Warren's queues", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_policies },
    { { "confirm_timeout", "how long a restart of the broker holds up waiting jobs", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_confirm_timeout },
    { { "consumer_timeout", "the broker's patience against the longest job", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_consumer_timeout },
    { { "memory", "prefetch and bodies against the memory there is", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_memory },
    { { "unroutable", "that a publish which no queue takes comes back", true },
      NEEDS_BROKER,
      false,
      wr_doctor_check_unroutable },
    { { "ladder", "the trip of two messages through the delay ladder", true },
      NEEDS_BROKER,
      false,
      wr_doctor_check_ladder },
    { { "stuck", "dead letters that the broker holds back", false },
      NEEDS_CONFIG,
      false,
      wr_doctor_check_stuck },
    { { "unrouted", "jobs in the catch-all", false },
      NEEDS_BROKER,
      false,
      wr_doctor_check_unrouted },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const warren_check *warren_doctor_check(size_t index)
{
    return index < ROWS ? &rows[index].check : NULL;
}

const char *warren_check_state_name(warren_check_state state)
{
    switch (state) {
    case WARREN_CHECK_OK:
        return "ok";
    case WARREN_CHECK_WARN:
        return "warn";
    case WARREN_CHECK_FAIL:
        return "fail";
    case WARREN_CHECK_UNKNOWN:
        break;
    }
    return "unknown";
}

/* --- a run --- */

/* Why a check can't be made; false when it can. */
static bool is_out_of_reach(struct wr_doctor *doctor, const struct row *row,
                            struct wr_diagnosis *out)
{
    bool has_connection = doctor->broker && wr_broker_fd(doctor->broker) >= 0;
    if (row->need >= NEEDS_CONFIG && !doctor->settings) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: the configuration has errors");
    } else if (row->check.writes && doctor->options->read_only) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "skipped: read only");
    } else if (row->is_network && doctor->is_local) {
        wr_diagnose(out, WARREN_CHECK_OK, "the broker is in this process");
    } else if (wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US) <= 0) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: the run's time was over");
    } else if (row->need == NEEDS_BROKER && doctor->broker && !has_connection) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: the connection was lost");
    } else if (row->need == NEEDS_BROKER && !doctor->broker) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: no connection to the broker");
    } else {
        return false;
    }
    return true;
}

/* Newlines would break the line of a check. */
static const char *one_line(struct wr_text *text)
{
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == '\n') {
            text->data[i] = ' ';
        }
    }
    return wr_text_string(text);
}

static bool visit_row(struct wr_doctor *doctor, const struct row *row, const char *config,
                      warren_finding_visitor *visit, void *user)
{
    struct wr_diagnosis diagnosis = { 0 };
    if (!row->run) {
        check_config(doctor, config, &diagnosis);
    } else if (!is_out_of_reach(doctor, row, &diagnosis)) {
        row->run(doctor, &diagnosis);
    }
    warren_finding finding = { .check = row->check.name,
                               .about = row->check.about,
                               .state = diagnosis.state,
                               .found = one_line(&diagnosis.found),
                               .advice = one_line(&diagnosis.advice) };
    bool goes_on = visit(&finding, user);
    wr_diagnosis_done(&diagnosis);
    return goes_on;
}

static void close_doctor(struct wr_doctor *doctor)
{
    wr_plan_done(&doctor->plan);
    wr_broker_close(doctor->broker);
    wr_topology_free(doctor->topology);
    wr_uri_done(&doctor->uri);
    wr_settings_free(doctor->settings);
    free(doctor);
}

/* The memory broker has no way to it: it is opened before anything asks for it. */
static void open_local(struct wr_doctor *doctor)
{
    if (doctor->settings && doctor->is_local) {
        wr_doctor_connect(doctor);
    }
}

warren_status warren_doctor_run(const char *config, const warren_doctor_options *options,
                                warren_finding_visitor *visit, void *user, warren_error *err)
{
    static const warren_doctor_options plain = { 0 };
    struct wr_doctor *doctor = calloc(1, sizeof *doctor);
    if (!doctor) {
        return wr_no_memory(err);
    }
    doctor->options = options ? options : &plain;
    int64_t timeout_ms = doctor->options->timeout_ms ? doctor->options->timeout_ms : TIMEOUT_MS;
    doctor->deadline_us = wr_clock_mono_us(NULL) + timeout_ms * WR_US_PER_MS;
    bool goes_on = true;
    for (size_t i = 0; i < ROWS && goes_on; i++) {
        goes_on = visit_row(doctor, &rows[i], config, visit, user);
        open_local(doctor);
    }
    warren_status rc = doctor->status;
    if (rc) {
        rc = wr_fail(err, rc, "%s", doctor->why.text);
    }
    close_doctor(doctor);
    return rc;
}
