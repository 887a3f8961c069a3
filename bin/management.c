// SPDX-License-Identifier: MIT
// DESIGN: one GET of /api/bindings/VHOST, at most 64 MiB and 30 s of it; the strings stay in the
// parsed tree. A build without libcurl says so instead.
#include "management.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#ifdef WARREN_HAVE_CURL

#include <curl/curl.h>

enum { ANSWER_MOST = 64 * 1024 * 1024, TIMEOUT_S = 30 };

struct answer {
    char *data;
    size_t size;
};

static size_t take_bytes(char *data, size_t one, size_t count, void *user)
{
    struct answer *answer = user;
    size_t size = one * count;
    if (answer->size + size > ANSWER_MOST) {
        return 0;
    }
    char *grown = realloc(answer->data, answer->size + size + 1);
    if (!grown) {
        return 0;
    }
    memcpy(grown + answer->size, data, size);
    answer->data = grown;
    answer->size += size;
    grown[answer->size] = '\0';
    return size;
}

static bool make_url(CURL *curl, const warren_management *from, char *out, size_t size)
{
    size_t length = strlen(from->url);
    const char *slash = length && from->url[length - 1] == '/' ? "" : "/";
    char *vhost = curl_easy_escape(curl, from->vhost, 0);
    int wanted = vhost ? snprintf(out, size, "%s%sapi/bindings/%s", from->url, slash, vhost) : -1;
    curl_free(vhost);
    return wanted > 0 && (size_t)wanted < size;
}

/* The URL's own user goes before the AMQP connection's. */
static void set_login(CURL *curl, const warren_management *from)
{
    const char *host = strstr(from->url, "://");
    bool has_login = host && strchr(host, '@');
    if (!has_login && from->user) {
        (void)curl_easy_setopt(curl, CURLOPT_USERNAME, from->user);
        (void)curl_easy_setopt(curl, CURLOPT_PASSWORD, from->password ? from->password : "");
    }
}

static bool get(CURL *curl, const warren_management *from, struct answer *answer)
{
    char url[2048];
    char why[CURL_ERROR_SIZE] = "";
    long code = 0;
    if (!make_url(curl, from, url, sizeof url)) {
        say("management API: broker.management_url is too long");
        return false;
    }
    set_login(curl, from);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    CURLcode rc = curl_easy_perform(curl);
    if (rc) {
        say("management API: %s", *why ? why : curl_easy_strerror(rc));
        return false;
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200) {
        say("management API: it answered %ld%s", code,
            code == 401   ? ": wrong user or password"
            : code == 404 ? ": no such vhost"
                          : "");
    }
    return code == 200;
}

static bool fetch(const warren_management *from, struct answer *answer)
{
    CURL *curl = curl_easy_init();
    if (!curl) {
        say("management API: libcurl could not be started");
        return false;
    }
    bool is_done = get(curl, from, answer);
    curl_easy_cleanup(curl);
    return is_done;
}

static const char *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(object, name, &value) ||
        !json_object_is_type(value, json_type_string)) {
        return NULL;
    }
    return json_object_get_string(value);
}

/* Bindings of the default exchange are implied by the queues and left out. */
static bool read_binding(struct json_object *row, warren_binding *out)
{
    const char *kind = member(row, "destination_type");
    *out = (warren_binding){ .source = member(row, "source"),
                             .destination = member(row, "destination"),
                             .to_queue = kind && strcmp(kind, "queue") == 0,
                             .key = member(row, "routing_key") };
    return kind && out->source && *out->source && out->destination && out->key;
}

static bool read_bindings(struct json_object *tree, struct management_bindings *out)
{
    if (!json_object_is_type(tree, json_type_array)) {
        say("management API: its answer is no list of bindings");
        return false;
    }
    size_t count = json_object_array_length(tree);
    size_t length = 0;
    warren_binding *items = calloc(count + 1, sizeof *items);
    if (!items) {
        say("out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        length += read_binding(json_object_array_get_idx(tree, i), &items[length]);
    }
    out->list = (warren_bindings){ items, length };
    return true;
}

bool management_fetch(const warren_management *from, struct management_bindings *out)
{
    struct answer answer = { 0 };
    *out = (struct management_bindings){ 0 };
    if (!fetch(from, &answer)) {
        free(answer.data);
        return false;
    }
    out->tree = json_tokener_parse(answer.data ? answer.data : "");
    free(answer.data);
    if (!read_bindings(out->tree, out)) {
        management_done(out);
        return false;
    }
    return true;
}

#else

bool management_fetch(const warren_management *from, struct management_bindings *out)
{
    (void)from;
    *out = (struct management_bindings){ 0 };
    say("management API: this warren was built without libcurl");
    return false;
}

#endif

void management_done(struct management_bindings *bindings)
{
    free((void *)bindings->list.items);
    json_object_put(bindings->tree);
    *bindings = (struct management_bindings){ 0 };
}
