// SPDX-License-Identifier: MIT
// DESIGN: the folder is opened once and all files in it are opened relative to that descriptor, so
// what was checked is what is used.
#include "io/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

static warren_status write_path(char *out, const char *folder, size_t length, const char *more,
                                warren_error *err)
{
    int size = snprintf(out, WR_STATE_PATH_SIZE, "%.*s%s", (int)length, folder, more);
    return size < WR_STATE_PATH_SIZE
               ? WARREN_OK
               : wr_fail(err, WARREN_FAILED, "the path of the state folder is too long");
}

warren_status wr_state_dir_find(const char *setting, char *out, warren_error *err)
{
    if (!setting || strcmp(setting, "none") == 0) {
        return wr_fail(err, WARREN_NOT_FOUND, "state_dir is \"none\"");
    }
    if (strcmp(setting, "auto") != 0) {
        return write_path(out, setting, strlen(setting), "", err);
    }
    const char *systemd = getenv("STATE_DIRECTORY"); /* may be several: the first is ours */
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (systemd && systemd[0] == '/') {
        return write_path(out, systemd, strcspn(systemd, ":"), "", err);
    }
    if (xdg && xdg[0] == '/') {
        return write_path(out, xdg, strlen(xdg), "/warren", err);
    }
    if (home && home[0] == '/') {
        return write_path(out, home, strlen(home), "/.local/state/warren", err);
    }
    return wr_fail(err, WARREN_FAILED,
                   "neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME names a folder");
}

/* What can't be made shows when the folder is opened. */
static void make_folders(const char *path)
{
    char part[WR_STATE_PATH_SIZE];
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(part, 0700);
        *at = '/';
    }
    (void)mkdir(part, 0700);
}

static warren_status check(int fd, const char *path, warren_error *err)
{
    struct stat facts;
    if (fstat(fd, &facts)) {
        return wr_fail(err, WARREN_FAILED, "%s: %s", path, strerror(errno));
    }
    if (facts.st_uid != geteuid()) {
        return wr_fail(err, WARREN_FAILED, "%s belongs to user %u, not to the worker's (%u)", path,
                       (unsigned)facts.st_uid, (unsigned)geteuid());
    }
    if (wr_file_is_writable_by_others(&facts)) {
        return wr_fail(err, WARREN_FAILED, "%s can be written by others (mode %04o, want 0700)",
                       path, (unsigned)facts.st_mode & 07777);
    }
    return WARREN_OK;
}

warren_status wr_state_dir_open(const char *path, int *out_fd, warren_error *err)
{
    make_folders(path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return wr_fail(err, WARREN_FAILED, "%s: %s", path, strerror(errno));
    }
    warren_status rc = check(fd, path, err);
    if (rc) {
        (void)close(fd);
        return rc;
    }
    *out_fd = fd;
    return WARREN_OK;
}
