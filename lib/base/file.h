/* SPDX-License-Identifier: MIT */
/*
 * Whether a file can be trusted: configuration and plugins decide what runs in the process.
 */
#ifndef WR_BASE_FILE_H
#define WR_BASE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/** Whether somebody else may have written the file: all users, or a group other than the process's
 * own. (A checkout under umask 002 is writable by its owner's private group, which is fine.) */
static inline bool wr_file_is_writable_by_others(const struct stat *facts)
{
    return (facts->st_mode & S_IWOTH) || ((facts->st_mode & S_IWGRP) && facts->st_gid != getegid());
}

#endif
