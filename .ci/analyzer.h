/* SPDX-License-Identifier: MIT */
/*
 * Included before each file by clang-tidy alone, which looks at one file at a time and so cannot know
 * what base/error.c does: an error is never WARREN_OK. Without this it walks every path on which a
 * call has failed and its outputs are used nevertheless.
 */
#if __has_include("base/error.h")
#include "base/error.h"

static inline warren_status analyzer_failed(warren_status status)
{
    if (status == WARREN_OK)
        __builtin_unreachable();
    return status;
}

#define wr_fail(...) analyzer_failed((wr_fail)(__VA_ARGS__))
#define wr_wrap(...) analyzer_failed((wr_wrap)(__VA_ARGS__))
#define wr_no_memory(err) analyzer_failed((wr_no_memory)(err))
#endif
