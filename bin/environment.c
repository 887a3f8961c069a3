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
    { "VISUAL", "the editor of `warren dead edit`" },
    { "EDITOR", "the same, without VISUAL" },
    { "SUDO_USER", "who it was, for what `warren dead drop` and `warren dead edit` write down" },
    { "USER", "the same, without SUDO_USER" },
    { "TMPDIR", "the folder for temporary files; default: /tmp" },
    { "NO_COLOR", "`warren top` shows no colours when it is set and not empty" },
    { NULL, NULL },
};
