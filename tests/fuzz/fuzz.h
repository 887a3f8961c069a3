/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target takes any bytes and asserts what must hold for all of them.
 * It is linked with libFuzzer (preset fuzz), or with corpus.c, which runs it over the files of its
 * corpus: then each input that ever found a bug is a test.
 *
 * Threads: one.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/** The target; 0, or -1 when the input is not worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the process, with the claim, when it does not hold. */
#define MUST(claim)                                                                                \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #claim);                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/** What is left of an input that several values are taken from. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/** The next `most` bytes, fewer at the end. */
static inline struct wr_slice fuzz_take(struct fuzz_input *input, size_t most)
{
    size_t size = input->size < most ? input->size : most;
    struct wr_slice taken = { (const char *)input->data, size };
    input->data += size;
    input->size -= size;
    return taken;
}

/** The next byte, 0 at the end. */
static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    struct wr_slice taken = fuzz_take(input, 1);
    return taken.size ? (uint8_t)taken.data[0] : 0;
}

/** The next 8 bytes as a number, the most significant first. */
static inline uint64_t fuzz_number(struct fuzz_input *input)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number = number << 8 | fuzz_byte(input);
    }
    return number;
}

/** A slice with its length in one byte before it. */
static inline struct wr_slice fuzz_slice(struct fuzz_input *input)
{
    size_t size = fuzz_byte(input);
    return fuzz_take(input, size);
}

/** A heap copy with a NUL behind it, so that a sanitizer sees what reads further. */
static inline char *fuzz_string(struct wr_slice slice)
{
    char *copy = wr_slice_copy(slice);
    MUST(copy);
    return copy;
}

/** Whether a text can be printed on one line: no control bytes. */
static inline bool fuzz_is_printable(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            return false;
        }
    }
    return true;
}

#endif
