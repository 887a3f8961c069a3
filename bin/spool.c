// SPDX-License-Identifier: MIT
// DESIGN: the file takes the place of descriptor 1, so that nobody who prints has to know of it.
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

static int reader = -1; /* the real standard output while something is held back */
static int held = -1;

/* A file without a name; -1: there can be none. */
static int open_nameless(void)
{
    char path[4096];
    const char *folder = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%s/warren-XXXXXX", folder && *folder ? folder : "/tmp");
    int file = mkostemp(path, O_CLOEXEC);
    if (file >= 0) {
        (void)unlink(path);
    }
    return file;
}

bool spool_begin(void)
{
    struct stat kind;
    if (fstat(STDOUT_FILENO, &kind) == 0 && (S_ISREG(kind.st_mode) || S_ISCHR(kind.st_mode)) &&
        !isatty(STDOUT_FILENO)) {
        return true;
    }
    held = open_nameless();
    reader = held >= 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : -1;
    if (reader < 0 || fflush(stdout) || dup2(held, STDOUT_FILENO) < 0) {
        say("no temporary file for the output: %s; set TMPDIR, or write to a file",
            strerror(errno));
        return false;
    }
    return true;
}

static bool write_all(const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(STDOUT_FILENO, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

bool spool_end(void)
{
    char block[65536];
    if (reader < 0) {
        return true;
    }
    bool is_whole = fflush(stdout) == 0;
    (void)dup2(reader, STDOUT_FILENO);
    (void)close(reader);
    reader = -1;
    off_t at = 0;
    ssize_t size;
    while (is_whole && (size = pread(held, block, sizeof block, at)) > 0) {
        at += size;
        is_whole = write_all(block, (size_t)size);
    }
    (void)close(held);
    held = -1;
    if (!is_whole) {
        say("standard output: can't be written");
    }
    return is_whole;
}
