/* SPDX-License-Identifier: MIT */
/*
 * URLs without their passwords, for everything that people see. Threads: a pure function.
 */
#ifndef WR_MODEL_REDACT_H
#define WR_MODEL_REDACT_H

#include "base/text.h"

/**
 * Appends `url` with every password as "***": "amqp://app:***@one,two/vhost". Whatever could be a
 * password goes, also in a URL that is malformed or that names credentials for several hosts; the
 * values of query parameters that sound secret go, too. NULL appends nothing.
 */
void wr_settings_redact_url(const char *url, struct wr_text *out);

#endif
