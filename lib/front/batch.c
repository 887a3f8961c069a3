// SPDX-License-Identifier: MIT
// DESIGN: a batch is a count of its open messages over asynchronous publishes: it waits for room in
// its window, and tells the first error of an earlier message at the next call. Locks: one a batch,
// never held while publishing.
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/thread.h"
#include "front/publisher.h"

enum { PATIENCE_US = 5000 }; /* where few confirms come, any room will do after this */

struct warren_batch {
    warren_publisher *publisher;
    size_t window;
    pthread_mutex_t lock;
    pthread_cond_t has_room;
    size_t open;        /* under lock */
    size_t wakes_at;    /* under lock: who waits goes on when so few are open */
    size_t confirmed;   /* under lock */
    warren_error error; /* under lock: the first that wasn't told yet */
};

warren_status warren_batch_open(warren_batch **out, warren_publisher *publisher, size_t window,
                                warren_error *err)
{
    size_t most = wr_front_publisher_room(publisher);
    warren_batch *batch = calloc(1, sizeof *batch);
    if (!batch) {
        return wr_no_memory(err);
    }
    batch->publisher = publisher;
    batch->window = window && window < most ? window : most;
    (void)pthread_mutex_init(&batch->lock, NULL);
    wr_cond_init(&batch->has_room);
    *out = batch;
    return WARREN_OK;
}

static void batch_confirmed(void *user, warren_status status, const warren_error *error)
{
    warren_batch *batch = user;
    WR_SCOPED_LOCK(&batch->lock);
    batch->open--;
    batch->confirmed += status ? 0 : 1;
    if (status && !batch->error.status) {
        batch->error = *error;
    }
    if (batch->open <= batch->wakes_at) {
        (void)pthread_cond_broadcast(&batch->has_room);
    }
}

/* Waits until fewer than `most` are open; tells the first error that wasn't told. */
static warren_status wait_for_batch(warren_batch *batch, size_t most, warren_error *err)
{
    WR_SCOPED_LOCK(&batch->lock);
    batch->wakes_at = most - (most + 3) / 4; /* for some at a time */
    while (batch->open >= most) {
        wr_front_publisher_wait(batch->publisher, &batch->has_room, &batch->lock, PATIENCE_US);
    }
    warren_status rc = batch->error.status;
    if (rc && err) {
        *err = batch->error;
    }
    batch->error.status = WARREN_OK;
    return rc;
}

static void count_batch(warren_batch *batch, bool more)
{
    WR_SCOPED_LOCK(&batch->lock);
    batch->open = more ? batch->open + 1 : batch->open - 1;
}

warren_status warren_batch_publish(warren_batch *batch, const warren_message *message,
                                   warren_error *err)
{
    warren_status rc = wait_for_batch(batch, batch->window, err);
    if (rc) {
        return rc;
    }
    count_batch(batch, true);
    rc = warren_publish_async(batch->publisher, message, batch_confirmed, batch, err);
    if (rc) {
        count_batch(batch, false);
    }
    return rc;
}

warren_status warren_batch_close(warren_batch *batch, size_t *out_confirmed, warren_error *err)
{
    warren_status rc = wait_for_batch(batch, 1, err);
    if (out_confirmed) {
        *out_confirmed = batch->confirmed;
    }
    (void)pthread_mutex_destroy(&batch->lock);
    (void)pthread_cond_destroy(&batch->has_room);
    free(batch);
    return rc;
}
