/* SPDX-License-Identifier: MIT */
/*
 * Metrics as Prometheus reads them: one table of all there are, in two formats. Sources: "Exposition
 * formats" of the Prometheus documentation (text 0.0.4), and the OpenMetrics 1.0 specification.
 * Threads: pure functions.
 */
#ifndef WR_WEB_METRICS_H
#define WR_WEB_METRICS_H

#include "base/text.h"
#include "web/view.h"

enum wr_metric_kind { WR_COUNTER, WR_GAUGE };

/** A series: a row of the table. Rows of one name stand together. */
struct wr_metric {
    const char *name; /* of counters without "_total" */
    enum wr_metric_kind kind;
    const char *label; /* NULL: none */
    const char *label_value;
    const char *help; /* one sentence */
    int64_t (*read)(const struct wr_view *view);
};

/** The table; also for documentation and tests. */
const struct wr_metric *wr_metrics(size_t *out_count);

/** Whether a request with this Accept header wants OpenMetrics. */
bool wr_metrics_wants_open(const char *accept);

/** The content type of what wr_metrics_write writes. */
const char *wr_metrics_type(bool is_open);

void wr_metrics_write(struct wr_text *out, const struct wr_view *view, bool is_open);

#endif
