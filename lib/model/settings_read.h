/* SPDX-License-Identifier: MIT */
/*
 * The steps of reading configuration files, one file of code each. Private to the
 * settings; libconfig's types are only named here. Threads: one reading, one thread.
 *
 *   settings.c          the order of it all
 *   settings_file.c     one file: rights, size, lexer, libconfig
 *   settings_lexer.c    what libconfig would swallow silently
 *   settings_group.c    the keys of a group, each by its row of the table
 *   settings_expand.c   ${env:NAME}, ${file:PATH}, $$
 *   settings_queue.c    queues and their job types
 *   settings_check.c    what only the whole can tell
 */
#ifndef WR_MODEL_SETTINGS_READ_H
#define WR_MODEL_SETTINGS_READ_H

#include "model/settings.h"
#include "model/settings_problem.h"

typedef struct config_t config_t;
typedef struct config_setting_t config_setting_t;

#define WR_CONFIG_FILE_MOST (1u << 20) /* bytes of one file */
#define WR_CONFIG_STRING_MOST 4096     /* bytes of one value, expanded */
#define WR_CONFIG_DEPTH_MOST 32        /* nested groups and lists */
#define WR_CONFIG_PATH_SIZE 256        /* of "queues[12].jobs[34].retry.delays" */

/** One file being read. */
struct wr_reader {
    struct wr_settings *settings;
    struct wr_problems *problems;
    const char *file;   /* as the user named it; NULL: the defaults */
    char *folder;       /* of that file, as the user named it; "." when there is none */
    bool open_to_all;   /* others may read the file */
    bool no_memory;     /* something is missing because of that */
    size_t *type_count; /* of all files */
    int threads_line;   /* where warren.cfg says threads; 0: it doesn't */
};

/** Opens, checks and parses one file into `out` (which needs config_destroy in any case). False:
 * there are problems, and nothing can be read from it. */
bool wr_reader_parse(struct wr_reader *reader, config_t *out);

/** Reports in `text` integers that libconfig would wrap, escapes that it would not understand,
 * @include, and too deep nesting. True when the text may be parsed all the same. */
bool wr_settings_lex(struct wr_problems *problems, const char *file, struct wr_slice text);

/** The path of the setting whose name stands in a line; false when there are several, or none. */
bool wr_settings_name_in_line(struct wr_slice text, int line, char out[WR_CONFIG_PATH_SIZE]);

/** What expanding a string found. */
struct wr_expansion {
    struct wr_text text; /* the result */
    bool any;            /* something was expanded */
    bool secret;         /* something came from the environment or a file */
    char problem[320];   /* "" when it went well */
};

/** Expands ${env:NAME}, ${env:NAME:-default}, ${file:PATH} (relative to `folder`) and $$. */
void wr_settings_expand(const char *text, const char *folder, struct wr_expansion *out);
void wr_expansion_done(struct wr_expansion *expansion);

/** A group of settings and the struct that its options are kept in. */
struct wr_group {
    config_setting_t *node;
    const char *prefix; /* of the table's rows: "", "broker", "queue.jobs" */
    const char *shown;  /* for messages: "", "broker", "queues[2].jobs[1]" */
    void *base;
};

/** Stores every key of the group and of the groups in it; reports what is unknown or wrong. Keys
 * that hold queues or job types are left to wr_settings_read_queues. */
void wr_settings_read_group(struct wr_reader *reader, const struct wr_group *group);

/** Stores the fallbacks of all rows directly below `prefix` and of the groups in it. */
void wr_settings_read_defaults(struct wr_reader *reader, const char *prefix, void *base);

/** Stores one value given as text, expanded first; `line` 0 for a default. */
void wr_settings_read_text(struct wr_reader *reader, const struct wr_option *option,
                           const struct wr_place *place, const char *text, void *base);

/** The queues that a file holds: `queue: {…}` or `queues: (…)`. */
void wr_settings_read_queues(struct wr_reader *reader, config_setting_t *root);

/** Checks one policy after it was read from `node` (NULL: nothing was said). */
void wr_settings_check_policy(struct wr_reader *reader, config_setting_t *node, const char *shown,
                              struct wr_retry_policy *policy);

/** Checks the options of warren.cfg together. */
void wr_settings_check_main(struct wr_reader *reader, config_setting_t *root);

/** Checks all queues against each other and against the rest. */
void wr_settings_check_queues(struct wr_reader *reader);

/** The place of the member `name` of `node`, else of the node itself. `path` is borrowed. */
struct wr_place wr_reader_place(const struct wr_reader *reader, config_setting_t *node,
                                const char *name, const char *path);

/** Writes "prefix.name", or "name" without a prefix; cut when it is too long. Returns `out`. */
const char *wr_settings_join(char out[WR_CONFIG_PATH_SIZE], const char *prefix, const char *name);

#endif
