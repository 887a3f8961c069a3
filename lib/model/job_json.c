// SPDX-License-Identifier: MIT
// DESIGN: json-c parses, and this file is strict: json-c in its strictest mode still takes single
// quotes, NaN and Infinity, duplicate names, \u0000, half surrogate pairs, "-01" and "1.", and clamps
// whole numbers beyond 64 bits. Besides, that mode of json-c 0.18 takes every byte above 0x7f in a
// string for a control byte, so it is not used. A scan over the text (which is known to be
// well-formed enough to have been parsed) finds what JSON doesn't have. Duplicate names show in the
// count: the text has more names than the tree. json-c's counters aren't atomic, so a tree never
// leaves its job.
#include "model/job.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"

struct wr_json {
    json_object *root;
};

struct scan {
    struct wr_slice text;
    size_t at;
    size_t names; /* strings followed by a colon */
    int depth;
    int depth_most;
    bool is_behind_comma;
    const char *problem;
};

static const char *tokener_text(enum json_tokener_error problem)
{
    return problem == json_tokener_continue ? "it ends too early"
                                            : json_tokener_error_desc(problem);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The byte at `at`, NUL behind the end. */
static char byte_at(const struct scan *scan, size_t at)
{
    return at < scan->text.size ? scan->text.data[at] : '\0';
}

/* The four digits of an escape whose `\u` stands at `at`; -1: there is none. */
static int unicode_at(const struct scan *scan, size_t at)
{
    int value = 0;
    if (byte_at(scan, at) != '\\' || byte_at(scan, at + 1) != 'u') {
        return -1;
    }
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = byte_at(scan, i);
        char low = (char)(c | 0x20);
        if (!is_digit(c) && (low < 'a' || low > 'f')) {
            return -1;
        }
        value = value * 16 + (is_digit(c) ? c - '0' : low - 'a' + 10);
    }
    return value;
}

/* A backslash and what belongs to it. */
static void scan_escape(struct scan *scan)
{
    int value = unicode_at(scan, scan->at);
    if (value < 0) {
        scan->at += 2; /* the parser knows which letters there are */
        return;
    }
    bool is_pair = false;
    if (value >= 0xd800 && value < 0xdc00) {
        int second = unicode_at(scan, scan->at + 6);
        is_pair = second >= 0xdc00 && second < 0xe000;
    }
    if (value == 0) {
        scan->problem = "a string holds \\u0000";
    } else if (value >= 0xd800 && value < 0xe000 && !is_pair) {
        scan->problem = "a string holds half of a surrogate pair";
    }
    scan->at += is_pair ? 12 : 6;
}

/* `at` stands behind an opening quote; leaves it behind the closing one. */
static void scan_string(struct scan *scan)
{
    while (scan->at < scan->text.size && scan->text.data[scan->at] != '"' && !scan->problem) {
        if (scan->text.data[scan->at] == '\\') {
            scan_escape(scan);
        } else if ((unsigned char)scan->text.data[scan->at] < 0x20) {
            scan->problem = "a string holds a control byte";
        } else {
            scan->at++;
        }
    }
    scan->at++;
    size_t next = scan->at;
    while (is_space(byte_at(scan, next))) {
        next++;
    }
    scan->names += byte_at(scan, next) == ':' ? 1 : 0;
}

/* At least one digit; false when there is none. */
static bool scan_digits(struct scan *scan)
{
    size_t start = scan->at;
    while (is_digit(byte_at(scan, scan->at))) {
        scan->at++;
    }
    return scan->at > start;
}

/* RFC 8259: a sign, no zero before other digits, digits on both sides of a point, an exponent. */
static void scan_number(struct scan *scan)
{
    size_t start = scan->at;
    scan->at += byte_at(scan, start) == '-' ? 1 : 0;
    bool has_zero = byte_at(scan, scan->at) == '0';
    size_t first = scan->at;
    bool is_good = scan_digits(scan) && !(has_zero && scan->at - first > 1);
    bool is_whole = true;
    if (byte_at(scan, scan->at) == '.') {
        is_whole = false;
        scan->at++;
        is_good = scan_digits(scan) && is_good;
    }
    if ((byte_at(scan, scan->at) | 0x20) == 'e') {
        is_whole = false;
        scan->at++;
        bool has_sign = byte_at(scan, scan->at) == '+' || byte_at(scan, scan->at) == '-';
        scan->at += has_sign ? 1 : 0;
        is_good = scan_digits(scan) && is_good;
    }
    int64_t value;
    struct wr_slice digits = { scan->text.data + start, scan->at - start };
    if (!is_good) {
        scan->problem = "a number is written wrongly";
    } else if (is_whole && !wr_slice_to_int(digits, &value)) {
        scan->problem = "a whole number does not fit into 64 bits";
    }
}

/* An opening or closing bracket. */
static void scan_bracket(struct scan *scan)
{
    char c = scan->text.data[scan->at++];
    bool is_opening = c == '{' || c == '[';
    scan->depth += is_opening ? 1 : -1;
    if (!is_opening && scan->is_behind_comma) {
        scan->problem = "a comma stands before a closing bracket";
    }
    if (scan->depth > scan->depth_most) {
        scan->problem = "it is nested too deep";
    }
}

static void scan_word(struct scan *scan)
{
    static const char *const words[] = { "true", "false", "null" };
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if (scan->text.size - scan->at >= size &&
            memcmp(scan->text.data + scan->at, words[i], size) == 0) {
            scan->at += size;
            return;
        }
    }
    scan->problem = "a word that is neither true, false nor null, or a single quote";
}

static void scan_all(struct scan *scan)
{
    while (!scan->problem && scan->at < scan->text.size) {
        char c = scan->text.data[scan->at];
        if (c == '"') {
            scan->at++;
            scan_string(scan);
        } else if (c == '-' || is_digit(c)) {
            scan_number(scan);
        } else if (c && strchr("{}[]", c)) {
            scan_bracket(scan);
        } else if (c == ',' || c == ':' || is_space(c)) {
            scan->at++;
        } else {
            scan_word(scan);
        }
        if (!is_space(c)) {
            scan->is_behind_comma = c == ',';
        }
    }
}

/* The depth was limited by the parser, so the recursion is too. */
static size_t count_names(json_object *object, bool *out_is_finite)
{
    size_t names = 0;
    if (json_object_is_type(object, json_type_double) &&
        !isfinite(json_object_get_double(object))) {
        *out_is_finite = false;
    } else if (json_object_is_type(object, json_type_object)) {
        json_object_object_foreach(object, name, member)
        {
            (void)name;
            names += 1 + count_names(member, out_is_finite);
        }
    } else if (json_object_is_type(object, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(object); i++) {
            names += count_names(json_object_array_get_idx(object, i), out_is_finite);
        }
    }
    return names;
}

static warren_status parse(struct wr_slice body, int depth, json_object **out, warren_error *err)
{
    if (!body.size || body.size > INT32_MAX) {
        return wr_fail(err, WARREN_INVALID, "the body is not JSON: it is %s",
                       body.size ? "too long" : "empty");
    }
    if (!wr_text_is_utf8(body)) {
        return wr_fail(err, WARREN_INVALID, "the body is not JSON: it is not UTF-8");
    }
    json_tokener *tokener = json_tokener_new_ex(depth + 1); /* it counts the values in it too */
    if (!tokener) {
        return wr_no_memory(err);
    }
    errno = 0; /* json-c has no word of its own for memory that was refused */
    json_object *root = json_tokener_parse_ex(tokener, body.data, (int)body.size);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (problem == json_tokener_continue) { /* a bare number ends only with the text's end */
        root = json_tokener_parse_ex(tokener, "", -1);
        problem = json_tokener_get_error(tokener);
    }
    json_tokener_free(tokener);
    if (errno == ENOMEM) {
        json_object_put(root);
        return wr_no_memory(err);
    }
    while (end < body.size && is_space(body.data[end])) {
        end++;
    }
    if (problem == json_tokener_success && end < body.size) {
        json_object_put(root);
        return wr_fail(err, WARREN_INVALID, "the body is not JSON: more text follows at byte %zu",
                       end);
    }
    if (problem != json_tokener_success) {
        json_object_put(root);
        return wr_fail(err, WARREN_INVALID, "the body is not JSON: %s at byte %zu",
                       tokener_text(problem), end);
    }
    *out = root;
    return WARREN_OK;
}

static warren_status check_strictly(struct wr_slice body, json_object *root, int depth,
                                    warren_error *err)
{
    struct scan scan = { .text = body, .depth_most = depth };
    bool is_finite = true;
    scan_all(&scan);
    if (scan.problem) {
        return wr_fail(err, WARREN_INVALID, "the body is not strict JSON: %s at byte %zu",
                       scan.problem, scan.at);
    }
    bool is_unique = scan.names == count_names(root, &is_finite);
    if (!is_unique || !is_finite) {
        return wr_fail(err, WARREN_INVALID, "the body is not strict JSON: %s",
                       is_unique ? "a number is too large for a double" : "a name stands twice");
    }
    return WARREN_OK;
}

static warren_status keep_tree(struct warren_job *job, json_object *root, warren_error *err)
{
    job->json = malloc(sizeof *job->json);
    if (!job->json) {
        json_object_put(root);
        return wr_no_memory(err);
    }
    job->json->root = root;
    return WARREN_OK;
}

warren_status wr_job_check_json(struct warren_job *job, int depth, warren_error *err)
{
    json_object *root = NULL;
    warren_status rc = parse(job->message->body, depth, &root, err);
    if (rc) {
        return rc;
    }
    rc = check_strictly(job->message->body, root, depth, err);
    if (rc) {
        json_object_put(root);
        return rc;
    }
    return keep_tree(job, root, err);
}

void wr_json_free(struct wr_json *json)
{
    if (json) {
        json_object_put(json->root);
        free(json);
    }
}

/* The member at a path of names joined by dots; NULL when there is none. */
static json_object *find_member(struct warren_job *job, const char *path)
{
    enum { DEPTH = 32, NAME_MOST = 255 };
    json_object *root = NULL;
    if (!job->json &&
        (parse(job->message->body, DEPTH, &root, NULL) || keep_tree(job, root, NULL))) {
        return NULL;
    }
    json_object *at = job->json->root;
    while (*path) {
        char name[NAME_MOST + 1];
        size_t size = strcspn(path, ".");
        if (size > NAME_MOST || !json_object_is_type(at, json_type_object)) {
            return NULL;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        if (!json_object_object_get_ex(at, name, &at)) {
            return NULL;
        }
        path += size + (path[size] == '.' ? 1 : 0);
    }
    return at;
}

const char *warren_job_string(warren_job *job, const char *path)
{
    json_object *member = find_member(job, path);
    return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : NULL;
}

bool warren_job_int(warren_job *job, const char *path, int64_t *out)
{
    json_object *member = find_member(job, path);
    if (!json_object_is_type(member, json_type_int)) {
        return false;
    }
    *out = json_object_get_int64(member);
    return true;
}

bool warren_job_double(warren_job *job, const char *path, double *out)
{
    json_object *member = find_member(job, path);
    if (!json_object_is_type(member, json_type_double) &&
        !json_object_is_type(member, json_type_int)) {
        return false;
    }
    *out = json_object_get_double(member);
    return true;
}

bool warren_job_bool(warren_job *job, const char *path, bool fallback)
{
    json_object *member = find_member(job, path);
    return json_object_is_type(member, json_type_boolean) ? json_object_get_boolean(member)
                                                          : fallback;
}
