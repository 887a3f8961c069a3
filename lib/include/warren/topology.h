/* SPDX-License-Identifier: MIT */
/*
 * The topology: what has to stand in the broker for a configuration (exchanges, queues, bindings).
 * A tool looks at the difference (plan), makes what is missing (apply), or writes it down (export).
 * Nothing is ever deleted but by warren_topology_remove; a difference in arguments is told, never
 * mended by force.
 *
 * Threads: a topology belongs to one thread at a time. Strings handed to a visitor are valid during
 * its call only.
 */
#ifndef WARREN_TOPOLOGY_H
#define WARREN_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warren/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A configuration's topology, and a connection once plan or apply needed one. */
typedef struct warren_topology warren_topology;

/** Reads the configuration (NULL: the defaults). Does not connect. CONFIG: it has errors, and err's
 * text names them. */
WARREN_API warren_status warren_topology_open(warren_topology **out, const char *config,
                                              warren_error *err);

/** Disconnects and frees. NULL is fine. */
WARREN_API void warren_topology_close(warren_topology *topology);

/** The namespace that the configuration says. Borrowed. */
WARREN_API const char *warren_topology_namespace(const warren_topology *topology);

/** How one item stands at the broker. */
typedef enum warren_topology_state {
    WARREN_TOPOLOGY_EXISTS = 0,  /**< there, as the configuration wants it */
    WARREN_TOPOLOGY_MISSING = 1, /**< not there; apply makes it */
    WARREN_TOPOLOGY_DIFFERS = 2, /**< there with other arguments; apply refuses, text says how on */
    WARREN_TOPOLOGY_UNKNOWN = 3, /**< can't be known: no right to compare, or no list of bindings */
    WARREN_TOPOLOGY_SURPLUS = 4, /**< a binding that the configuration doesn't ask for; apply with
                                    prune removes it (at a switch of `isolate`: every apply) */
    WARREN_TOPOLOGY_LEFTOVER = 5 /**< the queue of a type that is no longer isolated: workers empty
                                    it, then it can be deleted by hand */
} warren_topology_state;

/**
 * The name of a state, such as "missing". Never NULL; static memory.
 * @param state of an item
 */
WARREN_API const char *warren_topology_state_name(warren_topology_state state);

/** One item of a plan. */
typedef struct warren_topology_row {
    const char *kind;            /**< "exchange", "queue" or "binding" */
    const char *name;            /**< of a binding: "SOURCE -> DESTINATION (KEY)" */
    warren_topology_state state; /**< how it stands at the broker */
    const char *item;            /**< what is wanted, in words: "queue emails (quorum, …)" */
    const char *text; /**< what differs and how to go on, or why it isn't known; "" for nothing */
} warren_topology_row;

/** Called for each row; false ends the walk. */
typedef bool warren_topology_visitor(const warren_topology_row *row, void *user);

/** A binding that stands at the broker, as its management API (GET /api/bindings/VHOST) tells. */
typedef struct warren_binding {
    const char *source;      /**< the exchange */
    const char *destination; /**< the queue or exchange */
    bool to_queue;           /**< destination_type is "queue", else "exchange" */
    const char *key;         /**< the binding key */
    bool has_arguments;      /**< it has some: such a binding is told of and never touched */
} warren_binding;

/** What the caller knows of the broker's bindings; AMQP itself can't list them. */
typedef struct warren_bindings {
    const warren_binding *items; /**< all bindings of the vhost */
    size_t length;               /**< how many of them */
} warren_bindings;

/** Where the management API is and who asks, who is also who connects to the broker. Borrowed from the
 * topology. */
typedef struct warren_management {
    const char *url;      /**< `broker.management_url` as configured; NULL: none */
    const char *vhost;    /**< of the AMQP URL, decoded; NULL when the broker is memory: */
    const char *user;     /**< as the AMQP connection has it, for a URL without a user */
    const char *password; /**< a secret: never print it */
} warren_management;

/**
 * Tells where a caller can fetch the bindings. INVALID: the broker's URL can't be read.
 * @param out where it goes
 */
WARREN_API warren_status warren_topology_management(warren_topology *topology,
                                                    warren_management *out, warren_error *err);

/**
 * Compares the topology with the broker and changes nothing: existence by passive declares, the
 * arguments of what exists by an equal redeclare (which needs the right to configure it; without,
 * the row is UNKNOWN). `bindings` NULL: rows of bindings are UNKNOWN (or MISSING with their queue).
 * Connects at the first call: UNREACHABLE, REFUSED.
 * @param bindings of the vhost; NULL: not known
 */
WARREN_API warren_status warren_topology_plan(warren_topology *topology,
                                              const warren_bindings *bindings,
                                              warren_topology_visitor *visit, void *user,
                                              warren_error *err);

/** How to apply. Zeroed: nothing is removed but what a switch of `isolate` removes. */
typedef struct warren_topology_options {
    bool prune;                      /**< also unbind what the configuration doesn't ask for */
    const warren_bindings *bindings; /**< what prune goes by. NULL: it unbinds every configured type
                                        from every configured queue that doesn't list it */
} warren_topology_options;

/**
 * Declares everything; doing it again changes nothing. `options` may be NULL. MISMATCH: something
 * stands there with other arguments; all differences are in err's text, everything else was
 * declared, nothing was changed by force. REFUSED: the user may not configure this.
 * @param options may be NULL
 */
WARREN_API warren_status warren_topology_apply(warren_topology *topology,
                                               const warren_topology_options *options,
                                               warren_error *err);

/**
 * Deletes every exchange and queue of this topology with the messages in them: for scratch
 * namespaces, such as a benchmark's or a test's. So that no other configuration is met by mistake,
 * the caller says the namespace again, and nothing is deleted unless all names begin with it and a
 * dot: STATE. What isn't there is fine. REFUSED: the user may not configure (and so delete) some of
 * it; the rest is gone.
 * @param ns the namespace, said again
 */
WARREN_API warren_status warren_topology_remove(warren_topology *topology, const char *ns,
                                                warren_error *err);

/* --- another queue type: migrating --- */

/** Where the migration of a queue stands. */
typedef enum warren_migration_phase {
    WARREN_MIGRATION_NOTHING = 0,   /**< the queue is as the configuration wants it */
    WARREN_MIGRATION_NEEDED = 1,    /**< it has other arguments */
    WARREN_MIGRATION_LEAVING = 2,   /**< begun: messages are on their way to the stand-in */
    WARREN_MIGRATION_RETURNING = 3, /**< begun: the old queue is gone, they are on their way back */
    WARREN_MIGRATION_ABSENT = 4     /**< the queue is not there, and nothing was begun */
} warren_migration_phase;

/** What was reached on the way. */
typedef enum warren_migration_step {
    WARREN_MIGRATION_MOVING_OUT = 0,  /**< the stand-in is there, messages move to it */
    WARREN_MIGRATION_TURNED_AWAY = 1, /**< new messages go to the stand-in; the rest is moved */
    WARREN_MIGRATION_DELETED = 2,     /**< the old queue is gone */
    WARREN_MIGRATION_MOVING_BACK = 3, /**< the new queue is there, messages move to it */
    WARREN_MIGRATION_TURNED_BACK = 4, /**< new messages go to the new queue; the rest is moved */
    WARREN_MIGRATION_DONE = 5         /**< the stand-in is gone */
} warren_migration_step;

/**
 * What step a migration has reached, in words. Never NULL; static memory.
 * @param step that was reached
 */
WARREN_API const char *warren_migration_step_name(warren_migration_step step);

/** What a migration would do. Strings are borrowed from the topology, until its next call. */
typedef struct warren_migration {
    warren_migration_phase phase; /**< where it stands */
    const char *queue;            /**< the queue that was asked for */
    const char *stand_in;         /**< the temporary queue, "NS.migrate.<queue>" */
    const char *differences;      /**< a line each; "" for none */
    uint64_t messages;            /**< ready in the queue */
    uint64_t consumers; /**< of the queue: while the old one has any, a migration is refused */
    uint64_t moved;     /**< ready in the stand-in */
    int64_t rest_ms;    /**< how long the old queue has to be still before it is deleted */
    bool
        is_from_4; /**< the broker is 4.0 or later: a quorum queue may hold dead letters back, which
                       `messages` doesn't count */
} warren_migration;

/** Called at each step and often in between; false ends the migration between two messages. */
typedef bool warren_migration_visitor(warren_migration_step step, uint64_t moved, void *user);

/** What a queue holds beside its ready messages. AMQP tells neither; -1: not told yet. */
typedef struct warren_migration_held {
    int64_t unacked;        /**< with a worker that drains, say */
    int64_t dead_lettering; /**< `messages_dlx`: until their dead letters are confirmed */
} warren_migration_held;

/** Asks the management API for it, within a second or two. False: it could not be asked, which ends
 * the migration. */
typedef bool warren_migration_asker(const char *queue, warren_migration_held *out, void *user);

/** How to migrate. Zeroed is fine. */
typedef struct warren_migration_options {
    const warren_bindings *bindings; /**< all of the vhost: those that the configuration doesn't ask
                                        for are kept, too. NULL: not known, and they are lost */
    const char *type;                /**< the old queue's type as the management API tells it; NULL:
                                        not known, and AMQP doesn't always tell it: STATE */
    int64_t settle_ms;               /**< how long a queue has to be still before it is deleted, 3 s
                                        at least; 0: drain_timeout for the old one */
    warren_migration_asker *held;    /**< asked before a queue is deleted; NULL: what a queue holds
                                        back is not known, and lost if it is still there */
} warren_migration_options;

/**
 * Looks at the migration of a queue and changes nothing. Work queues and queues of isolated types can
 * be migrated: STATE for others, NOT_FOUND for what is no queue of the configuration. Connects as plan
 * does.
 * @param out where it goes
 */
WARREN_API warren_status warren_topology_look_at_migration(warren_topology *topology,
                                                           const char *queue, warren_migration *out,
                                                           warren_error *err);

/**
 * Gives a queue the arguments of the configuration and moves its messages: each is published to a
 * stand-in, confirmed and only then acknowledged; the queue is deleted when it is empty, and made
 * anew; then they come back in the same way. New messages are routed to one of the two at any time.
 * Killed at any moment, the same call goes on where it stood; a message that was on its way then may
 * come twice.
 *
 * `options` may be NULL; `user` is for its functions, too. `*out_moved` (may be NULL) counts moves in
 * both directions, also on failure. OK also when there was nothing to do. STATE: the queue is being
 * consumed, or migrated by somebody else, or holds what doesn't go, or its kind can't be told, or a
 * binding has arguments. AGAIN: the visitor ended it. MISMATCH: someone declared a queue meanwhile.
 * NACKED, CLOSED, TIMEOUT: the broker; INVALID: a message can't be read. After each of these the same
 * call goes on.
 * @param options may be NULL
 * @param out_moved messages, in both directions, also on failure; may be NULL
 */
WARREN_API warren_status warren_topology_migrate(warren_topology *topology, const char *queue,
                                                 const warren_migration_options *options,
                                                 warren_migration_visitor *visit, void *user,
                                                 uint64_t *out_moved, warren_error *err);

/** What the last apply or plan found worth telling, a line each; after a MISMATCH every difference
 * in full. "" for nothing. Borrowed, valid until the next call. */
WARREN_API const char *warren_topology_notes(const warren_topology *topology);

/** How a topology is written. */
typedef enum warren_topology_format {
    WARREN_TOPOLOGY_TEXT = 0, /**< a line an item, for people */
    WARREN_TOPOLOGY_JSON = 1  /**< {"items": […]}, in the order in which they can be declared */
} warren_topology_format;

/**
 * Writes the topology; needs no broker. After a plan or apply it is what that server gets; before,
 * it is written for a server from 4.0 (older ones get work queues without at-least-once dead
 * lettering). The caller frees `*out` with free().
 * @param format for people or for programs
 */
WARREN_API warren_status warren_topology_export(const warren_topology *topology,
                                                warren_topology_format format, char **out,
                                                warren_error *err);

#ifdef __cplusplus
}
#endif
#endif
