// SPDX-License-Identifier: MIT
#include "rows.h"

const struct row rows_refusal[] = {
    ROWS_END,
};
