// SPDX-License-Identifier: MIT
// DESIGN: queues are Warren's own, declared by its public topology calls, so that both sides have the
// same; what a bare program needs besides is declared here by hand. One configuration is one file,
// with its queue groups inside. Ledgers are written as in real life, into a folder beside it.
#include "stage.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bare.h"
#include "live.h"
#include "side.h"
#include "warren/queue.h"
#include "warren/topology.h"

enum { PATH_BYTES = 256, CONFIGS_MOST = 512, VERSION_BYTES = 64 };

struct config {
    const char *queues;
    int threads;
    char path[PATH_BYTES];
};

static char folder[PATH_BYTES - 32];
static amqp_connection_state_t connection;
static struct config configs[CONFIGS_MOST];
static size_t config_count;
static char declared[CONFIGS_MOST][PATH_BYTES];
static size_t declared_count;
static char version[VERSION_BYTES];

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static void close_stage(void)
{
    bare_close(connection);
    (void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void read_version(void)
{
    const amqp_table_t *table = amqp_get_server_properties(connection);
    for (int i = 0; i < table->num_entries; i++) {
        const amqp_table_entry_t *entry = &table->entries[i];
        if (entry->key.len == 7 && memcmp(entry->key.bytes, "version", 7) == 0 &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8) {
            amqp_bytes_t text = entry->value.value.bytes;
            (void)snprintf(version, sizeof version, "%.*s", (int)text.len, (char *)text.bytes);
        }
    }
}

void stage_open(void)
{
    (void)setenv("WARREN_AMQP_URL", live_url(), 1);
    const char *where = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/bench.XXXXXX", where && *where ? where : "/tmp");
    if (!mkdtemp(folder)) {
        side_give_up("cannot make", folder);
    }
    connection = bare_open(1);
    read_version();
    (void)atexit(close_stage);
}

const char *stage_broker_version(void)
{
    return version;
}

static void check(const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        side_give_up("the broker refuses", what);
    }
    amqp_maybe_release_buffers(connection);
}

/* --- configurations ------------------------------------------------------------------------------- */

static void write_config(const struct config *config)
{
    char threads[32] = "";
    FILE *file = fopen(config->path, "w");
    if (config->threads) {
        (void)snprintf(threads, sizeof threads, "threads = %d;", config->threads);
    }
    int wrote = file ? fprintf(file,
                               "broker: { url = \"${env:WARREN_AMQP_URL}\"; };\n"
                               "state_dir = \"%s\"; log: { level = \"warn\"; }; %s\n"
                               "queues = (%s);\n",
                               folder, threads, config->queues)
                     : -1;
    if (wrote < 0 || fclose(file)) {
        side_give_up("cannot write", config->path);
    }
    (void)chmod(config->path, 0600);
}

static void apply(const char *path)
{
    warren_topology *topology = NULL;
    warren_error err;
    warren_status rc = warren_topology_open(&topology, path, &err);
    rc = rc ? rc : warren_topology_apply(topology, NULL, &err);
    warren_topology_close(topology);
    if (rc) {
        side_give_up("topology", err.text);
    }
}

static const struct config *find_config(const char *queues, int threads)
{
    for (size_t i = 0; i < config_count; i++) {
        if (configs[i].threads == threads && strcmp(configs[i].queues, queues) == 0) {
            return &configs[i];
        }
    }
    return NULL;
}

const char *stage_config(const char *queues, int threads)
{
    const struct config *known = find_config(queues, threads);
    if (known) {
        return known->path;
    }
    if (config_count == CONFIGS_MOST) {
        side_give_up("stage", "too many configurations");
    }
    struct config *config = &configs[config_count];
    config->queues = queues;
    config->threads = threads;
    (void)snprintf(config->path, sizeof config->path, "%s/%zu.cfg", folder, config_count);
    write_config(config);
    apply(config->path);
    config_count++;
    return config->path;
}

/* --- queues --------------------------------------------------------------------------------------- */

long stage_depth(const char *queue)
{
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 1, 1, 0, 0, amqp_empty_table);
    long depth = ok ? (long)ok->message_count : 0;
    check(queue);
    return depth;
}

long stage_purge(const char *queue)
{
    const amqp_queue_purge_ok_t *ok = amqp_queue_purge(connection, 1, amqp_cstring_bytes(queue));
    long count = ok ? (long)ok->message_count : 0;
    check(queue);
    return count;
}

static void delete_queue(const char *queue)
{
    (void)amqp_queue_delete(connection, 1, amqp_cstring_bytes(queue), 0, 0);
    check(queue);
}

static bool delete_one(const warren_queue_info *info, void *user)
{
    (void)user;
    if (info->exists && strcmp(info->kind, "unrouted") != 0) {
        delete_queue(info->name);
    }
    return true;
}

static void delete_queues_of(const char *path)
{
    warren_admin *admin = NULL;
    warren_error err;
    warren_status rc = warren_admin_open(&admin, path, &err);
    rc = rc ? rc : warren_queue_each(admin, delete_one, NULL, &err);
    warren_admin_close(admin);
    if (rc) {
        side_give_up("clear", err.text);
    }
}

void stage_clear(void)
{
    for (size_t i = 0; i < config_count; i++) {
        delete_queues_of(configs[i].path);
    }
    for (size_t i = 0; i < declared_count; i++) {
        delete_queue(declared[i]);
    }
    config_count = 0;
    declared_count = 0;
}

static amqp_table_entry_t text_argument(const char *name, const char *value)
{
    return (amqp_table_entry_t){ .key = amqp_cstring_bytes(name),
                                 .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                            .value.bytes = amqp_cstring_bytes(value) } };
}

void stage_declare(const char *queue, int ttl_ms, const char *home)
{
    amqp_table_entry_t entries[] = {
        text_argument("x-queue-type", "quorum"),
        text_argument("x-dead-letter-exchange", ""),
        text_argument("x-dead-letter-routing-key", home ? home : ""),
        text_argument("x-dead-letter-strategy", "at-least-once"),
        text_argument("x-overflow", "reject-publish"),
        { .key = amqp_cstring_bytes("x-message-ttl"),
          .value = { .kind = AMQP_FIELD_KIND_I64, .value.i64 = ttl_ms } },
    };
    const amqp_table_t arguments = { .num_entries = home ? 6 : 1, .entries = entries };
    (void)amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
    check(queue);
    (void)snprintf(declared[declared_count++], PATH_BYTES, "%s", queue);
}
