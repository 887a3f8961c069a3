// SPDX-License-Identifier: MIT
/*
 * Giving a queue other arguments while jobs are published to it, and killing whoever does it at each
 * step: every confirmed job is in the queue afterwards. The publisher and the migrations are
 * processes of their own, so that a SIGKILL is one.
 */
#include <CUnit/Basic.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/deadwalk.h"
#include "io/broker.h"
#include "warren/queue.h"
#include "warren/topology.h"

#include "crew.h"
#include "live.h"

enum { JOBS_MOST = 200000, WAIT_MS = 30000 };

/* What the publisher's process tells: shared memory. */
struct told {
    atomic_bool stops;
    atomic_int confirmed_count;
    atomic_bool confirmed[JOBS_MOST];
};

static struct told *told;
static unsigned char seen[JOBS_MOST];
static char *config;

static const char main_text[] = "namespace = \"moving\"; delay: { max = \"60s\"; }; "
                                "drain_timeout = \"0s\";";

static void write_queue(const char *type)
{
    char text[256];
    (void)snprintf(
        text, sizeof text,
        "queue: { name = \"freight\"; type = \"%s\"; jobs: ( { type = \"load\"; }, { type "
        "= \"unload\"; isolate = true; } ); };",
        type);
    crew_change(config, text);
}

static warren_topology *open_topology(void)
{
    warren_topology *topology = NULL;
    warren_error err = { 0 };
    if (warren_topology_open(&topology, config, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(9);
    }
    return topology;
}

/* The queue as it is at the beginning, empty. */
static void begin(const char *type)
{
    warren_error err = { 0 };
    write_queue(type);
    warren_topology *topology = open_topology();
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    warren_topology_close(topology);
    memset(told, 0, sizeof *told);
    memset(seen, 0, sizeof seen);
}

/* --- the publisher --- */

static void publish_all(void)
{
    warren_publisher *publisher = NULL;
    warren_error err = { 0 };
    if (warren_publisher_open(&publisher, config, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(9);
    }
    for (int i = 0; i < JOBS_MOST && !atomic_load(&told->stops); i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "%d", i);
        warren_message message = { .type = "load", .body = "{}", .id = id };
        if (!warren_publish(publisher, &message, &err)) {
            atomic_store(&told->confirmed[i], true);
            atomic_fetch_add(&told->confirmed_count, 1);
        }
    }
    _exit(0);
}

static pid_t start_publisher(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        publish_all();
    }
    return pid;
}

static bool has_confirmed(void *user)
{
    return atomic_load(&told->confirmed_count) >= *(int *)user;
}

static void await_confirmed(int more)
{
    int wanted = atomic_load(&told->confirmed_count) + more;
    CU_ASSERT(live_wait(has_confirmed, &wanted, WAIT_MS));
}

static void stop_publisher(pid_t pid)
{
    int status = 0;
    atomic_store(&told->stops, true);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- the migrating process --- */

/* Where it is killed. */
struct death {
    int step; /* -1: nowhere */
    uint64_t moved;
};

static bool die_there(warren_migration_step step, uint64_t moved, void *user)
{
    const struct death *death = user;
    if (death->step == (int)step && moved >= death->moved) {
        (void)raise(SIGKILL);
    }
    return true;
}

/* True if it was killed, false if it came to its end. */
static bool migrate_until(struct death death)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        warren_error err = { 0 };
        warren_topology *topology = open_topology();
        if (warren_topology_migrate(topology, "freight", NULL, die_there, &death, NULL, &err)) {
            (void)fprintf(stderr, "%s\n", err.text);
            _exit(9);
        }
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    CU_ASSERT(was_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return was_killed;
}

static warren_migration_phase look(warren_migration *out)
{
    static warren_topology *topology;
    warren_error err = { 0 };
    warren_topology_close(topology);
    topology = open_topology();
    *out = (warren_migration){ .phase = WARREN_MIGRATION_ABSENT };
    CU_ASSERT_EQUAL(warren_topology_look_at_migration(topology, "freight", out, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    return out->phase;
}

/* --- counting --- */

struct count {
    size_t doubles;
    size_t total;
    size_t late; /* that stand behind a younger one */
    long highest;
};

static enum wr_walk_choice count_one(void *user, const struct wr_message *message)
{
    struct count *count = user;
    int64_t number = -1;
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT(wr_slice_to_int(message->message_id, &number) && number >= 0 && number < JOBS_MOST);
    count->total++;
    count->doubles += seen[number] > 0;
    count->late += number < count->highest;
    count->highest = number > count->highest ? number : count->highest;
    seen[number] = 1;
    return WR_WALK_REMOVE;
}

static struct wr_broker *connect_broker(void)
{
    static struct wr_broker_settings settings = { .heartbeat_ms = 15000,
                                                  .connect_timeout_ms = 10000,
                                                  .rpc_timeout_ms = 10000 };
    struct wr_broker_options options = { .settings = &settings, .name = "counting" };
    struct wr_broker *broker = NULL;
    settings.url = (char *)live_url();
    CU_ASSERT_FATAL(!wr_broker_open(&broker, &options, NULL));
    CU_ASSERT_FATAL(!wr_broker_channel_open(broker, 1, false, NULL));
    return broker;
}

/* Empties the queue and counts what was in it. */
static struct count count_jobs(void)
{
    struct count count = { .highest = -1 };
    struct wr_broker *broker = connect_broker();
    warren_error err = { 0 };
    struct wr_deadwalk walk = { .broker = broker,
                                .queue = "freight",
                                .patience_us = 10000000,
                                .visit = count_one,
                                .user = &count };
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    wr_broker_close(broker);
    return count;
}

static size_t count_lost(void)
{
    size_t lost = 0;
    for (int i = 0; i < JOBS_MOST; i++) {
        lost += atomic_load(&told->confirmed[i]) && !seen[i];
    }
    return lost;
}

/* Nothing is left of the way: no stand-in, and the queue is of that type. */
static void assert_arrived(const char *type)
{
    char line[64];
    warren_migration state;
    CU_ASSERT_EQUAL(look(&state), WARREN_MIGRATION_NOTHING);
    char *queues = live_ctl("list_queues", "-p", live_vhost(), "name", "type", NULL);
    CU_ASSERT_PTR_NULL(strstr(queues, "moving.migrate."));
    (void)snprintf(line, sizeof line, "freight\t%s", type);
    CU_ASSERT_PTR_NOT_NULL(strstr(queues, line));
    free(queues);
    char *bindings = live_ctl("list_bindings", "-p", live_vhost(), "source_name",
                              "destination_name", "routing_key", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(bindings, "moving.jobs\tfreight\tload"));
    CU_ASSERT_PTR_NOT_NULL(strstr(bindings, "moving.home\tfreight\tqueue/freight"));
    CU_ASSERT_PTR_NULL(strstr(bindings, "moving.migrate."));
    free(bindings);
}

static void tell_count(const char *what, const struct count *count)
{
    printf("\n    %s: %d confirmed, %zu found, %zu twice, %zu behind a younger one ", what,
           atomic_load(&told->confirmed_count), count->total, count->doubles, count->late);
}

/* --- stories --- */

static void while_jobs_are_published(const char *from, const char *to)
{
    begin(from);
    pid_t publisher = start_publisher();
    await_confirmed(500);
    write_queue(to);
    CU_ASSERT_FALSE(migrate_until((struct death){ -1, 0 }));
    await_confirmed(100);
    stop_publisher(publisher);
    assert_arrived(to);
    struct count count = count_jobs();
    tell_count(to, &count);
    CU_ASSERT_EQUAL(count_lost(), 0);
    CU_ASSERT(count.total >= (size_t)atomic_load(&told->confirmed_count));
    CU_ASSERT(count.doubles < count.total / 2);
}

static void classic_to_quorum_loses_nothing(void)
{
    while_jobs_are_published("classic", "quorum");
}

static void quorum_to_classic_loses_nothing(void)
{
    while_jobs_are_published("quorum", "classic");
}

static void killed_at_each_step_it_goes_on(void)
{
    static const struct {
        struct death death;
        warren_migration_phase phase; /* that the next one finds */
    } rows[] = {
        { { WARREN_MIGRATION_MOVING_OUT, 0 }, WARREN_MIGRATION_LEAVING },
        { { WARREN_MIGRATION_MOVING_OUT, 70 }, WARREN_MIGRATION_LEAVING },
        { { WARREN_MIGRATION_TURNED_AWAY, 0 }, WARREN_MIGRATION_LEAVING },
        { { WARREN_MIGRATION_DELETED, 0 }, WARREN_MIGRATION_RETURNING },
        { { WARREN_MIGRATION_MOVING_BACK, 0 }, WARREN_MIGRATION_RETURNING },
        { { WARREN_MIGRATION_MOVING_BACK, 70 }, WARREN_MIGRATION_RETURNING },
        { { WARREN_MIGRATION_TURNED_BACK, 0 }, WARREN_MIGRATION_RETURNING },
    };
    begin("classic");
    pid_t publisher = start_publisher();
    await_confirmed(1000);
    write_queue("quorum");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        warren_migration state;
        CU_ASSERT_TRUE(migrate_until(rows[i].death));
        CU_ASSERT_EQUAL(look(&state), rows[i].phase);
        await_confirmed(100); /* publishing goes on meanwhile */
    }
    CU_ASSERT_FALSE(migrate_until((struct death){ -1, 0 }));
    stop_publisher(publisher);
    assert_arrived("quorum");
    struct count count = count_jobs();
    tell_count("killed", &count);
    CU_ASSERT_EQUAL(count_lost(), 0);
}

static void what_waits_stays_in_line(void)
{
    begin("quorum");
    warren_publisher *publisher = NULL;
    CU_ASSERT_FATAL(!warren_publisher_open(&publisher, config, NULL));
    for (int i = 0; i < 3000; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "%d", i);
        warren_message message = { .type = "load", .body = "{}", .id = id };
        CU_ASSERT_EQUAL(warren_publish_async(publisher, &message, NULL, NULL, NULL), WARREN_OK);
    }
    warren_publisher_close(publisher);
    write_queue("classic");
    CU_ASSERT_FALSE(migrate_until((struct death){ -1, 0 }));
    assert_arrived("classic");
    struct count count = count_jobs();
    CU_ASSERT_EQUAL(count.total, 3000);
    CU_ASSERT_EQUAL(count.doubles, 0);
    CU_ASSERT_EQUAL(count.late, 0);
}

/* A stranger's message that says its type by its key alone, expires and asks for a copy. */
static void put_stranger(struct wr_broker *broker)
{
    struct wr_text headers = { 0 };
    struct wr_text cc = { 0 };
    wr_text_add(&cc, "S\0\0\0\7nowhere", 12);
    wr_table_add_nested(&headers, "CC", 'A', (struct wr_slice){ cc.data, cc.size });
    wr_table_add_string(&headers, "x-mine", wr_slice_of("kept"));
    struct wr_message message = { .exchange = wr_slice_of("moving.jobs"),
                                  .key = wr_slice_of("load"),
                                  .present = WR_EXPIRATION | WR_MESSAGE_ID | WR_HEADERS,
                                  .expiration = wr_slice_of("3600000"),
                                  .message_id = wr_slice_of("5"),
                                  .headers = { headers.data, headers.size },
                                  .body = wr_slice_of("\0\1\2") };
    message.body.size = 3;
    CU_ASSERT(!wr_broker_publish(broker, 1, &message, NULL));
    CU_ASSERT(!wr_broker_sync(broker, 1, NULL));
    wr_text_done(&headers);
    wr_text_done(&cc);
}

static enum wr_walk_choice look_at_stranger(void *user, const struct wr_message *message)
{
    struct wr_field field;
    int64_t at_ms = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    ++*(int *)user;
    CU_ASSERT(wr_slice_is(message->type, "load"));
    CU_ASSERT(wr_slice_is(message->message_id, "5"));
    CU_ASSERT(wr_slice_equals(message->body, (struct wr_slice){ "\0\1\2", 3 }));
    CU_ASSERT_EQUAL(message->delivery_mode, 2);
    CU_ASSERT_FALSE(message->present & WR_EXPIRATION);
    CU_ASSERT_TRUE(wr_table_find(message->headers, "x-warren-expires-ms", &field));
    CU_ASSERT(wr_field_int(&field, &at_ms) && at_ms > wr_clock_wall_ms(NULL) &&
              at_ms <= wr_clock_wall_ms(NULL) + 3600000);
    CU_ASSERT_TRUE(wr_table_find(message->headers, "x-mine", &field));
    CU_ASSERT_TRUE(wr_table_find(message->headers, "x-warren-cc", &field));
    CU_ASSERT_FALSE(wr_table_find(message->headers, "CC", &field));
    return WR_WALK_REMOVE;
}

static void what_a_message_says_travels_with_it(void)
{
    int count = 0;
    begin("classic");
    struct wr_broker *broker = connect_broker();
    put_stranger(broker);
    write_queue("quorum");
    CU_ASSERT_FALSE(migrate_until((struct death){ -1, 0 }));
    struct wr_deadwalk walk = { .broker = broker,
                                .queue = "freight",
                                .patience_us = 10000000,
                                .visit = look_at_stranger,
                                .user = &count };
    CU_ASSERT_EQUAL(wr_deadwalk_run(&walk, NULL), WARREN_OK);
    CU_ASSERT_EQUAL(count, 1);
    wr_broker_close(broker);
}

/* Everything stands as the next story's beginning wants it. */
static void forget_queues(void)
{
    static const char *const names[] = { "freight", "freight.unload", "moving.migrate.freight" };
    struct wr_broker *broker = connect_broker();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CU_ASSERT(!wr_broker_delete_queue(broker, 1, names[i], NULL));
    }
    wr_broker_close(broker);
}

/* What expires while it stands in for the queue is a dead letter, as it would be in the queue. */
static bool let_one_expire(warren_migration_step step, uint64_t moved, void *user)
{
    bool *was_sent = user;
    (void)moved;
    if (step == WARREN_MIGRATION_TURNED_AWAY && !*was_sent) {
        struct wr_broker *broker = connect_broker();
        struct wr_message message = { .exchange = wr_slice_of("moving.jobs"),
                                      .key = wr_slice_of("load"),
                                      .present = WR_EXPIRATION,
                                      .expiration = wr_slice_of("1") };
        *was_sent = true;
        CU_ASSERT(!wr_broker_publish(broker, 1, &message, NULL));
        CU_ASSERT(!wr_broker_sync(broker, 1, NULL));
        wr_broker_close(broker);
    }
    return true;
}

static void what_expires_on_the_way_is_a_dead_letter(void)
{
    static const char *const types[] = { "quorum", "classic" };
    for (uint64_t i = 0; i < 2; i++) {
        bool was_sent = false;
        warren_error err = { 0 };
        begin(types[i]);
        write_queue(types[1 - i]);
        warren_topology *topology = open_topology();
        CU_ASSERT_EQUAL(warren_topology_migrate(topology, "freight", NULL, let_one_expire,
                                                &was_sent, NULL, &err),
                        WARREN_OK);
        CU_ASSERT_STRING_EQUAL(err.text, "");
        warren_topology_close(topology);
        CU_ASSERT_TRUE(was_sent);
        CU_ASSERT(crew_wait_depth(config, "freight.dead", i + 1, WAIT_MS));
        forget_queues();
    }
}

static void a_consumed_queue_is_refused_and_left_as_it_is(void)
{
    begin("classic");
    warren *w = crew_open(config);
    CU_ASSERT_FATAL(!warren_handle(w, "load", crew_accept, NULL, NULL));
    CU_ASSERT_FATAL(!warren_handle(w, "unload", crew_accept, NULL, NULL));
    crew_start(w);
    write_queue("quorum");
    warren_error err = { 0 };
    uint64_t moved = 7;
    warren_topology *topology = open_topology();
    CU_ASSERT_EQUAL(warren_topology_migrate(topology, "freight", NULL, NULL, NULL, &moved, &err),
                    WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "has 1 consumers: stop its workers"));
    CU_ASSERT_EQUAL(moved, 0);
    warren_migration state;
    CU_ASSERT_EQUAL(look(&state), WARREN_MIGRATION_NEEDED);
    crew_stop(w);
    CU_ASSERT_EQUAL(warren_topology_migrate(topology, "freight", NULL, NULL, NULL, NULL, &err),
                    WARREN_OK);
    CU_ASSERT_EQUAL(
        warren_topology_migrate(topology, "freight.unload", NULL, NULL, NULL, NULL, &err),
        WARREN_OK);
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, &err), WARREN_OK);
    warren_topology_close(topology);
    assert_arrived("quorum");
}

struct helper {
    warren *w; /* comes up when the new queue is there */
};

static bool start_worker_on_the_way(warren_migration_step step, uint64_t moved, void *user)
{
    struct helper *helper = user;
    (void)moved;
    if (step == WARREN_MIGRATION_MOVING_BACK && !helper->w) {
        helper->w = crew_open(config);
        CU_ASSERT_FATAL(!warren_handle(helper->w, "load", crew_accept, NULL, NULL));
        CU_ASSERT_FATAL(!warren_handle(helper->w, "unload", crew_accept, NULL, NULL));
        crew_start(helper->w);
    }
    return true;
}

static void a_worker_may_come_up_on_the_way_back(void)
{
    struct helper helper = { NULL };
    warren_error err = { 0 };
    begin("classic");
    pid_t publisher = start_publisher();
    await_confirmed(1000);
    write_queue("quorum");
    warren_topology *topology = open_topology();
    CU_ASSERT_EQUAL(
        warren_topology_migrate(topology, "freight.unload", NULL, NULL, NULL, NULL, &err),
        WARREN_OK);
    CU_ASSERT_EQUAL(warren_topology_migrate(topology, "freight", NULL, start_worker_on_the_way,
                                            &helper, NULL, &err),
                    WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    warren_topology_close(topology);
    stop_publisher(publisher);
    CU_ASSERT_PTR_NOT_NULL_FATAL(helper.w);
    CU_ASSERT(crew_wait_depth(config, "freight", 0, WAIT_MS));
    CU_ASSERT(crew_wait_ended(helper.w, (size_t)atomic_load(&told->confirmed_count), WAIT_MS));
    crew_stop(helper.w);
    for (size_t i = 0; i < crew_runs(); i++) {
        int number = atoi(crew_run(i).id);
        seen[number] = 1;
    }
    struct count count = { .total = crew_runs(),
                           .doubles = crew_runs() - (size_t)atomic_load(&told->confirmed_count) };
    tell_count("consumed on the way", &count);
    CU_ASSERT_EQUAL(count_lost(), 0);
    crew_forget();
}

static void only_work_queues_can_be_migrated(void)
{
    static const char *const fixed[] = { "freight.dead", "moving.unrouted", "moving.delay.1000" };
    warren_error err = { 0 };
    begin("quorum");
    warren_topology *topology = open_topology();
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        CU_ASSERT_EQUAL(warren_topology_migrate(topology, fixed[i], NULL, NULL, NULL, NULL, &err),
                        WARREN_STATE);
    }
    CU_ASSERT_EQUAL(warren_topology_migrate(topology, "fright", NULL, NULL, NULL, NULL, &err),
                    WARREN_NOT_FOUND);
    CU_ASSERT_EQUAL(warren_topology_migrate(topology, "freight", NULL, NULL, NULL, NULL, &err),
                    WARREN_OK); /* as wanted already: nothing to do */
    warren_topology_close(topology);
}

int main(void)
{
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) {
        return 1;
    }
    config = crew_config(main_text, "");
    CU_initialize_registry();
    CU_pSuite suite =
        CU_add_suite_with_setup_and_teardown("migration", NULL, NULL, NULL, forget_queues);
    CU_ADD_TEST(suite, classic_to_quorum_loses_nothing);
    CU_ADD_TEST(suite, quorum_to_classic_loses_nothing);
    CU_ADD_TEST(suite, killed_at_each_step_it_goes_on);
    CU_ADD_TEST(suite, what_waits_stays_in_line);
    CU_ADD_TEST(suite, what_a_message_says_travels_with_it);
    CU_ADD_TEST(suite, what_expires_on_the_way_is_a_dead_letter);
    CU_ADD_TEST(suite, a_consumed_queue_is_refused_and_left_as_it_is);
    CU_ADD_TEST(suite, a_worker_may_come_up_on_the_way_back);
    CU_ADD_TEST(suite, only_work_queues_can_be_migrated);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    free(config);
    return failures ? 1 : 0;
}
