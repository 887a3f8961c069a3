// SPDX-License-Identifier: MIT
// DESIGN: rows about jobs that wait in the ladder while the broker, or a node of three, goes down; and about
// everything at once. With the settings that we ship a level gives its jobs on within 20 s of the
// broker's return; with RabbitMQ's own it may take three minutes, and the worker has to say so.
#include <signal.h>
#include <stdlib.h>

#include "cluster.h"
#include "field_inside.h"
#include "live.h"
#include "rows.h"

enum {
    READY_MS = 30000,
    DRAIN_MS = 120000,
    AT_ONCE = 4,
    PREFETCH = 20,
    LEVEL_WINDOW = 32, /* of a level: on their way when the broker goes down */
    LEVELS = 8,        /* that delays of up to 30 s pass */
    LATE_MOST_MS = 20000,
    DELAY_MS = 4000,
    SPREAD_MS = 26000,
    OUTAGE_MS = 2000,
    LEVEL_MS = 8000, /* the delay of one level */
};

/* --- jobs in the ladder --- */

struct ladder {
    struct field *field;
    struct field_process *worker;
    int64_t last_due_us; /* of any job, at the latest */
    int64_t up_us;       /* the broker is up again */
};

/* All jobs are in the ladder, and confirmed. */
static void fill(struct ladder *ladder, const char *url, int delay_ms, int spread_ms)
{
    struct field *field = ladder->field;
    const char *config = field_config(field, &(struct field_config){ .url = url });
    struct field_source source = {
        .config = config, .delay_ms = delay_ms, .delay_spread_ms = spread_ms, .window = 250
    };
    ladder->worker = field_worker(field, &(struct field_worker){ .config = config });
    (void)field_wait_gauge(field, ladder->worker, "ready", 1, 1, READY_MS);
    field_expect_exit(field, field_source(field, &source), 0, READY_MS);
    ladder->last_due_us = field_now_us() + (delay_ms + spread_ms) * 1000LL;
}

/* And the first of them are on their way down: some are half handed over. */
static void fill_and_wait(struct ladder *ladder, const char *url)
{
    fill(ladder, url, DELAY_MS, SPREAD_MS);
    (void)field_wait_count(ladder->field, BOOK_DONE, (uint64_t)ladder->field->jobs / 20, READY_MS);
}

/* The last of them is at most so late, counted from when the broker was up; how late is worth knowing
 * also when it is too late. */
static void expect_home(struct ladder *ladder, int late_ms)
{
    struct field *field = ladder->field;
    int64_t from_us = ladder->up_us > ladder->last_due_us ? ladder->up_us : ladder->last_due_us;
    int64_t left_ms = (from_us - field_now_us()) / 1000 + late_ms + DRAIN_MS;
    (void)field_wait_count(field, BOOK_DONE, (uint64_t)field->jobs, (int)left_ms);
    int64_t seen_ms = (field_now_us() - from_us) / 1000;
    field_note(field, "last_late_ms=%lld", (long long)seen_ms);
    field_expect(field, seen_ms <= late_ms, "the last one came %lld ms late, not %d",
                 (long long)seen_ms, late_ms);
}

static void close_ladder(struct ladder *ladder)
{
    struct field *field = ladder->field;
    (void)field_drain(field, DRAIN_MS);
    field_note(field, "late=%lld", (long long)field_gauge(ladder->worker, "late"));
    field_check(field, &(struct field_bounds){ .duplicates_most =
                                                   (LEVEL_WINDOW * LEVELS) + PREFETCH + AT_ONCE });
}

static void outage(struct field *field, void (*end)(struct field *field))
{
    struct ladder ladder = { .field = field };
    fill_and_wait(&ladder, NULL);
    end(field);
    field_pass(field, OUTAGE_MS);
    field_broker_start(field);
    ladder.up_us = field_now_us();
    expect_home(&ladder, LATE_MOST_MS);
    close_ladder(&ladder);
}

static void ladder_and_a_kill(struct field *field)
{
    outage(field, field_broker_kill);
}

static void ladder_and_a_stop(struct field *field)
{
    outage(field, field_broker_stop);
}

/* --- a cluster --- */

static bool is_up(void *user)
{
    return cluster_is_up(*(const int *)user);
}

static int kill_leader(struct field *field, const char *queue)
{
    int leader = cluster_leader(queue);
    if (field_expect(field, leader >= 0, "nobody leads %s", queue)) {
        cluster_kill(leader);
        field_note(field, "killed=%d", leader + 1);
    }
    return leader;
}

static void bring_back(struct field *field, int node)
{
    if (node >= 0) {
        cluster_restart(node);
        (void)field_wait(field, is_up, &node, DRAIN_MS);
    }
}

static void ladder_and_its_leader(struct field *field)
{
    struct ladder ladder = { .field = field };
    field_need_broker(field);
    cluster_open();
    fill_and_wait(&ladder, cluster_url());
    int leader = kill_leader(field, "warren.delay.16000");
    field_pass(field, OUTAGE_MS);
    bring_back(field, leader);
    ladder.up_us = field_now_us();
    expect_home(&ladder, LATE_MOST_MS);
    close_ladder(&ladder);
}

/* Runs an expression in the broker, with the Raft servers of two queues by name. */
static void evaluate(const char *expression)
{
    char *text = field_print("Of = fun(Queue) -> {list_to_atom(\"%s_\" ++ Queue), node()} end, "
                             "Work = Of(\"work\"), Level = Of(\"warren.delay.8000\"), %s",
                             live_vhost(), expression);
    free(live_ctl("eval", text, NULL));
    free(text);
}

/* What now and then happens when a broker comes up, made to happen: a level is there before the queue that
 * it hands over to, so the first jobs it sends are gone, and it waits for their confirm: for three minutes
 * where nobody set it to 5 s. Here three quarters of a minute are enough. */
static void ladder_that_stalls(struct field *field)
{
    enum { STALL_MS = 120000 };
    struct ladder ladder = { .field = field };
    fill(&ladder, NULL, LEVEL_MS, 0);
    evaluate("application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 45000), "
             "ra:stop_server(quorum_queues, Work), ra:stop_server(quorum_queues, Level), "
             "ra:restart_server(quorum_queues, Level).");
    field_pass(field, LEVEL_MS + OUTAGE_MS);
    evaluate("ra:restart_server(quorum_queues, Work), Level.");
    ladder.up_us = field_now_us();
    expect_home(&ladder, STALL_MS);
    field_expect(field, field_gauge(ladder.worker, "late") > 0, "no job is counted as late");
    field_expect(field,
                 field_log_count(ladder.worker, "dead_letter_worker_publisher_confirm_timeout") > 0,
                 "the log does not say why jobs come late");
    close_ladder(&ladder);
}

/* --- everything at once --- */

enum { WORKERS = 3, KILL_EVERY_MS = 2000, LEADER_KILLS = 2, LEADER_EVERY = 5 /* worker kills */ };

struct storm {
    struct field *field;
    struct field_process *workers[WORKERS];
    int kills, leader_kills;
    int down; /* a node that was killed, -1: none */
};

static void open_storm(struct storm *storm, struct field *field)
{
    *storm = (struct storm){ .field = field, .down = -1 };
    field_need_broker(field);
    cluster_open();
    const char *config = field_config(field, &(struct field_config){ .url = cluster_url() });
    for (int i = 0; i < WORKERS; i++) {
        storm->workers[i] =
            field_worker(field, &(struct field_worker){ .config = config, .restarts_most = 1000 });
    }
    (void)field_wait_gauge(field, storm->workers[0], "ready", 1, 1, READY_MS);
    (void)field_source(field, &(struct field_source){ .config = config,
                                                      .odd_body = "{\"do\":\"fail\",\"times\":1}",
                                                      .odd_every = 10,
                                                      .rate = field->jobs / 40,
                                                      .republish_ms = 300000 });
}

/* One worker goes each time; now and then the leader, and a killed node comes back. */
static void rage(struct storm *storm)
{
    struct field *field = storm->field;
    struct field_process *victim = storm->workers[field_random(field, WORKERS)];
    if (victim->pid) {
        field_signal(victim, SIGKILL);
        storm->kills++;
    }
    if (storm->down >= 0 && cluster_is_up(storm->down)) {
        storm->down = -1;
    }
    bool is_turn = storm->kills >= LEADER_EVERY * (storm->leader_kills + 1);
    if (storm->down < 0 && is_turn && storm->leader_kills < LEADER_KILLS) {
        storm->down = kill_leader(field, "work");
        storm->leader_kills++;
        field_pass(field, OUTAGE_MS);
        cluster_restart(storm->down);
    }
}

static bool is_over(const struct storm *storm)
{
    const struct field *field = storm->field;
    return storm->leader_kills == LEADER_KILLS && storm->down < 0 &&
           book_count(field->book, BOOK_DONE) >= (uint64_t)field->jobs * 9 / 10;
}

static void everything_at_once(struct field *field)
{
    struct storm storm;
    open_storm(&storm, field);
    int64_t until_us = field_now_us() + 240 * 1000000LL;
    while (!is_over(&storm) && field_now_us() < until_us) {
        field_pass(field, KILL_EVERY_MS);
        rage(&storm);
        field_read(field);
    }
    field_expect(field, storm.leader_kills == LEADER_KILLS, "the leader was killed %d times",
                 storm.leader_kills);
    (void)field_drain(field, 2 * DRAIN_MS);
    field_note(field, "worker_kills=%d", storm.kills);
    /* A lost leader is a lost connection for all workers, and a level hands over twice. */
    int64_t losses = storm.kills + (int64_t)LEADER_KILLS * WORKERS;
    field_check(field, &(struct field_bounds){
                           .duplicates_most = losses * 2 * (PREFETCH + AT_ONCE) +
                                              (int64_t)LEADER_KILLS * LEVEL_WINDOW * LEVELS +
                                              (int64_t)book_count(field->book, BOOK_UNKNOWN),
                       });
}

const struct row rows_cluster[] = {
    ROW(62, ROW_OWN | ROW_ONCE, 5000, 55, ladder_and_a_kill,
        "5,000 jobs wait in the ladder and the broker is killed: all come home in time"),
    ROW(63, ROW_OWN | ROW_ONCE, 5000, 55, ladder_and_a_stop,
        "5,000 jobs wait in the ladder and the broker is stopped: all come home in time"),
    ROW(64, ROW_OWN | ROW_ONCE, 5000, 120, ladder_that_stalls,
        "a level stalls, as without our advanced.config: late, and the worker says why"),
    ROW(65, ROW_OWN | ROW_ONCE, 5000, 120, ladder_and_its_leader,
        "the ladder's leader in a cluster of three is killed: all come home in time"),
    ROW(66, ROW_OWN | ROW_ONCE, 20000, 120, everything_at_once,
        "workers are killed every 2 s and the leader of three nodes twice: nothing is lost"),
    ROWS_END,
};
