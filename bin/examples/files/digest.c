// SPDX-License-Identifier: MIT
/*
 * DESIGN: file.digest reads a file in pieces and appends one line in the format of sha256sum, so
 * that `sha256sum -c` can check the list. A line is written at once and under a lock, hence never
 * mixed with another thread's; it is flushed before the job is done, so that a job that the broker
 * takes for finished has its line. A job that runs twice leaves two equal lines.
 */
#include "jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

warren_verdict give_up_or_retry(warren_job *job, const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR || error == EISDIR || error == EACCES)
        return warren_dead(job, "%s: %s", path, strerror(error));
    return warren_retry(job, "%s: %s", path, strerror(error));
}

const char *file_to_read(warren_job *job)
{
    const char *path = warren_job_string(job, "path");
    if (!path || path[0] != '/' || strstr(path, "..") || strchr(path, '\n'))
        return NULL;
    return path;
}

/* The size of the digest; 0 with errno set when the file can't be read or the job was cancelled. */
static unsigned hash(warren_job *job, int file, EVP_MD_CTX *context, unsigned char *digest)
{
    unsigned char piece[65536];
    unsigned size = 0;
    ssize_t length;

    errno = EIO;
    if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        return 0;
    while ((length = read(file, piece, sizeof piece)) > 0) {
        if (warren_job_cancelled(job)) {
            errno = ECANCELED;
            return 0;
        }
        if (EVP_DigestUpdate(context, piece, (size_t)length) != 1)
            return 0;
    }
    return length == 0 && EVP_DigestFinal_ex(context, digest, &size) == 1 ? size : 0;
}

static int append(struct output *output, const unsigned char *digest, unsigned size,
                  const char *path)
{
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    for (unsigned i = 0; i < size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    (void)pthread_mutex_lock(&output->lock);
    int rc = fprintf(output->digests, "%s  %s\n", hex, path) < 0 || fflush(output->digests);
    (void)pthread_mutex_unlock(&output->lock);
    return rc;
}

warren_verdict file_digest(warren_job *job, void *user)
{
    const char *path = file_to_read(job);
    if (!path)
        return warren_dead(job, "no absolute 'path' in the body");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return give_up_or_retry(job, path, errno);

    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned size = context ? hash(job, file, context, digest) : 0;
    int error = context ? errno : ENOMEM;
    EVP_MD_CTX_free(context);
    (void)close(file);
    if (!size)
        return give_up_or_retry(job, path, error);
    if (append(user, digest, size, path))
        return warren_retry(job, "the list of digests can't be written");
    return WARREN_DONE;
}
