/* SPDX-License-Identifier: MIT */
/*
 * The three job types of the example service, and what they write to.
 *
 * Threads: the handlers run on several threads at once. An output is made before the start and read
 * only afterwards, but for the list of digests, which has a lock. Each handler may be called twice
 * for one job (at least once is what the broker promises), and the result is the same.
 */
#ifndef EXAMPLE_FILES_JOBS_H
#define EXAMPLE_FILES_JOBS_H

#include <pthread.h>
#include <stdio.h>

#include <warren/warren.h>

/** Where results go: `<folder>/digests` and `<folder>/archives/<path>.gz`. */
struct output {
    const char *folder;
    FILE *digests;
    pthread_mutex_t lock; /* around `digests` */
};

/**
 * What to do about an `errno` on a file: dead when trying again can't help (it isn't there, it may
 * not be read), else retry.
 */
warren_verdict give_up_or_retry(warren_job *job, const char *path, int error);

/** The job's `path`; NULL unless it is absolute and without "..". */
const char *file_to_read(warren_job *job);

/** `file.digest` {"path"}: appends `<SHA-256 in hex>  <path>` to the digests. `user`: output. */
warren_verdict file_digest(warren_job *job, void *user);

/** `file.compress` {"path"}: writes `archives/<path>.gz`, whole or not at all. `user`: output. */
warren_verdict file_compress(warren_job *job, void *user);

/**
 * `webhook.post` {"url", "text"}: POSTs the text; the job's id is the Idempotency-Key. Any answer
 * but 2xx is a failure. `user` is not used.
 */
warren_verdict webhook_post(warren_job *job, void *user);

#endif
