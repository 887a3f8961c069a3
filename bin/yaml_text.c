// SPDX-License-Identifier: MIT
// DESIGN: a reader of YAML takes more for the end of a line than a newline (CR, U+0085, U+2028,
// U+2029), drops a byte order mark and refuses control characters. Such a text goes into double
// quotes with escapes; all others stay readable.
#include "yaml_text.h"

#include <string.h>

/* Words that YAML 1.1 takes for something else than a string. */
static bool is_word_of_yaml(const char *text)
{
    static const char *const words[] = { "true", "false", "yes", "no",  "on", "off",
                                         "null", "y",     "n",   "inf", "nan" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_plain(const char *text)
{
    size_t size = strspn(text, LETTERS "0123456789._/-:@");
    return *text && strchr(LETTERS "/", *text) && !text[size] && text[size - 1] != ':' &&
           !is_word_of_yaml(text);
}

/* How many bytes at `at` are a character that YAML reads otherwise: 0 for none. */
static size_t special_size(const char *at)
{
    unsigned char byte = (unsigned char)*at;
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
        return 1;
    }
    if (byte == 0xc2 && (unsigned char)at[1] < 0xa0) { /* U+0080 to U+009F */
        return 2;
    }
    bool is_line = strncmp(at, "\xe2\x80\xa8", 3) == 0 || strncmp(at, "\xe2\x80\xa9", 3) == 0;
    return is_line || strncmp(at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static unsigned code_point(const char *at, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return size == 1   ? bytes[0]
           : size == 2 ? (bytes[0] & 0x1fU) << 6 | (bytes[1] & 0x3fU)
                       : (bytes[0] & 0xfU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU);
}

static void write_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *at = text; *at; at++) {
        size_t special = special_size(at);
        if (special) {
            fprintf(out, "\\u%04x", code_point(at, special));
            at += special - 1;
        } else if (*at == '\n' || *at == '\t') {
            fputs(*at == '\n' ? "\\n" : "\\t", out);
        } else {
            fprintf(out, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
        }
    }
    fputc('"', out);
}

void yaml_string(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
    } else {
        write_quoted(out, text);
    }
}

static bool is_blockable(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (special_size(at)) {
            return false;
        }
    }
    return *text && text[strspn(text, "\n \t")];
}

void yaml_block(FILE *out, const char *text, size_t size)
{
    if (!is_blockable(text)) {
        write_quoted(out, text);
        fputc('\n', out);
        return;
    }
    size_t ends = 0; /* newlines at the end */
    while (text[size - 1 - ends] == '\n') {
        ends++;
    }
    const char *indent = strchr(" \t\n", *text) ? "2" : "";
    fprintf(out, "|%s%s\n", indent, ends == 0 ? "-" : ends == 1 ? "" : "+");
    while (*text) {
        size_t length = strcspn(text, "\n");
        fprintf(out, length ? "  %.*s\n" : "%.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}
