// SPDX-License-Identifier: MIT
#include "rows.h"

const struct row rows_login[] = {
    ROWS_END,
};
