// SPDX-License-Identifier: MIT
// DESIGN: the user's name as the system knows it; the environment's could be anybody's.
#include "who.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

const char *who_am_i(void)
{
    static char text[128];
    char host[64] = "localhost";
    const struct passwd *entry = getpwuid(getuid());
    (void)gethostname(host, sizeof host - 1);
    if (entry && entry->pw_name) {
        (void)snprintf(text, sizeof text, "%.60s@%s", entry->pw_name, host);
    } else {
        (void)snprintf(text, sizeof text, "%lld@%s", (long long)getuid(), host);
    }
    return text;
}
