// SPDX-License-Identifier: MIT
// DESIGN: libconfig 1.5 accepts some things silently that nobody meant: an integer above 2^31-1
// without an L wraps to another number that may look valid, an unknown escape such as \u00e9 stays
// as it is written, \x00 ends a string early, @include reads any file. None of it can be seen after
// parsing, so this small lexer goes over the text first. It knows just enough of the grammar not to
// be fooled: strings, the three kinds of comments, names, numbers and brackets. It also knows where
// it is, so that its problems have a path like all others; and most of them don't keep the file from
// being parsed, so that the rest is checked as well.
#include <ctype.h>
#include <stdio.h>

#include "model/settings_read.h"

_Static_assert(WR_CONFIG_DEPTH_MOST == 32, "as the message says");

/* A group or list that is open. */
struct level {
    struct wr_slice name; /* empty for one in a list */
    bool is_list;
    int index; /* of the element that is being read */
};

struct lexer {
    struct wr_problems *problems;
    const char *file;
    const char *at;
    const char *end;
    int line;
    int depth;
    bool line_start;      /* only blanks so far on this line */
    struct wr_slice word; /* the last one, which may turn out to be a name */
    struct wr_slice name; /* whose value is being read */
    struct level levels[WR_CONFIG_DEPTH_MOST];
    int wanted_line;   /* whose names are looked for; 0: none */
    char *wanted_path; /* where the first of them goes */
    int names_there;
    bool ok; /* it may be parsed */
};

static void go_below(char path[WR_CONFIG_PATH_SIZE], struct wr_slice name)
{
    size_t length = strlen(path);
    if (name.size) {
        (void)snprintf(path + length, WR_CONFIG_PATH_SIZE - length, "%s%.*s", length ? "." : "",
                       WR_SLICE(name));
    }
}

/* "queue.jobs[1].concurrency" */
static const char *path_here(const struct lexer *lexer, char out[WR_CONFIG_PATH_SIZE])
{
    out[0] = '\0';
    for (int i = 0; i < lexer->depth && i < WR_CONFIG_DEPTH_MOST; i++) {
        go_below(out, lexer->levels[i].name);
        size_t length = strlen(out);
        if (lexer->levels[i].is_list) {
            (void)snprintf(out + length, WR_CONFIG_PATH_SIZE - length, "[%d]",
                           lexer->levels[i].index);
        }
    }
    go_below(out, lexer->name);
    return out;
}

__attribute__((format(printf, 2, 3))) static void report(struct lexer *lexer, const char *format,
                                                         ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char path[WR_CONFIG_PATH_SIZE];
    struct wr_place place = { lexer->file, lexer->line, path_here(lexer, path) };
    wr_problem_error(lexer->problems, &place, "%s", text);
}

/* About the file rather than a setting: it isn't parsed. */
static void refuse(struct lexer *lexer, const char *text)
{
    struct wr_place place = { lexer->file, lexer->line, NULL };
    wr_problem_error(lexer->problems, &place, "%s", text);
    lexer->ok = false;
}

static bool starts(const struct lexer *lexer, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(lexer->end - lexer->at) >= length && memcmp(lexer->at, word, length) == 0;
}

static void step(struct lexer *lexer)
{
    if (*lexer->at == '\n') {
        lexer->line++;
        lexer->line_start = true;
    } else if (*lexer->at != ' ' && *lexer->at != '\t') {
        lexer->line_start = false;
    }
    lexer->at++;
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n') {
        lexer->at++;
    }
}

static void skip_comment(struct lexer *lexer)
{
    while (lexer->at < lexer->end && !starts(lexer, "*/")) {
        step(lexer);
    }
    lexer->at += lexer->at < lexer->end ? 2 : 0;
}

static void check_escape(struct lexer *lexer)
{
    char c = lexer->at + 1 < lexer->end ? lexer->at[1] : '\0';
    bool is_hex = c == 'x' && lexer->end - lexer->at >= 4 &&
                  isxdigit((unsigned char)lexer->at[2]) && isxdigit((unsigned char)lexer->at[3]);
    if (is_hex && lexer->at[2] == '0' && lexer->at[3] == '0') {
        report(lexer, "a string can't hold \\x00");
    } else if (c == 'u') {
        report(lexer, "\\u is not an escape here; write the character itself, in UTF-8");
    } else if (!is_hex && (c == '\0' || !strchr("\\\"nrtf", c))) {
        report(lexer, "\\%c is not an escape here; a backslash is written \\\\",
               isprint((unsigned char)c) ? c : '?');
    }
    step(lexer);
    if (lexer->at < lexer->end) {
        step(lexer);
    }
}

static void skip_string(struct lexer *lexer)
{
    step(lexer);
    while (lexer->at < lexer->end && *lexer->at != '"') {
        if (*lexer->at == '\\') {
            check_escape(lexer);
        } else {
            step(lexer);
        }
    }
    if (lexer->at < lexer->end) {
        step(lexer);
    }
}

/* Whether the digits fit: 31 bits, or 63 with an L. */
static bool fits(const char *digits, size_t length, int base, bool is_long)
{
    int64_t most = is_long ? INT64_MAX : INT32_MAX;
    int64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        int c = tolower((unsigned char)digits[i]);
        int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
        if (value > (most - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    return true;
}

/* A number with its sign, or whatever begins like one. */
static void check_number(struct lexer *lexer)
{
    const char *start = lexer->at;
    lexer->at += *lexer->at == '-' || *lexer->at == '+' ? 1 : 0;
    bool is_hex = starts(lexer, "0x") || starts(lexer, "0X");
    lexer->at += is_hex ? 2 : 0;
    const char *digits = lexer->at;
    while (lexer->at < lexer->end &&
           (is_hex ? isxdigit((unsigned char)*lexer->at) : isdigit((unsigned char)*lexer->at))) {
        lexer->at++;
    }
    size_t length = (size_t)(lexer->at - digits);
    char next = lexer->at < lexer->end ? *lexer->at : '\0';
    bool is_real = !is_hex && next && strchr(".eE", next);
    if (length && !is_real && !fits(digits, length, is_hex ? 16 : 10, next == 'L')) {
        size_t shown = (size_t)(lexer->at - start);
        report(lexer, "the number %.*s is too large", (int)(shown < 40 ? shown : 40), start);
    }
    while (lexer->at < lexer->end &&
           (isalnum((unsigned char)*lexer->at) || strchr(".+-", *lexer->at))) {
        lexer->at++; /* fraction, exponent, L, or what the parser will complain about */
    }
    lexer->line_start = false;
}

static void skip_name(struct lexer *lexer)
{
    while (lexer->at < lexer->end &&
           (isalnum((unsigned char)*lexer->at) || strchr("-_*", *lexer->at))) {
        step(lexer);
    }
}

static void take_word(struct lexer *lexer)
{
    const char *start = lexer->at;
    skip_name(lexer);
    lexer->word = (struct wr_slice){ start, (size_t)(lexer->at - start) };
}

static void check_bracket(struct lexer *lexer)
{
    bool opens = strchr("{[(", *lexer->at) != NULL;
    if (opens && lexer->depth == WR_CONFIG_DEPTH_MOST) {
        refuse(lexer, "nested deeper than 32 groups and lists");
    } else if (opens && lexer->depth >= 0 && lexer->depth < WR_CONFIG_DEPTH_MOST) {
        lexer->levels[lexer->depth] = (struct level){ lexer->name, *lexer->at != '{', 0 };
    }
    lexer->depth += opens ? 1 : -1;
    lexer->name = (struct wr_slice){ NULL, 0 };
    step(lexer);
}

static void note_name(struct lexer *lexer)
{
    if (lexer->line == lexer->wanted_line && lexer->names_there++ == 0) {
        (void)path_here(lexer, lexer->wanted_path);
    }
}

/* '=' and ':' make the word before them a name, ',' ends an element. */
static void take_mark(struct lexer *lexer)
{
    if (*lexer->at != ',') {
        lexer->name = lexer->word;
        note_name(lexer);
    } else if (lexer->depth > 0 && lexer->depth <= WR_CONFIG_DEPTH_MOST) {
        lexer->levels[lexer->depth - 1].index++;
    }
    step(lexer);
}

static void check_include(struct lexer *lexer)
{
    if (starts(lexer, "@include")) {
        refuse(lexer,
               "@include is not allowed; options belong into warren.cfg, and every *.cfg file "
               "in the folder of queues is read by itself");
    }
    skip_line(lexer);
}

static void next_token(struct lexer *lexer)
{
    unsigned char c = (unsigned char)*lexer->at;
    if (c == '#' || starts(lexer, "//")) {
        skip_line(lexer);
    } else if (starts(lexer, "/*")) {
        skip_comment(lexer);
    } else if (c == '"') {
        skip_string(lexer);
    } else if (isdigit(c) || c == '.' || c == '-' || c == '+') {
        check_number(lexer);
    } else if (isalpha(c) || c == '*') {
        take_word(lexer);
    } else if (strchr("{}[]()", c)) {
        check_bracket(lexer);
    } else if (strchr("=:,", c)) {
        take_mark(lexer);
    } else if (c == '@' && lexer->line_start) {
        check_include(lexer);
    } else {
        step(lexer);
    }
}

bool wr_settings_lex(struct wr_problems *problems, const char *file, struct wr_slice text)
{
    struct lexer lexer = { .problems = problems,
                           .file = file,
                           .at = text.data,
                           .end = text.data + text.size,
                           .line = 1,
                           .line_start = true,
                           .ok = true };
    const char *nul = text.size ? memchr(text.data, '\0', text.size) : NULL;
    if (nul || !wr_text_is_utf8(text)) {
        lexer.line = 0;
        refuse(&lexer, "the file is not text in UTF-8");
        return false;
    }
    if (starts(&lexer, "\xEF\xBB\xBF")) {
        refuse(&lexer, "the file begins with a byte order mark; save it as UTF-8 without one");
        lexer.at += 3;
    }
    while (lexer.at < lexer.end) {
        next_token(&lexer);
    }
    return lexer.ok;
}

bool wr_settings_name_in_line(struct wr_slice text, int line, char out[WR_CONFIG_PATH_SIZE])
{
    struct wr_problems told_already = { 0 };
    struct lexer lexer = { .problems = &told_already,
                           .at = text.data,
                           .end = text.data + text.size,
                           .line = 1,
                           .line_start = true,
                           .wanted_line = line,
                           .wanted_path = out };
    while (lexer.at < lexer.end) {
        next_token(&lexer);
    }
    wr_problems_done(&told_already);
    return lexer.names_there == 1;
}
