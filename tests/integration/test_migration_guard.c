// SPDX-License-Identifier: MIT
/*
 * What a migration refuses: a second one of the same queue, a queue of a kind that can't be told,
 * a binding with arguments, a queue that still holds something. And that it goes on afterwards.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/migration.h"
#include "engine/mover.h"
#include "warren/topology.h"

#include "crew.h"
#include "live.h"

static char *config;

static const char main_text[] = "namespace = \"guarded\"; delay: { max = \"60s\"; }; "
                                "drain_timeout = \"0s\";";

static void write_queue(const char *type)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "queue: { name = \"cargo\"; type = \"%s\"; jobs: ( { type = \"load\"; } ); };",
                   type);
    crew_change(config, text);
}

static warren_topology *open_topology(void)
{
    warren_topology *topology = NULL;
    CU_ASSERT_EQUAL_FATAL(warren_topology_open(&topology, config, NULL), WARREN_OK);
    return topology;
}

static struct wr_broker *connect_broker(void)
{
    static struct wr_broker_settings settings = { .heartbeat_ms = 15000,
                                                  .connect_timeout_ms = 10000,
                                                  .rpc_timeout_ms = 10000 };
    struct wr_broker_options options = { .settings = &settings, .name = "guarding" };
    struct wr_broker *broker = NULL;
    settings.url = (char *)live_url();
    CU_ASSERT_FATAL(!wr_broker_open(&broker, &options, NULL));
    CU_ASSERT_FATAL(!wr_broker_channel_open(broker, 1, false, NULL));
    return broker;
}

/* A classic queue that is to be a quorum one. */
static warren_topology *begin(void)
{
    write_queue("classic");
    warren_topology *topology = open_topology();
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, NULL), WARREN_OK);
    warren_topology_close(topology);
    write_queue("quorum");
    return open_topology();
}

static void end(warren_topology *topology)
{
    struct wr_broker *broker = connect_broker();
    warren_topology_close(topology);
    CU_ASSERT(!wr_broker_delete_queue(broker, 1, "cargo", NULL));
    CU_ASSERT(!wr_broker_delete_queue(broker, 1, "guarded.migrate.cargo", NULL));
    wr_broker_close(broker);
}

static warren_status migrate(warren_topology *topology, const warren_migration_options *options,
                             void *user, warren_error *err)
{
    *err = (warren_error){ 0 };
    return warren_topology_migrate(topology, "cargo", options, NULL, user, NULL, err);
}

static void a_second_migration_at_once_is_refused(void)
{
    static const struct wr_item lock = { .kind = WR_ITEM_QUEUE,
                                         .name = "guarded.migrate.lock/cargo",
                                         .is_temporary = true };
    warren_error err;
    warren_topology *topology = begin();
    struct wr_broker *other = connect_broker();
    CU_ASSERT(!wr_broker_declare(other, 1, &lock, WR_DECLARE, NULL));
    CU_ASSERT(!wr_broker_sync(other, 1, NULL));
    CU_ASSERT_EQUAL(migrate(topology, NULL, NULL, &err), WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another migration of queue cargo is under way"));
    wr_broker_close(other); /* as a killed one's */
    CU_ASSERT_EQUAL(migrate(topology, NULL, NULL, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    end(topology);
}

static void without_its_exchange_nothing_begins(void)
{
    static const struct wr_item jobs = { .kind = WR_ITEM_EXCHANGE, .name = "guarded.jobs" };
    warren_error err;
    warren_migration state;
    warren_topology *topology = begin();
    struct wr_broker *other = connect_broker();
    CU_ASSERT(!wr_broker_declare(other, 1, &jobs, WR_REMOVE, NULL));
    CU_ASSERT(!wr_broker_sync(other, 1, NULL));
    wr_broker_close(other);
    CU_ASSERT_EQUAL(migrate(topology, NULL, NULL, &err), WARREN_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "exchange guarded.jobs"));
    CU_ASSERT(!warren_topology_look_at_migration(topology, "cargo", &state, NULL));
    CU_ASSERT_EQUAL(state.phase, WARREN_MIGRATION_NEEDED);
    (void)warren_topology_apply(topology, NULL, NULL); /* as the message says; the queue differs */
    CU_ASSERT_EQUAL(migrate(topology, NULL, NULL, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    end(topology);
}

static void a_binding_with_arguments_is_named_and_refused(void)
{
    static const warren_binding items[] = { { "guarded.jobs", "cargo", true, "load", false },
                                            { "their.headers", "cargo", true, "some", true } };
    static const warren_bindings bindings = { items, 2 };
    static const warren_migration_options options = { .bindings = &bindings };
    warren_error err;
    warren_migration state;
    warren_topology *topology = begin();
    CU_ASSERT_EQUAL(migrate(topology, &options, NULL, &err), WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "from their.headers to cargo (key \"some\")"));
    CU_ASSERT(!warren_topology_look_at_migration(topology, "cargo", &state, NULL));
    CU_ASSERT_EQUAL(state.phase, WARREN_MIGRATION_NEEDED);
    end(topology);
}

/* What the management API would say: something is held the first times. */
static bool hold_for_a_while(const char *queue, warren_migration_held *out, void *user)
{
    int *asked = user;
    *out = (warren_migration_held){ *asked == 0 ? -1 : *asked == 1 ? 2 : 0, *asked == 2 ? 1 : 0 };
    CU_ASSERT_PTR_NOT_NULL(strstr(queue, "cargo"));
    ++*asked;
    return true;
}

static bool cannot_ask(const char *queue, warren_migration_held *out, void *user)
{
    (void)queue, (void)out, (void)user;
    return false;
}

static void a_queue_that_holds_something_is_waited_for(void)
{
    static const warren_migration_options refused = { .held = cannot_ask };
    static const warren_migration_options options = { .held = hold_for_a_while };
    int asked = 0;
    warren_error err;
    warren_migration state;
    warren_topology *topology = begin();
    CU_ASSERT_EQUAL(migrate(topology, &refused, NULL, &err), WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "what queue cargo still holds"));
    CU_ASSERT(!warren_topology_look_at_migration(topology, "cargo", &state, NULL));
    CU_ASSERT_EQUAL(state.phase, WARREN_MIGRATION_LEAVING);
    CU_ASSERT_EQUAL(migrate(topology, &options, &asked, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    CU_ASSERT_EQUAL(asked, 5); /* untold, held, a dead letter, nothing; the stand-in */
    end(topology);
}

/* AMQP names the first argument that differs, and this one can't be said again. */
static void a_kind_that_cannot_be_told_is_refused_until_it_is_said(void)
{
    static const warren_migration_options said = { .type = "classic" };
    warren_error err;
    warren_topology *topology = begin();
    struct wr_broker *broker = connect_broker();
    CU_ASSERT(!wr_broker_delete_queue(broker, 1, "cargo", NULL));
    wr_broker_close(broker);
    char text[512];
    (void)snprintf(text, sizeof text,
                   "rabbit_amqqueue:declare(rabbit_misc:r(<<\"%s\">>, queue, <<\"cargo\">>), true, "
                   "false, [{<<\"x-expires\">>, signedint, 3600000}], none, <<\"test\">>).",
                   live_vhost());
    free(live_ctl("eval", text, NULL));
    CU_ASSERT_EQUAL(migrate(topology, NULL, NULL, &err), WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "whether it is classic or quorum"));
    CU_ASSERT_EQUAL(migrate(topology, &said, NULL, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    end(topology);
}

static void the_kind_is_read_from_what_differs(void)
{
    static const char other[] =
        "queue q: x-max-priority is 5 at the broker, the config wants none\n";
    static const char type[] = "queue q: x-queue-type is classic at the broker\n";
    CU_ASSERT_EQUAL(wr_migration_kind("", true, WR_CLASSIC, NULL), WR_KIND_CLASSIC);
    CU_ASSERT_EQUAL(wr_migration_kind("", true, WR_QUORUM, NULL), WR_KIND_QUORUM);
    CU_ASSERT_EQUAL(wr_migration_kind(type, false, WR_QUORUM, NULL), WR_KIND_CLASSIC);
    CU_ASSERT_EQUAL(
        wr_migration_kind("queue q: x-queue-type is not set at", false, WR_QUORUM, NULL),
        WR_KIND_CLASSIC);
    CU_ASSERT_EQUAL(wr_migration_kind("queue q: x-queue-type is stream at", false, WR_QUORUM, NULL),
                    WR_KIND_FOREIGN);
    CU_ASSERT_EQUAL(wr_migration_kind(other, false, WR_QUORUM, NULL), WR_KIND_UNKNOWN);
    CU_ASSERT_EQUAL(wr_migration_kind(other, false, WR_QUORUM, "classic"), WR_KIND_CLASSIC);
    CU_ASSERT_EQUAL(wr_migration_kind(other, false, WR_CLASSIC, "quorum"), WR_KIND_QUORUM);
    CU_ASSERT_EQUAL(wr_migration_kind(other, false, WR_QUORUM, "stream"), WR_KIND_FOREIGN);
}

/* Both ways of expiring: the moment that comes first. */
static void the_earlier_expiry_travels(void)
{
    static const struct {
        const char *expiration; /* NULL: none */
        int64_t at_ms;          /* 0: no header */
        int64_t want_ms;
    } rows[] = { { "100", 0, 1100 },
                 { NULL, 5000, 5000 },
                 { "100", 5000, 1100 },
                 { "9000", 5000, 5000 },
                 { "soon", 5000, 5000 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wr_text headers = { 0 };
        struct wr_text copy = { 0 };
        struct wr_field field;
        int64_t got_ms = 0;
        if (rows[i].at_ms) {
            wr_table_add_int(&headers, "x-warren-expires-ms", rows[i].at_ms);
        }
        wr_table_add_int(&headers, "mine", 7);
        wr_text_add(&copy, headers.data, headers.size);
        struct wr_message message = { .headers = { headers.data, headers.size } };
        if (rows[i].expiration) {
            message.expiration = wr_slice_of(rows[i].expiration);
            message.present = WR_EXPIRATION;
        }
        wr_mover_expire(&message, 1000, &copy);
        struct wr_table table = { copy.data, copy.size };
        CU_ASSERT(wr_table_find(table, "x-warren-expires-ms", &field) &&
                  wr_field_int(&field, &got_ms));
        CU_ASSERT_EQUAL(got_ms, rows[i].want_ms);
        CU_ASSERT(wr_table_find(table, "mine", &field));
        wr_text_done(&headers);
        wr_text_done(&copy);
    }
}

int main(void)
{
    config = crew_config(main_text, "");
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("migration guard", NULL, NULL);
    CU_ADD_TEST(suite, the_kind_is_read_from_what_differs);
    CU_ADD_TEST(suite, the_earlier_expiry_travels);
    CU_ADD_TEST(suite, a_second_migration_at_once_is_refused);
    CU_ADD_TEST(suite, without_its_exchange_nothing_begins);
    CU_ADD_TEST(suite, a_binding_with_arguments_is_named_and_refused);
    CU_ADD_TEST(suite, a_queue_that_holds_something_is_waited_for);
    CU_ADD_TEST(suite, a_kind_that_cannot_be_told_is_refused_until_it_is_said);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    free(config);
    return failures ? 1 : 0;
}
