// SPDX-License-Identifier: MIT
// DESIGN: a plugin is other people's code in our process, so everything that can be told beforehand
// is told: neither the file nor a folder above it may be writable by others, the block must be
// there, and each of its
// members must be what this library was built with (the manner is PostgreSQL's module magic). The
// file is never unloaded.
#include "io/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

static warren_status look_at(const char *path, struct stat *out, warren_error *err)
{
    if (stat(path, out)) {
        return wr_fail(err, errno == ENOENT ? WARREN_NOT_FOUND : WARREN_INVALID, "plugin %s: %s",
                       path, strerror(errno));
    }
    return WARREN_OK;
}

/* Whether others can put something else in the place of `entry`. Where everyone may write, as in
 * /tmp, the sticky bit keeps them from touching what is ours or root's. */
static bool is_replaceable(const struct stat *folder, const struct stat *entry)
{
    bool is_ours = entry->st_uid == geteuid() || entry->st_uid == 0;
    return wr_file_is_writable_by_others(folder) && !(folder->st_mode & S_ISVTX && is_ours);
}

/* Every folder from the file up to the root, for each of them can be replaced with what is in it. */
static warren_status check_folders(const char *path, struct stat entry, warren_error *err)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash; (slash = strrchr(folder, '/')) && folder[1];) {
        struct stat facts;
        slash[slash == folder ? 1 : 0] = '\0';
        warren_status rc = look_at(folder, &facts, err);
        if (rc) {
            return rc;
        }
        if (is_replaceable(&facts, &entry)) {
            return wr_fail(err, WARREN_INVALID,
                           "plugin %s: others may write to the folder %s, and so replace it; want "
                           "chmod go-w, or another folder",
                           path, folder);
        }
        entry = facts;
    }
    return WARREN_OK;
}

static warren_status check_file(const char *path, warren_error *err)
{
    struct stat facts;
    warren_status rc = look_at(path, &facts, err);
    if (!rc && wr_file_is_writable_by_others(&facts)) {
        rc = wr_fail(err, WARREN_INVALID, "plugin %s may be written by others; want chmod go-w",
                     path);
    }
    return rc ? rc : check_folders(path, facts, err);
}

static warren_status check_block(const warren_plugin *info, const char *path, warren_error *err)
{
    if (info->magic != WARREN_PLUGIN_MAGIC) {
        return wr_fail(err, WARREN_INVALID,
                       "plugin %s: " WARREN_PLUGIN_SYMBOL
                       " is no plugin block (magic 0x%x, want 0x%x)",
                       path, (unsigned)info->magic, WARREN_PLUGIN_MAGIC);
    }
    const struct {
        const char *what;
        uint32_t got;
        uint32_t want;
    } members[] = {
        { "abi_major", info->abi_major, WARREN_ABI_MAJOR },
        { "plugin_size", info->plugin_size, sizeof(warren_plugin) },
        { "handler_size", info->handler_size, sizeof(warren_plugin_handler) },
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (members[i].got != members[i].want) {
            return wr_fail(
                err, WARREN_INVALID,
                "plugin %s was built for another version of Warren: %s is %u, want %u; build "
                "it again",
                path, members[i].what, (unsigned)members[i].got, (unsigned)members[i].want);
        }
    }
    if (info->abi_minor > WARREN_ABI_MINOR) {
        return wr_fail(err, WARREN_INVALID,
                       "plugin %s needs a newer Warren: abi_minor is %u, this one has %d", path,
                       (unsigned)info->abi_minor, WARREN_ABI_MINOR);
    }
    if (!info->name || !info->handlers || !info->handler_count) {
        return wr_fail(err, WARREN_INVALID,
                       "plugin %s: " WARREN_PLUGIN_SYMBOL " has no %s; want WARREN_PLUGIN(…)", path,
                       info->name ? "handlers" : "name");
    }
    return WARREN_OK;
}

warren_status wr_plugin_load(struct wr_plugin *plugin, const char *path, warren_error *err)
{
    AUTO_FREE char *absolute =
        realpath(path, NULL); /* dlopen would look for a bare name elsewhere */
    if (!absolute) {
        return wr_fail(err, errno == ENOENT ? WARREN_NOT_FOUND : WARREN_INVALID, "plugin %s: %s",
                       path, strerror(errno));
    }
    warren_status rc = check_file(absolute, err);
    if (rc) {
        return rc;
    }
    void *library = dlopen(absolute, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return wr_fail(err, WARREN_INVALID, "plugin cannot be loaded: %s", dlerror());
    }
    const warren_plugin *info = dlsym(library, WARREN_PLUGIN_SYMBOL);
    if (!info) {
        return wr_fail(err, WARREN_INVALID,
                       "plugin %s exports no " WARREN_PLUGIN_SYMBOL "; want WARREN_PLUGIN(…) in it",
                       path);
    }
    rc = check_block(info, path, err);
    *plugin = (struct wr_plugin){ library, info, NULL };
    if (!rc && info->open) {
        rc = info->open(&plugin->user, err);
        rc = rc ? wr_wrap(err, rc, "plugin %s", path) : rc;
    }
    return rc;
}

void wr_plugin_close(struct wr_plugin *plugin)
{
    if (plugin->info && plugin->info->close) {
        plugin->info->close(plugin->user);
    }
    plugin->info = NULL;
}
