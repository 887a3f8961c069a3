// SPDX-License-Identifier: MIT
// DESIGN: four GETs, each with a time limit and at most 64 MiB; the strings stay in the parsed
// trees. The first answer's Date header is the broker's clock, told to the second and taken as the
// middle of it, against the middle of our question. A build without libcurl says so instead.
#include "management.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef WARREN_HAVE_CURL

#include <curl/curl.h>

enum { ANSWER_MOST = 64 * 1024 * 1024 };

/* The numbers are the places of their answers. */
enum question { ASKS_BINDINGS, ASKS_QUEUES, ASKS_NODES, ASKS_DEPRECATED };

struct session {
    CURL *curl;
    const warren_management *from;
    const char *queue; /* the one that is asked for; NULL: none */
    long timeout_ms;
    struct management *out;
    char *data; /* of the answer under way */
    size_t size;
    size_t answered;
};

/* --- one question --- */

static size_t take_bytes(char *data, size_t one, size_t count, void *user)
{
    struct session *session = user;
    size_t size = one * count;
    if (session->size + size > ANSWER_MOST) {
        return 0;
    }
    char *grown = realloc(session->data, session->size + size + 1);
    if (!grown) {
        return 0;
    }
    memcpy(grown + session->size, data, size);
    session->data = grown;
    session->size += size;
    grown[session->size] = '\0';
    return size;
}

/* `path` ends with a slash: the vhost follows it. */
static bool make_url(const struct session *session, const char *path, char *out, size_t size)
{
    const char *base = session->from->url;
    size_t length = strlen(base);
    const char *slash = length && base[length - 1] == '/' ? "" : "/";
    bool wants_vhost = path[strlen(path) - 1] == '/';
    char *vhost = wants_vhost ? curl_easy_escape(session->curl, session->from->vhost, 0) : NULL;
    char *queue = session->queue ? curl_easy_escape(session->curl, session->queue, 0) : NULL;
    int wanted = snprintf(out, size, "%s%sapi/%s%s%s%s", base, slash, path, vhost ? vhost : "",
                          queue ? "/" : "", queue ? queue : "");
    bool fits = wanted > 0 && (size_t)wanted < size && (!wants_vhost || vhost) &&
                (!session->queue || queue);
    curl_free(queue);
    curl_free(vhost);
    return fits;
}

/* The URL's own user goes before the AMQP connection's. */
static void set_login(const struct session *session)
{
    const warren_management *from = session->from;
    const char *host = strstr(from->url, "://");
    bool has_login = host && strchr(host, '@');
    if (!has_login && from->user) {
        (void)curl_easy_setopt(session->curl, CURLOPT_USERNAME, from->user);
        (void)curl_easy_setopt(session->curl, CURLOPT_PASSWORD,
                               from->password ? from->password : "");
    }
}

static const char *explain_code(long code)
{
    return code == 401   ? ": wrong user or password, or a user without the tag management"
           : code == 403 ? ": the user lacks a tag"
           : code == 404 ? ": not there"
                         : "";
}

/* What went wrong is noted once, with what was asked for. */
static void note_problem(const struct session *session, const char *what, const char *why)
{
    char *problem = session->out->problem;
    size_t used = strlen(problem);
    (void)snprintf(problem + used, sizeof session->out->problem - used, "%s%s: %s",
                   used ? "; " : "", what, why);
}

/* The answer's HTTP code; 0 without one, which is noted. */
static long get(struct session *session, const char *what, const char *path)
{
    char url[2048];
    char why[CURL_ERROR_SIZE] = "";
    long code = 0;
    CURL *curl = session->curl;
    free(session->data);
    session->data = NULL;
    session->size = 0;
    if (!make_url(session, path, url, sizeof url)) {
        note_problem(session, what, "broker.management_url is too long");
        return 0;
    }
    set_login(session);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, session->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, session);
    CURLcode rc = curl_easy_perform(curl);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (rc) {
        note_problem(session, what, *why ? why : curl_easy_strerror(rc));
        return 0;
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

/* An array, kept at its question's place; NULL otherwise, which is noted. */
static struct json_object *ask(struct session *session, enum question question, const char *what,
                               const char *path)
{
    long code = get(session, what, path);
    if (code != 200) {
        char why[128];
        (void)snprintf(why, sizeof why, "it answered %ld%s", code, explain_code(code));
        if (code) {
            note_problem(session, what, why);
        }
        return NULL;
    }
    struct json_object *tree = json_tokener_parse(session->data ? session->data : "");
    if (!json_object_is_type(tree, json_type_array)) {
        json_object_put(tree);
        note_problem(session, what, "its answer is no list");
        return NULL;
    }
    session->answered++;
    session->out->answers[question] = tree;
    return tree;
}

/* --- members --- */

static struct json_object *member_of(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return json_object_is_type(object, json_type_object) &&
                   json_object_object_get_ex(object, name, &value)
               ? value
               : NULL;
}

static const char *string_of(struct json_object *object, const char *name)
{
    struct json_object *value = member_of(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static int64_t number_of(struct json_object *object, const char *name)
{
    struct json_object *value = member_of(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
}

static bool has_number(struct json_object *object, const char *name)
{
    return json_object_is_type(member_of(object, name), json_type_int);
}

static bool flag_of(struct json_object *object, const char *name)
{
    return json_object_get_boolean(member_of(object, name));
}

/* --- bindings --- */

static bool has_members(struct json_object *value)
{
    return json_object_is_type(value, json_type_object) && json_object_object_length(value) > 0;
}

/* Bindings of the default exchange are implied by the queues and left out. */
static bool read_binding(struct json_object *row, warren_binding *out)
{
    const char *kind = string_of(row, "destination_type");
    *out = (warren_binding){ .source = string_of(row, "source"),
                             .destination = string_of(row, "destination"),
                             .to_queue = kind && strcmp(kind, "queue") == 0,
                             .key = string_of(row, "routing_key"),
                             .has_arguments = has_members(member_of(row, "arguments")) };
    return kind && out->source && *out->source && out->destination && out->key;
}

static void ask_bindings(struct session *session)
{
    struct json_object *tree = ask(session, ASKS_BINDINGS, "bindings", "bindings/");
    size_t count = tree ? json_object_array_length(tree) : 0;
    warren_binding *items = tree ? calloc(count + 1, sizeof *items) : NULL;
    size_t length = 0;
    for (size_t i = 0; items && i < count; i++) {
        length += read_binding(json_object_array_get_idx(tree, i), &items[length]);
    }
    if (items) {
        session->out->bindings = (warren_bindings){ items, length };
        session->out->facts.bindings = &session->out->bindings;
    }
}

/* --- queues --- */

static int64_t first_known(int64_t a, int64_t b)
{
    return a >= 0 ? a : b;
}

static void read_queue(struct json_object *row, warren_queue_facts *out)
{
    struct json_object *arguments = member_of(row, "arguments");
    struct json_object *rules = member_of(row, "effective_policy_definition");
    const char *overflow = string_of(rules, "overflow");
    const char *policy = string_of(row, "policy");
    const char *operator_policy = string_of(row, "operator_policy");
    const char *name = string_of(row, "name");
    *out = (warren_queue_facts){
        .name = name ? name : "",
        .type = string_of(row, "type"),
        .policy = policy && *policy ? policy : NULL,
        .operator_policy = operator_policy && *operator_policy ? operator_policy : NULL,
        .unacked = number_of(row, "messages_unacknowledged"),
        .dead_lettering = number_of(row, "messages_dlx"),
        .has_delivery_limit = has_number(arguments, "x-delivery-limit"),
        .delivery_limit = number_of(arguments, "x-delivery-limit"),
        .consumer_timeout_ms = first_known(number_of(arguments, "x-consumer-timeout"),
                                           number_of(rules, "consumer-timeout")),
        .has_policies = rules != NULL,
        .has_policy_delivery_limit = has_number(rules, "delivery-limit"),
        .policy_delivery_limit = number_of(rules, "delivery-limit"),
        .max_length = number_of(rules, "max-length"),
        .max_bytes = number_of(rules, "max-length-bytes"),
        .message_ttl_ms = number_of(rules, "message-ttl"),
        .expires_ms = number_of(rules, "expires"),
        .drops_head = overflow && strcmp(overflow, "drop-head") == 0,
        .is_mirrored = string_of(rules, "ha-mode") != NULL,
    };
}

static void ask_queues(struct session *session)
{
    struct json_object *tree = ask(session, ASKS_QUEUES, "queues", "queues/");
    size_t count = tree ? json_object_array_length(tree) : 0;
    warren_queue_facts *queues = tree ? calloc(count + 1, sizeof *queues) : NULL;
    for (size_t i = 0; queues && i < count; i++) {
        read_queue(json_object_array_get_idx(tree, i), &queues[i]);
    }
    if (queues) {
        session->out->queues = queues;
        session->out->facts.queues = queues;
        session->out->facts.queue_count = count;
    }
}

/* --- nodes, features, time --- */

static void ask_nodes(struct session *session)
{
    warren_broker_facts *facts = &session->out->facts;
    struct json_object *tree = ask(session, ASKS_NODES, "nodes", "nodes");
    facts->has_alarms = tree != NULL;
    for (size_t i = 0; tree && i < json_object_array_length(tree); i++) {
        struct json_object *node = json_object_array_get_idx(tree, i);
        const char *name = string_of(node, "name");
        if (flag_of(node, "mem_alarm")) {
            facts->memory_alarm = name ? name : "a node";
        }
        if (flag_of(node, "disk_free_alarm")) {
            facts->disk_alarm = name ? name : "a node";
        }
    }
}

/* Brokers below 3.13 don't have it, which is no problem. */
static void ask_deprecated(struct session *session)
{
    struct management *out = session->out;
    char kept[sizeof out->problem];
    memcpy(kept, out->problem, sizeof kept);
    struct json_object *tree =
        ask(session, ASKS_DEPRECATED, "deprecated features", "deprecated-features/used");
    memcpy(out->problem, kept, sizeof kept);
    for (size_t i = 0; tree && i < json_object_array_length(tree); i++) {
        const char *name = string_of(json_object_array_get_idx(tree, i), "name");
        size_t used = strlen(out->deprecated);
        (void)snprintf(out->deprecated + used, sizeof out->deprecated - used, "%s%s",
                       used ? ", " : "", name ? name : "?");
    }
    out->facts.has_deprecated = tree != NULL;
    out->facts.deprecated = out->deprecated;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void read_clock(struct session *session, int64_t asked_ms)
{
    struct curl_header *date = NULL;
    int64_t answered_ms = wall_ms();
    if (curl_easy_header(session->curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
        time_t at = curl_getdate(date->value, NULL);
        session->out->facts.has_clock = at > 0;
        session->out->facts.clock_off_ms =
            (int64_t)at * 1000 + 500 - (asked_ms + (answered_ms - asked_ms) / 2);
    }
}

/* --- the whole --- */

/* Scheme, host and port; never the login. */
static void name_source(const warren_management *from, char *out, size_t size)
{
    const char *host = strstr(from->url, "://");
    const char *login_end = host ? strrchr(host, '@') : NULL;
    int scheme = host ? (int)(host + 3 - from->url) : 0;
    (void)snprintf(out, size, "%.*s%s", scheme, from->url,
                   login_end ? login_end + 1 : from->url + scheme);
}

bool management_ask(const warren_management *from, long timeout_ms, struct management *out)
{
    *out = (struct management){ .facts = { .deprecated = "" } };
    struct session session = {
        .curl = curl_easy_init(), .from = from, .timeout_ms = timeout_ms, .out = out
    };
    if (!session.curl || !from->vhost) {
        curl_easy_cleanup(session.curl);
        (void)snprintf(out->problem, sizeof out->problem, "%s",
                       from->vhost ? "libcurl could not be started" : "the URL names no vhost");
        return false;
    }
    name_source(from, out->source, sizeof out->source);
    out->facts.source = out->source;
    int64_t asked_ms = wall_ms();
    ask_bindings(&session);
    read_clock(&session, asked_ms);
    if (session.answered) { /* else nobody is there, or nobody lets us in */
        ask_queues(&session);
        ask_nodes(&session);
        ask_deprecated(&session);
    }
    out->facts.problem = *out->problem ? out->problem : NULL;
    free(session.data);
    curl_easy_cleanup(session.curl);
    return session.answered > 0;
}

/* A queue that was declared a moment ago may not be known there yet. */
bool management_ask_queue(const warren_management *from, long timeout_ms, const char *queue,
                          warren_queue_facts *out, char *out_problem, size_t size)
{
    struct management answer = { 0 };
    struct session session = { .curl = curl_easy_init(),
                               .from = from,
                               .queue = queue,
                               .timeout_ms = timeout_ms,
                               .out = &answer };
    *out = (warren_queue_facts){ .name = queue, .unacked = -1, .dead_lettering = -1 };
    long code = session.curl && from->vhost ? get(&session, "queue", "queues/") : 0;
    struct json_object *tree = code == 200 ? json_tokener_parse(session.data) : NULL;
    if (tree) {
        out->unacked = number_of(tree, "messages_unacknowledged");
        out->dead_lettering = number_of(tree, "messages_dlx");
    } else if (code != 404) {
        (void)snprintf(out_problem, size, "%s",
                       *answer.problem ? answer.problem : "queue: it gave no answer");
    }
    json_object_put(tree);
    free(session.data);
    curl_easy_cleanup(session.curl);
    return tree || code == 404;
}

#else

bool management_ask(const warren_management *from, long timeout_ms, struct management *out)
{
    (void)from, (void)timeout_ms;
    *out = (struct management){ .problem = "this warren was built without libcurl" };
    return false;
}

bool management_ask_queue(const warren_management *from, long timeout_ms, const char *queue,
                          warren_queue_facts *out, char *out_problem, size_t size)
{
    (void)from, (void)timeout_ms;
    *out = (warren_queue_facts){ .name = queue, .unacked = -1, .dead_lettering = -1 };
    (void)snprintf(out_problem, size, "this warren was built without libcurl");
    return false;
}

#endif

void management_done(struct management *management)
{
    free((void *)management->bindings.items);
    free(management->queues);
    for (int i = 0; i < MANAGEMENT_ANSWERS; i++) {
        json_object_put(management->answers[i]);
    }
    *management = (struct management){ 0 };
}

const warren_queue_facts *management_queue(const struct management *management, const char *name)
{
    for (size_t i = 0; i < management->facts.queue_count; i++) {
        if (strcmp(management->queues[i].name, name) == 0) {
            return &management->queues[i];
        }
    }
    return NULL;
}
