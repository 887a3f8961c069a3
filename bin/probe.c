// SPDX-License-Identifier: MIT
// DESIGN: one GET of a probe's path, 5 s at most, without a proxy. An address that means "all" is asked
// on loopback. A build without libcurl says so instead.
#include "probe.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "say.h"

static const struct {
    const char *what;
    const char *path;
} probes[] = { { "live", "/livez" }, { "ready", "/readyz" }, { "startup", "/startupz" } };

static const char *path_of(const char *what)
{
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        if (strcmp(what, probes[i].what) == 0) {
            return probes[i].path;
        }
    }
    return NULL;
}

#ifdef WARREN_HAVE_CURL

#include <curl/curl.h>

enum { TIMEOUT_S = 5, OK = 200 };

static void make_url(char *out, size_t size, const char *address, const char *path)
{
    const char *colon = strrchr(address, ':');
    const char *port = colon ? colon + 1 : address;
    bool is_any = !colon || strncmp(address, "*:", 2) == 0 ||
                  strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
    if (is_any) {
        (void)snprintf(out, size, "http://127.0.0.1:%s%s", port, path);
    } else {
        (void)snprintf(out, size, "http://%s%s", address, path);
    }
}

static int ask(CURL *curl, const char *url)
{
    char why[CURL_ERROR_SIZE] = "";
    long code = 0;
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    CURLcode rc = curl_easy_perform(curl); /* prints the answer */
    if (rc) {
        say("probe: %s: %s", url, *why ? why : curl_easy_strerror(rc));
        return EXIT_FAILED;
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    return code == OK ? EXIT_DONE : EXIT_FAILED;
}

static int fetch(const char *address, const char *path)
{
    char url[256];
    CURL *curl = curl_easy_init();
    if (!curl) {
        say("probe: libcurl could not be started");
        return EXIT_FAILED;
    }
    make_url(url, sizeof url, address, path);
    int code = ask(curl, url);
    curl_easy_cleanup(curl);
    return code;
}

#else

static int fetch(const char *address, const char *path)
{
    say("probe: %s%s can't be asked: this build has no libcurl", address, path);
    return EXIT_FAILED;
}

#endif

int probe_worker(const char *address, const char *what)
{
    const char *path = path_of(what);
    if (!path) {
        return say_usage("--probe: got \"%s\", want live, ready or startup", what);
    }
    if (strcmp(address, "none") == 0) {
        say("probe: this configuration has no http.listen; say a port there, such as \"9400\"");
        return EXIT_FAILED;
    }
    return fetch(address, path);
}
