// SPDX-License-Identifier: MIT
// DESIGN: a configuration that is read here has the variables and files of this machine in it, and the same
// text in a pod has those of the pod. So the strings are looked at as they are written: which variables and
// files they ask for, and whether a secret stands among the rest, which anybody may read who may read a
// ConfigMap.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_text.h"
#include "kubernetes_read.h"

/* One file of the configuration while it is looked at. */
struct look {
    struct kube *kube;
    const struct kube_source *source;
    const char *folder;
    struct findings *findings;
};

static void note(const struct look *look, const char *option, const char *got, const char *want,
                 const char *next)
{
    char where[FINDING_TEXT];
    findings_add(look->findings, finding_text(where, "%s: %s", look->source->path, option), got,
                 want, next);
}

/* --- variables --- */

static bool is_known(char *const *names, size_t count, const char *name, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) == size && strncmp(names[i], name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds to one of the lists of names, once. */
static void note_name(const struct look *look, const char *option, char **names, size_t *count,
                      const char *name, size_t size)
{
    if (is_known(names, *count, name, size)) {
        return;
    }
    if (*count == KUBE_VARIABLES) {
        note(look, option, "one more ${env:}", "64 different variables at most",
             "make two workers of it");
        return;
    }
    names[*count] = strndup(name, size);
    look->findings->failed |= !names[*count];
    *count += names[*count] != NULL;
}

/* --- secrets --- */

static bool sounds_secret(const char *name, size_t size)
{
    static const char *const words[] = { "pass", "pwd", "secret", "token", "auth" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        for (size_t k = 0; k + length <= size; k++) {
            if (strncasecmp(name + k, words[i], length) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a password or the like stands in a URL. As in what Warren prints, everything between the first
 * user's ':' and the last '@' may be part of one. */
static bool has_secret(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *authority = scheme ? scheme + 3 : url;
    const char *at = strrchr(authority, '@');
    size_t user = strcspn(authority, ":@/?#,");
    if (at && strspn(authority + user, ":") < (size_t)(at - authority) - user) {
        return true;
    }
    for (const char *part = strpbrk(authority, "?&;"); part; part = strpbrk(part + 1, "?&;")) {
        size_t name = strcspn(part + 1, "=&;");
        if (part[1 + name] == '=' && sounds_secret(part + 1, name)) {
            return part[2 + name] && !strchr("&;", part[2 + name]);
        }
    }
    return false;
}

/* `plain`: what stands in the file itself. */
static void check_secret(const struct look *look, const char *option, const char *plain)
{
    static const char next[] = "say ${env:NAME} or ${file:/run/secrets/…} in its place, or use "
                               "user_file and password_file: who may read a ConfigMap reads it";
    static const char *const urls[] = { "broker.url", "broker.management_url", "trace.endpoint" };
    if (strcmp(option, "broker.password") == 0 && *plain) {
        note(look, option, "a password in the file itself", "none", next);
    }
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (strcmp(option, urls[i]) == 0 && has_secret(plain)) {
            note(look, option, "a URL with a password or token", "one without", next);
        }
    }
    if (strcmp(option, "broker.url") == 0 &&
        (strstr(plain, "certfile=") || strstr(plain, "keyfile="))) {
        note(look, option, "a URL with the path of a certificate", "one without",
             "use broker.tls.ca_file, cert_file and key_file: those files are mounted");
    }
}

/* --- a string --- */

/* `what` is between "${" and "}". */
static void read_one(const struct look *look, const char *option, const char *what, size_t size,
                     FILE *plain)
{
    struct kube *kube = look->kube;
    char path[KUBE_PATH];
    if (strncmp(what, "file:", 5) == 0) {
        (void)snprintf(path, sizeof path, "%.*s", (int)(size - 5), what + 5);
        kube_add_file(kube, option, path, look->folder, look->findings);
    } else if (strncmp(what, "env:", 4) == 0) {
        const char *mark = memmem(what, size, ":-", 2);
        size_t length = mark ? (size_t)(mark - what) : size;
        if (mark) { /* one with a default can do without */
            (void)fwrite(mark + 2, 1, size - length - 2, plain);
            note_name(look, option, kube->defaults, &kube->default_count, what + 4, length - 4);
        } else {
            note_name(look, option, kube->variables, &kube->variable_count, what + 4, length - 4);
        }
    }
}

/* Past "$$", which is a plain "$". */
static void read_value(const struct look *look, const char *option, const char *value, FILE *plain)
{
    for (const char *at = value; *at; at++) {
        const char *end = strncmp(at, "${", 2) == 0 ? strchr(at, '}') : NULL;
        if (end) {
            read_one(look, option, at + 2, (size_t)(end - at) - 2, plain);
            at = end;
        } else {
            fputc(*at, plain);
            at += strncmp(at, "$$", 2) == 0;
        }
    }
}

static void visit(void *user, const char *option, const char *value)
{
    const struct look *look = user;
    char *text = NULL;
    size_t size = 0;
    FILE *plain = open_memstream(&text, &size);
    if (!plain) {
        look->findings->failed = true;
        return;
    }
    read_value(look, option, value, plain);
    look->findings->failed |= fclose(plain) != 0;
    look->kube->says_url |= strcmp(option, "broker.url") == 0;
    if (text) {
        check_secret(look, option, text);
    }
    free(text);
}

void kube_read_text(struct kube *kube, const struct kube_source *source, const char *folder,
                    struct findings *findings)
{
    struct look look = { kube, source, folder, findings };
    findings->failed |= !config_text_each(source->text, visit, &look);
}
