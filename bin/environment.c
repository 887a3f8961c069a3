// SPDX-License-Identifier: MIT
// DESIGN: a table. What a configuration asks for by ${env:NAME} isn't here, but for the one name that
// its defaults have.
#include "environment.h"

#include <stddef.h>

const struct environment_row environment_rows[] = {
    { "WARREN_CONFIG", "the configuration, unless --config names one" },
    { "WARREN_AMQP_URL",
      "where RabbitMQ is, as long as the configuration has broker.url at its default" },
    { "STATE_DIRECTORY",
      "the folder for notes of running jobs, where state_dir is auto; systemd sets it" },
    { "XDG_STATE_HOME", "the same, with /warren behind it, without STATE_DIRECTORY" },
    { "HOME", "the same, with /.local/state/warren behind it, without either" },
    { "NOTIFY_SOCKET", "where a service manager hears how the worker is; systemd sets it" },
    { "WATCHDOG_USEC", "within how many microseconds it wants to hear; the same" },
    { "WATCHDOG_PID", "from which process, if it is set; the same" },
    { "POD_NAME", "the pod that a worker runs in, with kubernetes.deletion_cost" },
    { "POD_NAMESPACE", "and its namespace" },
    { "KUBERNETES_SERVICE_HOST",
      "where the API server is, as long as kubernetes.api is empty; Kubernetes sets it" },
    { "KUBERNETES_SERVICE_PORT", "and at which port" },
    { "VISUAL", "the editor of `warren dead edit`" },
    { "EDITOR", "the same, without VISUAL" },
    { "SUDO_USER", "who it was, for what `warren dead drop` and `warren dead edit` write down" },
    { "USER", "the same, without SUDO_USER" },
    { "TMPDIR", "the folder for temporary files; default: /tmp" },
    { "NO_COLOR", "`warren top` shows no colours when it is set and not empty" },
    { NULL, NULL },
};
