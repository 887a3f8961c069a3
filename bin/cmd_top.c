// SPDX-License-Identifier: MIT
// DESIGN: `warren top`: listens to what workers tell and shows it. Two connections: one hears the news
// and nothing else, the other asks for depths and gives orders, so that an answer that is slow holds up
// no picture for longer than it takes. A broker that goes away is what an operator is looking for: the
// last picture stays, and both connections are made anew until they stand again.
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "fleet.h"
#include "output.h"
#include "say.h"
#include "top_screen.h"
#include "warren/control.h"
#include "who.h"

enum {
    HEAR_MS = 100,
    DEPTH_EVERY_MS = 3000,
    CONNECT_EVERY_MS = 1000,
    ONCE_MS = 1000,
    ANSWER_MS = 2000,
    PAGE = 10
};

struct session {
    const struct args *args;
    warren_admin *news;
    warren_admin *orders;
    bool is_lost; /* one of them, so both are made anew */
    int64_t next_connect_ms;
    struct fleet fleet;
    struct top top;
    int64_t next_tick_ms;
    int64_t next_depth_ms;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool hear(const char *json, void *user)
{
    struct session *session = user;
    fleet_hear(&session->fleet, json, clock_ms(CLOCK_MONOTONIC));
    return true;
}

static bool note_depth(const warren_queue_info *info, void *user)
{
    struct session *session = user;
    bool is_dead = strcmp(info->kind, "dead") == 0;
    bool is_work = strcmp(info->kind, "work") == 0;
    if (info->exists && (is_dead || is_work)) {
        fleet_note_depth(&session->fleet, info->queue, is_dead, (int64_t)info->messages);
    }
    return true;
}

static warren_status open_both(struct session *session, warren_error *err)
{
    const char *config = args_config(session->args);
    warren_status rc = warren_admin_open(&session->news, config, err);
    return rc ? rc : warren_admin_open(&session->orders, config, err);
}

static void close_both(struct session *session)
{
    warren_admin_close(session->news);
    warren_admin_close(session->orders);
    session->news = NULL;
    session->orders = NULL;
}

/* --- once --- */

static const struct column columns[] = {
    { "QUEUE", "queue", CELL_TEXT },           { "WORKERS", "workers", CELL_NUMBER },
    { "JOBS/S", "done_per_s", CELL_TENTH },    { "RETRY/S", "retried_per_s", CELL_TENTH },
    { "DEAD/S", "dead_per_s", CELL_TENTH },    { "RUNNING", "running", CELL_NUMBER },
    { "IN FLIGHT", "in_flight", CELL_NUMBER }, { "READY", "ready", CELL_NUMBER },
    { "DEAD", "dead_letters", CELL_NUMBER },   { "P50 US", "wait_p50_us", CELL_NUMBER },
    { "P95 US", "wait_p95_us", CELL_NUMBER },  { "PAUSED", "paused", CELL_BOOL },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static int64_t tenths(double rate)
{
    return (int64_t)(rate * 10 + 0.5);
}

static int print(const struct fleet *fleet, enum output_format format)
{
    struct output output;
    output_begin(&output, format, columns, COLUMNS);
    for (size_t i = 0; i < fleet->queues.length; i++) {
        const struct fleet_row *row = &fleet->queues.items[i];
        output_row(&output, (struct cell[COLUMNS]){ { .text = row->queue },
                                                    { .number = row->workers },
                                                    { .number = tenths(row->done_rate) },
                                                    { .number = tenths(row->retry_rate) },
                                                    { .number = tenths(row->dead_rate) },
                                                    { .number = row->running },
                                                    { .number = row->in_flight },
                                                    { .number = row->ready },
                                                    { .number = row->dead },
                                                    { .number = row->wait_p50_us },
                                                    { .number = row->wait_p95_us },
                                                    { .number = row->is_paused } });
    }
    return output_end(&output);
}

/* Asks twice, so that there are rates. */
static int once(struct session *session, enum output_format format)
{
    warren_error err;
    const warren_order order = { .order = "describe", .who = who_am_i() };
    for (int i = 0; i < 2; i++) {
        if (warren_control_order(session->orders, &order, ONCE_MS, hear, session, &err)) {
            return say_failure(&err);
        }
    }
    if (warren_queue_each(session->orders, note_depth, session, &err)) {
        return say_failure(&err);
    }
    fleet_sum(&session->fleet, clock_ms(CLOCK_MONOTONIC));
    return print(&session->fleet, format);
}

/* --- between two keys --- */

static void move(struct top *top, int by)
{
    size_t count = top_row_count(top);
    size_t most = count ? count - 1 : 0;
    size_t back = (size_t)(by < 0 ? -by : 0);
    size_t at = top->selected > back ? top->selected - back : 0;
    at += (size_t)(by > 0 ? by : 0);
    top->selected = at < most ? at : most;
}

/* Of a call to the broker. */
static void note_error(struct session *session, const warren_error *err)
{
    (void)snprintf(session->top.message, sizeof session->top.message, "%.250s", err->text);
    session->is_lost = session->is_lost || err->status == WARREN_CLOSED ||
                       err->status == WARREN_UNREACHABLE || err->status == WARREN_TIMEOUT;
}

static void look_around(struct session *session, int64_t now_ms)
{
    warren_error err;
    if (!session->is_lost && now_ms >= session->next_depth_ms) {
        session->next_depth_ms = now_ms + DEPTH_EVERY_MS;
        if (warren_queue_each(session->orders, note_depth, session, &err)) {
            note_error(session, &err);
        }
    }
    fleet_sum(&session->fleet, now_ms);
    if (now_ms >= session->next_tick_ms) {
        session->next_tick_ms = now_ms + 1000;
        fleet_tick(&session->fleet);
    }
    session->top.now_ms = now_ms;
    move(&session->top, 0);
}

/* While a question stands: both connections have to be served. False: it is to end. */
static bool pulse(void *user)
{
    struct session *session = user;
    warren_error err;
    if (!session->is_lost && warren_control_news(session->news, 1, hear, session, &err)) {
        note_error(session, &err);
    }
    look_around(session, clock_ms(CLOCK_MONOTONIC));
    return !session->is_lost && !say_is_interrupted() && isatty(STDIN_FILENO);
}

/* --- actions --- */

static void toggle_pause(struct session *session)
{
    struct top *top = &session->top;
    const struct fleet_row *selected = top_row(top, top->selected);
    warren_error err;
    char why[120] = "";
    char question[2048];
    if (!selected || session->is_lost) {
        return;
    }
    struct fleet_row copy = *selected; /* the list may move meanwhile */
    const struct fleet_row *row = &copy;
    bool pauses = !row->is_paused;
    (void)snprintf(question, sizeof question,
                   "%s %.255s%s%.255s on all workers, because: ", pauses ? "pause" : "resume",
                   row->queue, *row->type ? ", type " : "", row->type);
    if (!top_screen_ask(question, why, sizeof why, pulse, session)) {
        return;
    }
    if (warren_control_pause(session->orders, row->queue, *row->type ? row->type : NULL, pauses,
                             who_am_i(), why, &err)) {
        note_error(session, &err);
        return;
    }
    (void)snprintf(top->message, sizeof top->message, "%s %.200s", pauses ? "paused" : "resumed",
                   *row->type ? row->type : row->queue);
}

static bool ignore(const char *json, void *user)
{
    (void)json;
    (void)user;
    return true;
}

static void order_worker(struct session *session, const char *word, const char *id)
{
    struct top *top = &session->top;
    warren_error err;
    const warren_order order = {
        .order = word, .worker = id, .who = who_am_i(), .why = "warren top"
    };
    if (warren_control_order(session->orders, &order, ANSWER_MS, ignore, NULL, &err)) {
        note_error(session, &err);
    } else {
        (void)snprintf(top->message, sizeof top->message, "%s: %.200s", word, order.worker);
    }
}

static void toggle_quiet(struct session *session)
{
    const struct news *news = &session->fleet.workers[session->top.selected].now;
    order_worker(session, strcmp(news->state, "quiet") == 0 ? "resume" : "quiet", news->worker);
}

static void drain(struct session *session)
{
    char answer[16];
    char question[300];
    char id[200]; /* the list may move meanwhile */
    (void)snprintf(id, sizeof id, "%s", session->fleet.workers[session->top.selected].now.worker);
    (void)snprintf(question, sizeof question, "drain %s, so that it ends? yes or no: ", id);
    if (top_screen_ask(question, answer, sizeof answer, pulse, session) &&
        strcmp(answer, "yes") == 0) {
        order_worker(session, "drain", id);
    }
}

/* --- the screen --- */

static void show(struct session *session, enum top_view view)
{
    struct top *top = &session->top;
    const struct fleet_row *row = top_row(top, top->selected);
    if (view == TOP_TYPES && top->view == TOP_QUEUES && row) {
        (void)snprintf(top->queue, sizeof top->queue, "%s", row->queue);
    }
    top->view = view;
    top->selected = 0;
    top->message[0] = '\0';
}

static void act_on_worker(struct session *session, enum top_key key)
{
    if (session->top.selected >= session->fleet.worker_count || session->is_lost) {
        return;
    }
    if (key == TOP_QUIET) {
        toggle_quiet(session);
    } else if (key == TOP_DRAIN) {
        drain(session);
    }
}

/* From a queue to its types, from a type to its jobs. */
static void enter(struct session *session)
{
    struct top *top = &session->top;
    const struct fleet_row *row = top_row(top, top->selected);
    if (!row) {
        return;
    }
    if (top->view == TOP_TYPES) {
        (void)snprintf(top->type, sizeof top->type, "%s", row->type);
    }
    show(session, top->view == TOP_QUEUES ? TOP_TYPES : TOP_JOBS);
}

/* False: it is to end. */
static bool act(struct session *session, enum top_key key)
{
    struct top *top = &session->top;
    bool is_workers = top->view == TOP_WORKERS;
    top->shows_help = key == TOP_HELP ? !top->shows_help : top->shows_help && key == TOP_NONE;
    switch (key) {
    case TOP_QUIT:
        return false;
    case TOP_UP:
    case TOP_DOWN:
        move(top, key == TOP_UP ? -1 : 1);
        break;
    case TOP_PAGE_UP:
    case TOP_PAGE_DOWN:
        move(top, key == TOP_PAGE_UP ? -PAGE : PAGE);
        break;
    case TOP_ENTER:
        enter(session);
        break;
    case TOP_RUNNING:
        top->queue[0] = '\0';
        top->type[0] = '\0';
        show(session, TOP_JOBS);
        break;
    case TOP_BACK:
        show(session, top->view == TOP_JOBS && *top->type ? TOP_TYPES : TOP_QUEUES);
        break;
    case TOP_SWITCH:
        show(session, is_workers ? TOP_QUEUES : TOP_WORKERS);
        break;
    case TOP_PAUSE:
        if (!is_workers && top->view != TOP_JOBS) {
            toggle_pause(session);
        }
        break;
    case TOP_QUIET:
    case TOP_DRAIN:
        if (is_workers) {
            act_on_worker(session, key);
        }
        break;
    default:
        break;
    }
    return true;
}

static void ask_all(struct session *session)
{
    const warren_order order = { .order = "describe", .who = who_am_i() };
    (void)warren_control_order(session->orders, &order, HEAR_MS, hear, session, NULL);
}

/* What went wrong stays on the screen until it is well again. */
static void connect_again(struct session *session, int64_t now_ms)
{
    warren_error err;
    if (now_ms < session->next_connect_ms) {
        (void)poll(NULL, 0, HEAR_MS);
        return;
    }
    close_both(session);
    if (open_both(session, &err)) {
        note_error(session, &err);
        session->next_connect_ms = clock_ms(CLOCK_MONOTONIC) + CONNECT_EVERY_MS;
        return;
    }
    session->is_lost = false;
    session->top.message[0] = '\0';
    ask_all(session);
}

static void listen(struct session *session)
{
    warren_error err;
    if (session->is_lost) {
        connect_again(session, clock_ms(CLOCK_MONOTONIC));
    } else if (warren_control_news(session->news, HEAR_MS, hear, session, &err)) {
        note_error(session, &err);
    }
}

static void watch(struct session *session)
{
    ask_all(session);
    for (bool goes_on = true; goes_on && !say_is_interrupted();) {
        listen(session);
        look_around(session, clock_ms(CLOCK_MONOTONIC));
        top_screen_draw(&session->top);
        for (enum top_key key; goes_on && (key = top_screen_key()) != TOP_NONE;) {
            goes_on = act(session, key);
        }
    }
}

static int run_screen(struct session *session)
{
    warren_error err = { .status = WARREN_OK };
    session->top = (struct top){ .fleet = &session->fleet, .title = "warren top" };
    if (!top_screen_is_there()) {
        say("this build draws no screen (it was made without ncursesw): use --once");
        return EXIT_FAILED;
    }
    /* What can't work at all is said on a clean terminal. */
    if (warren_control_news(session->news, 1, hear, session, &err)) {
        return say_failure(&err);
    }
    if (!top_screen_open()) {
        say("standard input and output are no terminal that can be drawn on: use --once");
        return EXIT_FAILED;
    }
    say_catch_interrupt();
    watch(session);
    top_screen_close();
    return EXIT_DONE;
}

int cmd_top(const struct args *args)
{
    enum output_format format;
    struct session session = { .args = args };
    warren_error err;
    if (!output_format_of(args, &format)) {
        return EXIT_USAGE;
    }
    int code = open_both(&session, &err) ? say_failure(&err) : EXIT_DONE;
    if (!code) {
        code = args_has(args, "once") ? once(&session, format) : run_screen(&session);
    }
    close_both(&session);
    fleet_done(&session.fleet);
    return code;
}
