// SPDX-License-Identifier: MIT
// What the doctor thinks of facts: judged from structs, without a broker in that state.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "model/diagnosis.h"

#define MIB (INT64_C(1024) * 1024)

static struct wr_job_settings job = { .type = (char *)"a", .concurrency = 4, .timeout_ms = 60000 };
static struct wr_queue_settings queue;
static struct wr_settings settings;
static struct wr_topology *topology;

/* A configuration of one quorum queue "work" with one type. */
static int begin(void)
{
    job = (struct wr_job_settings){ .type = (char *)"a", .concurrency = 4, .timeout_ms = 60000 };
    queue = (struct wr_queue_settings){ .name = (char *)"work", .jobs = &job, .job_count = 1 };
    settings = (struct wr_settings){ .ns = (char *)"warren",
                                     .delay_max_ms = 60000,
                                     .body_most = MIB,
                                     .queues = &queue,
                                     .queue_count = 1 };
    return wr_topology_build(&topology, &settings, false, NULL) ? 1 : 0;
}

static int end(void)
{
    wr_topology_free(topology);
    return 0;
}

static struct wr_diagnosis_server server(const char *version, int major, int minor)
{
    return (struct wr_diagnosis_server){ "RabbitMQ", version, major, minor };
}

static warren_queue_facts facts_of(const char *name)
{
    return (warren_queue_facts){ .name = name,
                                 .unacked = -1,
                                 .dead_lettering = 0,
                                 .delivery_limit = -1,
                                 .consumer_timeout_ms = -1,
                                 .has_policies = true,
                                 .policy = "shield",
                                 .policy_delivery_limit = -1,
                                 .max_length = -1,
                                 .max_bytes = -1,
                                 .message_ttl_ms = -1,
                                 .expires_ms = -1 };
}

static warren_broker_facts broker_with(const warren_queue_facts *queues, size_t count)
{
    return (warren_broker_facts){ .queues = queues, .queue_count = count, .deprecated = "" };
}

static void assert_diagnosis(struct wr_diagnosis *got, warren_check_state state, const char *found)
{
    CU_ASSERT_EQUAL(got->state, state);
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&got->found), found));
    if (got->state != state || !strstr(wr_text_string(&got->found), found)) {
        printf("\n  got %s: %s\n", warren_check_state_name(got->state),
               wr_text_string(&got->found));
    }
    wr_diagnosis_done(got);
}

/* --- versions --- */

static void a_version_too_old_fails_and_a_broken_one_warns(void)
{
    struct wr_diagnosis out = { 0 };
    struct wr_diagnosis_server one = server("3.9.29", 3, 9);
    wr_diagnose_version(&one, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "at-least-once");
    one = server("3.13.1", 3, 13);
    wr_diagnose_version(&one, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "cycle");
    one = server("3.13.7", 3, 13);
    wr_diagnose_version(&one, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "RabbitMQ 3.13.7");
    one.product = "Other";
    wr_diagnose_version(&one, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "not a RabbitMQ");
}

static void classic_queues_and_large_bodies_meet_their_versions(void)
{
    struct wr_diagnosis out = { 0 };
    struct wr_diagnosis_server old = server("3.12.1", 3, 12);
    struct wr_diagnosis_server young = server("4.0.5", 4, 0);
    queue.type = WR_CLASSIC;
    wr_diagnose_version(&old, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "x-death");
    wr_diagnose_version(&young, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "4.0.5");
    settings.body_most = 64 * MIB;
    wr_diagnose_version(&young, &settings, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "limits.body allows 64 MiB");
    wr_diagnose_deprecated(&old, &settings, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "4.0 takes messages of 16 MiB");
    queue.type = WR_QUORUM;
    settings.body_most = MIB;
}

static void what_a_later_version_changes_is_told_until_that_version(void)
{
    struct wr_diagnosis out = { 0 };
    struct wr_diagnosis_server before = server("4.2.0", 4, 2);
    struct wr_diagnosis_server since = server("4.3.0", 4, 3);
    settings.topology_check = true;
    wr_diagnose_deprecated(&before, &settings, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "passive declare");
    wr_diagnose_deprecated(&since, &settings, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "no later version");
    settings.topology_check = false;
}

static void what_the_broker_counts_as_deprecated_is_named(void)
{
    struct wr_diagnosis out = { 0 };
    struct wr_diagnosis_server now = server("4.1.0", 4, 1);
    warren_broker_facts facts = { .has_deprecated = true, .deprecated = "global_qos" };
    wr_diagnose_deprecated(&now, &settings, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "global_qos");
    facts.deprecated = "";
    wr_diagnose_deprecated(&now, &settings, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "counts no deprecated feature");
}

/* --- queues --- */

static const struct wr_diagnosis_server young = { "RabbitMQ", "4.1.0", 4, 1 };
static const struct wr_diagnosis_server old = { "RabbitMQ", "3.13.7", 3, 13 };

static void without_the_management_api_its_checks_are_unknown(void)
{
    struct wr_diagnosis out = { 0 };
    wr_diagnose_policies(topology, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "broker.management_url");
    wr_diagnose_delivery_limits(&young, topology, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "broker.management_url");
    wr_diagnose_stuck(topology, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "messages_dlx");
    wr_diagnose_clock(NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "AMQP tells no time");
}

static void a_policy_that_limits_a_queue_fails(void)
{
    struct wr_diagnosis out = { 0 };
    warren_queue_facts work = facts_of("work");
    warren_broker_facts facts = broker_with(&work, 1);
    wr_diagnose_policies(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "none works against 1 queues");
    work.max_length = 100;
    work.policy = "small";
    wr_diagnose_policies(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "queue work: small limits its length");
    work = facts_of("work");
    work.expires_ms = 60000;
    wr_diagnose_policies(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "deletes it with its messages");
    work = facts_of("somebody.elses");
    work.max_length = 1;
    wr_diagnose_policies(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "no queue of this configuration");
}

static void a_time_to_live_is_judged_by_what_the_queue_is_for(void)
{
    static const struct {
        const char *queue;
        int64_t ttl_ms;
        warren_check_state state;
    } rows[] = {
        { "work", 1000, WARREN_CHECK_WARN },
        { "work.dead", 1000, WARREN_CHECK_FAIL },
        { "warren.unrouted", 1000, WARREN_CHECK_FAIL },
        { "warren.delay.4000", 1000, WARREN_CHECK_FAIL },
        { "warren.delay.4000", 4000, WARREN_CHECK_OK },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wr_diagnosis out = { 0 };
        warren_queue_facts one = facts_of(rows[i].queue);
        warren_broker_facts facts = broker_with(&one, 1);
        one.message_ttl_ms = rows[i].ttl_ms;
        wr_diagnose_policies(topology, &facts, &out);
        assert_diagnosis(&out, rows[i].state, "");
    }
}

static void a_fresh_queue_whose_policies_are_not_told_is_not_judged(void)
{
    struct wr_diagnosis out = { 0 };
    warren_queue_facts dead = facts_of("work.dead");
    warren_broker_facts facts = broker_with(&dead, 1);
    dead.has_policies = false;
    dead.policy = NULL;
    wr_diagnose_policies(topology, &facts, &out);
    CU_ASSERT_PTR_NULL(strstr(wr_text_string(&out.found), "shield"));
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "behind");
    dead.has_policies = true;
    wr_diagnose_policies(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "no shield policy");
}

static void the_smaller_delivery_limit_counts(void)
{
    struct wr_diagnosis out = { 0 };
    warren_queue_facts two[] = { facts_of("work"), facts_of("work.dead") };
    warren_broker_facts facts = broker_with(two, 2);
    two[0].has_delivery_limit = two[1].has_delivery_limit = true;
    two[0].delivery_limit = WR_DELIVERY_LIMIT_WORK;
    two[1].delivery_limit = WR_DELIVERY_LIMIT_KEEP;
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "2 queues");
    two[0].has_policy_delivery_limit = true;
    two[0].policy_delivery_limit = 5;
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "queue work: 5 deliveries (shield), want 1000");
    two[0].has_policy_delivery_limit = false;
    two[1].has_policy_delivery_limit = true;
    two[1].policy_delivery_limit = 20;
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "queue work.dead: 20 deliveries");
    two[1].policy_delivery_limit = WR_DELIVERY_LIMIT_KEEP; /* the shield itself */
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "2 queues");
}

/* Not said is the broker's own limit from 4.0 on; -1 is none there, and nothing at all below. */
static void a_limit_that_is_absent_is_not_minus_one(void)
{
    struct wr_diagnosis out = { 0 };
    warren_queue_facts one = facts_of("work.dead");
    warren_broker_facts facts = broker_with(&one, 1);
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "queue work.dead: 20 deliveries (the broker's own");
    wr_diagnose_delivery_limits(&old, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "1 queues");
    one.has_delivery_limit = true; /* -1 */
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "1 queues");
    wr_diagnose_delivery_limits(&old, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "gone at the first look");
    one.has_policy_delivery_limit = true;
    one.policy_delivery_limit = 5; /* the greater one, where one of them is -1 */
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "5 deliveries (shield)");
    wr_diagnose_delivery_limits(&old, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "-1 deliveries (its argument)");
    one = facts_of("work");
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "queue work: 20 deliveries");
    one.has_policies = false; /* a policy may say one, and is not told yet */
    wr_diagnose_delivery_limits(&young, topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "not told yet");
}

static void dead_letters_held_back_are_counted(void)
{
    struct wr_diagnosis out = { 0 };
    warren_queue_facts level = facts_of("warren.delay.1000");
    warren_broker_facts facts = broker_with(&level, 1);
    wr_diagnose_stuck(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "no dead letter waits");
    level.dead_lettering = 32;
    wr_diagnose_stuck(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "32 on their way out of warren.delay.1000");
    level.dead_lettering = -1;
    wr_diagnose_stuck(topology, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "not told yet");
}

/* --- time and memory --- */

static void a_job_near_the_brokers_patience_is_a_warning(void)
{
    struct wr_diagnosis out = { 0 };
    warren_queue_facts work = facts_of("work");
    warren_broker_facts facts = broker_with(&work, 1);
    wr_diagnose_consumer_timeout(&settings, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "held for 60 s, the broker's consumer_timeout is 1800");
    job.timeout_ms = 25 * 60000; /* above 0.8 of it */
    wr_diagnose_consumer_timeout(&settings, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "1500 s");
    work.consumer_timeout_ms = 7200000;
    wr_diagnose_consumer_timeout(&settings, &facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "7200 s (the queue's)");
    job.timeout_ms = 60000;
    queue.prefetch = 400; /* a hundred rounds of four */
    wr_diagnose_consumer_timeout(&settings, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "held for 6000 s");
    queue.prefetch = 0;
    job.timeout_ms = 0;
    wr_diagnose_consumer_timeout(&settings, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "no job type has a timeout");
    job.timeout_ms = 60000;
}

/* The type with the shorter timeout may be the one that waits longest. */
static void the_longest_held_counts_and_not_the_longest_run(void)
{
    struct wr_diagnosis out = { 0 };
    struct wr_job_settings slow = { .type = (char *)"slow",
                                    .concurrency = 1,
                                    .timeout_ms = 600000 };
    struct wr_job_settings many = { .type = (char *)"many", .concurrency = 1, .timeout_ms = 60000 };
    struct wr_queue_settings two[] = {
        { .name = (char *)"one", .jobs = &slow, .job_count = 1, .prefetch = 1 },
        { .name = (char *)"two", .jobs = &many, .job_count = 1, .prefetch = 100 },
    };
    struct wr_settings both = { .ns = (char *)"warren", .queues = two, .queue_count = 2 };
    wr_diagnose_consumer_timeout(&both, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "a delivery of many may be held for 6000 s");
    two[1].prefetch = 1;
    wr_diagnose_consumer_timeout(&both, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "a delivery of slow may be held for 600 s");
    many.timeout_ms = 0;
    wr_diagnose_consumer_timeout(&both, NULL, &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "many has no timeout");
}

static void bodies_are_counted_by_prefetch_or_by_what_auto_allows(void)
{
    CU_ASSERT_EQUAL(wr_diagnosis_bodies_most(&settings), 16 * MIB); /* auto's own bound */
    settings.body_most = 10 * MIB;
    CU_ASSERT_EQUAL(wr_diagnosis_bodies_most(&settings), 40 * MIB); /* a body a slot */
    settings.threads = 2;
    CU_ASSERT_EQUAL(wr_diagnosis_bodies_most(&settings), 20 * MIB); /* no more slots than threads */
    settings.threads = 0;
    queue.prefetch = 100;
    CU_ASSERT_EQUAL(wr_diagnosis_bodies_most(&settings), 1000 * MIB);
    settings.body_most = INT64_MAX / 2;
    CU_ASSERT_EQUAL(wr_diagnosis_bodies_most(&settings), INT64_MAX); /* and never wraps */
    settings.body_most = MIB;
    queue.prefetch = 0;
}

static void memory_is_tight_when_bodies_could_take_half_of_it(void)
{
    struct wr_diagnosis out = { 0 };
    wr_diagnose_memory(&settings, 64 * MIB, "cgroup", &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "this cgroup has 64 MiB");
    wr_diagnose_memory(&settings, 31 * MIB, "cgroup", &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "16 MiB of them");
    wr_diagnose_memory(&settings, 0, "machine", &out);
    assert_diagnosis(&out, WARREN_CHECK_UNKNOWN, "could not be read");
}

static void clocks_that_differ_are_told_with_their_direction(void)
{
    struct wr_diagnosis out = { 0 };
    warren_broker_facts facts = { .has_clock = true, .clock_off_ms = -900 };
    wr_diagnose_clock(&facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "agree");
    facts.clock_off_ms = -30000;
    wr_diagnose_clock(&facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_WARN, "30 s behind ours");
    facts.clock_off_ms = 3600000;
    wr_diagnose_clock(&facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "3600 s ahead of ours");
}

static void an_alarm_fails_and_names_its_node(void)
{
    struct wr_diagnosis out = { 0 };
    warren_broker_facts facts = { .has_alarms = true };
    wr_diagnose_alarms(&facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_OK, "none");
    facts.disk_alarm = "rabbit@one";
    wr_diagnose_alarms(&facts, &out);
    assert_diagnosis(&out, WARREN_CHECK_FAIL, "disk alarm on rabbit@one");
}

/* --- saying it --- */

static void the_worst_state_stands_and_nothing_is_said_twice(void)
{
    struct wr_diagnosis out = { 0 };
    wr_diagnose(&out, WARREN_CHECK_FAIL, "one");
    wr_diagnose(&out, WARREN_CHECK_WARN, "two");
    wr_diagnose(&out, WARREN_CHECK_UNKNOWN, "one");
    CU_ASSERT_STRING_EQUAL(wr_text_string(&out.found), "one; two");
    CU_ASSERT_EQUAL(out.state, WARREN_CHECK_FAIL);
    for (int i = 0; i < 1000; i++) {
        wr_diagnose(&out, WARREN_CHECK_WARN, "queue number %d", i);
    }
    CU_ASSERT(out.found.size < 2000);
    CU_ASSERT_PTR_NOT_NULL(strstr(wr_text_string(&out.found), "; and more"));
    wr_diagnosis_done(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("diagnosis", begin, end);
    CU_ADD_TEST(suite, a_version_too_old_fails_and_a_broken_one_warns);
    CU_ADD_TEST(suite, classic_queues_and_large_bodies_meet_their_versions);
    CU_ADD_TEST(suite, what_a_later_version_changes_is_told_until_that_version);
    CU_ADD_TEST(suite, what_the_broker_counts_as_deprecated_is_named);
    CU_ADD_TEST(suite, without_the_management_api_its_checks_are_unknown);
    CU_ADD_TEST(suite, a_policy_that_limits_a_queue_fails);
    CU_ADD_TEST(suite, a_time_to_live_is_judged_by_what_the_queue_is_for);
    CU_ADD_TEST(suite, a_fresh_queue_whose_policies_are_not_told_is_not_judged);
    CU_ADD_TEST(suite, the_smaller_delivery_limit_counts);
    CU_ADD_TEST(suite, a_limit_that_is_absent_is_not_minus_one);
    CU_ADD_TEST(suite, dead_letters_held_back_are_counted);
    CU_ADD_TEST(suite, the_longest_held_counts_and_not_the_longest_run);
    CU_ADD_TEST(suite, a_job_near_the_brokers_patience_is_a_warning);
    CU_ADD_TEST(suite, bodies_are_counted_by_prefetch_or_by_what_auto_allows);
    CU_ADD_TEST(suite, memory_is_tight_when_bodies_could_take_half_of_it);
    CU_ADD_TEST(suite, clocks_that_differ_are_told_with_their_direction);
    CU_ADD_TEST(suite, an_alarm_fails_and_names_its_node);
    CU_ADD_TEST(suite, the_worst_state_stands_and_nothing_is_said_twice);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
