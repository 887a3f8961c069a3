// SPDX-License-Identifier: MIT
// DESIGN: a secret is read anew each time that it is needed, so that whoever rotates it restarts nothing.
// Symbolic links are followed: Kubernetes mounts secrets as such.
#include "io/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

warren_status wr_secret_read(const char *path, char *out, size_t size, warren_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return wr_fail(err, WARREN_CONFIG, "can't read the secret file %s: %m", path);
    }
    struct stat facts;
    if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && wr_file_is_writable_by_others(&facts)) {
        (void)close(fd);
        return wr_fail(
            err, WARREN_CONFIG,
            "others may change the secret file %s, so it can't be trusted; chmod go-w it", path);
    }
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, out + length, size - length)) > 0) {
        length += (size_t)got;
    }
    int error = errno;
    (void)close(fd);
    if (got < 0) {
        errno = error;
        return wr_fail(err, WARREN_CONFIG, "can't read the secret file %s: %m", path);
    }
    if (length == size) {
        return wr_fail(err, WARREN_CONFIG, "the secret file %s is longer than %zu bytes", path,
                       size - 1);
    }
    while (length && (out[length - 1] == '\n' || out[length - 1] == '\r')) {
        length--;
    }
    out[length] = '\0';
    if (length == 0 || strlen(out) != length) {
        return wr_fail(err, WARREN_CONFIG, "the secret file %s is empty, or no text", path);
    }
    return WARREN_OK;
}
