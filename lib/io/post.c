// SPDX-License-Identifier: MIT
// DESIGN: libcurl through dlopen: who traces nothing doesn't pay for its thirty libraries (2.4 MiB in a
// worker, which has OpenSSL already, and 3.5 ms at its start, measured). A post is driven by hand (curl_multi) in short waits, so that a stop can cut it.
// The connection is kept for the next one. What a server answers is counted and not kept; redirections
// aren't followed, so a token goes nowhere else.
#include "io/post.h"

#include "base/error.h"

#ifdef WARREN_TRACES

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { LOOK_EVERY_MS = 50, CONNECT_MS = 3000, ANSWER_MOST = 1 << 20 };

/* What is used of the library, by its own names. */
#define FUNCTIONS(with)                                                                            \
    with(global_init) with(easy_init) with(easy_setopt) with(easy_getinfo) with(easy_cleanup)      \
        with(easy_strerror) with(slist_append) with(slist_free_all) with(multi_init)               \
            with(multi_add_handle) with(multi_remove_handle) with(multi_perform) with(multi_poll)  \
                with(multi_info_read) with(multi_cleanup)

#define MEMBER(name) __typeof__(curl_##name) *name;
struct library {
    FUNCTIONS(MEMBER)
};

struct wr_post {
    struct library curl;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    size_t answered; /* bytes of the answer */
    char why[CURL_ERROR_SIZE];
};

static bool load(struct library *library)
{
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    bool is_whole = handle != NULL;
    if (!handle) {
        return false;
    }
#define FIND(name)                                                                                 \
    *(void **)(void *)&library->name = dlsym(handle, "curl_" #name);                               \
    is_whole = is_whole && library->name;
    FUNCTIONS(FIND)
    return is_whole;
}

/* More than an answer may have ends the post. */
static size_t drop_answer(char *data, size_t size, size_t count, void *user)
{
    struct wr_post *post = user;
    (void)data;
    post->answered += size * count;
    return post->answered > ANSWER_MOST ? 0 : size * count;
}

static warren_status make_parts(struct wr_post *post, const struct wr_post_options *options,
                                warren_error *err)
{
    char header[128];
    const struct library *curl = &post->curl;
    (void)snprintf(header, sizeof header, "Content-Type: %s",
                   options->content_type ? options->content_type : "application/json");
    post->multi = curl->multi_init();
    post->easy = curl->easy_init();
    post->headers = curl->slist_append(NULL, header);
    struct curl_slist *more = curl->slist_append(post->headers, "Expect:"); /* no 100-continue */
    return post->multi && post->easy && more ? WARREN_OK : wr_no_memory(err);
}

/* A child that a handler starts doesn't get the connection. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* That CA and no other: without the second line those of the system would do, too. libcurl from 7.87 on
 * would keep what a CA file said for a day; before, it doesn't know the option. */
static CURLcode trust(struct wr_post *post, const char *ca_file)
{
    const struct library *curl = &post->curl;
    CURLcode rc = curl->easy_setopt(post->easy, CURLOPT_CAINFO, ca_file);
    rc = rc ? rc : curl->easy_setopt(post->easy, CURLOPT_CAPATH, NULL);
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl->easy_setopt(post->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
    return rc;
}

static warren_status set_up(struct wr_post *post, const struct wr_post_options *options,
                            warren_error *err)
{
    const struct library *curl = &post->curl;
    warren_status status = make_parts(post, options, err);
    if (status) {
        return status;
    }
    CURL *easy = post->easy;
    CURLcode rc = curl->easy_setopt(easy, CURLOPT_URL, options->url);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_POST, 1L);
    rc = rc || !options->method ? rc
                                : curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, options->method);
    rc = rc || !options->ca_file ? rc : trust(post, options->ca_file);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_USERAGENT, "warren/" WARREN_VERSION);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_answer);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_WRITEDATA, post);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, post->why);
    rc = rc ? rc : curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    return rc ? wr_fail(err, WARREN_CONFIG, "%s: %s", options->url, curl->easy_strerror(rc))
              : WARREN_OK;
}

warren_status wr_post_open(struct wr_post **out, const struct wr_post_options *options,
                           warren_error *err)
{
    struct wr_post *post = calloc(1, sizeof *post);
    if (!post) {
        return wr_no_memory(err);
    }
    if (!load(&post->curl)) {
        free(post);
        return wr_fail(err, WARREN_CONFIG,
                       "libcurl.so.4 (7.85 or later) can't be loaded: install libcurl4");
    }
    if (post->curl.global_init(CURL_GLOBAL_DEFAULT)) {
        free(post);
        return wr_fail(err, WARREN_CONFIG, "libcurl can't be initialised");
    }
    warren_status rc = set_up(post, options, err);
    if (rc) {
        wr_post_close(post);
        return rc;
    }
    *out = post;
    return WARREN_OK;
}

warren_status wr_post_authorize(struct wr_post *post, const char *token, warren_error *err)
{
    const struct library *curl = &post->curl;
    CURLcode rc = curl->easy_setopt(post->easy, CURLOPT_XOAUTH2_BEARER, token);
    rc = rc ? rc : curl->easy_setopt(post->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    return rc ? wr_fail(err, WARREN_FAILED, "a token can't be sent: %s", curl->easy_strerror(rc))
              : WARREN_OK;
}

/* Moves the transfer on until it has ended. False: the time was up before. */
static bool drive(struct wr_post *post, const _Atomic int64_t *until_us, CURLcode *out)
{
    const struct library *curl = &post->curl;
    int running = 1;
    while (running && wr_clock_mono_us(NULL) < atomic_load(until_us)) {
        if (curl->multi_perform(post->multi, &running)) {
            return false;
        }
        if (running) {
            (void)curl->multi_poll(post->multi, NULL, 0, LOOK_EVERY_MS, NULL);
        }
    }
    int left;
    const CURLMsg *message = curl->multi_info_read(post->multi, &left);
    if (!message || message->msg != CURLMSG_DONE) {
        return false;
    }
    *out = message->data.result;
    return true;
}

static void explain(struct wr_post *post, bool has_ended, CURLcode rc, struct wr_post_result *out)
{
    out->may_retry = !out->status || out->status == 429 || out->status == 502 ||
                     out->status == 503 || out->status == 504;
    if (!has_ended) {
        (void)snprintf(out->text, sizeof out->text, "no answer in time");
    } else if (rc) {
        (void)snprintf(out->text, sizeof out->text, "%s",
                       post->why[0] ? post->why : post->curl.easy_strerror(rc));
    } else {
        (void)snprintf(out->text, sizeof out->text, "it answered with HTTP status %ld",
                       out->status);
    }
}

warren_status wr_post_send(struct wr_post *post, struct wr_slice body, int64_t timeout_ms,
                           const _Atomic int64_t *until_us, struct wr_post_result *out)
{
    const struct library *curl = &post->curl;
    CURLcode rc = CURLE_OK;
    *out = (struct wr_post_result){ 0 };
    post->answered = 0;
    post->why[0] = '\0';
    (void)curl->easy_setopt(post->easy, CURLOPT_POSTFIELDS, body.data);
    (void)curl->easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    (void)curl->easy_setopt(post->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    if (curl->multi_add_handle(post->multi, post->easy)) {
        (void)snprintf(out->text, sizeof out->text, "libcurl takes no transfer");
        return WARREN_FAILED;
    }
    bool has_ended = drive(post, until_us, &rc);
    (void)curl->easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &out->status);
    (void)curl->multi_remove_handle(post->multi, post->easy);
    if (has_ended && !rc && out->status >= 200 && out->status < 300) {
        return WARREN_OK;
    }
    explain(post, has_ended, rc, out);
    return WARREN_FAILED;
}

void wr_post_close(struct wr_post *post)
{
    if (!post) {
        return;
    }
    const struct library *curl = &post->curl;
    if (post->easy) {
        curl->easy_cleanup(post->easy);
    }
    if (post->multi) {
        (void)curl->multi_cleanup(post->multi);
    }
    curl->slist_free_all(post->headers);
    free(post);
}

#else

warren_status wr_post_open(struct wr_post **out, const struct wr_post_options *options,
                           warren_error *err)
{
    (void)out;
    (void)options;
    return wr_fail(err, WARREN_CONFIG, "this library was built without libcurl (WARREN_TRACES)");
}

warren_status wr_post_authorize(struct wr_post *post, const char *token, warren_error *err)
{
    (void)post;
    (void)token;
    return wr_fail(err, WARREN_STATE, "this library was built without libcurl (WARREN_TRACES)");
}

warren_status wr_post_send(struct wr_post *post, struct wr_slice body, int64_t timeout_ms,
                           const _Atomic int64_t *until_us, struct wr_post_result *out)
{
    (void)post;
    (void)body;
    (void)timeout_ms;
    (void)until_us;
    (void)out;
    return WARREN_FAILED;
}

void wr_post_close(struct wr_post *post)
{
    (void)post;
}

#endif
