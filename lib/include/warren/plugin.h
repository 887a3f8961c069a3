/* SPDX-License-Identifier: MIT */
/*
 * Handlers in a shared object, for the stock `warren run`: one exported block that says what is in
 * it and against which interface it was built. The loader compares the block before it calls
 * anything, and says which member differs.
 *
 *     static warren_verdict hello(warren_job *job, void *user) { … }
 *     WARREN_PLUGIN("hello", { "greet", hello });
 *
 * Build: `cc -shared -fPIC hello.c -o hello.so $(pkg-config --cflags warren)`.
 *
 * Neither the file nor a folder above it may be writable by others: not by everyone, nor by a group
 * other than the worker's own. A folder with the sticky bit, such as /tmp, is fine for a file (or
 * folder) that belongs to the worker's user or to root.
 */
#ifndef WARREN_PLUGIN_H
#define WARREN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"
#include "warren/job.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WARREN_PLUGIN_MAGIC 0x5752504cu /**< "WRPL" */
#define WARREN_ABI_MAJOR 0              /**< must be equal */
#define WARREN_ABI_MINOR 1              /**< the library's must not be older */

/** A handler of the plugin. */
typedef struct warren_plugin_handler {
    const char *type;        /**< the job type */
    warren_handler *handler; /**< runs its jobs */
} warren_plugin_handler;

/** The exported block. Its first five members never change their place. */
typedef struct warren_plugin {
    uint32_t magic;                        /**< WARREN_PLUGIN_MAGIC */
    uint32_t abi_major;                    /**< WARREN_ABI_MAJOR of its build */
    uint32_t abi_minor;                    /**< WARREN_ABI_MINOR of its build */
    uint32_t plugin_size;                  /**< sizeof(warren_plugin) */
    uint32_t handler_size;                 /**< sizeof(warren_plugin_handler) */
    uint32_t handler_count;                /**< how many `handlers` */
    const char *name;                      /**< for messages and logs */
    const warren_plugin_handler *handlers; /**< one for each job type */
    /** May be NULL; before the first job, once. `warren run` calls it with the signals of warren_run
     * blocked, so threads that it starts don't take them; leave them so. */
    warren_status (*open)(void **user, warren_error *err);
    void (*close)(void *user); /**< may be NULL; after the last job, once */
} warren_plugin;

/** The name of the exported block. */
#define WARREN_PLUGIN_SYMBOL "warren_plugin_info"

/** Exports handlers: WARREN_PLUGIN(name, { type, function }, …). `user` is NULL in them. */
#define WARREN_PLUGIN(plugin_name, ...) WARREN_PLUGIN_WITH(plugin_name, NULL, NULL, __VA_ARGS__)

/** The same with functions that make and free what the handlers get as `user`. */
#define WARREN_PLUGIN_WITH(plugin_name, open_fn, close_fn, ...)                                    \
    static const warren_plugin_handler warren_plugin_handlers[] = { __VA_ARGS__ };                 \
    WARREN_API extern const warren_plugin warren_plugin_info;                                      \
    const warren_plugin warren_plugin_info = { WARREN_PLUGIN_MAGIC,                                \
                                               WARREN_ABI_MAJOR,                                   \
                                               WARREN_ABI_MINOR,                                   \
                                               sizeof(warren_plugin),                              \
                                               sizeof(warren_plugin_handler),                      \
                                               sizeof warren_plugin_handlers /                     \
                                                   sizeof warren_plugin_handlers[0],               \
                                               plugin_name,                                        \
                                               warren_plugin_handlers,                             \
                                               open_fn,                                            \
                                               close_fn }

#ifdef __cplusplus
}
#endif
#endif
