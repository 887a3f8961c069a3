// SPDX-License-Identifier: MIT
// DESIGN: what may be done to a broker, and what is read from it. All harm goes through
// deploy/dev/broker and rabbitmqctl, as an operator would do it; depths are asked by a passive
// declare, which is exact at once where the broker's own statistics are seconds old.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field_inside.h"
#include "io/broker.h"
#include "live.h"

enum { CHANNEL = 1, OPEN_ROUNDS = 100, OPEN_PAUSE_MS = 200 };

void field_need_broker(struct field *field)
{
    static bool is_there;
    if (is_there) {
        return;
    }
    is_there = true;
    if (field->row->flags & ROW_OWN) {
        const char *setting = field->inside->broker_setting;
        live_own_broker_with(setting ? setting : "");
    }
    (void)live_url();
}

void field_broker_setting(struct field *field, const char *line)
{
    free(field->inside->broker_setting);
    field->inside->broker_setting = field_print("%s\n", line);
}

int field_broker_port(struct field *field)
{
    field_need_broker(field);
    const char *host = strrchr(live_url(), '@');
    const char *colon = host ? strchr(host, ':') : NULL;
    if (!colon) {
        field_give_up("no port in the broker's URL", host ? host : "");
    }
    return atoi(colon + 1);
}

void field_broker_kill(struct field *field)
{
    field_need_broker(field);
    live_kill_broker();
}

void field_broker_stop(struct field *field)
{
    field_need_broker(field);
    live_stop_broker();
}

void field_broker_start(struct field *field)
{
    field_need_broker(field);
    live_restart_broker();
}

void field_broker_restart(struct field *field)
{
    field_need_broker(field);
    live_restart_broker();
}

void field_broker_freeze(struct field *field, bool is_frozen)
{
    field_need_broker(field);
    live_signal_broker(is_frozen ? SIGSTOP : SIGCONT);
}

static void need_own(const struct field *field)
{
    if (!(field->row->flags & ROW_OWN)) {
        field_give_up("the shared broker is everybody's", field->row->name);
    }
}

void field_broker_memory_alarm(struct field *field, bool is_on)
{
    need_own(field);
    free(live_ctl("set_vm_memory_high_watermark", is_on ? "0.0001" : "0.4", NULL));
}

void field_broker_disk_alarm(struct field *field, bool is_on)
{
    need_own(field);
    free(live_ctl("set_disk_free_limit", is_on ? "100000GB" : "50MB", NULL));
}

/* A broker that was started a moment ago may refuse for another moment. */
struct wr_broker *field_open_broker(struct field *field)
{
    struct wr_broker_settings settings = { .url = (char *)(uintptr_t)live_url(),
                                           .heartbeat_ms = 15000,
                                           .connect_timeout_ms = 5000,
                                           .rpc_timeout_ms = 10000,
                                           .tls = { .verify = true } };
    struct wr_broker_options options = { .settings = &settings, .name = "field" };
    struct wr_broker *broker = NULL;
    warren_error err = { .status = WARREN_OK };
    for (int i = 0; i < OPEN_ROUNDS && wr_broker_open(&broker, &options, &err); i++) {
        field_pass(field, OPEN_PAUSE_MS);
    }
    if (!broker) {
        field_give_up("cannot reach the broker", err.text);
    }
    return broker;
}

int64_t field_depth(struct field *field, const char *queue)
{
    struct wr_depth depth = { 0 };
    warren_error err;
    struct wr_broker *broker = field_open_broker(field);
    warren_status rc = wr_broker_channel_open(broker, CHANNEL, false, &err);
    rc = rc ? rc : wr_broker_depth(broker, CHANNEL, queue, &depth, &err);
    wr_broker_close(broker);
    if (rc && rc != WARREN_NOT_FOUND) {
        field_give_up("cannot ask for a queue's depth", err.text);
    }
    return rc ? -1 : (int64_t)depth.messages;
}
