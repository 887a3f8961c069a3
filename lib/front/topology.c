// SPDX-License-Identifier: MIT
// DESIGN: the topology for tools. Opening reads the configuration only; the first plan or apply
// connects, since an export needs no broker. What is wanted depends on the server's version, so
// the list is built anew when the server is known.
#include "front/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { CHANNEL = WR_TOPOLOGY_CHANNEL, SECRET_MOST = 8192 };

static void close_topology(warren_topology **topology)
{
    warren_topology_close(*topology);
}

static warren_status build(warren_topology *topology, bool trusts_x_death, warren_error *err)
{
    struct wr_topology *list = NULL;
    warren_status rc = wr_topology_build(&list, topology->settings, trusts_x_death, err);
    if (!rc) {
        wr_topologist_report_done(&topology->report); /* it borrows from the old list */
        wr_topology_free(topology->list);
        topology->list = list;
    }
    return rc;
}

warren_status warren_topology_open(warren_topology **out, const char *config, warren_error *err)
{
    AUTO(close_topology) warren_topology *topology = calloc(1, sizeof *topology);
    if (!topology) {
        return wr_no_memory(err);
    }
    warren_status rc = wr_settings_load(&topology->settings, config, NULL, err);
    if (!rc) {
        rc = build(topology, false, err);
    }
    if (!rc) {
        *out = TAKE(topology);
    }
    return rc;
}

static void wipe(char *secret)
{
    if (secret) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void warren_topology_close(warren_topology *topology)
{
    if (topology) {
        wr_broker_close(topology->broker);
        wr_topologist_report_done(&topology->report);
        wr_text_done(&topology->text);
        wr_topology_free(topology->list);
        wr_uri_done(&topology->uri);
        free(topology->user);
        wipe(topology->password);
        wr_settings_free(topology->settings);
        free(topology);
    }
}

const char *warren_topology_namespace(const warren_topology *topology)
{
    return topology->settings->ns;
}

const char *warren_topology_state_name(warren_topology_state state)
{
    switch (state) {
    case WARREN_TOPOLOGY_EXISTS:
        return "exists";
    case WARREN_TOPOLOGY_MISSING:
        return "missing";
    case WARREN_TOPOLOGY_DIFFERS:
        return "differs";
    case WARREN_TOPOLOGY_SURPLUS:
        return "surplus";
    case WARREN_TOPOLOGY_LEFTOVER:
        return "leftover";
    case WARREN_TOPOLOGY_UNKNOWN:
        break;
    }
    return "unknown";
}

warren_status wr_topology_connect(warren_topology *topology, warren_error *err)
{
    if (topology->broker && wr_broker_fd(topology->broker) >= 0) {
        return WARREN_OK;
    }
    wr_broker_close(TAKE(topology->broker));
    struct wr_broker_options options = { .settings = &topology->settings->broker,
                                         .name = "warren topology" };
    warren_status rc = wr_broker_open(&topology->broker, &options, err);
    return rc ? rc : build(topology, wr_broker_server(topology->broker)->trusts_x_death, err);
}

/* --- who asks the management API --- */

/* The content of a small file up to its first line's end. */
static warren_status read_secret(const char *path, char **out, warren_error *err)
{
    char line[SECRET_MOST + 2];
    FILE *file = fopen(path, "re");
    if (!file) {
        return wr_fail(err, WARREN_CONFIG, "%s: %s", path, strerror(errno));
    }
    size_t size = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[size] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    *out = strdup(line);
    explicit_bzero(line, sizeof line);
    return *out ? WARREN_OK : wr_no_memory(err);
}

/* From its file, the settings, the URL, or else "guest": as the AMQP connection does. */
static warren_status choose(const char *file, const char *const said[2], char **out,
                            warren_error *err)
{
    if (file) {
        return read_secret(file, out, err);
    }
    const char *chosen = said[0] ? said[0] : said[1] ? said[1] : "guest";
    *out = strdup(chosen);
    return *out ? WARREN_OK : wr_no_memory(err);
}

static warren_status read_login(warren_topology *topology, warren_error *err)
{
    const struct wr_broker_settings *settings = &topology->settings->broker;
    warren_status rc = wr_uri_read(&topology->uri, settings->url, err);
    if (!rc) {
        rc =
            choose(settings->user_file, (const char *const[]){ settings->user, topology->uri.user },
                   &topology->user, err);
    }
    if (!rc) {
        rc = choose(settings->password_file,
                    (const char *const[]){ settings->password, topology->uri.password },
                    &topology->password, err);
    }
    return rc;
}

warren_status warren_topology_management(warren_topology *topology, warren_management *out,
                                         warren_error *err)
{
    const char *url = topology->settings->broker.management_url;
    if (wr_broker_is_local(&topology->settings->broker)) {
        *out = (warren_management){ .url = url };
        return WARREN_OK;
    }
    if (!topology->password) {
        wr_uri_done(&topology->uri);
        free(TAKE(topology->user));
        warren_status rc = read_login(topology, err);
        if (rc) {
            return rc;
        }
    }
    *out = (warren_management){ .url = url,
                                .vhost = topology->uri.vhost,
                                .user = topology->user,
                                .password = topology->password };
    return WARREN_OK;
}

/* --- plan --- */

warren_status wr_topology_translate(const warren_bindings *bindings, struct wr_bindings *out,
                                    struct wr_binding **out_items, warren_error *err)
{
    struct wr_binding *items = calloc(bindings->length + 1, sizeof *items);
    if (!items) {
        return wr_no_memory(err);
    }
    for (size_t i = 0; i < bindings->length; i++) {
        const warren_binding *from = &bindings->items[i];
        items[i] = (struct wr_binding){ from->source ? from->source : "",
                                        from->destination ? from->destination : "", from->to_queue,
                                        from->key ? from->key : "", from->has_arguments };
    }
    *out = (struct wr_bindings){ items, bindings->length };
    *out_items = items;
    return WARREN_OK;
}

static bool show_row(const struct wr_plan_row *from, warren_topology_visitor *visit, void *user)
{
    const struct wr_item *item = from->item;
    struct wr_text name = { 0 };
    struct wr_text wanted = { 0 };
    bool is_binding = item->kind == WR_ITEM_BIND || item->kind == WR_ITEM_UNBIND;
    wr_text_add_string(&name, item->name);
    if (is_binding) {
        wr_text_add_format(&name, " -> %s (%s)", item->destination, item->key);
    }
    wr_item_write(item, &wanted);
    warren_topology_row row = { .kind = is_binding                       ? "binding"
                                        : item->kind == WR_ITEM_EXCHANGE ? "exchange"
                                                                         : "queue",
                                .name = wr_text_string(&name),
                                .state = (warren_topology_state)from->state,
                                .item = wr_text_string(&wanted),
                                .text = from->text ? from->text : "" };
    bool goes_on = visit(&row, user);
    wr_text_done(&name);
    wr_text_done(&wanted);
    return goes_on;
}

static warren_status plan(warren_topology *topology, const struct wr_bindings *bindings,
                          struct wr_plan *out, warren_error *err)
{
    warren_status rc = wr_topology_connect(topology, err);
    return rc ? rc
              : wr_topologist_plan(topology->broker, CHANNEL, topology->list, bindings, out, err);
}

warren_status warren_topology_plan(warren_topology *topology, const warren_bindings *bindings,
                                   warren_topology_visitor *visit, void *user, warren_error *err)
{
    struct wr_plan found = { 0 };
    struct wr_bindings known;
    AUTO_FREE struct wr_binding *items = NULL;
    warren_status rc = bindings ? wr_topology_translate(bindings, &known, &items, err) : WARREN_OK;
    if (rc) {
        return rc;
    }
    wr_topologist_report_done(&topology->report);
    rc = plan(topology, bindings ? &known : NULL, &found, err);
    for (size_t i = 0; !rc && i < found.length; i++) {
        if (!show_row(&found.rows[i], visit, user)) {
            break;
        }
    }
    wr_plan_done(&found);
    return rc;
}

/* --- apply --- */

static warren_status build_prune(const warren_topology *topology, const warren_bindings *bindings,
                                 struct wr_topology **out, warren_error *err)
{
    if (!bindings) {
        return wr_topology_build_prune(out, topology->settings, err);
    }
    struct wr_bindings known;
    AUTO_FREE struct wr_binding *items = NULL;
    warren_status rc = wr_topology_translate(bindings, &known, &items, err);
    return rc ? rc : wr_topology_build_surplus(out, topology->list, &known, err);
}

static warren_status prune(warren_topology *topology, const warren_bindings *bindings,
                           warren_error *err)
{
    struct wr_topology *surplus = NULL;
    warren_status rc = build_prune(topology, bindings, &surplus, err);
    if (!rc) {
        rc = wr_topologist_prune(topology->broker, CHANNEL, surplus, err);
    }
    for (size_t i = 0; !rc && bindings && i < surplus->length; i++) {
        wr_item_write(&surplus->items[i], &topology->report.notes);
        wr_text_add_string(&topology->report.notes,
                           surplus->items[i].has_arguments
                               ? ": left as it is, since it has arguments; remove it by hand\n"
                               : "\n");
    }
    wr_topology_free(surplus);
    return rc;
}

warren_status warren_topology_apply(warren_topology *topology,
                                    const warren_topology_options *options, warren_error *err)
{
    wr_topologist_report_done(&topology->report);
    warren_status rc = wr_topology_connect(topology, err);
    if (!rc) {
        rc = wr_topologist_apply(topology->broker, CHANNEL, topology->list, &topology->report, err);
    }
    return !rc && options && options->prune ? prune(topology, options->bindings, err) : rc;
}

/* The first name that is outside of the namespace, NULL when none is. */
static const char *find_outside(const struct wr_topology *list, const char *ns)
{
    size_t length = strlen(ns);
    for (size_t i = 0; i < list->length; i++) {
        const struct wr_item *item = &list->items[i];
        bool is_object = item->kind == WR_ITEM_EXCHANGE || item->kind == WR_ITEM_QUEUE;
        bool is_inside = strncmp(item->name, ns, length) == 0 && item->name[length] == '.';
        if (is_object && !item->is_foreign && !is_inside) {
            return item->name;
        }
    }
    return NULL;
}

warren_status warren_topology_remove(warren_topology *topology, const char *ns, warren_error *err)
{
    const char *own = topology->settings->ns;
    if (!ns || strcmp(ns, own) != 0) {
        return wr_fail(err, WARREN_STATE, "removing namespace %s: the configuration's is %s",
                       ns ? ns : "", own);
    }
    const char *outside = find_outside(topology->list, ns);
    if (outside) {
        return wr_fail(err, WARREN_STATE,
                       "removing namespace %s: %s is outside of it, so nothing was deleted", ns,
                       outside);
    }
    wr_topologist_report_done(&topology->report);
    warren_status rc = wr_topology_connect(topology, err);
    return rc ? rc : wr_topologist_remove(topology->broker, CHANNEL, topology->list, err);
}

const char *warren_topology_notes(const warren_topology *topology)
{
    return wr_text_string(&topology->report.notes);
}

/* --- export --- */

warren_status warren_topology_export(const warren_topology *topology, warren_topology_format format,
                                     char **out, warren_error *err)
{
    bool is_json = format == WARREN_TOPOLOGY_JSON;
    struct wr_text text = { 0 };
    wr_text_add_string(&text, is_json ? "{\"items\": [" : "");
    for (size_t i = 0; i < topology->list->length; i++) {
        const struct wr_item *item = &topology->list->items[i];
        if (item->leftover) {
            continue; /* not wanted as such: only where there is something to undo */
        }
        if (is_json) {
            wr_text_add_string(&text, i ? ",\n  " : "\n  ");
            wr_item_write_json(item, &text);
        } else {
            wr_item_write(item, &text);
            wr_text_add_string(&text, "\n");
        }
    }
    wr_text_add_string(&text, is_json ? "\n]}\n" : "");
    char *written = wr_text_take(&text);
    if (!written) {
        return wr_no_memory(err);
    }
    *out = written;
    return WARREN_OK;
}
