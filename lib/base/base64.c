// SPDX-License-Identifier: MIT
// DESIGN: strict, so that each text stands for one sequence of bytes and the other way round.
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void wr_base64_write(struct wr_slice bytes, struct wr_text *out)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)(unsigned char)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)(unsigned char)bytes.data[i + 2] : 0;
        char text[4] = { digits[group >> 18], digits[group >> 12 & 63],
                         left > 1 ? digits[group >> 6 & 63] : '=',
                         left > 2 ? digits[group & 63] : '=' };
        wr_text_add(out, text, sizeof text);
    }
}

static bool read_digit(char c, uint32_t *out)
{
    const char *at = c ? strchr(digits, c) : NULL;
    *out = at ? (uint32_t)(at - digits) : 0;
    return at != NULL;
}

bool wr_base64_read(struct wr_slice text, struct wr_text *out)
{
    if (text.size % 4) {
        return false;
    }
    for (size_t i = 0; i < text.size; i += 4) {
        bool is_last = i + 4 == text.size;
        size_t padding = 0;
        uint32_t group = 0;
        if (is_last && text.data[i + 3] == '=') {
            padding = text.data[i + 2] == '=' ? 2 : 1;
        }
        for (size_t j = 0; j < 4; j++) {
            uint32_t digit = 0;
            if (j < 4 - padding && !read_digit(text.data[i + j], &digit)) {
                return false;
            }
            group = group << 6 | digit;
        }
        if ((padding == 1 && group & 0xFF) || (padding == 2 && group & 0xFFFF)) {
            return false;
        }
        char bytes[3] = { (char)(group >> 16), (char)(group >> 8), (char)group };
        wr_text_add(out, bytes, 3 - padding);
    }
    return true;
}
