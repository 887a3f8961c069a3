// SPDX-License-Identifier: MIT
// DESIGN: what no single row of the table can tell: options that contradict each other, and
// settings that work but hurt. The former are errors, the latter notes. What concerns queues among
// each other is in settings_cross.c.
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "model/listen.h"
#include "model/redact.h"
#include "model/settings_name.h"
#include "model/settings_read.h"
#include "model/settings_value.h"
#include "model/uri.h"

/* --- one retry policy --- */

/* Whether the policy's first, factor or max is another than the default. */
static bool differs(const char *name, const struct wr_retry_policy *policy)
{
    char path[WR_CONFIG_PATH_SIZE];
    struct wr_value fallback = { 0 };
    struct wr_value value = { 0 };
    const struct wr_option *option =
        wr_settings_option(wr_slice_of(wr_settings_join(path, "queue.retry", name)));
    struct wr_queue_settings queue = { .retry = *policy };
    (void)wr_value_parse(option, option->fallback, &fallback);
    wr_value_load(option, &queue, &value);
    return value.number != fallback.number || value.real != fallback.real;
}

static bool says(config_setting_t *node, const char *name)
{
    return node && config_setting_is_group(node) && config_setting_get_member(node, name);
}

static void note_ignored(struct wr_reader *reader, config_setting_t *node, const char *shown,
                         const struct wr_retry_policy *policy)
{
    static const char *const names[] = { "first", "factor", "max" };
    static const char *const kinds[] = { "exponential", "fixed", "list" };
    size_t start = policy->backoff == WR_BACKOFF_LIST ? 0 : 1; /* fixed uses first */
    for (size_t i = start; policy->backoff != WR_BACKOFF_EXPONENTIAL && i < 3; i++) {
        char path[WR_CONFIG_PATH_SIZE];
        if (says(node, names[i]) && differs(names[i], policy)) {
            struct wr_place place =
                wr_reader_place(reader, node, names[i], wr_settings_join(path, shown, names[i]));
            wr_problem_note(reader->problems, &place, "has no effect with backoff \"%s\"",
                            kinds[policy->backoff]);
        }
    }
}

static void check_longest(struct wr_reader *reader, config_setting_t *node, const char *shown,
                          const struct wr_retry_policy *policy)
{
    char longest[32];
    char most[32];
    int64_t longest_ms = wr_retry_longest_ms(policy);
    int64_t most_ms = reader->settings->delay_max_ms;
    if (longest_ms > most_ms) {
        struct wr_place place = wr_reader_place(reader, node, NULL, shown);
        wr_problem_error(reader->problems, &place,
                         "asks for waits of up to %s (with jitter), longer than delay.max (%s); "
                         "shorten the waits or raise delay.max",
                         wr_duration_write(longest, sizeof longest, longest_ms),
                         wr_duration_write(most, sizeof most, most_ms));
    }
}

/* Unless there were some that are wrong, which has been told. */
static void report_no_delays(struct wr_reader *reader, config_setting_t *node,
                             const struct wr_place *place)
{
    config_setting_t *delays =
        says(node, "delays") ? config_setting_get_member(node, "delays") : NULL;
    if (!delays || (config_setting_is_aggregate(delays) && config_setting_length(delays) == 0)) {
        wr_problem_error(reader->problems, place,
                         "\"list\" needs delays, such as [\"5s\", \"1m\"]");
    }
}

void wr_settings_check_policy(struct wr_reader *reader, config_setting_t *node, const char *shown,
                              struct wr_retry_policy *policy)
{
    char path[WR_CONFIG_PATH_SIZE];
    bool has_delays = says(node, "delays") && policy->delay_count > 0;
    struct wr_place place =
        wr_reader_place(reader, node, "backoff", wr_settings_join(path, shown, "backoff"));
    if (has_delays && !says(node, "backoff")) {
        policy->backoff = WR_BACKOFF_LIST;
    }
    if (has_delays && policy->backoff != WR_BACKOFF_LIST) {
        wr_problem_error(reader->problems, &place,
                         "contradicts delays, which are for backoff \"list\"; drop one of them");
    } else if (policy->backoff == WR_BACKOFF_LIST && policy->delay_count == 0) {
        report_no_delays(reader, node, &place);
    } else if (policy->backoff == WR_BACKOFF_EXPONENTIAL && policy->first_ms > policy->max_ms) {
        place = wr_reader_place(reader, node, "first", wr_settings_join(path, shown, "first"));
        wr_problem_error(reader->problems, &place, "is longer than max");
    } else {
        policy->delay_count = policy->backoff == WR_BACKOFF_LIST ? policy->delay_count : 0;
        note_ignored(reader, node, shown, policy);
        check_longest(reader, node, shown, policy);
    }
    if (policy->backoff == WR_BACKOFF_LIST && policy->delay_count >= policy->attempts &&
        has_delays) {
        place = wr_reader_place(reader, node, "delays", wr_settings_join(path, shown, "delays"));
        wr_problem_note(reader->problems, &place,
                        "%d attempts make %d waits, so the last of the %d delays are never used",
                        policy->attempts, policy->attempts - 1, policy->delay_count);
    }
}

/* --- warren.cfg --- */

/* The place of an option of the main file; of the whole file when it isn't said. */
static struct wr_place place_of(const struct wr_reader *reader, config_setting_t *root,
                                const char *path)
{
    config_setting_t *node = root ? config_setting_lookup(root, path) : NULL;
    return (struct wr_place){ reader->file, node ? (int)config_setting_source_line(node) : 0,
                              path };
}

/* The text of a string option as it stands in the file, unexpanded; "" when it isn't said. */
static const char *raw_text(config_setting_t *root, const char *path)
{
    config_setting_t *node = root ? config_setting_lookup(root, path) : NULL;
    bool is_string = node && config_setting_type(node) == CONFIG_TYPE_STRING;
    return is_string ? config_setting_get_string(node) : "";
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Said nowhere, a URL that is wrong can only be the environment's. */
static struct wr_place place_of_url(const struct wr_reader *reader, config_setting_t *root)
{
    struct wr_place place = place_of(reader, root, "broker.url");
    place.path = place.line ? place.path : "broker.url (WARREN_AMQP_URL)";
    return place;
}

/* What connecting would refuse is told here already. */
static void check_amqp_url(struct wr_reader *reader, config_setting_t *root, const char *url)
{
    static const char subject[] = "broker URL: "; /* which the place says here */
    struct wr_place place = place_of_url(reader, root);
    struct wr_uri uri = { 0 };
    warren_error err = { .status = WARREN_OK };
    if (wr_uri_read(&uri, url, &err)) {
        size_t skip = begins(err.text, subject) ? sizeof subject - 1 : 0;
        wr_problem_error(reader->problems, &place, "%s", err.text + skip);
    }
    bool is_open = !uri.is_tls && !reader->settings->broker.allow_plaintext;
    for (size_t i = 0; is_open && i < uri.host_count; i++) {
        if (!wr_uri_is_loopback(uri.hosts[i].name)) {
            wr_problem_note(reader->problems, &place,
                            "%s isn't this machine, so nothing connects to it without TLS: use "
                            "amqps://, or set broker.allow_plaintext = true",
                            uri.hosts[i].name);
            is_open = false;
        }
    }
    wr_uri_done(&uri);
}

static void check_url(struct wr_reader *reader, config_setting_t *root)
{
    const struct wr_broker_settings *broker = &reader->settings->broker;
    struct wr_text shown = { 0 };
    const char *url = broker->url ? broker->url : "";
    if (!begins(url, "amqp://") && !begins(url, "amqps://") && !begins(url, "memory:")) {
        struct wr_place place = place_of_url(reader, root);
        wr_settings_redact_url(url, &shown);
        wr_problem_error(
            reader->problems, &place,
            "got \"%.200s\", want amqp://host, amqps://host or memory:", wr_text_string(&shown));
    } else if (begins(url, "amqp")) {
        check_amqp_url(reader, root, url);
    }
    wr_text_clear(&shown);
    url = broker->management_url;
    if (url && !begins(url, "http://") && !begins(url, "https://")) {
        struct wr_place place = place_of(reader, root, "broker.management_url");
        wr_settings_redact_url(url, &shown);
        wr_problem_error(reader->problems, &place,
                         "got \"%.200s\", want http://host or https://host",
                         wr_text_string(&shown));
    }
    wr_text_done(&shown);
}

/* Files that are read only when something connects or starts; they may come later. */
static void note_missing_files(struct wr_reader *reader, config_setting_t *root)
{
    const struct wr_settings *settings = reader->settings;
    const struct {
        const char *path;
        const char *file;
    } files[] = {
        { "broker.tls.ca_file", settings->broker.tls.ca_file },
        { "broker.tls.cert_file", settings->broker.tls.cert_file },
        { "broker.tls.key_file", settings->broker.tls.key_file },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].file && access(files[i].file, R_OK) != 0) {
            struct wr_place place = place_of(reader, root, files[i].path);
            wr_problem_note(reader->problems, &place, "%s can't be read now", files[i].file);
        }
    }
    for (size_t i = 0; i < settings->plugin_count; i++) {
        if (access(settings->plugins[i], R_OK) != 0) {
            struct wr_place place = place_of(reader, root, "plugins");
            wr_problem_note(reader->problems, &place, "%s can't be read now", settings->plugins[i]);
        }
    }
}

static void check_twins(struct wr_reader *reader, config_setting_t *root)
{
    const struct wr_broker_settings *broker = &reader->settings->broker;
    const struct twin {
        const char *path;
        const char *name;
        const char *value;
        const char *file;
    } twins[] = {
        { "broker.user_file", "user", broker->user, broker->user_file },
        { "broker.password_file", "password", broker->password, broker->password_file },
    };
    for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++) {
        struct wr_place place = place_of(reader, root, twins[i].path);
        if (twins[i].value && twins[i].file) {
            wr_problem_error(reader->problems, &place, "%s is set, too; drop one of them",
                             twins[i].name);
        } else if (twins[i].file && access(twins[i].file, R_OK) != 0) {
            wr_problem_note(reader->problems, &place, "%s can't be read now", twins[i].file);
        }
    }
    note_missing_files(reader, root);
    if (!broker->tls.cert_file != !broker->tls.key_file) {
        struct wr_place place = place_of(
            reader, root, broker->tls.cert_file ? "broker.tls.cert_file" : "broker.tls.key_file");
        wr_problem_error(reader->problems, &place, "needs %s as well",
                         broker->tls.cert_file ? "key_file" : "cert_file");
    }
}

static void check_login(struct wr_reader *reader, config_setting_t *root)
{
    const struct wr_broker_settings *broker = &reader->settings->broker;
    struct wr_place place = place_of(reader, root, "broker.login");
    if (!broker->login_external || !broker->url) {
        return;
    }
    if (!begins(broker->url, "amqps://")) {
        wr_problem_error(reader->problems, &place,
                         "external is by certificate, so broker.url must begin with amqps://");
    }
    if (!broker->tls.cert_file && !strstr(broker->url, "certfile=")) {
        wr_problem_error(reader->problems, &place,
                         "external is by certificate: it needs broker.tls.cert_file and key_file");
    }
}

/* A password that stands in the file itself. */
static bool is_inline_secret(const char *raw, bool is_url)
{
    struct wr_text redacted = { 0 };
    bool found = raw[0] && !strstr(raw, "${");
    if (found && is_url) {
        wr_settings_redact_url(raw, &redacted);
        found = strcmp(wr_text_string(&redacted), raw) != 0;
    }
    wr_text_done(&redacted);
    return found;
}

static void note_open_secrets(struct wr_reader *reader, config_setting_t *root)
{
    static const char *const paths[] = { "broker.password", "broker.url", "broker.management_url" };
    for (size_t i = 0; reader->open_to_all && i < sizeof paths / sizeof paths[0]; i++) {
        if (is_inline_secret(raw_text(root, paths[i]), i > 0)) {
            struct wr_place place = place_of(reader, root, paths[i]);
            wr_problem_note(reader->problems, &place,
                            "a password in a file that everyone may read; chmod o-r it, or use "
                            "password_file or ${env:NAME}");
        }
    }
}

/* Who else may read or change the file of a secret. One that isn't there now is looked at again when
 * it is read. */
static void check_secret_file(struct wr_reader *reader, config_setting_t *root, const char *path,
                              const char *file)
{
    struct stat facts;
    if (!file || stat(file, &facts) || !S_ISREG(facts.st_mode)) {
        return;
    }
    struct wr_place place = place_of(reader, root, path);
    bool is_key = strcmp(path, "broker.tls.key_file") == 0;
    if (is_key && facts.st_mode & (S_IRWXO | S_IWGRP)) {
        wr_problem_error(reader->problems, &place,
                         "%s, a private key, may be read or changed by others; chmod 600 it", file);
    } else if (wr_file_is_writable_by_others(&facts)) {
        wr_problem_error(reader->problems, &place, "%s may be changed by others; chmod go-w it",
                         file);
    } else if (facts.st_mode & S_IROTH) {
        wr_problem_note(reader->problems, &place, "everyone may read %s; chmod o-r it", file);
    }
}

static void note_dangers(struct wr_reader *reader, config_setting_t *root)
{
    const struct wr_broker_settings *broker = &reader->settings->broker;
    struct wr_place place = place_of(reader, root, "broker.tls.verify");
    if (!broker->tls.verify) {
        wr_problem_note(reader->problems, &place,
                        "anyone between here and the broker can read the password and the jobs");
    }
    place = place_of(reader, root, "broker.allow_plaintext");
    if (broker->allow_plaintext) {
        wr_problem_note(reader->problems, &place,
                        "the password and the jobs may cross the network unencrypted");
    }
    place = place_of(reader, root, "broker.tls.cert_file");
    if (broker->tls.cert_file && broker->url && begins(broker->url, "amqp://")) {
        wr_problem_note(reader->problems, &place,
                        "has no effect, since broker.url begins with amqp://, not amqps://");
    }
}

static void check_listen(struct wr_reader *reader, config_setting_t *root)
{
    struct wr_listen listen;
    const char *text = reader->settings->http_listen;
    const char *want = text ? wr_listen_read(&listen, text) : NULL;
    if (want) {
        struct wr_place place = place_of(reader, root, "http.listen");
        wr_problem_error(reader->problems, &place, "got \"%s\", want %s", text, want);
    }
}

/* A token goes there; a password in it would end in logs. */
static void check_kubernetes(struct wr_reader *reader, config_setting_t *root)
{
    const char *url = reader->settings->kubernetes_api;
    if (!url || !*url) {
        return;
    }
    struct wr_place place = place_of(reader, root, "kubernetes.api");
    const char *host = begins(url, "https://") ? url + 8 : "";
    if (strchr(url, '@')) {
        wr_problem_error(reader->problems, &place, "want a URL without user and password");
    } else if (!*host || *host == '/' || *host == ':') {
        wr_problem_error(reader->problems, &place, "got \"%.200s\", want https://host:port", url);
    }
}

/* Whether a URL is one that spans can be sent to; a password in it would end in logs. */
static void check_trace(struct wr_reader *reader, config_setting_t *root)
{
    const char *url = reader->settings->trace_endpoint;
    if (!url || !*url) {
        return;
    }
    const char *host = begins(url, "http://") ? url + 7 : begins(url, "https://") ? url + 8 : "";
    struct wr_place place = place_of(reader, root, "trace.endpoint");
    if (strchr(url, '@')) {
        wr_problem_error(reader->problems, &place, "want a URL without user and password");
    } else if (!*host || *host == '/' || *host == ':') {
        wr_problem_error(reader->problems, &place,
                         "got \"%.200s\", want http://host:port or https://host:port", url);
    }
}

void wr_settings_check_main(struct wr_reader *reader, config_setting_t *root)
{
    const struct wr_settings *settings = reader->settings;
    const char *problem = settings->ns ? wr_namespace_problem(settings->ns) : NULL;
    if (problem) {
        struct wr_place place = place_of(reader, root, "namespace");
        wr_problem_error(reader->problems, &place, "%s", problem);
    }
    if (settings->broker.heartbeat_ms % 1000) {
        struct wr_place place = place_of(reader, root, "broker.heartbeat");
        wr_problem_error(reader->problems, &place, "want whole seconds");
    }
    check_listen(reader, root);
    check_kubernetes(reader, root);
    check_trace(reader, root);
    check_url(reader, root);
    check_twins(reader, root);
    check_login(reader, root);
    note_open_secrets(reader, root);
    check_secret_file(reader, root, "broker.password_file", settings->broker.password_file);
    check_secret_file(reader, root, "broker.tls.key_file", settings->broker.tls.key_file);
    note_dangers(reader, root);
}
