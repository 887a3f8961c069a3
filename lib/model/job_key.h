/* SPDX-License-Identifier: MIT */
/*
 * What a job is known by to all processes that may be given it: its queue and its id. A message
 * without an id gets another one at each delivery, so such a job is known by its type and body.
 * Two texts of a fixed size; what is longer is cut and gets a hash.
 *
 * Threads: plain data.
 */
#ifndef WR_MODEL_JOB_KEY_H
#define WR_MODEL_JOB_KEY_H

#include "model/job.h"

#define WR_KEY_QUEUE_SIZE 64
#define WR_KEY_ID_SIZE 128

struct wr_job_key {
    char queue[WR_KEY_QUEUE_SIZE];
    char id[WR_KEY_ID_SIZE]; /* the message's id, or "body:" and 16 hex digits */
};

/** Writes the job's key. The bytes behind the texts are left as they are. */
void wr_job_key_make(struct wr_job_key *out, const struct warren_job *job);

/** Whether both are texts that end, as a key's are: for keys that come from a file. */
bool wr_job_key_is_whole(const struct wr_job_key *key);

bool wr_job_key_equals(const struct wr_job_key *a, const struct wr_job_key *b);

/** Never 0. */
uint64_t wr_job_key_hash(const struct wr_job_key *key);

#endif
