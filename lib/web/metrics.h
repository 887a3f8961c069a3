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

enum wr_metric_kind { WR_COUNTER, WR_GAUGE, WR_HISTOGRAM };

/** Of what there is one each. Queues are told by the label `queue`, types by `queue` and `type`. */
enum wr_metric_scope { WR_OF_WORKER, WR_OF_QUEUE, WR_OF_TYPE };

/** How a value lies in the view. */
enum wr_metric_cell { WR_CELL_U64, WR_CELL_U32, WR_CELL_BOOL, WR_CELL_MS, WR_CELL_HISTOGRAM };

/** A row of the table: a series for each of what its scope says, or for each value of its label. Rows
 * of one name stand together. */
struct wr_metric {
    const char *name; /* of counters without "_total" */
    enum wr_metric_kind kind;
    enum wr_metric_scope scope;
    const char *label; /* NULL: none */
    const char *const *values;
    size_t value_count;
    const char *help; /* one sentence */
    enum wr_metric_cell cell;
    size_t offset;   /* in the scope's struct; of the first one, when there are several values */
    size_t exemplar; /* likewise, of a histogram's struct wr_view_exemplar; 0: it has none */
};

/** The table; also for documentation and tests. */
const struct wr_metric *wr_metrics(size_t *out_count);

/** Whether a request with this Accept header wants OpenMetrics. */
bool wr_metrics_wants_open(const char *accept);

/** The content type of what wr_metrics_write writes. */
const char *wr_metrics_type(bool is_open);

void wr_metrics_write(struct wr_text *out, const struct wr_view *view, bool is_open);

#endif
