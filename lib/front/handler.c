// SPDX-License-Identifier: MIT
// DESIGN: what a worker is given before it starts: handlers, and plugins, which are handlers in a file. A
// plugin is never unloaded while the worker is there, since its code may run until the end.
#include <stdlib.h>

#include "base/error.h"
#include "front/worker.h"
#include "warren/warren.h"

static warren_status refuse_started(const warren *w, warren_error *err)
{
    return w->state == WR_WORKER_NEW
               ? WARREN_OK
               : wr_fail(err, WARREN_STATE,
                         "the worker was started already: register handlers before");
}

warren_status warren_handle_in(warren *w, const char *queue, const char *type,
                               warren_handler *handler, void *user, warren_error *err)
{
    warren_status rc = refuse_started(w, err);
    rc = rc ? rc : wr_roster_add(&w->roster, queue, type, handler, user, err);
    bool is_listed = !queue || wr_settings_queue(w->settings, queue);
    if (!rc && w->settings->takes_all && is_listed) {
        rc = wr_settings_add_type(w->settings, type, err);
        if (rc) {
            wr_roster_drop_last(&w->roster); /* what failed has left nothing behind */
        }
    }
    return rc;
}

warren_status warren_handle(warren *w, const char *type, warren_handler *handler, void *user,
                            warren_error *err)
{
    return warren_handle_in(w, NULL, type, handler, user, err);
}

static warren_status add_plugin(warren *w, struct wr_plugin plugin, warren_error *err)
{
    struct wr_plugin *grown = realloc(w->plugins, (w->plugin_count + 1) * sizeof *grown);
    if (!grown) {
        return wr_no_memory(err);
    }
    w->plugins = grown;
    w->plugins[w->plugin_count++] = plugin;
    for (uint32_t i = 0; i < plugin.info->handler_count; i++) {
        const warren_plugin_handler *entry = &plugin.info->handlers[i];
        warren_status rc = warren_handle(w, entry->type, entry->handler, plugin.user, err);
        if (rc) {
            return wr_wrap(err, rc, "plugin %s", plugin.info->name);
        }
    }
    return WARREN_OK;
}

warren_status warren_load(warren *w, const char *path, warren_error *err)
{
    struct wr_plugin plugin;
    warren_status rc = refuse_started(w, err);
    rc = rc ? rc : wr_plugin_load(&plugin, path, err);
    return rc ? rc : add_plugin(w, plugin, err);
}

warren_status wr_worker_load_plugins(warren *w, warren_error *err)
{
    for (size_t i = 0; i < w->settings->plugin_count; i++) {
        warren_status rc = warren_load(w, w->settings->plugins[i], err);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}
