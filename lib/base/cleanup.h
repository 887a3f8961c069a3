/* SPDX-License-Identifier: MIT */
/*
 * The only macro magic of the house: locals that free themselves, and handing a pointer over.
 */
#ifndef WR_BASE_CLEANUP_H
#define WR_BASE_CLEANUP_H

#include <pthread.h>
#include <stdlib.h>

static inline void wr_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void wr_cleanup_unlock(pthread_mutex_t **mutex)
{
    (void)pthread_mutex_unlock(*mutex);
}

static inline pthread_mutex_t *wr_lock(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_lock(mutex);
    return mutex;
}

/** A local pointer that is freed when it leaves scope: `AUTO_FREE char *text = NULL;` */
#define AUTO_FREE __attribute__((cleanup(wr_cleanup_free)))

/** A local that is handed to `fn(type **)` when it leaves scope. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/** A large local on the way of each job, that is written before it is read: a build with
 * -ftrivial-auto-var-init needn't clear it. Of an error's text that would be 2 KB a job. */
#define WR_UNCLEARED __attribute__((uninitialized)) /* GCC 12, Clang 8 */

/** Holds `mutex` until the end of the scope. */
#define WR_SCOPED_LOCK(mutex)                                                                      \
    __attribute__((cleanup(wr_cleanup_unlock), unused)) pthread_mutex_t *scoped_lock =             \
        wr_lock(mutex)

/** The value of pointer `p`, which becomes NULL: ownership moves on. */
#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#endif
