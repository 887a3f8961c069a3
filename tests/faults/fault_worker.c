// SPDX-License-Identifier: MIT
// DESIGN: a real service, as a user would write one, whose handlers do what the job says and write
// down what they did. Everything else is told by the environment, since a row starts it by exec:
//
//     FAULT_CONFIG  FAULT_LEDGER  FAULT_GAUGES    paths
//     FAULT_TYPES   types with a handler, parted by commas
//     FAULT_BEHAVE  the body that counts for jobs which carry none of their own;
//                   FAULT_BEHAVE_<type>: for those of that type
//     FAULT_AS_MIB  address space that it may have (RLIMIT_AS)
//     FAULT_FILES   descriptors that it may have (RLIMIT_NOFILE), which a row may change later
//     FAULT_LOG     level of the library's log lines on stderr, 0…3
//     FAULT_STDERR  where stderr goes instead, such as /dev/full
//
// A thread writes what warren_stats says to the gauges file every 100 ms. It blocks all signals, so
// that they reach warren_run.
#include <json-c/json.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>

#include "ledger.h"
#include "warren/warren.h"

enum { TYPES_MOST = 16, GAUGE_EVERY_MS = 100, OWN_FDS_FROM = 900 };

static int ledger;
static struct json_object *wishes[TYPES_MOST]; /* of types; kept, a handler may outlive a drain */

static void pass_ms(int64_t ms)
{
    struct timespec time = { ms / 1000, (ms % 1000) * 1000000L };
    while (nanosleep(&time, &time)) {
    }
}

/* --- what a job asks for -------------------------------------------------------------------------- */

/* A job's own words: its body when that is a JSON object with `do`, else its type's, which were
 * parsed at the start and are only read. */
struct wish {
    struct json_object *tree;
    struct json_object *own; /* of the job */
};

static struct json_object *parse(const char *text, size_t size)
{
    struct json_tokener *tokener = json_tokener_new();
    if (!tokener) {
        return NULL;
    }
    struct json_object *tree = json_tokener_parse_ex(tokener, text, (int)size);
    bool is_whole = json_tokener_get_error(tokener) == json_tokener_success;
    json_tokener_free(tokener);
    if (tree && (!is_whole || !json_object_is_type(tree, json_type_object) ||
                 !json_object_object_get_ex(tree, "do", NULL))) {
        json_object_put(tree);
        return NULL;
    }
    return tree;
}

static struct wish read_wish(const warren_job *job, struct json_object *of_type)
{
    size_t size;
    const char *body = warren_job_body(job, &size);
    struct json_object *own = size && *body == '{' ? parse(body, size) : NULL;
    return (struct wish){ own ? own : of_type, own };
}

static const char *text_of(const struct wish *wish, const char *name, const char *fallback)
{
    struct json_object *found = NULL;
    return wish->tree && json_object_object_get_ex(wish->tree, name, &found)
               ? json_object_get_string(found)
               : fallback;
}

static int64_t number_of(const struct wish *wish, const char *name, int64_t fallback)
{
    struct json_object *found = NULL;
    return wish->tree && json_object_object_get_ex(wish->tree, name, &found)
               ? json_object_get_int64(found)
               : fallback;
}

/* --- the ledger's lines --------------------------------------------------------------------------- */

/* The library makes the text at the first call, and "" of it while memory is refused. */
static const char *id_of(const warren_job *job)
{
    const char *id = warren_job_id(job);
    return *id ? id : warren_job_id(job);
}

static void note_start(const warren_job *job)
{
    int64_t returns = 0;
    (void)warren_job_header_int(job, "x-delivery-count", &returns);
    ledger_write(ledger, "S %s %s %lld %ld %d %lld", id_of(job), warren_job_type(job),
                 (long long)ledger_now_us(), (long)getpid(), warren_job_attempt(job),
                 (long long)returns);
}

static warren_verdict done(const warren_job *job, warren_verdict verdict)
{
    ledger_write(ledger, "D %s %s %lld %ld", id_of(job), warren_job_type(job),
                 (long long)ledger_now_us(), (long)getpid());
    return verdict;
}

static void note_failure(const warren_job *job, const char *why)
{
    ledger_write(ledger, "F %s %s %lld %ld %d %s", id_of(job), warren_job_type(job),
                 (long long)ledger_now_us(), (long)getpid(), warren_job_attempt(job), why);
}

/* --- behaviours ----------------------------------------------------------------------------------- */

static warren_verdict be_done(warren_job *job, const struct wish *wish)
{
    (void)wish;
    return done(job, WARREN_DONE);
}

static warren_verdict be_failing(warren_job *job, const struct wish *wish)
{
    (void)wish;
    note_failure(job, "fail");
    return warren_retry(job, "attempt %d fails", warren_job_attempt(job));
}

static warren_verdict be_dead(warren_job *job, const struct wish *wish)
{
    (void)wish;
    note_failure(job, "dead");
    return warren_dead(job, "given up");
}

static warren_verdict be_discarding(warren_job *job, const struct wish *wish)
{
    (void)wish;
    return done(job, warren_discard(job, "of no use"));
}

static warren_verdict be_snoozing(warren_job *job, const struct wish *wish)
{
    if (warren_job_snoozes(job)) {
        return done(job, WARREN_DONE);
    }
    note_failure(job, "snooze");
    return warren_snooze(job, number_of(wish, "ms", 125));
}

static warren_verdict be_sleeping(warren_job *job, const struct wish *wish)
{
    int64_t until_us = ledger_now_us() + number_of(wish, "ms", 10) * 1000;
    bool is_polite = number_of(wish, "polite", 0);
    for (int64_t left_us; (left_us = until_us - ledger_now_us()) > 0;) {
        if (is_polite && warren_job_cancelled(job)) {
            note_failure(job, "cancelled");
            return warren_snooze(job, 125);
        }
        pass_ms(left_us > 10000 ? 10 : left_us / 1000 + 1);
    }
    return done(job, WARREN_DONE);
}

static warren_verdict be_hanging(warren_job *job, const struct wish *wish)
{
    (void)wish;
    for (;;) {
        (void)pause();
    }
    return done(job, WARREN_DONE);
}

static warren_verdict be_segfaulting(warren_job *job, const struct wish *wish)
{
    (void)wish;
    int *volatile nowhere = NULL;
    *(volatile int *)nowhere = 1; // cppcheck-suppress nullPointer
    return done(job, WARREN_DONE);
}

static warren_verdict be_aborting(warren_job *job, const struct wish *wish)
{
    (void)job;
    (void)wish;
    abort();
}

static int sink(volatile char *frame, int depth)
{
    volatile char more[4096];
    more[0] = frame[0];
    more[sizeof more - 1] = (char)depth;
    return depth < 1 << 28 ? sink(more, depth + 1) + more[sizeof more - 1] : more[0];
}

static warren_verdict be_overflowing(warren_job *job, const struct wish *wish)
{
    volatile char frame[1] = { 0 };
    (void)wish;
    return sink(frame, 0) == 1 << 29 ? WARREN_DONE : done(job, WARREN_DONE);
}

static warren_verdict be_killing(warren_job *job, const struct wish *wish)
{
    (void)wish;
    (void)kill(getpid(), SIGKILL);
    return done(job, WARREN_DONE);
}

static warren_verdict be_exiting(warren_job *job, const struct wish *wish)
{
    (void)job;
    exit((int)number_of(wish, "code", 3));
}

/* But for the ledger and the gauges, which have higher numbers. */
static warren_verdict be_closing_fds(warren_job *job, const struct wish *wish)
{
    (void)wish;
    for (int fd = 3; fd < OWN_FDS_FROM; fd++) {
        (void)close(fd);
    }
    return done(job, WARREN_DONE);
}

static warren_verdict be_rude(warren_job *job, const struct wish *wish)
{
    sigset_t all;
    (void)wish;
    (void)setlocale(LC_ALL, "C.UTF-8");
    (void)!chdir("/");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    return done(job, WARREN_DONE);
}

static warren_verdict be_leaking(warren_job *job, const struct wish *wish)
{
    int64_t pause_ms = number_of(wish, "ms", 1);
    size_t size = 1 << 20;
    for (char *memory; (memory = malloc(size));) {
        memset(memory, 1, size);
        pass_ms(pause_ms);
    }
    (void)job;
    abort(); /* what most programs do when memory is used up */
}

static warren_verdict be_publishing(warren_job *job, const struct wish *wish)
{
    char id[200];
    warren_error err;
    (void)snprintf(id, sizeof id, "%.190s.f", id_of(job));
    warren_message message = { .type = text_of(wish, "type", warren_job_type(job)),
                               .body = text_of(wish, "body", "{\"do\":\"done\"}"),
                               .id = id };
    ledger_write(ledger, "P %s %s %s %lld", id, id_of(job), message.type,
                 (long long)ledger_now_us());
    if (warren_job_publish(job, &message, &err)) {
        note_failure(job, "publish");
        return warren_retry(job, "%s", err.text);
    }
    return done(job, WARREN_DONE);
}

struct behaviour {
    const char *name;
    warren_verdict (*act)(warren_job *job, const struct wish *wish);
};

static const struct behaviour behaviours[] = {
    { "done", be_done },
    { "fail", be_failing },
    { "dead", be_dead },
    { "discard", be_discarding },
    { "snooze", be_snoozing },
    { "sleep", be_sleeping },
    { "hang", be_hanging },
    { "segfault", be_segfaulting },
    { "abort", be_aborting },
    { "overflow", be_overflowing },
    { "kill", be_killing },
    { "exit", be_exiting },
    { "closefds", be_closing_fds },
    { "rude", be_rude },
    { "leak", be_leaking },
    { "publish", be_publishing },
};

static const struct behaviour *behaviour_of(const warren_job *job, const struct wish *wish)
{
    const char *name = text_of(wish, "do", "done");
    bool is_past = warren_job_attempt(job) > number_of(wish, "times", INT32_MAX) ||
                   (number_of(wish, "fresh", 0) && warren_job_redelivered(job));
    if (is_past) {
        return &behaviours[0];
    }
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        if (strcmp(behaviours[i].name, name) == 0) {
            return &behaviours[i];
        }
    }
    (void)fprintf(stderr, "fault_worker: no behaviour is called %s\n", name);
    _exit(LEDGER_BROKEN);
}

static warren_verdict handle(warren_job *job, void *user)
{
    note_start(job);
    struct wish wish = read_wish(job, user);
    int64_t before_ms = number_of(&wish, "before_ms", 0);
    if (before_ms) {
        pass_ms(before_ms);
    }
    warren_verdict verdict = behaviour_of(job, &wish)->act(job, &wish);
    json_object_put(wish.own);
    return verdict;
}

/* --- gauges --------------------------------------------------------------------------------------- */

struct gauge {
    const char *name;
    size_t offset;
    size_t size;
};

#define GAUGE(member)                                                                              \
    {                                                                                              \
#member, offsetof(warren_stats_data, member), sizeof(((warren_stats_data *)0)->member)     \
    }

static const struct gauge gauges[] = {
    GAUGE(ready),          GAUGE(draining),
    GAUGE(received),       GAUGE(redelivered),
    GAUGE(done),           GAUGE(retried),
    GAUGE(dead),           GAUGE(discarded),
    GAUGE(snoozed),        GAUGE(given_back),
    GAUGE(stale),          GAUGE(overruns),
    GAUGE(lane_waits),     GAUGE(forward_retries),
    GAUGE(connections),    GAUGE(running),
    GAUGE(in_flight),      GAUGE(cancels),
    GAUGE(channel_losses), GAUGE(silences),
    GAUGE(late),           GAUGE(publish_connections),
    GAUGE(crashes),        GAUGE(interrupts),
    GAUGE(blocked),
};

static long long gauge_value(const warren_stats_data *stats, const struct gauge *gauge)
{
    const char *at = (const char *)stats + gauge->offset;
    uint64_t wide;
    uint32_t narrow;
    if (gauge->size == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return (long long)wide;
    }
    if (gauge->size == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    return *at != 0;
}

struct meter {
    const warren *w;
    int fd;
    atomic_bool is_over;
};

static void write_gauges(const struct meter *meter)
{
    warren_stats_data stats = { .size = sizeof stats };
    char line[LEDGER_LINE_BYTES];
    size_t length = 0;
    warren_stats(meter->w, &stats);
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) {
        length += (size_t)snprintf(line + length, sizeof line - length, " %s=%lld", gauges[i].name,
                                   gauge_value(&stats, &gauges[i]));
    }
    ledger_write(meter->fd, "G t_us=%lld%s", (long long)ledger_now_us(), line);
}

static void *measure(void *user)
{
    struct meter *meter = user;
    while (!atomic_load(&meter->is_over)) {
        write_gauges(meter);
        pass_ms(GAUGE_EVERY_MS);
    }
    write_gauges(meter);
    return NULL;
}

static pthread_t start_meter(struct meter *meter)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, measure, meter)) {
        _exit(LEDGER_BROKEN);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread;
}

/* Above the numbers that a job may close, unless this process may have none so high. */
static int open_own(const char *path)
{
    int fd = ledger_open(path);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FDS_FROM);
    if (own < 0) {
        return fd;
    }
    (void)close(fd);
    return own;
}

/* --- the service ---------------------------------------------------------------------------------- */

static void print_line(void *user, int level, const char *event, const char *fields)
{
    (void)user;
    (void)fprintf(stderr, "%lld %d %s %s\n", (long long)ledger_now_us(), level, event, fields);
}

static const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

/* How jobs of a type behave that say nothing themselves. */
static struct json_object *behaviour_of_type(const char *type)
{
    char name[300];
    (void)snprintf(name, sizeof name, "FAULT_BEHAVE_%.250s", type);
    const char *text = setting(name, setting("FAULT_BEHAVE", "{\"do\":\"done\"}"));
    return parse(text, strlen(text));
}

static warren_status handle_types(warren *w, char *types, warren_error *err)
{
    char *rest = NULL;
    size_t count = 0;
    for (char *type = strtok_r(types, ",", &rest); type && count < TYPES_MOST;
         type = strtok_r(NULL, ",", &rest)) {
        wishes[count] = behaviour_of_type(type);
        warren_status rc = warren_handle(w, type, handle, wishes[count++], err);
        if (rc) {
            return rc;
        }
    }
    return WARREN_OK;
}

static warren_status serve(warren *w, warren_error *err)
{
    struct meter meter = { .w = w, .fd = open_own(getenv("FAULT_GAUGES")) };
    pthread_t thread = start_meter(&meter);
    warren_status rc = warren_run(w, err);
    atomic_store(&meter.is_over, true);
    (void)pthread_join(thread, NULL);
    (void)close(meter.fd);
    return rc;
}

static void limit_memory(void)
{
    rlim_t mib = (rlim_t)atoi(setting("FAULT_AS_MIB", "0"));
    const struct rlimit limit = { mib << 20, mib << 20 };
    if (mib) {
        (void)setrlimit(RLIMIT_AS, &limit);
    }
}

static void limit_files(void)
{
    struct rlimit limit;
    rlim_t files = (rlim_t)atoi(setting("FAULT_FILES", "0"));
    if (files && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = files;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(void)
{
    char types[256];
    warren *w = NULL;
    warren_error err = { .status = WARREN_OK };
    if (getenv("FAULT_STDERR") && !freopen(getenv("FAULT_STDERR"), "we", stderr)) {
        _exit(LEDGER_BROKEN);
    }
    (void)setvbuf(stderr, NULL, _IOLBF, 0);
    limit_memory();
    limit_files();
    (void)snprintf(types, sizeof types, "%s", setting("FAULT_TYPES", "work"));
    ledger = open_own(getenv("FAULT_LEDGER"));
    warren_log_to(print_line, NULL, atoi(setting("FAULT_LOG", "2")));
    warren_status rc = warren_open(&w, getenv("FAULT_CONFIG"), &err);
    rc = rc ? rc : handle_types(w, types, &err);
    rc = rc ? rc : serve(w, &err);
    if (rc) {
        (void)fprintf(stderr, "fault_worker: %s\n", err.text);
    }
    warren_close(w);
    return warren_exit_code(rc);
}
