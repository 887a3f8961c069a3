// SPDX-License-Identifier: MIT
// DESIGN: pure formatting; where the random bits come from is the caller's business, so tests can
// fix them.
#include "model/uuid.h"

void wr_uuid_write(char out[WR_UUID_SIZE], int64_t wall_ms, const uint64_t random[2])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t high = (uint64_t)wall_ms << 16 | 0x7000 | (random[0] & 0x0FFF);
    uint64_t low = UINT64_C(0x8000000000000000) | (random[1] & UINT64_C(0x3FFFFFFFFFFFFFFF));
    char *at = out;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *at++ = '-';
        }
        uint64_t half = i < 16 ? high : low;
        *at++ = hex[half >> (60 - 4 * (i % 16)) & 15];
    }
    *at = '\0';
}
