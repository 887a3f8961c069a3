/* SPDX-License-Identifier: MIT */
/*
 * The folder in which this machine's workers keep what must outlive a process. It is ours alone:
 * mode 0700 when we make it, and one that others may write to is refused, since what stands in it
 * decides which jobs are given up.
 *
 * Threads: any; plain calls.
 */
#ifndef WR_IO_STATE_DIR_H
#define WR_IO_STATE_DIR_H

#include <stddef.h>

#include "warren/error.h"

#define WR_STATE_PATH_SIZE 1024

/** The path that the option state_dir means: a path itself; "auto": of the environment. Written
 * into `out` (WR_STATE_PATH_SIZE). NOT_FOUND: "none", or NULL. FAILED: the environment names none.
 */
warren_status wr_state_dir_find(const char *setting, char *out, warren_error *err);

/** Opens the folder, made with its parents if need be. `*out_fd` is the caller's to close. FAILED
 * names the folder and says why. */
warren_status wr_state_dir_open(const char *path, int *out_fd, warren_error *err);

#endif
