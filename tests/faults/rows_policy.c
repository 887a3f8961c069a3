// SPDX-License-Identifier: MIT
#include "rows.h"

const struct row rows_policy[] = {
    ROWS_END,
};
