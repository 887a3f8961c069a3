// SPDX-License-Identifier: MIT
// DESIGN: `warren publish`: one job, or one for each line of a file, through a batch that keeps a
// window of unconfirmed messages. Exit 0 means that the broker has confirmed all of it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "escape.h"
#include "output.h"
#include "say.h"
#include "warren/publisher.h"
#include "when.h"

enum { HEADERS_MOST = 64, BODY_MOST = 128 * 1024 * 1024, PROGRESS_EVERY = 1000 };

/* What is to be published, with the storage of its headers. */
struct parcel {
    warren_message message;
    warren_header headers[HEADERS_MOST];
    char *names[HEADERS_MOST]; /* copies of NAME=VALUE, cut in two */
    char id[37];
    char *body; /* read from a file; NULL else */
};

static void free_parcel(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->message.header_count; i++) {
        free(parcel->names[i]);
    }
    free(parcel->body);
}

/* --- reading the options --- */

static bool read_header(struct parcel *parcel, const char *text)
{
    size_t index = parcel->message.header_count;
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        (void)say_usage("--header: got \"%s\", want NAME=VALUE", text);
        return false;
    }
    if (index == HEADERS_MOST) {
        (void)say_usage("--header: at most %d of them", HEADERS_MOST);
        return false;
    }
    char *copy = strdup(text);
    if (!copy) {
        say("out of memory");
        return false;
    }
    copy[equals - text] = '\0';
    parcel->names[index] = copy;
    parcel->headers[index] = (warren_header){ .name = copy, .value = copy + (equals - text) + 1 };
    parcel->message.header_count++;
    return true;
}

static bool read_when(const struct args *args, const char *option,
                      bool (*read)(const char *, int64_t *), const char *want, int64_t *out)
{
    const char *text = args_value(args, option);
    if (!text || read(text, out)) {
        return true;
    }
    (void)say_usage("--%s: got \"%s\", want %s", option, text, want);
    return false;
}

static bool read_times(const struct args *args, warren_message *message)
{
    static const char duration[] = "a duration such as 90s, 5m or 1h30m";
    if (args_has(args, "delay") && args_has(args, "at")) {
        (void)say_usage("--delay and --at can't be given together");
        return false;
    }
    return read_when(args, "delay", when_duration, duration, &message->delay_ms) &&
           read_when(args, "expires", when_duration, duration, &message->expires_ms) &&
           read_when(args, "at", when_time, "a time such as 2030-01-31T08:00:00Z or @1896076800",
                     &message->at_ms);
}

static bool read_message(const struct args *args, struct parcel *parcel)
{
    warren_message *message = &parcel->message;
    long max_attempts = 0;
    long priority = 0;
    size_t cursor = 0;
    const char *header;
    *message = (warren_message){ .type = args_operand(args, 0),
                                 .id = args_value(args, "id"),
                                 .content_type = args_value(args, "content-type"),
                                 .correlation_id = args_value(args, "correlation-id"),
                                 .backoff = args_value(args, "backoff"),
                                 .headers = parcel->headers };
    while ((header = args_next(args, "header", &cursor))) {
        if (!read_header(parcel, header)) {
            return false;
        }
    }
    if (!read_times(args, message) ||
        !args_number(args, "max-attempts", 1, 1000000, &max_attempts) ||
        !args_number(args, "priority", 0, 255, &priority)) {
        return false;
    }
    message->max_attempts = (int)max_attempts;
    message->priority = (int)priority;
    return true;
}

/* --- bodies --- */

static FILE *open_input(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (!file) {
        say("%s: %s", path, strerror(errno));
    }
    return file;
}

static void close_input(FILE *file)
{
    if (file && file != stdin) {
        (void)fclose(file);
    }
}

static bool read_all(FILE *file, struct parcel *parcel, const char *path)
{
    size_t capacity = 0;
    size_t size = 0;
    for (;;) {
        if (size == capacity) {
            capacity = capacity ? 2 * capacity : 64 * 1024;
            char *grown = size > BODY_MOST ? NULL : realloc(parcel->body, capacity);
            if (!grown) {
                say("%s: too large for a message", path);
                return false;
            }
            parcel->body = grown;
        }
        size_t count = fread(parcel->body + size, 1, capacity - size, file);
        size += count;
        if (!count) {
            break;
        }
    }
    if (ferror(file)) {
        say("%s: %s", path, strerror(errno));
        return false;
    }
    parcel->message.body = size ? parcel->body : NULL;
    parcel->message.body_size = size;
    return true;
}

static bool read_body(const struct args *args, struct parcel *parcel)
{
    const char *path = args_value(args, "file");
    const char *body = args_operand(args, 1);
    if (path && body) {
        (void)say_usage("give a body or --file, not both");
        return false;
    }
    if (!path) {
        parcel->message.body = body && *body ? body : NULL;
        return true;
    }
    FILE *file = open_input(path);
    bool is_read = file && read_all(file, parcel, path);
    close_input(file);
    return is_read;
}

/* Says why, and where to look when nothing takes the job. */
static int fail_publish(const warren_error *err)
{
    int code = say_failure(err);
    if (err->status == WARREN_UNROUTABLE) {
        say("`warren topology plan` shows what is declared, `warren config show` who takes which "
            "type");
    }
    return code;
}

/* --- one job --- */

static int publish_one(warren_publisher *publisher, struct parcel *parcel,
                       enum output_format format)
{
    static const struct column columns[] = { { "ID", "id", CELL_TEXT },
                                             { "TYPE", "type", CELL_TEXT } };
    struct output output;
    warren_error err;
    if (!parcel->message.id) {
        warren_make_id(parcel->id);
        parcel->message.id = parcel->id;
    }
    if (warren_publish(publisher, &parcel->message, &err)) {
        return fail_publish(&err);
    }
    if (format == OUTPUT_TABLE) {
        escape_text(stdout, parcel->message.id, false);
        putchar('\n');
        return EXIT_DONE;
    }
    output_begin(&output, format, columns, 2);
    output_row(&output,
               (struct cell[]){ { .text = parcel->message.id }, { .text = parcel->message.type } });
    return output_end(&output);
}

/* --- a job a line --- */

static warren_status publish_lines(warren_batch *batch, FILE *file, warren_message message,
                                   size_t *out_lines, warren_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    warren_status rc = WARREN_OK;
    while (!rc && !say_is_interrupted() && (size = getline(&line, &capacity, file)) >= 0) {
        if (size && line[size - 1] == '\n') {
            size--;
        }
        if (!size) {
            continue;
        }
        message.body = line;
        message.body_size = (size_t)size;
        rc = warren_batch_publish(batch, &message, err);
        if (!rc && ++*out_lines % PROGRESS_EVERY == 0) {
            say_progress("published %zu", *out_lines);
        }
    }
    free(line);
    return rc;
}

static int report_lines(enum output_format format, size_t lines, size_t confirmed)
{
    static const struct column columns[] = { { "PUBLISHED", "published", CELL_NUMBER } };
    struct output output;
    if (format != OUTPUT_TABLE) {
        output_begin(&output, format, columns, 1);
        output_row(&output, &(struct cell){ .number = (int64_t)confirmed });
        return output_end(&output);
    }
    if (confirmed == lines) {
        say("published %zu jobs", confirmed);
    } else {
        say("published %zu jobs; %zu more were sent and not confirmed", confirmed,
            lines > confirmed ? lines - confirmed : 0);
    }
    return EXIT_DONE;
}

static int publish_file(warren_publisher *publisher, const struct args *args,
                        const warren_message *message, enum output_format format)
{
    const char *path = args_value(args, "file") ? args_value(args, "file") : "-";
    warren_batch *batch = NULL;
    warren_error err;
    warren_error late;
    size_t lines = 0;
    size_t confirmed = 0;
    FILE *file = open_input(path);
    if (!file) {
        return EXIT_NOT_FOUND;
    }
    say_catch_interrupt();
    warren_status rc = warren_batch_open(&batch, publisher, 0, &err);
    if (!rc) {
        rc = publish_lines(batch, file, *message, &lines, &err);
        warren_status closed = warren_batch_close(batch, &confirmed, &late);
        if (!rc && closed) {
            rc = closed;
            err = late;
        }
    }
    bool is_broken = ferror(file);
    close_input(file);
    say_progress_done();
    int code = report_lines(format, lines, confirmed);
    if (rc) {
        int failed = fail_publish(&err);
        return confirmed ? EXIT_PARTLY : failed;
    }
    if (is_broken || say_is_interrupted()) {
        say("stopped after line %zu; the lines behind it were not published", lines);
        return EXIT_PARTLY;
    }
    return code;
}

static int publish(const struct args *args, struct parcel *parcel, enum output_format format)
{
    bool is_lines = args_has(args, "lines");
    warren_publisher *publisher = NULL;
    warren_error err;
    if (is_lines && (args_operand(args, 1) || args_has(args, "id"))) {
        return say_usage("--lines goes with neither a body nor --id: each line has its own");
    }
    if (!read_message(args, parcel)) {
        return EXIT_USAGE;
    }
    if (!is_lines && !read_body(args, parcel)) {
        return EXIT_USAGE;
    }
    if (warren_publisher_open(&publisher, args_config(args), &err)) {
        return say_failure(&err);
    }
    int code = is_lines ? publish_file(publisher, args, &parcel->message, format)
                        : publish_one(publisher, parcel, format);
    warren_publisher_close(publisher);
    return code;
}

int cmd_publish(const struct args *args)
{
    struct parcel *parcel = calloc(1, sizeof *parcel);
    enum output_format format;
    if (!parcel) {
        say("out of memory");
        return EXIT_FAILED;
    }
    int code = output_format_of(args, &format) ? publish(args, parcel, format) : EXIT_USAGE;
    free_parcel(parcel);
    free(parcel);
    return code;
}
