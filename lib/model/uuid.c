// SPDX-License-Identifier: MIT
// DESIGN: pure formatting; where the random bits come from is the caller's business, so tests can
// fix them.
#include "model/uuid.h"

#include <string.h>

#include "base/hex.h"

void wr_uuid_write(char out[WR_UUID_SIZE], int64_t wall_ms, const uint64_t random[2])
{
    uint64_t high = (uint64_t)wall_ms << 16 | 0x7000 | (random[0] & 0x0FFF);
    uint64_t low = UINT64_C(0x8000000000000000) | (random[1] & UINT64_C(0x3FFFFFFFFFFFFFFF));
    char digits[32];
    wr_hex_write(digits, high);
    wr_hex_write(digits + 16, low);
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[36] = '\0';
}
