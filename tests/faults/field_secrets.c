// SPDX-License-Identifier: MIT
// DESIGN: promise "a password is in no output", asked of every fault run: the logs, gauges and
// ledger of a row are searched for the password that its processes log in with. Only the folders of
// the configuration may hold it, so they are not looked into.
#include "field_inside.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "live.h"

/* Of amqp://user:password@host; the caller frees it. */
static char *password_of(const char *url)
{
    const char *user = strstr(url, "://");
    const char *colon = user ? strchr(user + 3, ':') : NULL;
    const char *end = strrchr(url, '@');
    if (!colon || !end || end - colon < 8) {
        field_give_up("no password to look for in", url);
    }
    return field_print("%.*s", (int)(end - colon - 1), colon + 1);
}

static bool holds(const char *path, const char *secret)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return false; /* a file that its process removed */
    }
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    ssize_t size;
    while (!found && (size = getline(&line, &room, file)) >= 0) {
        found = memmem(line, (size_t)size, secret, strlen(secret)) != NULL;
    }
    free(line);
    (void)fclose(file);
    return found;
}

void field_check_secrets(struct field *field)
{
    char *secret = password_of(live_url());
    DIR *folder = opendir(field->folder);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        struct stat facts;
        char *path = field_print("%s/%s", field->folder, entry->d_name);
        if (stat(path, &facts) == 0 && S_ISREG(facts.st_mode)) {
            field_expect(field, !holds(path, secret), "the password is in %s", entry->d_name);
        }
        free(path);
    }
    if (folder) {
        (void)closedir(folder);
    }
    free(secret);
}
