/* SPDX-License-Identifier: MIT */
/*
 * What alerts and dashboards need to know of a configuration: its queues, its job types, and how long,
 * how often and how many of each may run. Read through the public interface.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/** A job type of a queue; the types beyond http.types stand together as "(other)". */
struct plan_type {
    size_t queue; /* its number in the plan */
    const char *type;
    int64_t timeout_ms; /* 0: none */
    int64_t concurrency;
    int64_t attempts;
};

/** A configured queue. */
struct plan_queue {
    const char *name;
    int64_t timeout_ms; /* the longest of its types; 0: one has none, or it has no type */
};

/** A queue at the broker: a configured one, or that of an isolated type. */
struct plan_inbox {
    char *name; /* owned */
    int64_t concurrency;
};

/** Strings are borrowed from `root` unless said otherwise. Without a configuration there are no rows: what is
 * generated then fits any queue. */
struct plan {
    struct json_object *root;
    const char *ns;
    bool is_generic;
    struct plan_queue *queues;
    size_t queue_count;
    struct plan_type *types; /* in the order of the queues */
    size_t type_count;
    struct plan_inbox *inboxes;
    size_t inbox_count;
};

/** Reads the configuration at `path`; NULL: none. Gives an exit code, after a message if it is not
 * EXIT_DONE. plan_done afterwards in any case. */
int plan_read(struct plan *plan, const char *path);
void plan_done(struct plan *plan);

/** Writes PromQL or a legend with its tokens filled in; see the tables that have them. */
struct selector {
    const char *labels; /* for "{@}" and "{@,"; "" for none */
    const char *limit;  /* for "#" */
};
void selector_fill(FILE *out, const char *text, const struct selector *selector);

/** Writes a string of PromQL, with its quotes. `is_regex`: a part of one, without them and quoted for a
 * regular expression. */
void selector_quote(FILE *out, const char *text, bool is_regex);

/** Writes the rules as Prometheus reads them: those on Warren's own metrics, or those on RabbitMQ's.
 * `runbooks` stands before each page's name. False without memory. */
bool alerts_write(FILE *out, const struct plan *plan, bool is_rabbitmq, const char *runbooks);

/** Writes the dashboard as Grafana imports it. False without memory. */
bool dashboard_write(FILE *out, const struct plan *plan);

/** How a unit of systemd is wanted. */
struct unit_wish {
    const char *config; /* NULL: /etc/warren/warren.cfg */
    int64_t memory_mib; /* for MemoryMax=; 0: no such line */
    bool is_template;   /* for instances, each with /etc/warren/INSTANCE/warren.cfg */
};

/** Writes a unit of systemd. False without memory. */
bool systemd_write(FILE *out, const struct plan *plan, const struct unit_wish *wish);

#endif
