// SPDX-License-Identifier: MIT
// DESIGN: freeing follows the structs, not the table, so that a half-read configuration goes the
// same way as a whole one.
#include <stdlib.h>

#include "model/settings.h"

static void free_broker(struct wr_broker_settings *broker)
{
    if (broker->password) {
        explicit_bzero(broker->password, strlen(broker->password));
    }
    free(broker->url);
    free(broker->user);
    free(broker->user_file);
    free(broker->password);
    free(broker->password_file);
    free(broker->management_url);
    free(broker->connection_name);
    free(broker->tls.ca_file);
    free(broker->tls.cert_file);
    free(broker->tls.key_file);
    free(broker->tls.server_name);
}

static void free_queue(struct wr_queue_settings *queue)
{
    for (size_t i = 0; i < queue->job_count; i++) {
        free(queue->jobs[i].type);
        free(queue->jobs[i].file);
    }
    free(queue->jobs);
    free(queue->name);
    free(queue->exchange);
    free(queue->default_type);
    free(queue->file);
}

void wr_settings_free(struct wr_settings *settings)
{
    if (!settings) {
        return;
    }
    for (size_t i = 0; i < settings->queue_count; i++) {
        free_queue(&settings->queues[i]);
    }
    for (size_t i = 0; i < settings->plugin_count; i++) {
        free(settings->plugins[i]);
    }
    free_broker(&settings->broker);
    free(settings->queues);
    free(settings->plugins);
    free(settings->file);
    free(settings->ns);
    free(settings->state_dir);
    free(settings->http_listen);
    free(settings->log_level);
    free(settings->log_format);
    free(settings->kubernetes_api);
    free(settings->kubernetes_account);
    free(settings->trace_endpoint);
    free(settings->trace_service);
    free(settings->queues_folder);
    free(settings);
}
