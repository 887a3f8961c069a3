/* SPDX-License-Identifier: MIT */
/*
 * What stands behind a warren_config. Threads: not changed after it was opened.
 */
#ifndef WR_FRONT_CONFIG_H
#define WR_FRONT_CONFIG_H

#include "model/settings.h"
#include "warren/config.h"

struct warren_config {
    struct wr_settings *settings; /* NULL: there are errors */
    struct wr_problems problems;
    char **lines;       /* one for each problem */
    warren_error error; /* what loading said; OK without errors */
};

#endif
