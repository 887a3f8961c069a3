// SPDX-License-Identifier: MIT
// DESIGN: the door between Warren and brokers. It picks the kind by the URL's scheme and passes
// every call through a table of functions; the two kinds know nothing of each other.
#include "io/broker.h"

bool wr_broker_is_local(const struct wr_broker_settings *settings)
{
    return strncmp(settings->url, "memory:", 7) == 0;
}

warren_status wr_broker_open(struct wr_broker **out, const struct wr_broker_options *options,
                             warren_error *err)
{
    return wr_broker_is_local(options->settings) ? wr_broker_memory_open(out, options, err)
                                                 : wr_broker_amqp_open(out, options, err);
}

void wr_broker_close(struct wr_broker *broker)
{
    if (broker) {
        broker->calls->close(broker);
    }
}

void wr_broker_cut(struct wr_broker *broker)
{
    broker->calls->cut(broker);
}

const struct wr_server *wr_broker_server(const struct wr_broker *broker)
{
    return &broker->server;
}

int wr_broker_fd(const struct wr_broker *broker)
{
    return broker->calls->fd(broker);
}

int64_t wr_broker_deadline_us(const struct wr_broker *broker)
{
    return broker->calls->deadline_us(broker);
}

void wr_broker_next(struct wr_broker *broker, struct wr_event *out)
{
    broker->calls->next(broker, out);
}

bool wr_broker_has_more(const struct wr_broker *broker)
{
    return broker->calls->has_more(broker);
}

void wr_broker_cork(struct wr_broker *broker, bool holds_back)
{
    broker->calls->cork(broker, holds_back);
}

bool wr_broker_has_room(struct wr_broker *broker)
{
    return broker->calls->has_room(broker);
}

warren_status wr_broker_channel_open(struct wr_broker *broker, uint16_t channel, bool confirms,
                                     warren_error *err)
{
    return broker->calls->channel_open(broker, channel, confirms, err);
}

warren_status wr_broker_channel_close(struct wr_broker *broker, uint16_t channel, warren_error *err)
{
    return broker->calls->channel_close(broker, channel, err);
}

warren_status wr_broker_declare(struct wr_broker *broker, uint16_t channel,
                                const struct wr_item *item, enum wr_declare how, warren_error *err)
{
    return broker->calls->declare(broker, channel, item, how, err);
}

warren_status wr_broker_sync(struct wr_broker *broker, uint16_t channel, warren_error *err)
{
    return broker->calls->sync(broker, channel, err);
}

warren_status wr_broker_depth(struct wr_broker *broker, uint16_t channel, const char *queue,
                              struct wr_depth *out, warren_error *err)
{
    return broker->calls->depth(broker, channel, queue, out, err);
}

warren_status wr_broker_purge(struct wr_broker *broker, uint16_t channel, const char *queue,
                              uint64_t *out_count, warren_error *err)
{
    return broker->calls->purge(broker, channel, queue, out_count, err);
}

warren_status wr_broker_delete_queue(struct wr_broker *broker, uint16_t channel, const char *queue,
                                     warren_error *err)
{
    return broker->calls->delete_queue(broker, channel, queue, err);
}

warren_status wr_broker_prefetch(struct wr_broker *broker, uint16_t channel, uint16_t count,
                                 warren_error *err)
{
    return broker->calls->prefetch(broker, channel, count, err);
}

warren_status wr_broker_consume(struct wr_broker *broker, uint16_t channel, const char *queue,
                                const char *consumer, warren_error *err)
{
    return broker->calls->consume(broker, channel, queue, consumer, err);
}

warren_status wr_broker_consume_stream(struct wr_broker *broker, uint16_t channel,
                                       const char *stream, const char *offset, const char *consumer,
                                       warren_error *err)
{
    return broker->calls->consume_stream(broker, channel, stream, offset, consumer, err);
}

warren_status wr_broker_cancel(struct wr_broker *broker, uint16_t channel, const char *consumer,
                               warren_error *err)
{
    return broker->calls->cancel(broker, channel, consumer, err);
}

warren_status wr_broker_ack(struct wr_broker *broker, uint16_t channel, uint64_t tag, bool multiple)
{
    return broker->calls->ack(broker, channel, tag, multiple);
}

warren_status wr_broker_nack(struct wr_broker *broker, uint16_t channel, uint64_t tag,
                             bool multiple, bool requeue)
{
    return broker->calls->nack(broker, channel, tag, multiple, requeue);
}

warren_status wr_broker_publish(struct wr_broker *broker, uint16_t channel,
                                const struct wr_message *message, warren_error *err)
{
    return broker->calls->publish(broker, channel, message, err);
}
