/* SPDX-License-Identifier: MIT */
/*
 * The text of warren_config_explain, an option at a time.
 */
#ifndef EXPLAINED_H
#define EXPLAINED_H

/** One option of the configuration. Borrowed, for the call. */
struct explained {
    const char *option;   /* "broker.heartbeat" */
    const char *sentence; /* what it does */
    const char *takes;    /* "Takes a duration …; default: …." */
    const char *change;   /* what becomes of a change while a worker runs */
};

typedef void explained_visitor(void *user, const struct explained *explained);

/** Visits the options in `text`, which is cut into pieces on the way. */
void explained_each(char *text, explained_visitor *visit, void *user);

#endif
