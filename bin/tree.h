/* SPDX-License-Identifier: MIT */
/*
 * A folder of files that one command writes: as a whole or not at all. Each file begins with a line
 * that says who wrote it, so that the next time the folder can be replaced without asking, and what
 * somebody else put there is not lost.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>

enum { TREE_FILES_MOST = 128 };

struct tree {
    const char *mark; /* the first line of each file, with its newline; borrowed */
    struct tree_file {
        char *path; /* below the folder; owned */
        char *text; /* owned */
    } files[TREE_FILES_MOST];
    size_t count;
    bool failed; /* no memory, or too many files */
};

/** Adds a file; takes `text`, from malloc (NULL for no memory). Folders of `path` are made. */
void tree_take(struct tree *tree, const char *path, char *text);

/** Puts the files into `folder`. What stood there with the mark is gone afterwards. Anything else there
 * is refused; with `is_forced` it stays, but for files of the same name. Gives an exit code, after a
 * message if it is not EXIT_DONE: then the folder is as it was. */
int tree_write(const struct tree *tree, const char *folder, bool is_forced);

/** Frees what was added. */
void tree_done(struct tree *tree);

#endif
