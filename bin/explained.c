// SPDX-License-Identifier: MIT
// DESIGN: the library explains its options in a text for people: a path at the beginning of a line,
// below it three indented lines. That is its public form, so lists and manual pages are made of it.
#include "explained.h"

#include <stdbool.h>
#include <string.h>

enum { LINES = 4 };

void explained_each(char *text, explained_visitor *visit, void *user)
{
    const char *lines[LINES] = { NULL };
    int count = 0;
    char *rest = NULL;
    for (char *row = strtok_r(text, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        bool is_option = *row != ' ';
        count = is_option ? 0 : count;
        if (count < LINES) {
            lines[count++] = row + strspn(row, " ");
        }
        if (!is_option && count == LINES) {
            visit(user, &(struct explained){ lines[0], lines[1], lines[2], lines[3] });
            count++; /* until the next option */
        }
    }
}
