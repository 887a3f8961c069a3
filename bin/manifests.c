// SPDX-License-Identifier: MIT
// DESIGN: YAML as Kubernetes uses it: mappings with string keys, lists, plain scalars by the JSON schema.
// Anchors are refused, so that a small file can't be a large object; so is what is deeper or longer than
// any manifest.
#include "manifests.h"

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "member.h"
#include "say.h"

struct json_object *manifests_find(const struct manifests *manifests, const char *kind,
                                   const char *name)
{
    for (size_t i = 0; i < manifests->count; i++) {
        json_object *object = manifests->items[i].object;
        json_object *metadata = member_of(object, "metadata");
        if (strcmp(member_text(object, "kind"), kind) == 0 &&
            strcmp(member_text(metadata, "name"), name) == 0) {
            return object;
        }
    }
    return NULL;
}

void manifests_done(struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        free(manifests->items[i].file);
        (void)json_object_put(manifests->items[i].object);
    }
    free(manifests->items);
    *manifests = (struct manifests){ 0 };
}

#ifndef WARREN_HAVE_YAML

int manifests_read(struct manifests *manifests, const char *path)
{
    *manifests = (struct manifests){ 0 };
    say("%s can't be read: this build is without libyaml", path);
    return EXIT_FAILED;
}

#else

#include <yaml.h>

enum {
    FILE_MOST = 8 << 20,
    DEPTH_MOST = 64,
    FOLDERS_MOST = 16, /* one in the other */
    OBJECTS_MOST = 10000
};

/* --- a document --- */

struct reader {
    yaml_parser_t parser;
    const char *file;
    const char *problem; /* NULL: none yet */
    size_t line;
};

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return true;
    }
    reader->problem = reader->parser.problem ? reader->parser.problem : "no YAML";
    reader->line = reader->parser.problem_mark.line + 1;
    return false;
}

static json_object *refuse(struct reader *reader, const yaml_event_t *event, const char *problem)
{
    reader->problem = problem;
    reader->line = event->start_mark.line + 1;
    return NULL;
}

static bool is_one_of(const char *text, const char *const words[])
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL stands for null, as everywhere in json-c. */
static json_object *read_scalar(const yaml_event_t *event)
{
    static const char *const nothing[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const yes[] = { "true", "True", "TRUE", NULL };
    static const char *const no[] = { "false", "False", "FALSE", NULL };
    const char *text = (const char *)event->data.scalar.value;
    char *end = NULL;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        if (is_one_of(text, nothing)) {
            return NULL;
        }
        if (is_one_of(text, yes) || is_one_of(text, no)) {
            return json_object_new_boolean(is_one_of(text, yes));
        }
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (strspn(text, "+-0123456789") == strlen(text) && !*end && !errno) {
            return json_object_new_int64(number);
        }
        double real = strtod(text, &end);
        if (strspn(text, "+-.0123456789eE") == strlen(text) && !*end) {
            return json_object_new_double(real);
        }
    }
    return json_object_new_string_len(text, (int)event->data.scalar.length);
}

static json_object *read_node(struct reader *reader, const yaml_event_t *event, int depth);

static json_object *read_list(struct reader *reader, int depth)
{
    json_object *list = json_object_new_array();
    for (bool is_open = true; is_open && !reader->problem;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) {
            break;
        }
        is_open = event.type != YAML_SEQUENCE_END_EVENT;
        if (is_open) {
            (void)json_object_array_add(list, read_node(reader, &event, depth + 1));
        }
        yaml_event_delete(&event);
    }
    return list;
}

/* The value of a key, whose event it was. */
static void read_member(struct reader *reader, json_object *map, const yaml_event_t *key, int depth)
{
    yaml_event_t event;
    if (key->type != YAML_SCALAR_EVENT) {
        (void)refuse(reader, key, "a key that is no string");
        return;
    }
    const char *name = (const char *)key->data.scalar.value;
    if (json_object_object_get_ex(map, name, NULL)) {
        (void)refuse(reader, key, "a key that stands twice");
        return;
    }
    if (next_event(reader, &event)) {
        (void)json_object_object_add(map, name, read_node(reader, &event, depth + 1));
        yaml_event_delete(&event);
    }
}

static json_object *read_map(struct reader *reader, int depth)
{
    json_object *map = json_object_new_object();
    for (bool is_open = true; is_open && !reader->problem;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) {
            break;
        }
        is_open = event.type != YAML_MAPPING_END_EVENT;
        if (is_open) {
            read_member(reader, map, &event, depth);
        }
        yaml_event_delete(&event);
    }
    return map;
}

static json_object *read_node(struct reader *reader, const yaml_event_t *event, int depth)
{
    if (depth > DEPTH_MOST) {
        return refuse(reader, event, "nested deeper than 64");
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(event);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(reader, depth);
    case YAML_MAPPING_START_EVENT:
        return read_map(reader, depth);
    default:
        return refuse(reader, event, "an alias of an anchor, which is not read here");
    }
}

/* --- a file --- */

static bool keep(struct manifests *manifests, const char *file, json_object *object)
{
    size_t size = (manifests->count + 1) * sizeof *manifests->items;
    struct manifest *items =
        manifests->count < OBJECTS_MOST ? realloc(manifests->items, size) : NULL;
    char *name = items ? strdup(file) : NULL;
    manifests->items = items ? items : manifests->items;
    if (!name) {
        return false;
    }
    manifests->items[manifests->count++] = (struct manifest){ name, json_object_get(object) };
    return true;
}

/* What a document has to say; patches and kustomizations say nothing. */
static bool keep_document(struct manifests *manifests, const char *file, json_object *document)
{
    const char *kind = member_text(document, "kind");
    json_object *items = member_of(document, "items");
    if (!*kind || !*member_text(document, "apiVersion") || strcmp(kind, "Kustomization") == 0) {
        return true;
    }
    if (strcmp(kind, "List") != 0) {
        return keep(manifests, file, document);
    }
    bool is_whole = true;
    for (size_t i = 0; is_whole && i < member_count(items); i++) {
        is_whole = keep_document(manifests, file, json_object_array_get_idx(items, i));
    }
    return is_whole;
}

static bool read_documents(struct reader *reader, struct manifests *manifests)
{
    bool is_whole = true;
    for (bool is_open = true; is_open && is_whole && !reader->problem;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) {
            break;
        }
        is_open = event.type != YAML_STREAM_END_EVENT;
        bool is_frame = event.type == YAML_STREAM_START_EVENT ||
                        event.type == YAML_DOCUMENT_START_EVENT ||
                        event.type == YAML_DOCUMENT_END_EVENT;
        if (is_open && !is_frame) {
            json_object *document = read_node(reader, &event, 0);
            is_whole = reader->problem || keep_document(manifests, reader->file, document);
            (void)json_object_put(document);
        }
        yaml_event_delete(&event);
    }
    return is_whole;
}

static int parse(struct manifests *manifests, const char *file, const char *text, size_t size)
{
    struct reader reader = { .file = file };
    if (!yaml_parser_initialize(&reader.parser)) {
        say("out of memory");
        return EXIT_FAILED;
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    bool is_whole = read_documents(&reader, manifests);
    if (reader.problem) {
        say("%s:%zu: %s", file, reader.line, reader.problem);
    } else if (!is_whole) {
        say("%s: too many objects, or no memory for them", file);
    }
    yaml_parser_delete(&reader.parser);
    return is_whole && !reader.problem ? EXIT_DONE : EXIT_FAILED;
}

static int read_stream(struct manifests *manifests, const char *name, FILE *file)
{
    char *text = malloc(FILE_MOST + 1);
    size_t size = text ? fread(text, 1, FILE_MOST + 1, file) : 0;
    int code = EXIT_FAILED;
    if (!text || ferror(file)) {
        say("%s: %s", name, strerror(errno));
    } else if (size > FILE_MOST) {
        say("%s: larger than 8 MiB", name);
    } else {
        code = parse(manifests, name, text, size);
    }
    free(text);
    return code;
}

static int read_file(struct manifests *manifests, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        say("%s: %s", path, strerror(errno));
        return EXIT_FAILED;
    }
    int code = read_stream(manifests, path, file);
    (void)fclose(file);
    return code;
}

/* --- a folder --- */

static int is_wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool is_manifest(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int read_path(struct manifests *manifests, const char *path, bool is_named, int depth);

static int read_folder(struct manifests *manifests, const char *folder, int depth)
{
    struct dirent **entries = NULL;
    int count = depth < FOLDERS_MOST ? scandir(folder, &entries, is_wanted, alphasort) : 0;
    int code = EXIT_DONE;
    if (count < 0) {
        say("%s: %s", folder, strerror(errno));
        return EXIT_FAILED;
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        bool fits = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < PATH_MAX;
        code = code || !fits ? code : read_path(manifests, path, false, depth + 1);
        free(entries[i]);
    }
    free(entries);
    return code;
}

/* `is_named`: the user did, so it is read whatever its name. */
static int read_path(struct manifests *manifests, const char *path, bool is_named, int depth)
{
    struct stat facts;
    if (stat(path, &facts)) {
        say("%s: %s", path, strerror(errno));
        return EXIT_NOT_FOUND;
    }
    if (S_ISDIR(facts.st_mode)) {
        return read_folder(manifests, path, depth);
    }
    return is_named || (S_ISREG(facts.st_mode) && is_manifest(path)) ? read_file(manifests, path)
                                                                     : EXIT_DONE;
}

int manifests_read(struct manifests *manifests, const char *path)
{
    *manifests = (struct manifests){ 0 };
    if (strcmp(path, "-") == 0) {
        return read_stream(manifests, "standard input", stdin);
    }
    return read_path(manifests, path, true, 0);
}

#endif
