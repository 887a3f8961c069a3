// SPDX-License-Identifier: MIT
// DESIGN: ncursesw. Each frame is drawn anew from the fleet and the library sends what has changed, so a
// resize needs nothing but the next frame. Colours only where the terminal has them and NO_COLOR
// (no-color.org) is not set; nothing is told by colour alone.
#include "top_screen.h"

#ifdef WARREN_HAVE_CURSES

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PLAIN, GOOD, BAD, FAINT, MS_PER_S = 1000, US_PER_MS = 1000, ESCAPE = 27 };
enum { KEY_WAIT_MS = 200, HEAD_LINES = 3, FOOT_LINES = 2, NAME_WIDTH = 24 };

static bool has_colors_on;
static bool is_utf8;

bool top_screen_is_there(void)
{
    return true;
}

bool top_screen_open(void)
{
    const char *no_color = getenv("NO_COLOR");
    (void)setlocale(LC_CTYPE, "");
    is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !newterm(NULL, stdout, stdin)) {
        return false;
    }
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(25);
    (void)curs_set(0);
    has_colors_on = has_colors() && !(no_color && *no_color);
    if (has_colors_on) {
        (void)start_color();
        (void)use_default_colors();
        (void)init_pair(GOOD, COLOR_GREEN, -1);
        (void)init_pair(BAD, COLOR_RED, -1);
        (void)init_pair(FAINT, COLOR_CYAN, -1);
    }
    return true;
}

void top_screen_close(void)
{
    (void)endwin();
}

/* --- drawing --- */

static void color(int pair, bool is_on)
{
    if (has_colors_on && pair != PLAIN) {
        (void)(is_on ? attron(COLOR_PAIR(pair)) : attroff(COLOR_PAIR(pair)));
    }
}

/* A duration in at most six columns. */
static const char *short_us(char out[16], int64_t us)
{
    if (us < US_PER_MS) {
        (void)snprintf(out, 16, "%dus", (int)us);
    } else if (us < 10000 * US_PER_MS) {
        (void)snprintf(out, 16, "%dms", (int)(us / US_PER_MS));
    } else {
        (void)snprintf(out, 16, "%llds", (long long)(us / US_PER_MS / MS_PER_S));
    }
    return out;
}

static const char *short_count(char out[16], int64_t count)
{
    if (count < 0) {
        (void)snprintf(out, 16, "-");
    } else if (count < 1000000) {
        (void)snprintf(out, 16, "%lld", (long long)count);
    } else {
        (void)snprintf(out, 16, "%.1fM", (double)count / 1e6);
    }
    return out;
}

/* Names come from the broker: what isn't printable is not sent to the terminal. */
static void draw_name(int y, int x, const char *name, int width)
{
    char clean[256];
    size_t size = 0;
    for (; name[size] && size + 1 < sizeof clean && (int)size < width; size++) {
        unsigned char c = (unsigned char)name[size];
        bool is_c1 = c == 0xC2 && (unsigned char)name[size + 1] < 0xA0;
        bool is_odd = c < 0x20 || c == 0x7f || is_c1 || (!is_utf8 && c > 0x7e);
        clean[size] = is_odd ? '?' : (char)c;
    }
    clean[size] = '\0';
    (void)mvprintw(y, x, "%-*.*s", width, width, clean);
}

static void draw_history(int y, int x, const double *history, int width)
{
    static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char ascii[] = " .:-=+*#@";
    double most = 0;
    width = width > FLEET_HISTORY ? FLEET_HISTORY : width;
    for (int i = 0; i < FLEET_HISTORY; i++) {
        most = history[i] > most ? history[i] : most;
    }
    for (int i = 0; i < width; i++) {
        double value = history[FLEET_HISTORY - width + i];
        int level = most > 0 ? (int)(value / most * 8 + 0.999) : 0;
        level = level > 8 ? 8 : level;
        if (is_utf8) {
            (void)mvaddstr(y, x + i, blocks[level]);
        } else {
            (void)mvaddch(y, x + i, (chtype)ascii[level]);
        }
    }
}

static void draw_head(const struct top *top)
{
    double done = 0;
    int64_t running = 0;
    int silent = 0;
    int paused = 0;
    char clock[16] = "";
    time_t now = time(NULL);
    struct tm parts;
    for (size_t i = 0; i < top->fleet->queues.length; i++) {
        const struct fleet_row *row = &top->fleet->queues.items[i];
        done += row->done_rate;
        running += row->running;
        paused += row->is_paused ? 1 : 0;
    }
    for (size_t i = 0; i < top->fleet->worker_count; i++) {
        silent += fleet_is_silent(&top->fleet->workers[i], top->now_ms) ? 1 : 0;
    }
    if (localtime_r(&now, &parts)) {
        (void)strftime(clock, sizeof clock, "%H:%M:%S", &parts);
    }
    (void)attron(A_BOLD);
    (void)mvprintw(0, 0, "%s", top->title);
    (void)attroff(A_BOLD);
    (void)printw("  %zu worker%s", top->fleet->worker_count,
                 top->fleet->worker_count == 1 ? "" : "s");
    if (silent) {
        (void)printw(" (%d silent)", silent);
    }
    (void)printw("  %.0f jobs/s  %lld running", done, (long long)running);
    if (paused) {
        (void)printw("  %d paused", paused);
    }
    (void)mvprintw(0, COLS > 9 ? COLS - 9 : 0, "%s", clock);
    if (top->view == TOP_TYPES) {
        (void)mvprintw(1, 0, "queue ");
        draw_name(1, 6, top->queue, COLS - 8 > 1 ? COLS - 8 : 1);
    }
}

static void draw_row(int y, const struct fleet_row *row, bool is_selected)
{
    char texts[4][16];
    int x = NAME_WIDTH + 80; /* behind all columns */
    if (is_selected) {
        (void)attron(A_REVERSE);
    }
    draw_name(y, 0, *row->type ? row->type : row->queue, NAME_WIDTH);
    (void)printw(" %9.1f %8.1f %7.1f %7lld", row->done_rate, row->retry_rate, row->dead_rate,
                 (long long)row->running);
    if (*row->type) {
        (void)printw("/%-8lld %17s", (long long)row->concurrency, "");
    } else {
        (void)printw(" %9lld %8s %8s", (long long)row->in_flight, short_count(texts[0], row->ready),
                     short_count(texts[1], row->dead));
    }
    (void)printw(" %7s %7s", short_us(texts[2], row->wait_p50_us),
                 short_us(texts[3], row->wait_p95_us));
    if (is_selected) {
        (void)attroff(A_REVERSE);
    }
    color(row->is_paused ? BAD : GOOD, true);
    if (row->is_paused) { /* also where there is no room for it */
        (void)mvprintw(y, COLS > x + 6 ? x : COLS - 7, " PAUSED");
    } else if (COLS > x) {
        draw_history(y, x, row->history, COLS - x);
    }
    color(row->is_paused ? BAD : GOOD, false);
}

static void draw_worker(int y, const struct fleet_worker *worker, int64_t now_ms, bool is_selected)
{
    bool is_silent = fleet_is_silent(worker, now_ms);
    bool is_well = worker->now.is_ready && !is_silent;
    char started[24] = "";
    time_t second = (time_t)(worker->now.started_ms / MS_PER_S);
    struct tm parts;
    if (localtime_r(&second, &parts)) {
        (void)strftime(started, sizeof started, "%m-%d %H:%M:%S", &parts);
    }
    if (is_selected) {
        (void)attron(A_REVERSE);
    }
    draw_name(y, 0, worker->now.worker, NAME_WIDTH + 12);
    if (is_selected) {
        (void)attroff(A_REVERSE);
    }
    color(is_well ? GOOD : BAD, true);
    (void)printw(" %-9.9s", is_silent ? "silent" : worker->now.state);
    color(is_well ? GOOD : BAD, false);
    (void)printw(" %4lld/%-4lld %9.1f", (long long)worker->now.busy, (long long)worker->now.threads,
                 fleet_worker_rate(worker));
    if (COLS > NAME_WIDTH + 75) {
        (void)printw("  %-8.8s %-8.8s %s", worker->now.version, worker->now.config, started);
    }
}

static void draw_job(int y, const struct news_job *job, const char *worker, bool is_selected)
{
    char for_how_long[16];
    int64_t since_us = (int64_t)time(NULL) * MS_PER_S * US_PER_MS - job->since_ms * US_PER_MS;
    if (is_selected) {
        (void)attron(A_REVERSE);
    }
    (void)mvprintw(y, 0, "%7s ", short_us(for_how_long, since_us > 0 ? since_us : 0));
    draw_name(y, 8, job->type, NAME_WIDTH);
    draw_name(y, 9 + NAME_WIDTH, job->id, 37);
    if (is_selected) {
        (void)attroff(A_REVERSE);
    }
    if (COLS > 50 + NAME_WIDTH) {
        draw_name(y, 47 + NAME_WIDTH, worker, COLS - 48 - NAME_WIDTH);
    }
}

static void draw_jobs(const struct top *top, size_t first, size_t room)
{
    size_t i = 0;
    for (size_t worker = 0, job = 0; top_next_job(top, &worker, &job); job++, i++) {
        const struct news *news = &top->fleet->workers[worker].now;
        if (i >= first && i - first < room) {
            draw_job(HEAD_LINES + (int)(i - first), &news->jobs[job], news->worker,
                     i == top->selected);
        }
    }
}

static void draw_table_head(const struct top *top)
{
    (void)attron(A_UNDERLINE);
    if (top->view == TOP_JOBS) {
        (void)mvprintw(2, 0, "%7s %-*s %-37s %s", "RUNS", NAME_WIDTH, "TYPE", "ID", "WORKER");
    } else if (top->view == TOP_WORKERS) {
        (void)mvprintw(2, 0, "%-*s %-9s %9s %9s", NAME_WIDTH + 12, "WORKER", "STATE", "BUSY",
                       "JOBS/S");
        if (COLS > NAME_WIDTH + 75) {
            (void)printw("  %-8s %-8s %s", "VERSION", "CONFIG", "STARTED");
        }
    } else {
        bool is_types = top->view == TOP_TYPES;
        (void)mvprintw(2, 0, "%-*s %9s %8s %7s %7s%s %8s %7s %7s %s", NAME_WIDTH,
                       is_types ? "TYPE" : "QUEUE", "JOBS/S", "RETRY/S", "DEAD/S", "RUNNING",
                       is_types ? "/LIMIT            " : " IN FLIGHT    READY",
                       is_types ? "" : "DEAD", "WAIT 50", "95 %", "LAST MINUTE");
    }
    (void)attroff(A_UNDERLINE);
}

static void draw_help(void)
{
    static const char *const lines[] = {
        "up, down, j, k   choose a row             Enter     the types of a queue",
        "                                          Enter     and the running jobs of a type",
        "Tab              queues or workers        Esc, b    back",
        "r                all running jobs, the oldest of each worker first",
        "p                pause or resume a queue or a type, on all workers",
        "u                have a worker be quiet, or take jobs again",
        "d                have a worker drain and end",
        "?                this help                q         leave",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)mvaddstr(HEAD_LINES + (int)i, 2, lines[i]);
    }
}

static void draw_foot(const struct top *top)
{
    color(FAINT, true);
    (void)mvprintw(LINES - 1, 0, "%s",
                   top->view == TOP_WORKERS ? "u quiet/resume  d drain  Tab queues  ? help  q leave"
                                            : "Enter types  p pause/resume  Tab workers  ? help  "
                                              "q leave");
    color(FAINT, false);
    if (*top->message && !top->shows_help) {
        (void)mvprintw(LINES - 2, 0, "%.*s", COLS - 1, top->message);
    }
}

static void draw_rows(const struct top *top)
{
    size_t count = top_row_count(top);
    size_t room = LINES > HEAD_LINES + FOOT_LINES ? (size_t)(LINES - HEAD_LINES - FOOT_LINES) : 1;
    size_t first = top->selected >= room ? top->selected - room + 1 : 0;
    if (top->view == TOP_JOBS) {
        draw_jobs(top, first, room);
        count = count ? count : 1; /* an empty list is no surprise */
    }
    for (size_t i = first; top->view != TOP_JOBS && i < count && i - first < room; i++) {
        int y = HEAD_LINES + (int)(i - first);
        if (top->view == TOP_WORKERS) {
            draw_worker(y, &top->fleet->workers[i], top->now_ms, i == top->selected);
        } else {
            draw_row(y, top_row(top, i), i == top->selected);
        }
    }
    if (!count) {
        (void)mvaddstr(HEAD_LINES, 2,
                       "nobody is heard yet: are there workers with control.enabled in this "
                       "namespace?");
    }
}

void top_screen_draw(const struct top *top)
{
    (void)erase();
    draw_head(top);
    draw_table_head(top);
    if (top->shows_help) {
        draw_help();
    } else {
        draw_rows(top);
    }
    draw_foot(top);
    (void)refresh();
}

/* --- keys --- */

enum top_key top_screen_key(void)
{
    static const struct {
        int code;
        enum top_key key;
    } keys[] = {
        { KEY_UP, TOP_UP },         { 'k', TOP_UP },
        { KEY_DOWN, TOP_DOWN },     { 'j', TOP_DOWN },
        { KEY_PPAGE, TOP_PAGE_UP }, { KEY_NPAGE, TOP_PAGE_DOWN },
        { '\n', TOP_ENTER },        { '\r', TOP_ENTER },
        { KEY_ENTER, TOP_ENTER },   { ESCAPE, TOP_BACK },
        { 'b', TOP_BACK },          { KEY_BACKSPACE, TOP_BACK },
        { '\t', TOP_SWITCH },       { 'w', TOP_SWITCH },
        { 'r', TOP_RUNNING },       { 'p', TOP_PAUSE },
        { 'u', TOP_QUIET },         { 'd', TOP_DRAIN },
        { '?', TOP_HELP },          { 'h', TOP_HELP },
        { 'q', TOP_QUIT },
    };
    int code = getch();
    for (size_t i = 0; code != ERR && i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].code == code) {
            return keys[i].key;
        }
    }
    return TOP_NONE;
}

/* A key of the line. False: it is at its end. */
static bool edit_line(int code, char *out, size_t size)
{
    size_t length = strlen(out);
    bool is_rubout = code == KEY_BACKSPACE || code == 127 || code == '\b';
    if (is_rubout && length) {
        out[length - 1] = '\0';
    } else if (code >= ' ' && code < 127 && length + 1 < size) {
        out[length] = (char)code;
        out[length + 1] = '\0';
    }
    return code != '\n' && code != '\r';
}

bool top_screen_ask(const char *question, char *out, size_t size, bool (*idle)(void *user),
                    void *user)
{
    bool goes_on = true;
    bool is_given = true;
    out[0] = '\0';
    timeout(KEY_WAIT_MS);
    (void)curs_set(1);
    while (goes_on) {
        (void)mvprintw(LINES - 2, 0, "%.*s%s", COLS > 20 ? COLS - 20 : 1, question, out);
        (void)clrtoeol();
        (void)refresh();
        int code = getch();
        is_given = code != ESCAPE && (code != ERR || idle(user));
        goes_on = is_given && (code == ERR || edit_line(code, out, size));
    }
    (void)curs_set(0);
    (void)nodelay(stdscr, TRUE);
    return is_given;
}

#else

bool top_screen_is_there(void)
{
    return false;
}

bool top_screen_open(void)
{
    return false;
}

void top_screen_close(void)
{
}

void top_screen_draw(const struct top *top)
{
    (void)top;
}

enum top_key top_screen_key(void)
{
    return TOP_QUIT;
}

bool top_screen_ask(const char *question, char *out, size_t size, bool (*idle)(void *user),
                    void *user)
{
    (void)question;
    (void)size;
    (void)idle;
    (void)user;
    out[0] = '\0';
    return false;
}

#endif
