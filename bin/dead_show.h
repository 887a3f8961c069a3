/* SPDX-License-Identifier: MIT */
/*
 * Printing one dead letter in full.
 */
#ifndef DEAD_SHOW_H
#define DEAD_SHOW_H

#include "output.h"
#include "warren/dead.h"

struct dead_show {
    enum output_format format;
    bool found;
};

/** A warren_dead_visitor; `user` is a struct dead_show. */
bool dead_show_letter(const warren_dead_letter *letter, void *user);

#endif
