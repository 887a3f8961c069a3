// SPDX-License-Identifier: MIT
// DESIGN: channels and what consumes on them. One channel carries one queue's consumers, so that
// its trouble (a consumer timeout, a double ack) stays its own. Acks and nacks are sent at once and
// answered by nobody; gathering them is the engine's business.
#include "io/broker_amqp_state.h"

#include <stdlib.h>

#include "base/error.h"

static warren_status ask_open(struct wr_amqp *amqp, uint16_t number, bool confirms,
                              warren_error *err)
{
    amqp_channel_open_t open = { 0 };
    warren_status status = wr_amqp_ask(amqp, number, AMQP_CHANNEL_OPEN_METHOD, &open,
                                       AMQP_CHANNEL_OPEN_OK_METHOD, err);
    if (status || !confirms) {
        return status;
    }
    amqp_confirm_select_t select = { 0 };
    return wr_amqp_ask(amqp, number, AMQP_CONFIRM_SELECT_METHOD, &select,
                       AMQP_CONFIRM_SELECT_OK_METHOD, err);
}

warren_status wr_amqp_channel_open(struct wr_broker *broker, uint16_t number, bool confirms,
                                   warren_error *err)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    int most = amqp->connection ? amqp_get_channel_max(amqp->connection) : WR_CHANNELS_MOST;
    if (number == 0 || number > most || number > WR_CHANNELS_MOST) {
        return wr_fail(err, WARREN_INVALID, "channel %d: this broker allows 1 to %d", number, most);
    }
    if (amqp->channels[number]) {
        return wr_fail(err, WARREN_STATE, "channel %d is open already", number);
    }
    amqp->channels[number] = calloc(1, sizeof *amqp->channels[number]);
    if (!amqp->channels[number]) {
        return wr_no_memory(err);
    }
    warren_status status;
    if (wr_amqp_channel_at(amqp, number, &status, err)) {
        status = ask_open(amqp, number, confirms, err);
    }
    if (status) {
        wr_amqp_channel_drop(amqp, number);
    }
    return status;
}

warren_status wr_amqp_channel_close(struct wr_broker *broker, uint16_t number, warren_error *err)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    warren_status status;
    struct wr_amqp_channel *channel = wr_amqp_channel_at(amqp, number, &status, err);
    if (!channel) {
        return status;
    }
    if (!channel->has_failed) {
        channel->is_closing = true;
        amqp_channel_close_t close = { .reply_code = AMQP_REPLY_SUCCESS };
        status = wr_amqp_ask(amqp, number, AMQP_CHANNEL_CLOSE_METHOD, &close,
                             AMQP_CHANNEL_CLOSE_OK_METHOD, err);
        status = amqp->is_dead ? status : WARREN_OK; /* refused: both closed it at once */
    }
    wr_amqp_channel_drop(amqp, number);
    return status;
}

warren_status wr_amqp_prefetch(struct wr_broker *broker, uint16_t number, uint16_t count,
                               warren_error *err)
{
    if (count == 0) {
        return wr_fail(err, WARREN_INVALID, "a prefetch of 0 would be no limit");
    }
    amqp_basic_qos_t qos = { .prefetch_count = count };
    return wr_amqp_ask_on(broker, number, AMQP_BASIC_QOS_METHOD, &qos, err);
}

warren_status wr_amqp_consume(struct wr_broker *broker, uint16_t number, const char *queue,
                              const char *consumer, warren_error *err)
{
    amqp_basic_consume_t consume = {
        .queue = wr_amqp_string(queue),
        .consumer_tag = wr_amqp_string(consumer),
    };
    return wr_amqp_ask_on(broker, number, AMQP_BASIC_CONSUME_METHOD, &consume, err);
}

warren_status wr_amqp_consume_stream(struct wr_broker *broker, uint16_t number, const char *stream,
                                     const char *offset, const char *consumer, warren_error *err)
{
    amqp_table_entry_t from = { .key = wr_amqp_string("x-stream-offset"),
                                .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                           .value = { .bytes = wr_amqp_string(offset) } } };
    amqp_basic_consume_t consume = {
        .queue = wr_amqp_string(stream),
        .consumer_tag = wr_amqp_string(consumer),
        .arguments = { 1, &from },
    };
    return wr_amqp_ask_on(broker, number, AMQP_BASIC_CONSUME_METHOD, &consume, err);
}

warren_status wr_amqp_cancel(struct wr_broker *broker, uint16_t number, const char *consumer,
                             warren_error *err)
{
    amqp_basic_cancel_t cancel = { .consumer_tag = wr_amqp_string(consumer) };
    return wr_amqp_ask_on(broker, number, AMQP_BASIC_CANCEL_METHOD, &cancel, err);
}

/* Settles: without an error text, since whoever loses a connection hears it from wr_broker_next. A
 * settle that can't be sent ends the connection: left out, its delivery would stay unacknowledged
 * for as long as the connection lives. */
static warren_status settle(struct wr_broker *broker, uint16_t number, amqp_method_number_t id,
                            void *method)
{
    struct wr_amqp *amqp = wr_amqp_of(broker);
    warren_status status;
    const struct wr_amqp_channel *channel = wr_amqp_channel_at(amqp, number, &status, NULL);
    status = channel ? wr_amqp_make_room(amqp, 32, NULL) : status;
    if (status == WARREN_TIMEOUT) {
        wr_amqp_die(amqp, 0, "the broker took no acknowledgement for %lld ms",
                    (long long)(amqp->rpc_timeout_us / WR_US_PER_MS));
        return WARREN_CLOSED;
    }
    if (status || !channel || channel->has_failed) {
        return status; /* on a failed channel there is nothing to settle */
    }
    return wr_amqp_send(amqp, number, id, method, NULL);
}

warren_status wr_amqp_ack(struct wr_broker *broker, uint16_t number, uint64_t tag, bool multiple)
{
    amqp_basic_ack_t ack = { .delivery_tag = tag, .multiple = multiple };
    return settle(broker, number, AMQP_BASIC_ACK_METHOD, &ack);
}

warren_status wr_amqp_nack(struct wr_broker *broker, uint16_t number, uint64_t tag, bool multiple,
                           bool requeue)
{
    amqp_basic_nack_t nack = { .delivery_tag = tag, .multiple = multiple, .requeue = requeue };
    return settle(broker, number, AMQP_BASIC_NACK_METHOD, &nack);
}
