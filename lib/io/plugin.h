/* SPDX-License-Identifier: MIT */
/*
 * Loading handlers from a shared object: the foreign system here is the dynamic linker.
 * Threads: before the worker starts.
 */
#ifndef WR_IO_PLUGIN_H
#define WR_IO_PLUGIN_H

#include "warren/plugin.h"

struct wr_plugin {
    void *library;
    const warren_plugin *info;
    void *user;
};

/** Loads, checks the exported block and calls its `open`. INVALID says which member differs. */
warren_status wr_plugin_load(struct wr_plugin *plugin, const char *path, warren_error *err);

/** Calls its `close`. The code stays loaded, since threads may still stand in it. */
void wr_plugin_close(struct wr_plugin *plugin);

#endif
