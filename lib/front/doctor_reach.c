// SPDX-License-Identifier: MIT
// DESIGN: the way to the broker, a check a step: name, port, certificate, login, vhost. Names and
// ports are tried by themselves, so that each has its deadline and each host its line; from the
// certificate on the real connection decides, which says how far it got (io/broker.h).
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "front/doctor.h"

enum { CERTIFICATE_WARN_DAYS = 21 };

/* --- the way to the broker --- */

void wr_doctor_check_dns(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    size_t found = 0;
    for (size_t i = 0; i < doctor->uri.host_count; i++) {
        const struct wr_uri_host *host = &doctor->uri.hosts[i];
        warren_error said = { 0 };
        char address[64];
        if (wr_reach_look_up(host, wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US), &doctor->reach[i],
                             &said)) {
            wr_diagnose(out, WARREN_CHECK_WARN, "%s", said.text);
            continue;
        }
        found++;
        wr_diagnose(out, WARREN_CHECK_OK, "%s is %s", host->name,
                    wr_reach_show(&doctor->reach[i], 0, address, sizeof address));
    }
    if (out->state) {
        out->state = found ? WARREN_CHECK_WARN : WARREN_CHECK_FAIL;
        wr_advise(out, "check the name in broker.url, and this machine's resolv.conf");
    }
}

void wr_doctor_check_port(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    size_t found = 0;
    for (size_t i = 0; i < doctor->uri.host_count; i++) {
        const struct wr_uri_host *host = &doctor->uri.hosts[i];
        warren_error said = { 0 };
        int64_t took_us = 0;
        int fd = -1;
        if (!doctor->reach[i].count) {
            continue;
        }
        if (wr_reach_dial(&doctor->reach[i], wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US), &fd,
                          &took_us, &said)) {
            wr_diagnose(out, WARREN_CHECK_WARN, "%s:%d: %s", host->name, host->port, said.text);
            continue;
        }
        (void)close(fd);
        found++;
        wr_diagnose(out, WARREN_CHECK_OK, "%s:%d answers in %" PRId64 ".%" PRId64 " ms", host->name,
                    host->port, took_us / WR_US_PER_MS, took_us % WR_US_PER_MS / 100);
    }
    if (!out->found.size) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: no address is known");
    } else if (out->state) {
        out->state = found ? WARREN_CHECK_WARN : WARREN_CHECK_FAIL;
        wr_advise(out, "is the broker running, is this its port (5672, with TLS 5671), and does a "
                       "firewall stand between?");
    }
}

static bool has_address(const struct wr_doctor *doctor)
{
    for (size_t i = 0; i < doctor->uri.host_count; i++) {
        if (doctor->reach[i].count) {
            return true;
        }
    }
    return false;
}

/* Connects once; what became of it serves several checks. */
void wr_doctor_connect(struct wr_doctor *doctor)
{
    struct wr_broker_options options = {
        .settings = &doctor->settings->broker,
        .name = "warren doctor",
        .connect_most_ms = wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US) / WR_US_PER_MS,
        .stage = &doctor->stage
    };
    if (doctor->was_tried) {
        return;
    }
    doctor->was_tried = true;
    if (!doctor->is_local && !has_address(doctor)) { /* looking up again would know no deadline */
        doctor->status =
            wr_fail(&doctor->why, WARREN_UNREACHABLE, "no address of the broker is known");
        return;
    }
    options.connect_most_ms = options.connect_most_ms > 10 ? options.connect_most_ms : 10;
    doctor->status = wr_broker_open(&doctor->broker, &options, &doctor->why);
    if (doctor->status) {
        return;
    }
    doctor->stage = WR_STAGE_OPEN;
    doctor->examiner = (struct wr_examiner){ .broker = doctor->broker,
                                             .settings = doctor->settings,
                                             .connect_most_ms = options.connect_most_ms };
    struct wr_topology *topology = NULL;
    if (!wr_topology_build(&topology, doctor->settings,
                           wr_broker_server(doctor->broker)->trusts_x_death, NULL)) {
        wr_topology_free(doctor->topology);
        doctor->topology = topology;
    }
}

/* What the server shows; whether it is to be trusted was decided by the connect. */
static void tell_certificate(struct wr_doctor *doctor, size_t index, struct wr_diagnosis *out)
{
    const struct wr_uri_host *host = &doctor->uri.hosts[index];
    const char *name = doctor->uri.server_name ? doctor->uri.server_name
                       : doctor->settings->broker.tls.server_name
                           ? doctor->settings->broker.tls.server_name
                           : host->name;
    struct wr_reach_certificate shown;
    int64_t took_us = 0;
    int fd = -1;
    if (wr_reach_dial(&doctor->reach[index], wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US), &fd,
                      &took_us, NULL)) {
        return;
    }
    if (!wr_reach_ask_certificate(fd, name, wr_doctor_left_us(doctor, WR_DOCTOR_STEP_US), &shown,
                                  NULL)) {
        bool is_old = shown.days_left < CERTIFICATE_WARN_DAYS;
        wr_diagnose(out, is_old ? WARREN_CHECK_WARN : WARREN_CHECK_OK,
                    "%s: %s, issued by %s, %d in its chain, expires in %d days, %s", host->name,
                    shown.subject, shown.issuer, shown.chain, shown.days_left, shown.version);
        if (is_old) {
            wr_advise(out, "renew it, or the one it is signed with, before no worker can connect");
        }
    }
    (void)close(fd);
}

static bool is_unverified(const struct wr_doctor *doctor)
{
    return doctor->uri.verify >= 0 ? doctor->uri.verify == 0 : !doctor->settings->broker.tls.verify;
}

static void check_plaintext(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    for (size_t i = 0; i < doctor->uri.host_count; i++) {
        const char *host = doctor->uri.hosts[i].name;
        if (wr_uri_is_loopback(host)) {
            continue;
        }
        bool is_allowed = doctor->settings->broker.allow_plaintext;
        wr_diagnose(out, is_allowed ? WARREN_CHECK_WARN : WARREN_CHECK_FAIL,
                    "the password crosses the network to %s unencrypted%s", host,
                    is_allowed ? "" : ", so no worker connects");
        wr_advise(out, "use amqps://%s",
                  is_allowed ? ""
                             : ", or set broker.allow_plaintext = true if "
                               "that network is yours");
    }
    if (!out->state) {
        wr_diagnose(out, WARREN_CHECK_OK, "no TLS, and the broker is on this machine");
    }
}

void wr_doctor_check_tls(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    if (!doctor->uri.is_tls) {
        check_plaintext(doctor, out);
        return;
    }
    wr_doctor_connect(doctor);
    if (doctor->stage == WR_STAGE_TLS) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", doctor->why.text);
    } else if (doctor->stage < WR_STAGE_TLS) {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: %s", doctor->why.text);
        return;
    } else if (is_unverified(doctor)) {
        wr_diagnose(out, WARREN_CHECK_WARN, "the certificate is not checked (tls.verify = false)");
        wr_advise(out, "name its CA in broker.tls.ca_file and check it");
    } else {
        wr_diagnose(out, WARREN_CHECK_OK, "the chain is trusted and the name is right");
    }
    for (size_t i = 0; i < doctor->uri.host_count; i++) {
        tell_certificate(doctor, i, out);
    }
}

void wr_doctor_check_login(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    wr_doctor_connect(doctor);
    if (doctor->stage > WR_STAGE_LOGIN) {
        wr_diagnose(out, WARREN_CHECK_OK, "%s",
                    doctor->settings->broker.login_external ? "taken, by certificate" : "taken");
    } else if (doctor->stage == WR_STAGE_LOGIN || doctor->status == WARREN_CONFIG) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", doctor->why.text);
    } else {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: %s", doctor->why.text);
    }
}

void wr_doctor_check_vhost(struct wr_doctor *doctor, struct wr_diagnosis *out)
{
    if (doctor->stage == WR_STAGE_OPEN) {
        wr_diagnose(out, WARREN_CHECK_OK, "%s", doctor->uri.vhost);
    } else if (doctor->stage == WR_STAGE_VHOST) {
        wr_diagnose(out, WARREN_CHECK_FAIL, "%s", doctor->why.text);
    } else {
        wr_diagnose(out, WARREN_CHECK_UNKNOWN, "not reached: %s", doctor->why.text);
    }
}
