// SPDX-License-Identifier: MIT
// DESIGN: the bench's place is a namespace with a random end, so that it meets nobody's queues. Its
// configuration is made from the user's as it takes effect (`warren config show -o json`): the broker
// section is copied value by value, but for user and password, which that form doesn't tell. They
// come from warren_topology_management and go into this process's own environment, to which the
// configuration refers by ${env:…}: so no secret is ever written to a file, nor seen by others
// (/proc shows only the environment that a process began with).
//
// delay.max is one second, so the ladder has four levels instead of twenty.
#include <errno.h>
#include <ftw.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "say.h"
#include "warren/config.h"
#include "warren/topology.h"

#define USER_VARIABLE "WARREN_BENCH_USER"
#define PASSWORD_VARIABLE "WARREN_BENCH_PASSWORD"

enum { NAMESPACE_MOST = 40, RANDOM_SIZE = 6, REMOVALS_MOST = 3, REMOVAL_PAUSE_S = 1 };

static warren_status fail(warren_error *err, warren_status status, const char *what,
                          const char *why)
{
    err->status = status;
    (void)snprintf(err->text, sizeof err->text, "%s: %s", what, why);
    return status;
}

/* --- reading the user's configuration --- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *value = member(object, name);
    const char *text = value ? json_object_get_string(value) : NULL;
    return text ? text : "";
}

static warren_status read_settings(const char *path, struct json_object **out, warren_error *err)
{
    warren_config *config = NULL;
    char *text = NULL;
    warren_status rc = warren_config_open(&config, path, err);
    if (!rc) {
        rc = warren_config_write(config, true, &text, err);
    }
    warren_config_close(config);
    if (rc) {
        return rc;
    }
    *out = json_tokener_parse(text);
    free(text);
    return *out ? WARREN_OK
                : fail(err, WARREN_FAILED, "the configuration", "can't be read as JSON");
}

/* The URL without its "user:***@": they are said apart. */
static char *bare_url(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *at = strrchr(url, '@');
    size_t length = scheme ? (size_t)(scheme - url) + strlen("://") : 0;
    const char *rest = scheme && at ? at + 1 : url + length;
    char *bare = NULL;
    return asprintf(&bare, "%.*s%s", (int)length, url, rest) < 0 ? NULL : bare;
}

static bool is_this_machine(const char *host, size_t length)
{
    static const char *const names[] = { "localhost", "127.", "[::1]", "ip6-localhost" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = strlen(names[i]);
        if (length >= size && strncmp(host, names[i], size) == 0) {
            return true;
        }
    }
    return length == 0 || *host == ':';
}

/* Whether a host of the URL is another machine and is talked to without TLS. */
static bool is_exposed(const char *bare)
{
    static const char plain[] = "amqp://";
    if (strncmp(bare, plain, strlen(plain)) != 0) {
        return false;
    }
    const char *host = bare + strlen(plain);
    const char *end = host + strcspn(host, "/?#");
    while (host < end) {
        size_t length = strcspn(host, ",/?#");
        if (!is_this_machine(host, length)) {
            return true;
        }
        host += length + 1;
    }
    return false;
}

static warren_status read_login(const char *path, warren_error *err)
{
    warren_topology *topology = NULL;
    warren_management who;
    warren_status rc = warren_topology_open(&topology, path, err);
    if (!rc) {
        rc = warren_topology_management(topology, &who, err);
    }
    if (!rc && !who.user) {
        rc = fail(err, WARREN_INVALID, "broker.url",
                  "memory: is no broker to measure; name a RabbitMQ");
    }
    if (!rc && (setenv(USER_VARIABLE, who.user, 1) || setenv(PASSWORD_VARIABLE, who.password, 1))) {
        rc = fail(err, WARREN_NO_MEMORY, "the environment", strerror(errno));
    }
    warren_topology_close(topology);
    return rc;
}

/* --- writing ours --- */

static void write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fprintf(file, "\\%c", c);
        } else if (c < 0x20 || c == 0x7F) {
            fprintf(file, "\\x%02x", c);
        } else {
            fputs(c == '$' ? "$$" : (char[]){ *text, '\0' }, file);
        }
    }
    fputc('"', file);
}

static bool is_ours(const char *name)
{
    static const char *const names[] = {
        "url",           "user",           "user_file",       "password",
        "password_file", "management_url", "connection_name", "connect_wait"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The members of a group of the broker section that aren't said otherwise here. */
static void write_group(FILE *file, struct json_object *group)
{
    json_object_object_foreach(group, name, value)
    {
        if (is_ours(name) || !value) {
            continue;
        }
        fprintf(file, "    %s", name);
        if (json_object_is_type(value, json_type_object)) {
            fputs(": {\n", file);
            write_group(file, value);
            fputs("    }", file);
        } else {
            fputs(" = ", file);
            const char *text = json_object_get_string(value);
            if (!json_object_is_type(value, json_type_string)) {
                fputs(text, file);
            } else {
                write_string(file, text);
            }
        }
        fputs(";\n", file);
    }
}

static void write_broker(FILE *file, const struct bench_scene *scene, struct json_object *broker)
{
    fputs("broker: {\n    url = ", file);
    write_string(file, scene->url);
    fputs(";\n    connection_name = \"warren bench\";\n    connect_wait = \"0s\";\n", file);
    if (strcmp(text_of(broker, "login"), "external") != 0) {
        fputs("    user = \"${env:" USER_VARIABLE "}\";\n"
              "    password = \"${env:" PASSWORD_VARIABLE "}\";\n",
              file);
    }
    write_group(file, broker);
    fputs("};\n", file);
}

/* What each configuration has in it. */
static const struct row {
    const char *file;
    const char *types[4]; /* of the work queue */
} rows[BENCH_CONFIGS] = {
    [BENCH_ALL] = { "warren.cfg", { BENCH_TYPE_LATENCY, BENCH_TYPE_LADDER, BENCH_TYPE_DRAIN } },
    [BENCH_TIMER] = { "timer.cfg", { BENCH_TYPE_LATENCY, BENCH_TYPE_LADDER } },
    [BENCH_TAKER] = { "taker.cfg", { BENCH_TYPE_DRAIN } },
};

static void write_queue(FILE *file, const struct bench *bench, const char *name, bool is_classic)
{
    fprintf(
        file,
        "  { name = \"%s.%s\"; type = \"%s\";\n"
        "    retry: { attempts = 2; backoff = \"fixed\"; first = \"1s\"; max = \"1s\"; jitter = "
        "0.0; };\n",
        bench->scene.ns, name, is_classic ? "classic" : "quorum");
}

static void write_queues(FILE *file, const struct bench *bench, enum bench_config which)
{
    const struct row *row = &rows[which];
    fputs("queues: (\n", file);
    write_queue(file, bench, "work", bench->options.is_classic);
    for (size_t i = 0; row->types[i]; i++) {
        fprintf(file, "%s{ type = \"%s\"; concurrency = %ld; }", i ? ", " : "    jobs: ( ",
                row->types[i], bench->options.threads);
    }
    fputs(" ); }", file);
    if (which == BENCH_ALL && bench->options.compares) {
        fputs(",\n", file);
        write_queue(file, bench, "classic", true);
        fprintf(file, "    jobs: ( { type = \"%s\"; } ); }", BENCH_TYPE_CLASSIC);
    }
    fputs("\n);\n", file);
}

static warren_status write_config(const struct bench *bench, enum bench_config which,
                                  struct json_object *settings, warren_error *err)
{
    const char *path = bench->scene.configs[which];
    FILE *file = fopen(path, "wxe");
    if (!file || fchmod(fileno(file), S_IRUSR | S_IWUSR)) {
        warren_status rc = fail(err, WARREN_FAILED, path, strerror(errno));
        if (file) {
            (void)fclose(file);
        }
        return rc;
    }
    fprintf(file,
            "namespace = \"%s\";\nthreads = %ld;\ndrain_timeout = \"5s\";\nstate_dir = \"state\";\n"
            "delay: { max = \"%ds\"; };\nlimits: { body = \"16MiB\"; };\n"
            "publish: { window = %ld; timeout = \"10s\"; };\n",
            bench->scene.ns, bench->options.threads, BENCH_DELAY_MS / 1000, bench->scene.window);
    write_broker(file, &bench->scene, member(settings, "broker"));
    write_queues(file, bench, which);
    bool is_written = !ferror(file);
    return fclose(file) || !is_written ? fail(err, WARREN_FAILED, path, "can't be written")
                                       : WARREN_OK;
}

/* --- the scene --- */

/* Whether it is one that choose_namespace could have made of the same configuration. */
static bool is_bench(const char *ns, const char *begin)
{
    size_t length = strlen(begin);
    return strncmp(ns, begin, length) == 0 && strlen(ns + length) == RANDOM_SIZE &&
           strspn(ns + length, "0123456789abcdef") == RANDOM_SIZE;
}

/* The user's namespace, "bench-", and the random end of a fresh job id. */
static warren_status choose_namespace(struct bench_scene *scene, const char *own, const char *ns,
                                      warren_error *err)
{
    char id[37];
    char begin[NAMESPACE_MOST + sizeof ".bench-"];
    warren_make_id(id);
    (void)snprintf(begin, sizeof begin, "%.*s.bench-", NAMESPACE_MOST, own);
    if (ns && !is_bench(ns, begin)) {
        return fail(err, WARREN_INVALID, ns,
                    "is no namespace of a bench, such as warren.bench-4f1e62");
    }
    (void)snprintf(scene->ns, sizeof scene->ns, "%s%s", ns ? ns : begin,
                   ns ? "" : id + sizeof id - 1 - RANDOM_SIZE);
    return WARREN_OK;
}

static warren_status make_folder(struct bench_scene *scene, warren_error *err)
{
    const char *parent = getenv("TMPDIR");
    int size = snprintf(scene->folder, sizeof scene->folder, "%s/warren-bench.XXXXXX",
                        parent && *parent ? parent : "/tmp");
    if (size >= (int)sizeof scene->folder || !mkdtemp(scene->folder)) {
        warren_status rc =
            fail(err, WARREN_FAILED, "a temporary folder",
                 size >= (int)sizeof scene->folder ? "$TMPDIR is too long" : strerror(errno));
        scene->folder[0] = '\0';
        return rc;
    }
    for (size_t i = 0; i < BENCH_CONFIGS; i++) {
        (void)snprintf(scene->configs[i], sizeof scene->configs[i], "%s/%s", scene->folder,
                       rows[i].file);
    }
    return WARREN_OK;
}

static warren_status write_scene(struct bench *bench, struct json_object *settings, const char *ns,
                                 warren_error *err)
{
    struct bench_scene *scene = &bench->scene;
    struct json_object *publish = member(settings, "publish");
    scene->window = (long)json_object_get_int64(member(publish, "window"));
    scene->url = bare_url(text_of(member(settings, "broker"), "url"));
    if (!scene->url) {
        return fail(err, WARREN_NO_MEMORY, "the broker's URL", strerror(ENOMEM));
    }
    scene->is_exposed = is_exposed(scene->url);
    warren_status rc = choose_namespace(scene, text_of(settings, "namespace"), ns, err);
    if (!rc) {
        rc = make_folder(scene, err);
    }
    for (int i = 0; !rc && i < BENCH_CONFIGS; i++) {
        rc = write_config(bench, (enum bench_config)i, settings, err);
    }
    return rc;
}

warren_status bench_scene_open(struct bench *bench, const char *ns, warren_error *err)
{
    struct json_object *settings = NULL;
    warren_status rc = read_settings(bench->options.config, &settings, err);
    if (!rc) {
        rc = read_login(bench->options.config, err);
    }
    if (!rc) {
        rc = write_scene(bench, settings, ns, err);
    }
    json_object_put(settings);
    return rc;
}

warren_status bench_scene_declare(struct bench *bench, warren_error *err)
{
    struct bench_measure *measure = &bench->measures[BENCH_DECLARE];
    struct bench_samples samples;
    warren_topology *topology = NULL;
    if (!bench_samples_init(&samples, 1)) {
        return fail(err, WARREN_NO_MEMORY, "a sample", strerror(ENOMEM));
    }
    int64_t begun = bench_now_ns();
    warren_status rc = warren_topology_open(&topology, bench->scene.configs[BENCH_ALL], err);
    if (!rc) {
        bench->scene.may_stand = true;
        rc = warren_topology_apply(topology, NULL, err);
    }
    warren_topology_close(topology);
    if (!rc) {
        bench_samples_add(&samples, bench_now_ns() - begun);
        *measure = (struct bench_measure){ .is_done = true,
                                           .jobs = 1,
                                           .times = bench_samples_sum(&samples) };
    }
    bench_samples_done(&samples);
    return rc;
}

static warren_status remove_once(const struct bench_scene *scene, warren_error *err)
{
    warren_topology *topology = NULL;
    warren_status rc = warren_topology_open(&topology, scene->configs[BENCH_ALL], err);
    if (!rc) {
        rc = warren_topology_remove(topology, scene->ns, err);
    }
    warren_topology_close(topology);
    return rc;
}

/* What was refused stays refused; a lost connection may come back. */
warren_status bench_scene_remove(struct bench *bench, warren_error *err)
{
    warren_status rc = WARREN_OK;
    for (int i = 0; bench->scene.may_stand && i < REMOVALS_MOST; i++) {
        if (i) {
            (void)sleep(REMOVAL_PAUSE_S);
        }
        rc = remove_once(&bench->scene, err);
        bench->scene.may_stand = rc != WARREN_OK;
        if (rc == WARREN_REFUSED) {
            break;
        }
    }
    return rc;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

void bench_scene_close(struct bench *bench)
{
    enum { DESCRIPTORS = 8 };
    struct bench_scene *scene = &bench->scene;
    if (*scene->folder && nftw(scene->folder, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS)) {
        say("%s: can't be removed: %s", scene->folder, strerror(errno));
    }
    (void)unsetenv(USER_VARIABLE);
    (void)unsetenv(PASSWORD_VARIABLE);
    scene->folder[0] = '\0';
}
