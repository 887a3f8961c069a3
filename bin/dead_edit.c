// SPDX-License-Identifier: MIT
// DESIGN: the letter is shown as its JSON record, indented. A JSON body is shown as JSON, but only if it
// can be written back byte for byte (spaces aside), since an editor who changes a header must not change
// a number of the body; and an unchanged body keeps its bytes, spaces too. Nothing is held at the broker
// while somebody edits. Before the old letter goes, both forms are on the disk.
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "dead_filter.h"
#include "dead_record.h"
#include "say.h"
#include "warren/dead.h"

enum {
    FORM_MOST = 192 * 1024 * 1024,
    DEEPEST = 64, /* levels of a letter's JSON, as the library reads it */
    PLAIN = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
    PRETTY = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE
};

#define BODY_AS_JSON "body_json"

/* --- the two forms: a line, and what an editor shows --- */

/* Whether two JSON texts are the same but for spaces between their words. */
static bool differs_only_in_spaces(const char *a, const char *b)
{
    bool is_string = false;
    for (;;) {
        while (!is_string && *a && strchr(" \t\r\n", *a)) {
            a++;
        }
        if (*a != *b || !*a) {
            return *a == *b;
        }
        if (*a == '\\' && a[1] && a[1] == b[1]) {
            a++;
            b++;
        } else if (*a == '"') {
            is_string = !is_string;
        }
        a++;
        b++;
    }
}

/* A letter's JSON, from headers as deep as they may be; `*problem` says why it is none. */
static struct json_object *parse_letter(const char *text, enum json_tokener_error *problem)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEEPEST);
    size_t size = strlen(text);
    struct json_object *letter = NULL;
    *problem = json_tokener_error_size;
    if (tokener && size < INT_MAX) {
        letter = json_tokener_parse_ex(tokener, text, (int)size + 1); /* with its NUL: the end */
        *problem = json_tokener_get_error(tokener);
    }
    if (tokener) {
        json_tokener_free(tokener);
    }
    return letter;
}

/* The body as a tree, when it is JSON that can be written back as it was. */
static struct json_object *parse_body(struct json_object *letter)
{
    struct json_object *body = NULL;
    if (!json_object_object_get_ex(letter, "body", &body)) {
        return NULL;
    }
    const char *text = json_object_get_string(body);
    struct json_object *tree = *text == '{' || *text == '[' ? json_tokener_parse(text) : NULL;
    if (tree && !differs_only_in_spaces(text, json_object_to_json_string_ext(tree, PLAIN))) {
        json_object_put(tree);
        tree = NULL;
    }
    return tree;
}

/* What an editor shows; the caller frees. */
static char *make_form(const char *line)
{
    enum json_tokener_error problem;
    struct json_object *letter = parse_letter(line, &problem);
    struct json_object *body = letter ? parse_body(letter) : NULL;
    char *form = NULL;
    if (body) {
        json_object_object_del(letter, "body");
        json_object_object_add(letter, BODY_AS_JSON, body);
    }
    if (!letter) {
        say("the letter can't be shown for an edit: %s", json_tokener_error_desc(problem));
    } else if (asprintf(&form, "%s\n", json_object_to_json_string_ext(letter, PRETTY)) < 0) {
        say("no memory to show the letter for an edit");
        form = NULL;
    }
    json_object_put(letter);
    return form;
}

/* The line that an edited form stands for; the caller frees. NULL, with a message, when it is none. */
static char *make_line(const char *form, const char *before)
{
    enum json_tokener_error problem;
    enum json_tokener_error ignored;
    struct json_object *letter = parse_letter(form, &problem);
    struct json_object *old = parse_letter(before, &ignored);
    struct json_object *old_body = old ? parse_body(old) : NULL;
    struct json_object *body = NULL;
    char *line = NULL;
    if (!letter || !json_object_is_type(letter, json_type_object)) {
        say("the edited letter is no JSON object: %s",
            letter ? "it is something else" : json_tokener_error_desc(problem));
    } else {
        if (json_object_object_get_ex(letter, BODY_AS_JSON, &body)) {
            bool is_old = old_body && json_object_equal(body, old_body);
            json_object_object_add(
                letter, "body",
                is_old ? json_object_get(json_object_object_get(old, "body"))
                       : json_object_new_string(json_object_to_json_string_ext(body, PLAIN)));
            json_object_object_del(letter, BODY_AS_JSON);
        }
        line = strdup(json_object_to_json_string_ext(letter, PLAIN));
    }
    json_object_put(letter);
    json_object_put(old_body);
    json_object_put(old);
    return line;
}

/* --- the editor --- */

/* A whole file as a string; the caller frees. NULL, with a message. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    FILE *out = file ? open_memstream(&text, &size) : NULL;
    char block[65536];
    size_t count;
    while (out && size <= FORM_MOST && (count = fread(block, 1, sizeof block, file)) > 0) {
        (void)fwrite(block, 1, count, out);
        (void)fflush(out);
    }
    bool is_whole = out && !ferror(file) && size <= FORM_MOST && fclose(out) == 0;
    if (file) {
        (void)fclose(file);
    }
    if (!is_whole) {
        say("%s: %s", path, size > FORM_MOST ? "too large" : strerror(errno));
        free(text);
        return NULL;
    }
    return text;
}

static bool run_editor(const char *path)
{
    const char *editor = getenv("VISUAL");
    editor = editor && *editor ? editor : getenv("EDITOR");
    if (!editor || !*editor) {
        say("no editor: set $VISUAL or $EDITOR, or give the edited letter by --file");
        return false;
    }
    int ended = -1;
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    (void)sigaction(SIGINT, &ignore, &before); /* Ctrl-C is the editor's */
    pid_t child = fork();
    if (child == 0) {
        char *command = NULL;
        (void)sigaction(SIGINT, &before, NULL);
        if (asprintf(&command, "%s \"$1\"", editor) >= 0) {
            (void)execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
        }
        _exit(127);
    }
    while (child > 0 && waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    (void)sigaction(SIGINT, &before, NULL);
    if (child < 0 || !WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
        say("the editor (%s) failed; nothing was changed", editor);
        return false;
    }
    return true;
}

/* Writes the form to a file that only its owner reads. `path` ends in XXXXXX.json. */
static bool write_form(char *path, const char *form)
{
    int file = mkstemps(path, 5);
    FILE *out = file >= 0 ? fdopen(file, "w") : NULL;
    bool is_whole = out && fputs(form, out) >= 0;
    if (out && fclose(out)) {
        is_whole = false;
    }
    if (!is_whole) {
        say("%s: %s", path, strerror(errno));
    }
    if (file >= 0 && !is_whole) {
        (void)unlink(path);
    }
    return is_whole;
}

/* Removes the file unless somebody typed something into it; then says where that is. */
static void remove_untouched(const char *path, const char *form)
{
    char *typed = read_file(path);
    if (typed && strcmp(typed, form) == 0) {
        (void)unlink(path);
    } else {
        say("what was typed is in %s, and --file takes it from there", path);
    }
    free(typed);
}

/* What comes out of the editor, and where it stands; the caller frees. NULL, with a message, and the exit
 * code. */
static char *edit_form(const char *before, char *path, int *code)
{
    char *form = make_form(before);
    char *edited = NULL;
    if (form && write_form(path, form)) {
        edited = run_editor(path) ? read_file(path) : NULL;
        if (!edited) {
            remove_untouched(path, form);
        } else if (strcmp(edited, form) == 0) {
            (void)unlink(path);
            say("nothing was edited, and nothing was changed");
            free(edited);
            edited = NULL;
            *code = EXIT_DONE;
        }
    }
    free(form);
    return edited;
}

/* --- where both forms are kept --- */

static bool make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* The default file; the caller frees. NULL, with a message. */
static char *default_file(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    char folder[4096];
    if (state && *state) {
        (void)snprintf(folder, sizeof folder, "%s", state);
    } else {
        (void)snprintf(folder, sizeof folder, "%s/.local", home && *home ? home : "/root");
        (void)make_folder(folder);
        (void)strncat(folder, "/state", sizeof folder - strlen(folder) - 1);
    }
    (void)make_folder(folder);
    (void)strncat(folder, "/warren", sizeof folder - strlen(folder) - 1);
    if (!make_folder(folder) || asprintf(&path, "%s/edits.jsonl", folder) < 0) {
        say("%s: %s; say where before and after are kept (--keep FILE)", folder, strerror(errno));
        return NULL;
    }
    return path;
}

static bool keep_both(const struct args *args, const char *before, const char *after)
{
    struct dead_record record;
    const char *given = args_value(args, "keep");
    char *path = given ? strdup(given) : default_file();
    bool is_kept = false;
    if (path && dead_record_open(&record, path, "before an edit", args_value(args, "because"))) {
        is_kept = dead_record_line(&record, before) && dead_record_line(&record, after);
        is_kept = dead_record_close(&record) && is_kept;
    }
    if (is_kept) {
        say("before and after are kept in %s", path);
    }
    free(path);
    return is_kept;
}

/* --- the story --- */

struct found {
    char *line;
    warren_status rc;
    warren_error *err;
};

static bool write_letter(const warren_dead_letter *letter, void *user)
{
    struct found *found = user;
    found->rc = warren_dead_write(letter, &found->line, found->err);
    return false;
}

/* The letter as it stands; the caller frees. NULL, with a message and the exit code. */
static char *find_letter(warren_admin *admin, const struct args *args, int *code)
{
    warren_error err;
    struct found found = { .err = &err };
    warren_dead_filter filter = { .queue = args_operand(args, 0),
                                  .id = args_operand(args, 1),
                                  .limit = 1 };
    dead_filter_watch(admin, "looking");
    warren_status rc = warren_dead_each(admin, &filter, write_letter, &found, &err);
    say_progress_done();
    if (rc || found.rc) {
        *code = say_failure(&err);
        free(found.line);
        return NULL;
    }
    if (say_is_interrupted()) {
        say("stopped; nothing was changed");
        *code = EXIT_PARTLY;
        free(found.line);
        return NULL;
    }
    if (!found.line) {
        say("queue %s has no dead letter %s: `warren dead list %s` shows them", filter.queue,
            filter.id, filter.queue);
        *code = EXIT_NOT_FOUND;
    }
    return found.line;
}

/* Puts the edited letter in the old one's place. */
static int replace(const struct args *args, const char *before, const char *after)
{
    warren_error err;
    warren_admin *admin = NULL;
    char *who = dead_record_who();
    warren_dead_edit edit = { .queue = args_operand(args, 0),
                              .before = before,
                              .after = after,
                              .by = who ? who : "",
                              .why = args_value(args, "because"),
                              .replays = args_has(args, "replay") };
    warren_status rc = warren_admin_open(&admin, args_config(args), &err);
    if (!rc) {
        dead_filter_watch(admin, "replacing");
        rc = warren_dead_replace(admin, &edit, &err);
        warren_admin_close(admin);
        say_progress_done();
    }
    free(who);
    if (rc == WARREN_NOT_FOUND && say_is_interrupted()) { /* before the walk came to it */
        say("stopped; nothing was changed");
        return EXIT_PARTLY;
    }
    if (rc) {
        return say_failure(&err);
    }
    say("message %s was edited and %s", args_operand(args, 1),
        edit.replays ? "replayed" : "stands in its dead queue, as the newest there");
    return EXIT_DONE;
}

static int edit_letter(const struct args *args, const char *before)
{
    char path[4096];
    const char *folder = getenv("TMPDIR");
    const char *given = args_value(args, "file");
    (void)snprintf(path, sizeof path, "%s/warren-edit-XXXXXX.json",
                   folder && *folder ? folder : "/tmp");
    int code = EXIT_FAILED;
    char *edited = given ? read_file(given) : edit_form(before, path, &code);
    char *after = edited ? make_line(edited, before) : NULL;
    if (after && say_is_interrupted()) {
        say("stopped; nothing was changed");
        code = EXIT_PARTLY;
    } else if (after) {
        code = keep_both(args, before, after) ? replace(args, before, after) : EXIT_FAILED;
    }
    if (edited && !given) {
        if (code == EXIT_DONE) {
            (void)unlink(path);
        } else {
            say("nothing is lost: the edited letter is in %s, and --file takes it from there",
                path);
        }
    }
    free(after);
    free(edited);
    return code;
}

int cmd_dead_edit(const struct args *args)
{
    warren_error err;
    warren_admin *admin = NULL;
    int code = EXIT_FAILED;
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    char *before = find_letter(admin, args, &code);
    warren_admin_close(admin);
    if (before) {
        code = edit_letter(args, before);
    }
    free(before);
    return code;
}
