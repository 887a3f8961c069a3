/* SPDX-License-Identifier: MIT */
/*
 * The screen of `warren top`: draws a fleet, and says what was typed. It asks nobody and changes
 * nothing. Threads: one.
 */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include "fleet.h"

enum top_view { TOP_QUEUES, TOP_TYPES, TOP_WORKERS, TOP_JOBS };

/** What is shown. */
struct top {
    struct fleet *fleet;
    const char *title;
    enum top_view view;
    char queue[256];   /* whose types or jobs are shown; "" of jobs: all */
    char type[256];    /* whose jobs are shown; "": all */
    size_t selected;   /* row */
    char message[256]; /* of the last action; "" none */
    bool shows_help;
    int64_t now_ms;
};

enum top_key {
    TOP_NONE,
    TOP_UP,
    TOP_DOWN,
    TOP_PAGE_UP,
    TOP_PAGE_DOWN,
    TOP_ENTER,
    TOP_BACK,
    TOP_SWITCH,
    TOP_RUNNING,
    TOP_PAUSE,
    TOP_QUIET,
    TOP_DRAIN,
    TOP_HELP,
    TOP_QUIT
};

/** Whether this build can draw. */
bool top_screen_is_there(void);

/** Takes over the terminal. False: it is none that can be drawn on. */
bool top_screen_open(void);
void top_screen_close(void);

/** How many rows the view has, and the selected one of queues or types; NULL: none. */
size_t top_row_count(const struct top *top);
struct fleet_row *top_row(const struct top *top, size_t index);

void top_screen_draw(const struct top *top);

/** What was typed since the last call, one key at a time. */
enum top_key top_screen_key(void);

/** Asks for a line of text at the bottom. Meanwhile it calls `idle` several times a second; false from
 * that gives up, as Escape does. False: it was given up. */
bool top_screen_ask(const char *question, char *out, size_t size, bool (*idle)(void *user),
                    void *user);

#endif
