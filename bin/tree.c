// SPDX-License-Identifier: MIT
// DESIGN: the new folder is made beside the old one and takes its place in one step (RENAME_EXCHANGE), so
// that whoever reads it sees the one or the other. What others put there is linked into the new one
// before. The old one is removed at the end.
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "say.h"

enum { DEPTH_MOST = 32, SHOWN_MOST = 5, HANDLES = 16 };

/* Where a tree goes. */
struct place {
    const struct tree *tree;
    char folder[PATH_MAX]; /* without links on the way */
    char beside[PATH_MAX]; /* the new one until it takes that place */
    bool is_there;         /* whether there is an old one */
    size_t strangers;      /* files of others in it */
    bool is_linking;       /* they are taken over, not counted */
};

void tree_take(struct tree *tree, const char *path, char *text)
{
    char *copy = strdup(path);
    if (!text || !copy || tree->count == TREE_FILES_MOST) {
        free(text);
        free(copy);
        tree->failed = true;
        return;
    }
    struct tree_file *file = &tree->files[tree->count++];
    file->path = copy;
    file->text = text;
}

void tree_done(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->files[i].path);
        free(tree->files[i].text);
    }
    tree->count = 0;
}

static int fail_path(const char *path)
{
    say("%s: %s", path, strerror(errno));
    return EXIT_FAILED;
}

static bool join(char out[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* --- the new folder --- */

/* All folders above the last part of a path below `length` bytes that are there. */
static bool make_folders(char *path, size_t length)
{
    for (char *slash = path + length; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        bool is_made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!is_made) {
            return false;
        }
    }
    return true;
}

static int write_file(const struct place *place, const struct tree_file *item)
{
    char path[PATH_MAX];
    if (!join(path, place->beside, item->path)) {
        return say_usage("the folder's name is too long");
    }
    FILE *file = make_folders(path, strlen(place->beside)) ? fopen(path, "we") : NULL;
    if (!file) {
        return fail_path(path);
    }
    bool is_written = fputs(place->tree->mark, file) >= 0 && fputs(item->text, file) >= 0;
    return fclose(file) == 0 && is_written ? EXIT_DONE : fail_path(path);
}

static int write_files(struct place *place)
{
    int code = EXIT_DONE;
    if (snprintf(place->beside, sizeof place->beside, "%s.new-XXXXXX", place->folder) >= PATH_MAX) {
        return say_usage("the folder's name is too long");
    }
    if (!mkdtemp(place->beside) || chmod(place->beside, 0755)) {
        code = fail_path(place->beside);
        place->beside[0] = '\0';
        return code;
    }
    for (size_t i = 0; !code && i < place->tree->count; i++) {
        code = write_file(place, &place->tree->files[i]);
    }
    return code;
}

/* --- what is in the old one --- */

static bool has_mark(const struct tree *tree, const char *path)
{
    char line[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;
    bool is_file = fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
    ssize_t got = is_file ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return got > 0 && strncmp(line, tree->mark, strlen(tree->mark)) == 0;
}

/* Takes a file of somebody else over, unless one of ours has its name. */
static bool link_stranger(const struct place *place, const char *path, const char *name)
{
    char target[PATH_MAX];
    return join(target, place->beside, name) && make_folders(target, strlen(place->beside)) &&
           (linkat(AT_FDCWD, path, AT_FDCWD, target, 0) == 0 || errno == EEXIST);
}

static bool look_at(struct place *place, const char *path)
{
    const char *name = path + strlen(place->folder) + 1;
    if (has_mark(place->tree, path)) {
        return true;
    }
    if (place->is_linking) {
        return link_stranger(place, path, name);
    }
    if (place->strangers++ < SHOWN_MOST) {
        say("%s: not written by this command", path);
    }
    return true;
}

/* Every file below a folder of the old tree. */
static bool look_below(struct place *place, const char *folder, int depth)
{
    struct dirent **entries = NULL;
    int count = depth < DEPTH_MOST ? scandir(folder, &entries, NULL, alphasort) : -1;
    bool is_whole = count >= 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX];
        struct stat facts;
        bool is_self = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        if (is_whole && !is_self) {
            is_whole = join(path, folder, name) && lstat(path, &facts) == 0 &&
                       (S_ISDIR(facts.st_mode) ? look_below(place, path, depth + 1)
                                               : look_at(place, path));
        }
        free(entries[i]);
    }
    free(entries);
    return is_whole;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *walk)
{
    (void)facts, (void)kind, (void)walk;
    return remove(path);
}

static int check_strangers(struct place *place, bool is_forced)
{
    if (!place->is_there || is_forced) {
        return EXIT_DONE;
    }
    if (!look_below(place, place->folder, 0)) {
        return fail_path(place->folder);
    }
    if (place->strangers) {
        say("refused: %s has %zu file%s that this command didn't write; --force keeps them, and "
            "overwrites those of the same name",
            place->folder, place->strangers, place->strangers == 1 ? "" : "s");
        return EXIT_REFUSED;
    }
    return EXIT_DONE;
}

/* --- one for the other --- */

static int exchange(struct place *place, bool is_forced)
{
    place->is_linking = true;
    if (place->is_there && is_forced && !look_below(place, place->folder, 0)) {
        return fail_path(place->folder);
    }
    unsigned flags = place->is_there ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, place->beside, AT_FDCWD, place->folder, flags)) {
        return fail_path(place->folder);
    }
    if (!place->is_there) {
        place->beside[0] = '\0';
    }
    return EXIT_DONE;
}

static int find_place(struct place *place, const char *folder)
{
    char *known = realpath(folder, NULL);
    struct stat facts;
    place->is_there = known != NULL;
    bool fits = snprintf(place->folder, PATH_MAX, "%s", known ? known : folder) < PATH_MAX;
    free(known);
    if (!fits || !*folder) {
        return say_usage("the folder's name is empty or too long");
    }
    for (size_t end = strlen(place->folder); end > 1 && place->folder[end - 1] == '/'; end--) {
        place->folder[end - 1] = '\0';
    }
    if (place->is_there && (stat(place->folder, &facts) || !S_ISDIR(facts.st_mode))) {
        errno = ENOTDIR;
        return fail_path(folder);
    }
    return EXIT_DONE;
}

int tree_write(const struct tree *tree, const char *folder, bool is_forced)
{
    struct place place = { .tree = tree };
    int code = find_place(&place, folder);
    code = code ? code : check_strangers(&place, is_forced);
    code = code ? code : write_files(&place);
    code = code ? code : exchange(&place, is_forced);
    if (place.beside[0]) {
        (void)nftw(place.beside, remove_one, HANDLES, FTW_DEPTH | FTW_PHYS);
    }
    return code;
}
