// SPDX-License-Identifier: MIT
// DESIGN: rows are found by name each time, which is nothing for the tens of queues and types that a
// screen can show. A worker that was started anew has a new id, so counts never run backwards.
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_MS = 60000, MS_PER_S = 1000, ROWS_MOST = 2000, WORKERS_MOST = 2000 };

/* --- workers --- */

static struct fleet_worker *find_worker(struct fleet *fleet, const char *id)
{
    for (size_t i = 0; i < fleet->worker_count; i++) {
        if (strcmp(fleet->workers[i].now.worker, id) == 0) {
            return &fleet->workers[i];
        }
    }
    return NULL;
}

static struct fleet_worker *add_worker(struct fleet *fleet)
{
    if (fleet->worker_count == WORKERS_MOST) {
        return NULL;
    }
    struct fleet_worker *grown = realloc(fleet->workers, (fleet->worker_count + 1) * sizeof *grown);
    if (!grown) {
        return NULL;
    }
    fleet->workers = grown;
    grown[fleet->worker_count] = (struct fleet_worker){ .heard_ms = 0 };
    return &grown[fleet->worker_count++];
}

void fleet_hear(struct fleet *fleet, const char *json, int64_t now_ms)
{
    struct news news;
    if (!news_read(json, &news)) {
        return;
    }
    struct fleet_worker *worker = find_worker(fleet, news.worker);
    if (!worker) {
        worker = add_worker(fleet);
    } else if (news.at_ms > worker->now.at_ms) {
        news_done(&worker->before);
        worker->before = worker->now;
        worker->now = (struct news){ .tree = NULL };
    }
    if (!worker) {
        news_done(&news);
        return;
    }
    news_done(&worker->now);
    worker->now = news;
    worker->heard_ms = now_ms;
}

bool fleet_is_silent(const struct fleet_worker *worker, int64_t now_ms)
{
    return now_ms - worker->heard_ms > 3 * worker->now.heartbeat_ms + MS_PER_S;
}

static void forget(struct fleet *fleet, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < fleet->worker_count; i++) {
        struct fleet_worker *worker = &fleet->workers[i];
        if (now_ms - worker->heard_ms > FORGET_MS + 3 * worker->now.heartbeat_ms) {
            news_done(&worker->now);
            news_done(&worker->before);
        } else {
            fleet->workers[kept++] = *worker;
        }
    }
    fleet->worker_count = kept;
}

/* --- rates --- */

static const struct news_type *find_type(const struct news *news, const struct news_type *like)
{
    for (size_t i = 0; i < news->type_count; i++) {
        const struct news_type *type = &news->types[i];
        if (strcmp(type->queue, like->queue) == 0 && strcmp(type->type, like->type) == 0) {
            return type;
        }
    }
    return NULL;
}

static double rate(const struct fleet_worker *worker, int64_t now, int64_t before)
{
    int64_t took_ms = worker->now.at_ms - worker->before.at_ms;
    bool is_known = worker->before.tree && took_ms > 0 && now >= before;
    return is_known ? (double)(now - before) * MS_PER_S / (double)took_ms : 0;
}

double fleet_worker_rate(const struct fleet_worker *worker)
{
    int64_t now = 0;
    int64_t before = 0;
    for (size_t i = 0; i < worker->now.type_count; i++) {
        now += worker->now.types[i].done;
    }
    for (size_t i = 0; i < worker->before.type_count; i++) {
        before += worker->before.types[i].done;
    }
    return rate(worker, now, before);
}

/* --- rows --- */

static struct fleet_row *find_row(struct fleet_rows *rows, const char *queue, const char *type)
{
    for (size_t i = 0; i < rows->length; i++) {
        if (strcmp(rows->items[i].queue, queue) == 0 && strcmp(rows->items[i].type, type) == 0) {
            return &rows->items[i];
        }
    }
    return NULL;
}

static struct fleet_row *row_of(struct fleet_rows *rows, const char *queue, const char *type)
{
    struct fleet_row *row = find_row(rows, queue, type);
    if (row || rows->length == ROWS_MOST) {
        return row;
    }
    struct fleet_row *grown = realloc(rows->items, (rows->length + 1) * sizeof *grown);
    if (!grown) {
        return NULL;
    }
    rows->items = grown;
    row = &grown[rows->length++];
    *row = (struct fleet_row){ .ready = -1, .dead = -1 };
    (void)snprintf(row->queue, sizeof row->queue, "%s", queue);
    (void)snprintf(row->type, sizeof row->type, "%s", type);
    return row;
}

/* What is added up begins at zero; what is known otherwise stays. */
static void clear_rows(struct fleet_rows *rows)
{
    for (size_t i = 0; i < rows->length; i++) {
        struct fleet_row *row = &rows->items[i];
        struct fleet_row clean = { .ready = row->ready, .dead = row->dead };
        memcpy(clean.queue, row->queue, sizeof clean.queue);
        memcpy(clean.type, row->type, sizeof clean.type);
        memcpy(clean.history, row->history, sizeof clean.history);
        *row = clean;
    }
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void add_type(struct fleet_row *row, const struct fleet_worker *worker,
                     const struct news_type *type)
{
    const struct news_type none = { .done = 0 };
    const struct news_type *before = find_type(&worker->before, type);
    before = before ? before : &none;
    row->running += type->running;
    row->concurrency += type->concurrency;
    row->done += type->done;
    row->done_rate += rate(worker, type->done, before->done);
    row->retry_rate += rate(worker, type->retried, before->retried);
    row->dead_rate += rate(worker, type->dead, before->dead);
    row->wait_p50_us = larger(row->wait_p50_us, type->wait_p50_us);
    row->wait_p95_us = larger(row->wait_p95_us, type->wait_p95_us);
    bool is_older = type->oldest_ms && (!row->oldest_ms || type->oldest_ms < row->oldest_ms);
    row->oldest_ms = is_older ? type->oldest_ms : row->oldest_ms;
}

static void add_worker_rows(struct fleet *fleet, const struct fleet_worker *worker)
{
    for (size_t i = 0; i < worker->now.queue_count; i++) {
        const struct news_queue *queue = &worker->now.queues[i];
        struct fleet_row *row = row_of(&fleet->queues, queue->queue, "");
        if (row) {
            row->workers++;
            row->in_flight += queue->in_flight;
            row->is_paused = row->is_paused || queue->is_paused;
        }
    }
    for (size_t i = 0; i < worker->now.type_count; i++) {
        const struct news_type *type = &worker->now.types[i];
        struct fleet_row *row = row_of(&fleet->types, type->queue, type->type);
        struct fleet_row *whole = find_row(&fleet->queues, type->queue, "");
        if (row) {
            row->workers++;
            row->is_paused = row->is_paused || type->is_paused;
            add_type(row, worker, type);
        }
        if (whole) {
            add_type(whole, worker, type);
        }
    }
}

void fleet_sum(struct fleet *fleet, int64_t now_ms)
{
    forget(fleet, now_ms);
    clear_rows(&fleet->queues);
    clear_rows(&fleet->types);
    for (size_t i = 0; i < fleet->worker_count; i++) {
        if (!fleet_is_silent(&fleet->workers[i], now_ms)) {
            add_worker_rows(fleet, &fleet->workers[i]);
        }
    }
}

static void tick_rows(struct fleet_rows *rows)
{
    for (size_t i = 0; i < rows->length; i++) {
        struct fleet_row *row = &rows->items[i];
        memmove(row->history, row->history + 1, (FLEET_HISTORY - 1) * sizeof row->history[0]);
        row->history[FLEET_HISTORY - 1] = row->done_rate;
    }
}

void fleet_tick(struct fleet *fleet)
{
    tick_rows(&fleet->queues);
    tick_rows(&fleet->types);
}

void fleet_note_depth(struct fleet *fleet, const char *queue, bool is_dead, int64_t messages)
{
    struct fleet_row *row = row_of(&fleet->queues, queue, "");
    if (row && is_dead) {
        row->dead = messages;
    } else if (row) {
        row->ready = messages;
    }
}

void fleet_done(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->worker_count; i++) {
        news_done(&fleet->workers[i].now);
        news_done(&fleet->workers[i].before);
    }
    free(fleet->workers);
    free(fleet->queues.items);
    free(fleet->types.items);
    *fleet = (struct fleet){ .worker_count = 0 };
}
