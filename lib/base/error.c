// SPDX-License-Identifier: MIT
// DESIGN: errors are values. The status decides what a program does, the text tells a person what
// happened. A text that is too long for its buffer is cut with "..." so that it never looks
// complete when it isn't. Strangers' bytes may be in it: what isn't plain text is escaped; only the
// line ends stay, since several mistakes take several lines.
#include "base/error.h"

#include <stdio.h>

#include "base/text.h"

static const struct status_row {
    warren_status status;
    int exit_code;
    const char *name;
} statuses[] = {
    { WARREN_OK, 0, "ok" },
    { WARREN_FAILED, 1, "failed" },
    { WARREN_INVALID, 2, "invalid" },
    { WARREN_NO_MEMORY, 1, "no_memory" },
    { WARREN_NOT_FOUND, 4, "not_found" },
    { WARREN_TIMEOUT, 8, "timeout" },
    { WARREN_CLOSED, 6, "closed" },
    { WARREN_AGAIN, 1, "again" },
    { WARREN_UNREACHABLE, 6, "unreachable" },
    { WARREN_REFUSED, 6, "refused" },
    { WARREN_UNROUTABLE, 5, "unroutable" },
    { WARREN_NACKED, 5, "nacked" },
    { WARREN_UNKNOWN, 5, "unknown" },
    { WARREN_MISMATCH, 7, "mismatch" },
    { WARREN_CONFIG, 7, "config" },
    { WARREN_STATE, 5, "state" },
};

static const struct status_row *find_row(warren_status status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].status == status) {
            return &statuses[i];
        }
    }
    return &statuses[1];
}

const char *warren_status_name(warren_status status)
{
    return find_row(status)->name;
}

int warren_exit_code(warren_status status)
{
    return find_row(status)->exit_code;
}

warren_status wr_fail(warren_error *err, warren_status status, const char *format, ...)
{
    if (!err) {
        return status;
    }
    char
        raw[sizeof err->text + 8]; /* longer than what is shown, so that showing it tells the cut */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    (void)wr_text_show(err->text, sizeof err->text, wr_slice_of(raw), true);
    err->status = status;
    return status;
}

warren_status wr_wrap(warren_error *err, warren_status status, const char *format, ...)
{
    if (!err) {
        return status;
    }
    char raw[sizeof err->text + 8];
    va_list args;
    va_start(args, format);
    int head = vsnprintf(raw, sizeof err->text, format, args);
    va_end(args);
    if (head < 0 || head >= (int)sizeof err->text) {
        head = 0;
    }
    size_t room = sizeof raw - (size_t)head;
    (void)snprintf(raw + head, room, "%s%s", head ? ": " : "", err->text);
    (void)wr_text_show(err->text, sizeof err->text, wr_slice_of(raw), true);
    err->status = status;
    return status;
}

warren_status wr_no_memory(warren_error *err)
{
    return wr_fail(err, WARREN_NO_MEMORY, "out of memory");
}
