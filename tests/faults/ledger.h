/* SPDX-License-Identifier: MIT */
/*
 * Writing a ledger (support/book.h says what its lines mean): one write() a line, so that whole
 * lines of several processes stand in one file and stay there when their writer is killed.
 *
 * Threads: any. Errors: a ledger that cannot be written ends the process with 99, since nothing that
 * it does could be judged.
 */
#ifndef TESTS_FAULTS_LEDGER_H
#define TESTS_FAULTS_LEDGER_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LEDGER_LINE_BYTES = 1024, LEDGER_BROKEN = 99 };

static inline int64_t ledger_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int ledger_open(const char *path)
{
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0) {
        perror(path ? path : "no ledger");
        _exit(LEDGER_BROKEN);
    }
    return fd;
}

__attribute__((format(printf, 2, 3))) static inline void ledger_write(int fd, const char *format,
                                                                      ...)
{
    char line[LEDGER_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line - 1) {
        _exit(LEDGER_BROKEN);
    }
    line[length++] = '\n';
    if (write(fd, line, (size_t)length) != length) {
        _exit(LEDGER_BROKEN);
    }
}

#endif
