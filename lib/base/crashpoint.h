/* SPDX-License-Identifier: MIT */
/*
 * Crash points: places by name at which a test lets the process die as by kill -9, so that what
 * stands between two steps of a promise can be proved. The environment variable
 * WARREN_CRASH_AT=name[:count] says where, and at which pass (the first without a count).
 *
 * Only in builds with the CMake option WARREN_CRASH_POINTS; elsewhere a point is nothing at all.
 * Threads: any.
 */
#ifndef WR_BASE_CRASHPOINT_H
#define WR_BASE_CRASHPOINT_H

#ifdef WARREN_CRASH_POINTS
void wr_crash_point(const char *name);
#define WR_CRASH_POINT(name) wr_crash_point(name)
#else
#define WR_CRASH_POINT(name) ((void)0)
#endif

#endif
