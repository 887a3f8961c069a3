// SPDX-License-Identifier: MIT
// DESIGN: files with the generator's mark are written again, with what the command line said then, and
// compared byte by byte: so no rule, right or host can drift. Files without the mark are somebody's own, and
// missing ones were not wanted.
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "kubernetes_check.h"
#include "member.h"
#include "say.h"
#include "tree.h"

enum { FILE_MOST = 8 << 20, LINE_SHOWN = 120 };

/* The text of a file; NULL: it isn't there, or isn't what a generator writes. The caller's. */
static char *read_text(const char *path)
{
    struct stat facts;
    bool is_fit = stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= FILE_MOST;
    FILE *file = is_fit ? fopen(path, "re") : NULL;
    if (!file) {
        return NULL;
    }
    char *text = malloc((size_t)facts.st_size + 1);
    size_t size = text ? fread(text, 1, (size_t)facts.st_size, file) : 0;
    (void)fclose(file);
    if (text) {
        text[size] = '\0';
    }
    return text;
}

/* Behind the generator's mark; NULL: the file doesn't begin with it. */
static const char *behind_mark(const char *text)
{
    size_t size = strlen(KUBE_MARK);
    return text && strncmp(text, KUBE_MARK, size) == 0 ? text + size : NULL;
}

static size_t whole_characters(const char *text, size_t size)
{
    while (size && (text[size] & 0xC0) == 0x80) {
        size--;
    }
    return size;
}

/* The line at `text` without its first `skip` bytes, cut where it is long. */
static const char *line_of(char out[FINDING_TEXT], const char *text, size_t skip)
{
    const char *from = text + skip;
    bool is_cut = skip > strspn(text, " ");
    size_t size = strcspn(from, "\n");
    size_t shown = size > LINE_SHOWN ? whole_characters(from, LINE_SHOWN) : size;
    return !*text ? "the end of the file"
                  : finding_text(out, "\"%s%.*s%s\"", is_cut ? "…" : "", (int)shown, from,
                                 shown < size ? "…" : "");
}

/* How much of two lines needn't be shown: blanks, or all but a little of what is the same. */
static size_t same_part(const char *one, const char *other)
{
    size_t blanks = strspn(one, " ");
    size_t same = 0;
    while (one[same] && one[same] != '\n' && one[same] == other[same]) {
        same++;
    }
    blanks = blanks < same ? blanks : same;
    return same - blanks > LINE_SHOWN / 2 ? whole_characters(one, same - LINE_SHOWN / 4) : blanks;
}

/* `said` and `want` differ. */
static void note_line(struct findings *findings, const char *path, const char *said,
                      const char *want)
{
    char where[FINDING_TEXT];
    char got_line[FINDING_TEXT];
    char want_line[FINDING_TEXT];
    size_t line = 2; /* behind the mark */
    for (size_t size; (size = strcspn(said, "\n")) == strcspn(want, "\n") && said[size] &&
                      strncmp(said, want, size + 1) == 0;
         line++) {
        said += size + 1;
        want += size + 1;
    }
    size_t skip = same_part(said, want);
    findings_add(findings, finding_text(where, "%s:%zu", path, line), line_of(got_line, said, skip),
                 line_of(want_line, want, skip),
                 "generate the manifests again; what you changed belongs into an overlay");
}

static void compare(const char *folder, const struct tree *tree, struct findings *findings)
{
    for (size_t i = 0; i < tree->count; i++) {
        char path[PATH_MAX];
        const struct tree_file *file = &tree->files[i];
        bool fits = snprintf(path, sizeof path, "%s/%s", folder, file->path) < PATH_MAX;
        char *text = fits ? read_text(path) : NULL;
        const char *said = behind_mark(text);
        if (said && strcmp(said, file->text) != 0) {
            note_line(findings, path, said, file->text);
        }
        free(text);
    }
}

/* Means of queues that are gone would be refused; without them the line that names them differs. */
static json_object *known_means(const struct kube *kube, json_object *means)
{
    json_object *known = json_object_new_array();
    for (size_t i = 0; i < member_count(means); i++) {
        json_object *mean = json_object_array_get_idx(means, i);
        if (kube_is_mean(kube, json_object_get_string(mean))) {
            (void)json_object_array_add(known, json_object_get(mean));
        }
    }
    return known;
}

static int write_again(const struct kube *kube, const char *folder, json_object *said,
                       struct findings *findings)
{
    struct tree tree = { .mark = KUBE_MARK };
    struct kube_wish wish;
    char where[FINDING_TEXT];
    if (!kube_wish_read(&wish, said)) {
        findings_add(findings, finding_text(where, "%s/" KUBE_WISH_FILE, folder),
                     "no line \"" KUBE_WISH_LINE "{…}\"", "what it was written with",
                     "generate the manifests again");
        return EXIT_DONE;
    }
    wish.means = known_means(kube, wish.means);
    int code = kube_write(&tree, kube, &wish);
    if (!code) {
        compare(folder, &tree, findings);
    }
    (void)json_object_put(wish.means);
    tree_done(&tree);
    return code;
}

int check_written(const struct kube *kube, const char *folder, struct findings *findings)
{
    char path[PATH_MAX];
    bool fits = snprintf(path, sizeof path, "%s/" KUBE_WISH_FILE, folder) < PATH_MAX;
    char *text = fits ? read_text(path) : NULL;
    const char *body = behind_mark(text);
    const char *line = body ? strstr(body, KUBE_WISH_LINE) : NULL;
    int code = EXIT_DONE;
    if (body && !findings->count) {
        char *json = line ? strndup(line + strlen(KUBE_WISH_LINE),
                                    strcspn(line + strlen(KUBE_WISH_LINE), "\n"))
                          : NULL;
        json_object *said = json ? json_tokener_parse(json) : NULL;
        code = write_again(kube, folder, said, findings);
        (void)json_object_put(said);
        free(json);
    }
    free(text);
    return code;
}
