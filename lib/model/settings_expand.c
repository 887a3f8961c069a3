// SPDX-License-Identifier: MIT
// DESIGN: expansion happens after parsing and inside string values only, so that what stands in a
// variable or a secret's file can never become syntax. The result is not looked at again: a "${" in
// a secret stays what it is. A single '$' is a plain character; "$$" is one, too, for the rare "${"
// that is meant literally.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/settings_read.h"

__attribute__((format(printf, 2, 3))) static bool fail(struct wr_expansion *out, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out->problem, sizeof out->problem, format, args);
    va_end(args);
    return false;
}

static bool is_variable_name(struct wr_slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.size > 0;
}

/* `what` is "NAME" or "NAME:-default"; an empty variable counts as unset, as in a shell. */
static bool expand_env(struct wr_slice what, struct wr_expansion *out)
{
    char name[128];
    const char *mark = what.size ? memmem(what.data, what.size, ":-", 2) : NULL;
    size_t length = mark ? (size_t)(mark - what.data) : what.size;
    if (!is_variable_name((struct wr_slice){ what.data, length }) || length >= sizeof name) {
        return fail(out, "${env:%.*s}: want ${env:NAME} or ${env:NAME:-default}", WR_SLICE(what));
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)length, what.data);
    if (mark && memmem(mark, what.size - length, "${", 2)) {
        return fail(out, "${env:%s:-…}: a default can't hold another \"${\"", name);
    }
    const char *value = getenv(name);
    if (mark && (!value || !value[0])) {
        wr_text_add(&out->text, mark + 2, what.size - length - 2);
        return true;
    }
    if (!value) {
        return fail(out, "the environment has no %s; ${env:%s:-default} would give it a default",
                    name, name);
    }
    out->secret = true;
    wr_text_add_string(&out->text, value);
    return true;
}

/* Reads at most `size` bytes; -1 with errno when the file can't be read. */
static ssize_t read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    struct stat info;
    ssize_t total = 0;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        errno = EINVAL;
        total = -1;
    }
    while (total >= 0 && (size_t)total < size) {
        ssize_t got = read(fd, out + total, size - (size_t)total);
        if (got <= 0) {
            total = got < 0 ? -1 : total;
            break;
        }
        total += got;
    }
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return total;
}

static bool expand_file(struct wr_slice path, const char *folder, struct wr_expansion *out)
{
    char full[4096];
    char content[WR_CONFIG_STRING_MOST + 3];
    bool is_absolute = path.size && path.data[0] == '/';
    int length = snprintf(full, sizeof full, "%s%s%.*s", is_absolute ? "" : folder,
                          is_absolute ? "" : "/", WR_SLICE(path));
    if (!path.size || length >= (int)sizeof full) {
        return fail(out, "${file:%.*s}: want ${file:PATH}", WR_SLICE(path));
    }
    ssize_t size = read_file(full, content, sizeof content);
    if (size < 0) {
        return fail(out, "%.200s can't be read: %s", full,
                    errno == EINVAL ? "not a regular file" : strerror(errno));
    }
    if (size > 0 && content[size - 1] == '\n') {
        size -= size > 1 && content[size - 2] == '\r' ? 2 : 1; /* editors end files with one */
    }
    if (memchr(content, '\0', (size_t)size)) {
        return fail(out, "%.200s holds a NUL byte", full);
    }
    out->secret = true;
    wr_text_add(&out->text, content, (size_t)size);
    return true;
}

static bool expand_one(struct wr_slice what, const char *folder, struct wr_expansion *out)
{
    out->any = true;
    if (what.size >= 4 && memcmp(what.data, "env:", 4) == 0) {
        return expand_env((struct wr_slice){ what.data + 4, what.size - 4 }, out);
    }
    if (what.size >= 5 && memcmp(what.data, "file:", 5) == 0) {
        return expand_file((struct wr_slice){ what.data + 5, what.size - 5 }, folder, out);
    }
    /* what stands in the braces could be a part of a password */
    return fail(out, "\"${\" with neither env: nor file: behind it; want ${env:NAME} or "
                     "${file:PATH}, and write a plain \"${\" as \"$${\"");
}

void wr_settings_expand(const char *text, const char *folder, struct wr_expansion *out)
{
    *out = (struct wr_expansion){ 0 };
    wr_text_add_string(&out->text, "");
    for (const char *at = text; *at;) {
        size_t plain = strcspn(at, "$");
        wr_text_add(&out->text, at, plain);
        at += plain;
        if (at[0] != '$') {
            break;
        }
        if (at[1] != '{') {
            wr_text_add_string(&out->text, "$");
            at += at[1] == '$' ? 2 : 1;
            continue;
        }
        size_t length = strcspn(at + 2, "}");
        if (!at[2 + length]) {
            (void)fail(out, "\"${\" without its \"}\"; a plain \"${\" is written \"$${\"");
            return;
        }
        if (!expand_one((struct wr_slice){ at + 2, length }, folder, out)) {
            return;
        }
        at += length + 3;
    }
    if (out->text.size > WR_CONFIG_STRING_MOST) {
        (void)fail(out, "longer than %d bytes", WR_CONFIG_STRING_MOST);
    }
}

void wr_expansion_done(struct wr_expansion *expansion)
{
    wr_text_done(&expansion->text);
}
