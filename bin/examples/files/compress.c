// SPDX-License-Identifier: MIT
/*
 * DESIGN: file.compress writes beside the archive's place and renames at the end: an archive is
 * whole or not there, and a job that runs twice replaces it by its equal. The tree below `archives`
 * is the tree of the files, so that no two of them meet in one name.
 */
#include "jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Makes the folders of `path`. The part before `skip` is there already. */
static int make_folders(char *path, size_t skip)
{
    for (char *slash = strchr(path + skip + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0755);
        *slash = '/';
        if (rc && errno != EEXIST)
            return -1;
    }
    return 0;
}

static int copy(warren_job *job, int from, gzFile to)
{
    unsigned char piece[65536];
    ssize_t length;

    while ((length = read(from, piece, sizeof piece)) > 0) {
        if (warren_job_cancelled(job)) {
            errno = ECANCELED;
            return -1;
        }
        if (gzwrite(to, piece, (unsigned)length) != (int)length) {
            errno = EIO;
            return -1;
        }
    }
    return (int)length;
}

/* Compresses into a new file made from `scratch`, a template of mkstemp. */
static int compress_into(warren_job *job, int from, char *scratch)
{
    int file = mkstemp(scratch);
    if (file < 0)
        return -1;
    gzFile archive = gzdopen(file, "wb6");
    if (!archive) {
        (void)close(file);
        errno = ENOMEM;
        return -1;
    }
    int rc = copy(job, from, archive), error = errno;
    if (gzclose(archive) != Z_OK && !rc) {
        rc = -1;
        error = EIO;
    }
    errno = error;
    return rc;
}

warren_verdict file_compress(warren_job *job, void *user)
{
    const struct output *output = user;
    const char *path = file_to_read(job);
    char archive[PATH_MAX], scratch[PATH_MAX + 8];

    if (!path)
        return warren_dead(job, "no absolute 'path' in the body");
    int length = snprintf(archive, sizeof archive, "%s/archives%s.gz", output->folder, path);
    if (length < 0 || (size_t)length >= sizeof archive)
        return warren_dead(job, "the path is too long");
    (void)snprintf(scratch, sizeof scratch, "%s.XXXXXX", archive);

    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return give_up_or_retry(job, path, errno);
    int rc = make_folders(archive, strlen(output->folder));
    if (!rc && !(rc = compress_into(job, from, scratch)))
        rc = rename(scratch, archive);
    int error = errno;
    if (rc)
        (void)unlink(scratch);
    (void)close(from);
    return rc ? give_up_or_retry(job, path, error) : WARREN_DONE;
}
