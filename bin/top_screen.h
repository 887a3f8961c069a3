/* SPDX-License-Identifier: MIT */
/*
 * The screen of `warren top`: draws a fleet, and says what was typed. It asks nobody and changes
 * nothing. Threads: one.
 */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include "top_rows.h"

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

void top_screen_draw(const struct top *top);

/** What was typed since the last call, one key at a time. */
enum top_key top_screen_key(void);

/** Asks for a line of text at the bottom. Meanwhile it calls `idle` several times a second; false from
 * that gives up, as Escape does. False: it was given up. */
bool top_screen_ask(const char *question, char *out, size_t size, bool (*idle)(void *user),
                    void *user);

#endif
