// SPDX-License-Identifier: MIT
// DESIGN: what of a fleet is shown stands apart from how it is drawn, so the keys that act on a row and
// the screen that shows it count the same ones.
#include "top_rows.h"

#include <string.h>

static bool is_shown(const struct top *top, const struct fleet_row *row)
{
    return top->view == TOP_QUEUES || strcmp(row->queue, top->queue) == 0;
}

bool top_next_job(const struct top *top, size_t *worker, size_t *job)
{
    const struct fleet *fleet = top->fleet;
    for (; *worker < fleet->worker_count; (*worker)++, *job = 0) {
        const struct news *news = &fleet->workers[*worker].now;
        for (; *job < news->job_count; (*job)++) {
            const struct news_job *at = &news->jobs[*job];
            if ((!*top->queue || strcmp(at->queue, top->queue) == 0) &&
                (!*top->type || strcmp(at->type, top->type) == 0)) {
                return true;
            }
        }
    }
    return false;
}

static struct fleet_rows *rows_of(const struct top *top)
{
    return top->view == TOP_QUEUES ? &top->fleet->queues : &top->fleet->types;
}

size_t top_row_count(const struct top *top)
{
    size_t count = 0;
    if (top->view == TOP_WORKERS) {
        return top->fleet->worker_count;
    }
    if (top->view == TOP_JOBS) {
        for (size_t worker = 0, job = 0; top_next_job(top, &worker, &job); job++) {
            count++;
        }
        return count;
    }
    for (size_t i = 0; i < rows_of(top)->length; i++) {
        count += is_shown(top, &rows_of(top)->items[i]) ? 1 : 0;
    }
    return count;
}

struct fleet_row *top_row(const struct top *top, size_t index)
{
    const struct fleet_rows *rows = rows_of(top);
    bool has_rows = top->view == TOP_QUEUES || top->view == TOP_TYPES;
    for (size_t i = 0; has_rows && i < rows->length; i++) {
        if (is_shown(top, &rows->items[i]) && index-- == 0) {
            return &rows->items[i];
        }
    }
    return NULL;
}
