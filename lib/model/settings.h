/* SPDX-License-Identifier: MIT */
/*
 * Settings: what warren.cfg and the queue files say, checked and typed. One table
 * (settings_table.c) names every option with its type, unit, default, limits and one sentence;
 * parser, checker, `config explain`, the man page and the shipped config/warren.cfg all follow from
 * it.
 *
 * Ownership: settings own all their strings; free with wr_settings_free. Threads: not changed once
 * several threads know them, so any may read.
 */
#ifndef WR_MODEL_SETTINGS_H
#define WR_MODEL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "model/retry.h"
#include "warren/error.h"

#define WR_HOSTS_MOST 16
#define WR_QUEUES_MOST 1000
#define WR_TYPES_MOST 10000 /* in all queues together */

struct wr_tls_settings {
    char *ca_file;   /* NULL: the system's */
    char *cert_file; /* client certificate and its key, both or none */
    char *key_file;
    char *server_name; /* NULL: the host of the URL */
    bool verify;
};

struct wr_broker_settings {
    char *url; /* amqp://user:password@host:port/vhost, amqps://…, memory:; may name several hosts,
                  host1:port,host2 */
    char *user; /* NULL: from the URL, else guest */
    char *user_file;
    char *password;        /* NULL: from the URL, else guest. Never printed */
    char *password_file;   /* read again at each connect */
    char *management_url;  /* NULL: no management API; for the tools, never a worker */
    char *connection_name; /* shown by the broker */
    int64_t heartbeat_ms;
    int64_t connect_timeout_ms;
    int64_t connect_wait_ms; /* how long a worker goes on trying at start */
    int64_t rpc_timeout_ms;
    bool login_external;  /* login = "external": the client certificate is the login */
    bool allow_plaintext; /* a password without TLS to a host that isn't loopback */
    struct wr_tls_settings tls;
};

enum wr_queue_type {
    WR_QUORUM,
    WR_CLASSIC,
    WR_STREAM /* of the control plane's state only */
};

struct wr_job_settings {
    char *type;
    int concurrency;
    int64_t timeout_ms;      /* 0: none */
    int64_t hard_timeout_ms; /* 0: none */
    bool isolate;            /* a queue of its own: <queue>.<type> */
    struct wr_retry_policy retry;
    char *file; /* where it was said, for messages */
    int line;
};

struct wr_queue_settings {
    char *name;
    enum wr_queue_type type;
    char *exchange; /* NULL: NS.jobs. A topic exchange on which the types are bound; key = type */
    char *default_type;           /* NULL: none. For messages that say no type */
    bool json_raw;                /* JSON bodies are not checked */
    int prefetch;                 /* 0: auto */
    int max_crashes;              /* runs that may end with their process */
    struct wr_retry_policy retry; /* what its types inherit */
    struct wr_job_settings *jobs;
    size_t job_count;
    char *file;
    int line;
};

struct wr_settings {
    char *file; /* NULL: defaults, no file */
    char *ns;
    bool topology_check; /* topology = "check": look, declare nothing */
    bool takes_all;      /* no file: the queue takes every type that gets a handler */
    struct wr_broker_settings broker;
    int threads; /* 0: the sum of the types' limits, at most 256 */
    int64_t drain_timeout_ms;
    char *state_dir; /* a path, "auto" or "none": io/state_dir.h */
    char **plugins;
    size_t plugin_count;
    int64_t delay_max_ms;
    int64_t body_most;     /* bytes */
    int headers_most;      /* foreign headers */
    int64_t headers_bytes; /* foreign headers together */
    int json_depth;
    int publish_window; /* unconfirmed messages at once */
    int64_t publish_timeout_ms;
    char *http_listen; /* see model/listen.h */
    int http_connections;
    int http_types; /* how many job types have metrics of their own */
    int64_t http_timeout_ms;
    bool has_control; /* takes orders and tells what it does through NS.control */
    int64_t control_heartbeat_ms;
    bool has_deletion_cost; /* tells Kubernetes what it would cost to delete its pod */
    int64_t kubernetes_interval_ms;
    char *kubernetes_api;     /* NULL or "": what the environment says */
    char *kubernetes_account; /* a folder with `token` and `ca.crt` */
    char *log_level;          /* error, warn, info, debug */
    char *log_format;         /* auto, text, json */
    int log_rate;             /* lines of one event a second; 0: all */

    char *trace_endpoint; /* NULL or "": nothing is traced */
    double trace_sample;  /* 0 to 1 */
    bool trace_as_child;  /* parent = "child" */
    char *trace_service;
    char *queues_folder; /* as written; relative to the folder of `file` */
    struct wr_queue_settings *queues;
    size_t queue_count;
};

/** One thing wrong (or worth a note) in a file. */
struct wr_problem {
    char *file;
    int line; /* 0: none */
    char *path;
    char *text;
    bool is_note; /* does not stop anything */
};

struct wr_problems {
    struct wr_problem *items;
    size_t length;
    size_t errors;  /* of them not notes */
    size_t dropped; /* more than can be told: not in items */
    bool failed;    /* memory ran out: something is missing */
};

/**
 * Loads `path` and the queue files beside it (`queues/` in its folder, or what `queues` says),
 * checks everything and collects every problem. NULL path: the defaults. On any error no settings
 * come back, and err's text holds as many problem lines as fit. `problems` may be NULL; otherwise
 * it is overwritten, and done with wr_problems_done, also after success (notes).
 */
warren_status wr_settings_load(struct wr_settings **out, const char *path,
                               struct wr_problems *problems, warren_error *err);

/** Adds a type (concurrency 1, the default policy) to a queue; only for settings that take all
 * handled types. */
warren_status wr_settings_add_type(struct wr_settings *settings, const char *type,
                                   warren_error *err);

/**
 * A copy that shares nothing with `settings`; queues and types stand in the same order. A running
 * worker's settings aren't changed: a reload makes a copy, changes what is LIVE in the table, and
 * those who look at such options are told of it. Whoever keeps the older ones reads what is right
 * of everything else.
 */
warren_status wr_settings_copy(struct wr_settings **out, const struct wr_settings *settings,
                               warren_error *err);

void wr_settings_free(struct wr_settings *settings);
void wr_problems_done(struct wr_problems *problems);

/** Appends "file:line: path: text" (notes: "file:line: note: path: text"), without a newline. */
void wr_problem_write(const struct wr_problem *problem, struct wr_text *out);

/* --- the table, for `config show`, `config explain`, docs and tests --- */

enum wr_option_kind {
    WR_OPTION_STRING,
    WR_OPTION_SECRET, /* a string that is never printed */
    WR_OPTION_BOOL,
    WR_OPTION_INT,
    WR_OPTION_FLOAT,
    WR_OPTION_DURATION,  /* a string with a unit; in ms */
    WR_OPTION_SIZE,      /* a string with a unit; in bytes */
    WR_OPTION_CHOICE,    /* one of the words of `choices` */
    WR_OPTION_PATH,      /* a string; a relative one belongs to the folder of its file */
    WR_OPTION_PATHS,     /* a list of them */
    WR_OPTION_DURATIONS, /* a list of durations */
    WR_OPTION_GROUPS     /* a list of groups, whose options have rows of their own */
};

struct wr_option {
    const char *path; /* "broker.heartbeat", "queue.jobs.timeout" */
    enum wr_option_kind kind;
    const char *fallback; /* as written in a file, "" for unset; NULL: none, or the queue's */
    const char *least;
    const char *most;
    const char *choices; /* "quorum|classic"; of a number or duration: the word that means 0; of a
                            path: words that are no paths */
    const char *sentence;
    bool required;
    uint16_t offset; /* where it is kept in its struct: settings, queue or job */
    uint16_t width;  /* of that field, in bytes */
    bool is_live;    /* a reload applies it; else it waits for a restart */
};

/** All options, in the order of the shipped file. `*out_count` rows; static memory. */
const struct wr_option *wr_settings_table(size_t *out_count);

/** The row of that path; NULL when there is none. */
const struct wr_option *wr_settings_option(struct wr_slice path);

/** What the group of that path is about ("broker", "queue.retry"); NULL when there is no such group.
 * Static memory. */
const char *wr_settings_group(struct wr_slice path);

/** What an option is: "duration", "whole number". Static memory. */
const char *wr_option_kind_name(const struct wr_option *option);

/** Whether its value is a list, of paths, durations or groups. */
bool wr_option_is_list(const struct wr_option *option);

/** The units that its values are written with, "ms, s, m, h, d"; NULL when it has none. Static memory. */
const char *wr_option_units(const struct wr_option *option);

/** In which struct an option is kept. */
enum wr_option_home { WR_IN_SETTINGS, WR_IN_QUEUE, WR_IN_JOB };
enum wr_option_home wr_option_home(const struct wr_option *option);

/**
 * Explains the option of that path, or a group and all options below it, as text; NULL or "": all of
 * them. NOT_FOUND names the nearest one.
 */
warren_status wr_settings_explain(const char *path, struct wr_text *out, warren_error *err);

/** The path of an option or a group without its indices, as in a message: "queues[2].jobs[1].type" is
 * "queue.jobs.type". Cut when it is too long. */
void wr_settings_plain_path(char *out, size_t size, const char *path);

/** Whether the option is the one of that plain path, or below it. Every option is below "". */
bool wr_option_is_below(const struct wr_option *option, const char *path);

/** NOT_FOUND, for a plain path that is no option's and no group's: the text names the nearest one. */
warren_status wr_settings_not_found(const char *path, warren_error *err);

/** Appends what the option takes: `a duration such as "90s" or "2m", from 5s to 1h; default: "15s"`. */
void wr_option_takes(const struct wr_option *option, struct wr_text *out);

/** What becomes of a change of the option while a worker runs, as a sentence. Static memory. */
const char *wr_option_change(const struct wr_option *option);

/** A value for examples, as written in a file but without quotes: the default where that tells
 * something. Static memory. */
const char *wr_option_example(const struct wr_option *option);

/** Appends a line of a file that sets the option, `broker: { heartbeat = "15s"; };`. */
void wr_option_example_line(const struct wr_option *option, struct wr_text *out);

enum wr_template {
    WR_TEMPLATE_MAIN,       /* warren.cfg: every option explained, at its default */
    WR_TEMPLATE_QUEUE,      /* a small queue file to begin with */
    WR_TEMPLATE_QUEUE_FULL, /* a queue file with every option explained */
    WR_TEMPLATE_MAIN_SMALL  /* warren.cfg with the options that most services change */
};

/** Writes the text of a file to begin with, from the table. */
void wr_settings_template(enum wr_template which, struct wr_text *out);

/** Writes the effective settings as libconfig text (or one JSON object), secrets and URL passwords
 * as "***". */
void wr_settings_write(const struct wr_settings *settings, bool as_json, struct wr_text *out);

/** Writes a JSON Schema (draft-07) of what wr_settings_write writes as JSON, from the table. */
void wr_settings_schema(struct wr_text *out);

/** The queue of that name, NULL when there is none. Borrowed. */
const struct wr_queue_settings *wr_settings_queue(const struct wr_settings *settings,
                                                  const char *name);

#endif
