// SPDX-License-Identifier: MIT
// DESIGN: SIGKILL, not abort: no handler, no exit function and no core is to soften it. The variable is
// read once; a pass of any other point costs a comparison of names.
#include "base/crashpoint.h"

#ifdef WARREN_CRASH_POINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_once_t once;
    const char *name; /* NULL: nowhere */
    size_t size;
    atomic_long passes_left;
} crash = { .once = PTHREAD_ONCE_INIT };

static void read_environment(void)
{
    const char *at = getenv("WARREN_CRASH_AT");
    if (!at) {
        return;
    }
    crash.name = at;
    crash.size = strcspn(at, ":");
    atomic_store(&crash.passes_left, at[crash.size] ? atol(at + crash.size + 1) : 1);
}

void wr_crash_point(const char *name)
{
    (void)pthread_once(&crash.once, read_environment);
    if (!crash.name || strlen(name) != crash.size || memcmp(name, crash.name, crash.size) != 0) {
        return;
    }
    if (atomic_fetch_sub(&crash.passes_left, 1) == 1) {
        (void)kill(getpid(), SIGKILL);
    }
}

#endif
