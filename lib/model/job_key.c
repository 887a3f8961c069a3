// SPDX-License-Identifier: MIT
// DESIGN: a key is written before each run of a handler, so it costs no more than two copies. Only
// a message without an id has its body hashed, in four strands that don't wait for each other. The
// hash needs no secret: who finds two bodies with one hash makes their crashes count together, no more.
#include "model/job_key.h"

#include "base/hex.h"

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t word_at(struct wr_slice slice, size_t at)
{
    uint64_t word;
    memcpy(&word, slice.data + at, sizeof word);
    return word;
}

static uint64_t hash_slice(uint64_t hash, struct wr_slice slice)
{
    size_t at = 0;
    if (slice.size >= 4 * sizeof hash) {
        uint64_t strands[4] = { hash, 1, 2, 3 };
        for (; at + sizeof strands <= slice.size; at += sizeof strands) {
            for (size_t i = 0; i < 4; i++) {
                strands[i] = mix(strands[i], word_at(slice, at + i * sizeof hash));
            }
        }
        hash = mix(mix(mix(strands[0], strands[1]), strands[2]), strands[3]);
    }
    for (; at + sizeof hash <= slice.size; at += sizeof hash) {
        hash = mix(hash, word_at(slice, at));
    }
    uint64_t rest = 0;
    if (slice.size > at) {
        memcpy(&rest, slice.data + at, slice.size - at);
    }
    return mix(mix(hash, rest), slice.size);
}

/* 16 digits and a NUL. */
static void write_hash(char *out, uint64_t hash)
{
    wr_hex_write(out, hash);
    out[16] = '\0';
}

/* As much of a text as fits, and the hash of all of it; NULs would end it early. */
static void write_cut(char *out, size_t size, struct wr_slice text)
{
    enum { HASH_SIZE = 17 }; /* '~' and 16 digits */
    size_t kept = size - 1 - HASH_SIZE;
    kept = text.size < kept ? text.size : kept;
    for (size_t i = 0; i < kept; i++) {
        out[i] = text.data[i] ? text.data[i] : '?';
    }
    out[kept] = '~';
    write_hash(out + kept + 1, hash_slice(0, text));
}

static void write_text(char *out, size_t size, struct wr_slice text)
{
    if (text.size >= size || memchr(text.data, '\0', text.size)) {
        write_cut(out, size, text);
        return;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

void wr_job_key_make(struct wr_job_key *out, const struct warren_job *job)
{
    write_text(out->queue, sizeof out->queue, wr_slice_of(job->queue->name));
    if (!job->made_id[0]) {
        write_text(out->id, sizeof out->id, job->id);
        return;
    }
    memcpy(out->id, "body:", 5);
    write_hash(out->id + 5, hash_slice(hash_slice(0, job->type), job->message->body));
}

bool wr_job_key_is_whole(const struct wr_job_key *key)
{
    return key->queue[0] && key->id[0] && memchr(key->queue, '\0', sizeof key->queue) &&
           memchr(key->id, '\0', sizeof key->id);
}

bool wr_job_key_equals(const struct wr_job_key *a, const struct wr_job_key *b)
{
    return strncmp(a->id, b->id, sizeof a->id) == 0 &&
           strncmp(a->queue, b->queue, sizeof a->queue) == 0;
}

uint64_t wr_job_key_hash(const struct wr_job_key *key)
{
    uint64_t hash = hash_slice(hash_slice(0, wr_slice_of(key->queue)), wr_slice_of(key->id));
    return hash ? hash : 1;
}
