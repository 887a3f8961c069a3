/* SPDX-License-Identifier: MIT */
/*
 * Numbers as hexadecimal digits, for what is written once for each job: printf, or a loop over the
 * digits, would take longer than all the rest. Threads: pure.
 */
#ifndef WR_BASE_HEX_H
#define WR_BASE_HEX_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Eight digits at once: each nibble gets a byte of its own, and those above 9 go on with 'a'. */
static inline void wr_hex_write_half(char *out, uint32_t value)
{
    uint64_t word = value;
    word = (word << 16 | word) & UINT64_C(0x0000FFFF0000FFFF);
    word = (word << 8 | word) & UINT64_C(0x00FF00FF00FF00FF);
    word = (word << 4 | word) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    uint64_t letters = (word + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    word += UINT64_C(0x3030303030303030) + letters * ('a' - '9' - 1);
    word = htobe64(word); /* one store: what is copied from here at once would wait for eight */
    memcpy(out, &word, sizeof word);
}

/** Writes 16 digits and no NUL. */
static inline void wr_hex_write(char *out, uint64_t value)
{
    wr_hex_write_half(out, (uint32_t)(value >> 32));
    wr_hex_write_half(out + 8, (uint32_t)value);
}

#endif
