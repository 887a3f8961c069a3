// SPDX-License-Identifier: MIT
// DESIGN: each line is handed to the system before its letter is touched, and the disk is asked at the
// end. A line's last member is a note, which the import passes over.
#include "dead_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "escape.h"
#include "output.h"
#include "say.h"
#include "when.h"

char *dead_record_who(void)
{
    char *who = NULL;
    char host[256] = "";
    const char *user = getenv("SUDO_USER");
    if (!user || !*user) {
        user = getenv("USER");
    }
    (void)gethostname(host, sizeof host - 1);
    return asprintf(&who, "%s@%s", user && *user ? user : "somebody", host) < 0 ? NULL : who;
}

static char *make_note(const char *did, const char *why)
{
    char now[32];
    char *note = NULL;
    char *text = NULL;
    size_t size = 0;
    char *who = dead_record_who();
    output_time(now, when_now());
    if (asprintf(&text, "%s at %s by %s%s%s", did, now, who ? who : "?", why ? ": " : "",
                 why ? why : "") < 0) {
        text = NULL;
    }
    FILE *out = text ? open_memstream(&note, &size) : NULL;
    if (out) {
        fputs(",\"note\":", out);
        escape_json_string(out, text, strlen(text));
        fputs("}\n", out);
        (void)fclose(out);
    }
    free(text);
    free(who);
    return note;
}

/* Whether the file ends in the middle of a line, as one does whose disk was full. */
static bool is_torn(const char *path)
{
    struct stat kind;
    char last = '\n';
    int file =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not wait for a writer */
    if (file >= 0 && fstat(file, &kind) == 0 && S_ISREG(kind.st_mode) && kind.st_size > 0) {
        last = pread(file, &last, 1, kind.st_size - 1) == 1 ? last : '\n';
    }
    if (file >= 0) {
        (void)close(file);
    }
    return last != '\n';
}

bool dead_record_open(struct dead_record *record, const char *path, const char *did,
                      const char *why)
{
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    *record = (struct dead_record){ .path = path };
    record->file = file >= 0 ? fdopen(file, "a") : NULL;
    record->note = make_note(did, why);
    if (!record->file || !record->note) {
        say("%s: can't be written: %s; nothing was changed", path, strerror(errno));
        if (record->file) {
            (void)fclose(record->file);
        }
        free(record->note);
        return false;
    }
    if (is_torn(path)) {
        say("%s: its last line has no end, as after a full disk; what follows begins a new one",
            path);
        (void)fputc('\n', record->file);
    }
    return true;
}

bool dead_record_line(struct dead_record *record, const char *line)
{
    size_t size = strlen(line);
    bool is_whole = size &&
                    fwrite(line, 1, size - 1, record->file) == size - 1 && /* but its brace */
                    fputs(record->note, record->file) >= 0 && fflush(record->file) == 0;
    if (!is_whole) {
        say("%s: can't be written: %s", record->path, strerror(errno));
        record->has_failed = true;
    }
    return is_whole;
}

bool dead_record_write(struct dead_record *record, const warren_dead_letter *letter)
{
    char *line = NULL;
    warren_error err;
    if (warren_dead_write(letter, &line, &err)) {
        say("%s: %s", letter->id, err.text);
        record->has_failed = true;
        return false;
    }
    bool is_written = dead_record_line(record, line);
    free(line);
    return is_written;
}

bool dead_record_has_failed(const struct dead_record *record)
{
    return record->has_failed;
}

bool dead_record_close(struct dead_record *record)
{
    /* A pipe or a terminal has no disk. */
    bool is_safe = fsync(fileno(record->file)) == 0 || errno == EINVAL || errno == EROFS;
    is_safe = fclose(record->file) == 0 && is_safe;
    free(record->note);
    if (!is_safe) {
        say("%s: may not be on the disk: %s", record->path, strerror(errno));
    }
    return is_safe;
}
