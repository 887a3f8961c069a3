/* SPDX-License-Identifier: MIT */
/*
 * The configuration, as a tool sees it: what is wrong in it, what is in effect, what an option
 * means, and files to begin with. A service needs none of this: warren_open reads the configuration
 * itself.
 *
 * Threads: a configuration is not changed after it was opened, so any thread may read it. Texts are
 * UTF-8; no secret is ever in one.
 */
#ifndef WARREN_CONFIG_H
#define WARREN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "warren/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A configuration that was read, with everything that can be said against it. */
typedef struct warren_config warren_config;

/**
 * Reads `path` (a warren.cfg; NULL: the defaults) and its queue files. Succeeds also when there are
 * errors in them, or no such file, so that all can be listed: see warren_config_errors. `*out` is
 * the caller's, to be closed with warren_config_close. NO_MEMORY: nothing was made.
 * @param path a warren.cfg; NULL: the defaults
 */
WARREN_API warren_status warren_config_open(warren_config **out, const char *path,
                                            warren_error *err);

/** Frees. NULL is fine. */
WARREN_API void warren_config_close(warren_config *config);

/** How many errors there are, not counting notes. 0: a worker may start with it. */
WARREN_API size_t warren_config_errors(const warren_config *config);

/** How many problems are listed: errors and notes together, at most 1,000. */
WARREN_API size_t warren_config_problem_count(const warren_config *config);

/**
 * One problem as a line, "file:line: path: text" ("file:line: note: path: text" for a note),
 * without a newline; in the order of reading. NULL when there are not so many. Borrowed from
 * `config`.
 */
WARREN_API const char *warren_config_problem(const warren_config *config, size_t index);

/** Whether that problem is a note, which stops nothing. False when there are not so many. */
WARREN_API bool warren_config_problem_is_note(const warren_config *config, size_t index);

/** How many queues are configured; 0 when there are errors. */
WARREN_API size_t warren_config_queue_count(const warren_config *config);

/** The name of a queue, in the order of the files; NULL when there are not so many. Borrowed from
 * `config`. */
WARREN_API const char *warren_config_queue_name(const warren_config *config, size_t index);

/** The path of the file that a queue stands in: the configuration's own where the queue is written
 * there, "" without a file; NULL when there are not so many. Borrowed from `config`. */
WARREN_API const char *warren_config_queue_file(const warren_config *config, size_t index);

/**
 * What is in effect, defaults included: as text in the format of the files, which loads again to
 * the same settings, or as one JSON object. Secrets and passwords in URLs are "***". `*out` is the
 * caller's, to be freed with free(). CONFIG: there are errors, and the text lists them.
 * @param as_json false: in the format of the files
 */
WARREN_API warren_status warren_config_write(const warren_config *config, bool as_json, char **out,
                                             warren_error *err);

/** One thing that two configurations say differently. Borrowed, for the call. */
typedef struct warren_config_difference {
    const char
        *option; /**< "queue.jobs.concurrency"; "queue.name": a whole queue; "queue.jobs.type" */
    const char *queue; /**< NULL: an option of warren.cfg */
    const char *type;  /**< NULL: an option of the queue */
    const char *from;  /**< as it is written in a file, secrets as "***"; NULL: it is new */
    const char *to;    /**< NULL: it is gone */
    bool
        live; /**< a running worker takes it at a reload; a new queue only if its types have handlers */
} warren_config_difference;

/** Called for each difference. */
typedef void warren_config_difference_visitor(void *user,
                                              const warren_config_difference *difference);

/**
 * Calls `visit` for each thing that a worker running with `from` would find different if it was told
 * to reload and its files said what `to` says. CONFIG: one of them has errors. NO_MEMORY: nothing was
 * visited.
 * @param from what a worker runs with
 * @param to what its files would say
 */
WARREN_API warren_status warren_config_diff(const warren_config *from, const warren_config *to,
                                            warren_config_difference_visitor *visit, void *user,
                                            warren_error *err);

/**
 * Explains an option ("broker.heartbeat") or all of a group ("broker"; NULL or "": all there are):
 * what it does, what it takes, its default, what becomes of a change, an example. A path may have
 * indices, as in a problem's line. `*out` is the caller's, to be freed with free(). NOT_FOUND: the text
 * names the nearest option.
 * @param path an option or a group; NULL or "": all
 */
WARREN_API warren_status warren_config_explain(const char *path, char **out, warren_error *err);

/** An option. Later versions append members. Borrowed, for the call. */
typedef struct warren_config_option {
    const char
        *path; /**< "broker.heartbeat"; those that begin with "queue." stand in queue files */
    const char
        *kind; /**< "string", "secret", "boolean", "whole number", "number", "duration", "size",
                             "choice", "path", "list of paths", "list of durations", "list of groups" */
    const char *units; /**< that its values are written with: "ms, s, m, h, d"; NULL: none */
    const char
        *fallback;     /**< its default, as in a file but without quotes; "": not set; NULL: none */
    const char *least; /**< NULL: no limit */
    const char *most;  /**< NULL: no limit */
    const char *words; /**< of a choice "a|b|c"; else words it takes besides its kind, or NULL */
    const char *sentence; /**< what it does */
    const char *takes;   /**< in words: `a duration such as "90s", from 5s to 1h; default: "15s"` */
    const char *change;  /**< what becomes of a change while a worker runs, as a sentence */
    const char *example; /**< a line for the file: `broker: { heartbeat = "15s"; };` */
    bool is_required;    /**< its group doesn't stand without it */
    bool is_live;        /**< a reload applies a change of it */
} warren_config_option;

/** Called for each option. */
typedef void warren_config_option_visitor(void *user, const warren_config_option *option);

/**
 * Calls `visit` for the option of that path, or for each in the group, as warren_config_explain; in the
 * order of the shipped files. NOT_FOUND, NO_MEMORY: nothing was visited, or not all.
 * @param path an option or a group; NULL or "": all
 */
WARREN_API warren_status warren_config_options(const char *path,
                                               warren_config_option_visitor *visit, void *user,
                                               warren_error *err);

/**
 * What a group is about ("broker", "queue.retry"), as a sentence; NULL when there is no such group.
 * Static memory.
 * @param path such as "queue.retry"
 */
WARREN_API const char *warren_config_group(const char *path);

/** A JSON Schema (draft-07) of what warren_config_write writes as JSON. `*out` is the caller's, to be
 * freed with free(). NO_MEMORY. */
WARREN_API warren_status warren_config_schema(char **out, warren_error *err);

/** The files that warren_config_template can write. */
typedef enum warren_config_file {
    WARREN_CONFIG_FILE_MAIN = 0,       /**< warren.cfg: every option explained, at its default */
    WARREN_CONFIG_FILE_QUEUE = 1,      /**< a small queue file to begin with */
    WARREN_CONFIG_FILE_QUEUE_FULL = 2, /**< a queue file with every option explained */
    WARREN_CONFIG_FILE_MAIN_SMALL = 3  /**< warren.cfg with the options that most services change */
} warren_config_file;

/**
 * The text of a file to begin with; it loads as it is. `*out` is the caller's, to be freed with
 * free(). INVALID: no such file; NO_MEMORY.
 * @param which file
 */
WARREN_API warren_status warren_config_template(warren_config_file which, char **out,
                                                warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
