// SPDX-License-Identifier: MIT
// DESIGN: a field opens a folder and a book, writes configurations, and at the end tells what came of
// the row in one line. Each configuration is written twice, once as the row wants it (through a proxy,
// as another user) and once for the judge (field_judge.c), who always takes the straight way.
#include "field_inside.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"

static struct field *open_field; /* for atexit */

void field_give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "field: %s: %s\n", what, why);
    exit(1);
}

char *field_print(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        field_give_up("out of memory", format);
    }
    return text;
}

/* --- opening -------------------------------------------------------------------------------------- */

static void end_at_exit(void)
{
    if (open_field) {
        field_end_processes(open_field);
    }
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getentropy(&seed, sizeof seed)) {
        seed = (uint64_t)field_now_us();
    }
    return seed & 0xffffffff; /* short enough to be typed */
}

void field_open(struct field *field, const struct row *row, const struct field_options *options)
{
    const char *scratch = getenv("WARREN_TEST_SCRATCH");
    struct field_inside *inside = calloc(1, sizeof *inside);
    if (!inside) {
        field_give_up("out of memory", row->name);
    }
    *field = (struct field){ .row = row,
                             .seed = options->seed ? options->seed : random_seed(),
                             .jobs = options->jobs ? options->jobs : row->jobs,
                             .queue_type = options->queue_type ? options->queue_type : "quorum",
                             .book = book_new(),
                             .inside = inside };
    inside->random = field->seed;
    inside->opened_us = field_now_us();
    inside->folder = field_print("%s/fault-%02d-%s.XXXXXX", scratch ? scratch : "/tmp", row->number,
                                 field->queue_type);
    if (!mkdtemp(inside->folder)) {
        field_give_up(inside->folder, strerror(errno));
    }
    inside->ledger = field_print("%s/ledger", inside->folder);
    field->folder = inside->folder;
    field->ledger = inside->ledger;
    open_field = field;
    (void)atexit(end_at_exit);
}

uint64_t field_random(struct field *field, uint64_t bound)
{
    uint64_t z = field->inside->random += 0x9e3779b97f4a7c15U; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % bound;
}

/* --- configurations ------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file)) {
        field_give_up("cannot write", path);
    }
    (void)chmod(path, 0600);
}

/* The queue files of a configuration, in its folder. */
static void write_queues(const struct field *field, const char *folder,
                         const struct field_config *how)
{
    char *path = field_print("%s/queues", folder);
    if (mkdir(folder, 0700) || mkdir(path, 0700)) {
        field_give_up(path, strerror(errno));
    }
    free(path);
    path = field_print("%s/queues/10-work.cfg", folder);
    char *text = field_print("queue: { name = \"work\"; type = \"%s\"; %s };\n", field->queue_type,
                             how->queue ? how->queue : FIELD_QUEUE);
    write_file(path, text);
    free(path);
    free(text);
    if (how->more) {
        path = field_print("%s/queues/20-more.cfg", folder);
        write_file(path, how->more);
        free(path);
    }
}

/* The vhost's URL with another port. */
static char *url_at(const char *url, int port)
{
    const char *host = strrchr(url, '@');
    const char *colon = host ? strchr(host, ':') : NULL;
    if (!port) {
        return field_print("%s", url);
    }
    if (!colon) {
        field_give_up("no port to replace in", url);
    }
    return field_print("%.*s:%d%s", (int)(colon - url), url, port, colon + strcspn(colon, "/"));
}

static void write_main(const char *path, const char *url, const struct field_config *how)
{
    const char *more = how->main ? how->main : "";
    const char *state = strstr(more, "state_dir") ? "" : "state_dir = \"../state\";";
    char *text = field_print("broker: { url = \"%s\"; %s }; %s\n%s\n", url,
                             how->broker ? how->broker : "", state, more);
    write_file(path, text);
    free(text);
}

const char *field_config(struct field *field, const struct field_config *how)
{
    static const struct field_config usual;
    struct field_inside *inside = field->inside;
    how = how ? how : &usual;
    field_need_broker(field);
    if (inside->config_count == FIELD_CONFIGS_MOST) {
        field_give_up("too many configurations", field->row->name);
    }
    char *folder = field_print("%s/config%zu", field->folder, inside->config_count + 1);
    char *path = field_print("%s/warren.cfg", folder);
    char *judge = field_print("%s/judge.cfg", folder);
    char *url = url_at(how->url ? how->url : live_url(), how->port);
    write_queues(field, folder, how);
    write_main(path, url, how);
    struct field_config straight = *how;
    straight.broker = NULL;
    write_main(judge, live_url(), &straight);
    inside->configs[inside->config_count++] = path;
    free(folder);
    free(judge);
    free(url);
    return path;
}

/* --- expectations, and the row's line ------------------------------------------------------------- */

static void append(char *text, const char *separator, const char *format, va_list args)
{
    size_t length = strlen(text);
    if (length) {
        length += (size_t)snprintf(text + length, FIELD_TEXT_BYTES - length, "%s", separator);
    }
    if (length < FIELD_TEXT_BYTES - 1) {
        (void)vsnprintf(text + length, FIELD_TEXT_BYTES - length, format, args);
    }
}

bool field_expect(struct field *field, bool holds, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!holds) {
        append(field->inside->failures, "; ", format, args);
    }
    va_end(args);
    return holds;
}

void field_note(struct field *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(field->inside->notes, " ", format, args);
    va_end(args);
}

static char *counts(const struct field *field)
{
    const struct book_sum *sum = &field->inside->sum;
    const struct book *book = field->book;
    if (!field->inside->is_checked) {
        return field_print("unchecked");
    }
    return field_print("confirmed=%" PRIu64 " done=%" PRIu64 " dead=%" PRIu64 " lost=%" PRIu64
                       " unexpected=%" PRIu64 " dup=%" PRIu64 "/%" PRId64 " reruns=%" PRIu64
                       " recovered=%" PRIu64 " unknown=%" PRIu64,
                       book_count(book, BOOK_CONFIRMED), book_count(book, BOOK_DONE),
                       book_count(book, BOOK_DEAD), sum->lost, sum->unexpected, sum->duplicates,
                       field->inside->bounds.duplicates_most, sum->reruns, sum->recovered,
                       book_count(book, BOOK_UNKNOWN));
}

/* The table of tests/run: one line a run, of several processes at once. */
static void append_line(const char *line)
{
    const char *scratch = getenv("WARREN_TEST_SCRATCH");
    if (!scratch) {
        return;
    }
    char *path = field_print("%s/faults.tsv", scratch);
    FILE *file = fopen(path, "ae");
    if (file) {
        (void)fputs(line, file);
        (void)fclose(file);
    }
    free(path);
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static void report(const struct field *field)
{
    const struct field_inside *inside = field->inside;
    bool is_ok = !*inside->failures;
    double seconds = (double)(field_now_us() - inside->opened_us) / 1e6;
    char *seen = counts(field);
    char *line =
        field_print("%d\t%s\t%s\tseed=%" PRIu64 "\t%s%s%s\t%.1f s\t%s%s\t%s\n", field->row->number,
                    field->row->name, field->queue_type, field->seed, seen,
                    *inside->notes ? " " : "", inside->notes, seconds,
                    is_ok ? "ok" : "FAILED: ", inside->failures, is_ok ? "" : field->folder);
    (void)fputs(line, stdout);
    append_line(line);
    free(seen);
    free(line);
}

bool field_close(struct field *field)
{
    struct field_inside *inside = field->inside;
    field_check_secrets(field);
    bool is_ok = !*inside->failures;
    report(field);
    field_end_processes(field);
    open_field = NULL;
    if (is_ok) {
        (void)nftw(field->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    for (size_t i = 0; i < inside->config_count; i++) {
        free(inside->configs[i]);
    }
    free(inside->broker_setting);
    free(inside->folder);
    free(inside->ledger);
    free(inside);
    book_free(field->book);
    return is_ok;
}
