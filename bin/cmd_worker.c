// SPDX-License-Identifier: MIT
// DESIGN: `warren worker`: what workers do, and orders to them, through the control plane. `list` and
// `show` ask, rather than wait for the next heartbeat.
#include <json-c/json.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "escape.h"
#include "news.h"
#include "output.h"
#include "say.h"
#include "warren/control.h"
#include "who.h"

enum { WAIT_MS = 1000, ANSWER_MS = 5000, MS_PER_S = 1000 };

/* --- asking --- */

static const struct column worker_columns[] = {
    { "WORKER", "worker", CELL_TEXT },   { "HOST", "host", CELL_TEXT },
    { "VERSION", "version", CELL_TEXT }, { "STATE", "state", CELL_TEXT },
    { "READY", "ready", CELL_BOOL },     { "THREADS", "threads", CELL_NUMBER },
    { "BUSY", "busy", CELL_NUMBER },     { "IN FLIGHT", "in_flight", CELL_NUMBER },
    { "CONFIG", "config", CELL_TEXT },   { "STARTED", "started_at", CELL_TIME },
};

enum { WORKER_COLUMNS = sizeof worker_columns / sizeof worker_columns[0] };

static bool list_worker(const char *json, void *user)
{
    struct output *output = user;
    struct news news;
    int64_t in_flight = 0;
    if (!news_read(json, &news)) {
        return true;
    }
    for (size_t i = 0; i < news.queue_count; i++) {
        in_flight += news.queues[i].in_flight;
    }
    output_row(output, (struct cell[WORKER_COLUMNS]){ { .text = news.worker },
                                                      { .text = news.host },
                                                      { .text = news.version },
                                                      { .text = news.state },
                                                      { .number = news.is_ready },
                                                      { .number = news.threads },
                                                      { .number = news.busy },
                                                      { .number = in_flight },
                                                      { .text = news.config },
                                                      { .number = news.started_ms } });
    news_done(&news);
    return true;
}

int cmd_worker_list(const struct args *args)
{
    warren_admin *admin = NULL;
    warren_error err;
    enum output_format format;
    long wait_ms = WAIT_MS;
    struct output output;
    const warren_order order = { .order = "describe", .who = who_am_i() };
    if (!output_format_of(args, &format) ||
        !args_number(args, "wait", 1, 60 * MS_PER_S, &wait_ms)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    output_begin(&output, format, worker_columns, WORKER_COLUMNS);
    warren_status rc = warren_control_order(admin, &order, wait_ms, list_worker, &output, &err);
    warren_admin_close(admin);
    int code = output_end(&output);
    return rc ? say_failure(&err) : code;
}

/* --- one worker --- */

static const struct column type_columns[] = {
    { "QUEUE", "queue", CELL_TEXT },
    { "TYPE", "type", CELL_TEXT },
    { "RUNNING", "running", CELL_NUMBER },
    { "LIMIT", "concurrency", CELL_NUMBER },
    { "DONE", "done", CELL_NUMBER },
    { "RETRIED", "retried", CELL_NUMBER },
    { "DEAD", "dead", CELL_NUMBER },
    { "PAUSED", "paused", CELL_BOOL },
    { "OLDEST SINCE", "oldest_at", CELL_TIME },
};

enum { TYPE_COLUMNS = sizeof type_columns / sizeof type_columns[0] };

struct showing {
    enum output_format format;
    int code;
};

static void show_types(const struct news *news, struct showing *showing)
{
    struct output output;
    output_begin(&output, showing->format, type_columns, TYPE_COLUMNS);
    for (size_t i = 0; i < news->type_count; i++) {
        const struct news_type *type = &news->types[i];
        output_row(&output, (struct cell[TYPE_COLUMNS]){ { .text = type->queue },
                                                         { .text = type->type },
                                                         { .number = type->running },
                                                         { .number = type->concurrency },
                                                         { .number = type->done },
                                                         { .number = type->retried },
                                                         { .number = type->dead },
                                                         { .number = type->is_paused },
                                                         { .number = type->oldest_ms } });
    }
    showing->code = output_end(&output);
}

/* Whoever may answer can send anything. */
static int print_answer(const char *json)
{
    json_object *root = json_tokener_parse(json);
    if (!json_object_is_type(root, json_type_object)) {
        (void)json_object_put(root);
        say("what the worker answered can't be read");
        return EXIT_FAILED;
    }
    escape_json(stdout, json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
    (void)putchar('\n');
    (void)json_object_put(root);
    return output_flush();
}

static bool show_worker(const char *json, void *user)
{
    struct showing *showing = user;
    struct news news;
    if (showing->format != OUTPUT_TABLE) {
        showing->code = print_answer(json);
    } else if (news_read(json, &news)) {
        show_types(&news, showing);
        news_done(&news);
    }
    return false;
}

int cmd_worker_show(const struct args *args)
{
    warren_admin *admin = NULL;
    warren_error err;
    struct showing showing = { .code = EXIT_FAILED };
    const warren_order order = { .order = "describe",
                                 .worker = args_operand(args, 0),
                                 .who = who_am_i() };
    if (!output_format_of(args, &showing.format)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    warren_status rc = warren_control_order(admin, &order, ANSWER_MS, show_worker, &showing, &err);
    warren_admin_close(admin);
    return rc ? say_failure(&err) : showing.code;
}

/* --- orders --- */

static const struct column answer_columns[] = {
    { "WORKER", "worker", CELL_TEXT },
    { "DONE", "ok", CELL_BOOL },
    { "ANSWER", "text", CELL_TEXT },
};

struct answers {
    struct output output;
    size_t refused;
    size_t count;
};

static const char *text_of(json_object *object, const char *name)
{
    json_object *value = NULL;
    (void)json_object_object_get_ex(object, name, &value);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static bool take_answer(const char *json, void *user)
{
    struct answers *answers = user;
    json_object *root = json_tokener_parse(json);
    json_object *done = NULL;
    if (json_object_object_get_ex(root, "ok", &done)) {
        bool is_done = json_object_get_boolean(done);
        answers->count++;
        answers->refused += is_done ? 0 : 1;
        output_row(&answers->output, (struct cell[]){ { .text = text_of(root, "worker") },
                                                      { .number = is_done },
                                                      { .text = text_of(root, "text") } });
    }
    (void)json_object_put(root);
    return true;
}

static int send_order(const struct args *args, const warren_order *order)
{
    warren_admin *admin = NULL;
    warren_error err;
    enum output_format format;
    struct answers answers = { .count = 0 };
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    if (warren_admin_open(&admin, args_config(args), &err)) {
        return say_failure(&err);
    }
    output_begin(&answers.output, format, answer_columns, 3);
    int64_t wait_ms = order->worker ? ANSWER_MS : WAIT_MS;
    warren_status rc = warren_control_order(admin, order, wait_ms, take_answer, &answers, &err);
    warren_admin_close(admin);
    int code = output_end(&answers.output);
    if (rc) {
        return say_failure(&err);
    }
    if (answers.refused) {
        return answers.refused == answers.count ? EXIT_REFUSED : EXIT_PARTLY;
    }
    return answers.count ? code : EXIT_FAILED; /* what came could not be read */
}

/* Either a worker or --all. False, with a message, when it is neither or both. */
static bool name_worker(const struct args *args, warren_order *order)
{
    order->worker = args_operand(args, 0);
    order->who = who_am_i();
    order->why = args_value(args, "because");
    if (!order->worker == !args_has(args, "all")) {
        (void)say_usage("say which worker (`warren worker list` shows them), or --all");
        return false;
    }
    return true;
}

static int simple_order(const struct args *args, const char *word)
{
    warren_order order = { .order = word };
    return name_worker(args, &order) ? send_order(args, &order) : EXIT_USAGE;
}

int cmd_worker_quiet(const struct args *args)
{
    return simple_order(args, "quiet");
}

int cmd_worker_resume(const struct args *args)
{
    return simple_order(args, "resume");
}

int cmd_worker_reload(const struct args *args)
{
    return simple_order(args, "reload");
}

int cmd_worker_dump(const struct args *args)
{
    return simple_order(args, "dump");
}

int cmd_worker_drain(const struct args *args)
{
    const char *worker = args_operand(args, 0);
    if (args_has(args, "all") && !args_has(args, "yes")) {
        say("all workers of this namespace would end");
        if (!say_confirm("drain", "all")) {
            return EXIT_REFUSED;
        }
    } else if (worker && !args_has(args, "yes") && !say_confirm("drain worker", worker)) {
        return EXIT_REFUSED;
    }
    return simple_order(args, "drain");
}

int cmd_worker_set(const struct args *args)
{
    static const char *const options[] = { "concurrency", "prefetch", "log-level" };
    static const char *const names[] = { "concurrency", "prefetch", "log.level" };
    warren_order order = { .order = "set",
                           .queue = args_value(args, "queue"),
                           .type = args_value(args, "type") };
    int given = 0;
    for (int i = 0; i < 3; i++) {
        if (args_has(args, options[i])) {
            order.option = names[i];
            order.value = args_value(args, options[i]);
            given++;
        }
    }
    if (given != 1) {
        return say_usage("say one of --concurrency, --prefetch and --log-level");
    }
    return name_worker(args, &order) ? send_order(args, &order) : EXIT_USAGE;
}
