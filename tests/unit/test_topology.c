// SPDX-License-Identifier: MIT
// The topology as data: what stands in the list, and that the ladder's bindings bring every delay
// home after exactly its time (the list is walked as a broker would, without one).
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/delay.h"
#include "model/topology.h"

#define TEXT(literal) ((char *)(literal)) /* settings own their strings; these are only read */

static struct wr_job_settings shared_jobs[] = { { .type = TEXT("email.welcome") },
                                                { .type = TEXT("email.digest") } };
static struct wr_job_settings isolated_jobs[] = {
    { .type = TEXT("email.welcome") }, { .type = TEXT("email.digest"), .isolate = true }
};
static struct wr_job_settings order_jobs[] = { { .type = TEXT("order.paid") } };
static struct wr_queue_settings queues[2];

static struct wr_settings settings_with(struct wr_job_settings *jobs)
{
    queues[0] = (struct wr_queue_settings){ .name = TEXT("emails"), .jobs = jobs, .job_count = 2 };
    queues[1] = (struct wr_queue_settings){ .name = TEXT("orders"),
                                            .type = WR_CLASSIC,
                                            .exchange = TEXT("shop.events"),
                                            .jobs = order_jobs,
                                            .job_count = 1 };
    return (struct wr_settings){ .ns = TEXT("warren"),
                                 .delay_max_ms = INT64_C(36) * 3600 * 1000,
                                 .queues = queues,
                                 .queue_count = 2 };
}

static struct wr_topology *build(struct wr_job_settings *jobs, bool trusts_x_death)
{
    struct wr_settings settings = settings_with(jobs);
    struct wr_topology *topology = NULL;
    warren_error err = { 0 };
    CU_ASSERT_EQUAL_FATAL(wr_topology_build(&topology, &settings, trusts_x_death, &err), WARREN_OK);
    return topology;
}

static long index_of(const struct wr_topology *topology, const char *line)
{
    for (size_t i = 0; i < topology->length; i++) {
        struct wr_text text = { 0 };
        wr_item_write(&topology->items[i], &text);
        bool is_it = strcmp(wr_text_string(&text), line) == 0;
        wr_text_done(&text);
        if (is_it) {
            return (long)i;
        }
    }
    return -1;
}

static bool has(const struct wr_topology *topology, const char *line)
{
    return index_of(topology, line) >= 0;
}

static void the_list_holds_what_the_design_names(void)
{
    static const char *const wanted[] = {
        "exchange warren.jobs (topic)",
        "exchange warren.dead (direct, unroutable to warren.unrouted)",
        "exchange warren.deliver (topic, unroutable to warren.unrouted)",
        "exchange warren.unrouted (fanout)",
        "exchange warren.home (direct, unroutable to warren.unrouted)",
        "exchange warren.arrive (direct, unroutable to warren.deliver)",
        "exchange warren.delay.125 (topic, unroutable to warren.home)",
        "exchange warren.retry.125 (fanout, unroutable to warren.unrouted)",
        "exchange shop.events (topic, named by the config)",
        "queue warren.unrouted (quorum, delivery limit 2147483647)",
        "queue warren.delay.125 (quorum, holds 125ms, then to warren.arrive, at least once)",
        "queue warren.delay.250 (quorum, holds 250ms, then to warren.delay.125, at least once)",
        "queue warren.delay.65536000 (quorum, holds 65536s, then to warren.delay.32768000, at "
        "least once)",
        "queue emails (quorum, dead letters to warren.dead as emails, at least once, delivery "
        "limit 1000)",
        "queue emails.dead (quorum, delivery limit 2147483647)",
        "queue orders (classic, dead letters to warren.dead as orders)",
        "queue orders.dead (quorum, delivery limit 2147483647)",
        "bind queue warren.unrouted to warren.unrouted",
        "bind queue emails.dead to warren.dead with emails",
        "bind queue emails to warren.jobs with email.welcome",
        "bind queue emails to warren.deliver with #.type/email/welcome",
        "bind queue emails to warren.deliver with #.queue/emails",
        "bind queue emails to warren.home with queue/emails",
        "bind queue emails to warren.arrive with queue/emails",
        "bind queue warren.delay.4000 to warren.retry.4000",
        "bind queue orders to shop.events with order.paid",
    };
    struct wr_topology *topology = build(shared_jobs, false);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        CU_ASSERT(has(topology, wanted[i]));
    }
    CU_ASSERT_FALSE(has(topology, "exchange warren.isolated (fanout)"));
    wr_topology_free(topology);
}

static void objects_come_before_what_uses_them(void)
{
    struct wr_topology *topology = build(isolated_jobs, false);
    enum wr_item_kind reached = WR_ITEM_EXCHANGE;
    for (size_t i = 0; i < topology->length; i++) {
        enum wr_item_kind kind = topology->items[i].kind;
        kind = kind == WR_ITEM_UNBIND ? WR_ITEM_BIND : kind;
        CU_ASSERT_FATAL(kind >= reached);
        reached = kind;
    }
    wr_topology_free(topology);
}

static void servers_that_trust_x_death_get_no_at_least_once_work_queue(void)
{
    struct wr_topology *topology = build(shared_jobs, true);
    CU_ASSERT(has(topology, "queue emails (quorum, dead letters to warren.dead as emails, delivery "
                            "limit 1000)"));
    CU_ASSERT(has(topology, "queue warren.delay.125 (quorum, holds 125ms, then to warren.arrive, "
                            "at least once)"));
    wr_topology_free(topology);
}

static void an_isolated_type_moves_to_its_own_queue_in_one_breath(void)
{
    struct wr_topology *topology = build(isolated_jobs, false);
    CU_ASSERT(has(topology, "queue emails.email.digest (quorum, dead letters to warren.dead as "
                            "emails, at least once, delivery limit 1000)"));
    CU_ASSERT(has(topology, "bind queue emails.email.digest to warren.deliver with "
                            "#.queue/emails/email/digest"));
    CU_ASSERT_FALSE(has(topology, "bind queue emails to warren.jobs with email.digest"));
    CU_ASSERT(has(topology, "exchange warren.isolated.emails.email.digest (fanout)"));
    long jobs =
        index_of(topology, "bind queue emails.email.digest to warren.jobs with email.digest");
    CU_ASSERT(jobs > 0);
    CU_ASSERT_EQUAL(index_of(topology, "unbind queue emails from warren.jobs with email.digest"),
                    jobs + 1);
    long home = index_of(topology, "bind queue emails.email.digest to warren.deliver with "
                                   "#.type/email/digest");
    CU_ASSERT(home > 0);
    CU_ASSERT_EQUAL(index_of(topology, "unbind queue emails from warren.deliver with "
                                       "#.type/email/digest"),
                    home + 1);
    wr_topology_free(topology);
}

static void a_shared_type_leaves_the_queue_it_may_have_had(void)
{
    struct wr_topology *topology = build(shared_jobs, false);
    long jobs = index_of(topology, "bind queue emails to warren.jobs with email.digest");
    CU_ASSERT(jobs > 0);
    const struct wr_item *unbind = &topology->items[jobs + 1];
    CU_ASSERT_EQUAL(unbind->kind, WR_ITEM_UNBIND);
    CU_ASSERT_PTR_NOT_NULL_FATAL(unbind->leftover);
    CU_ASSERT_STRING_EQUAL(unbind->leftover, "emails.email.digest");
    CU_ASSERT_EQUAL(topology->leftover_count, 3);
    CU_ASSERT_STRING_EQUAL(topology->leftovers[1].marker, "warren.isolated.emails.email.digest");
    CU_ASSERT_STRING_EQUAL(topology->leftovers[1].arguments.dead_key, "emails");
    wr_topology_free(topology);
}

static void a_configured_queue_is_never_taken_for_a_leftover(void)
{
    struct wr_settings settings = settings_with(shared_jobs);
    struct wr_queue_settings three[3] = {
        queues[0],
        queues[1],
        { .name = TEXT("emails.email.digest"), .jobs = shared_jobs + 1, .job_count = 1 }
    };
    settings.queues = three;
    settings.queue_count = 3;
    struct wr_topology *topology = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_topology_build(&topology, &settings, false, NULL), WARREN_OK);
    for (size_t i = 0; i < topology->leftover_count; i++) {
        CU_ASSERT_STRING_NOT_EQUAL(topology->leftovers[i].queue, "emails.email.digest");
    }
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        CU_ASSERT_FATAL(item->kind != WR_ITEM_UNBIND ||
                        strcmp(item->destination, "emails.email.digest") != 0);
    }
    wr_topology_free(topology);
}

/* --- walking the ladder --- */

static bool word_matches(const char **pattern, const char **key)
{
    size_t p = strcspn(*pattern, ".");
    size_t k = strcspn(*key, ".");
    bool same = (p == 1 && **pattern == '*') || (p == k && strncmp(*pattern, *key, p) == 0);
    *pattern += p + ((*pattern)[p] == '.');
    *key += k + ((*key)[k] == '.');
    return same;
}

/* '#' stands at the begin or at the end of our patterns. */
static bool matches(const char *pattern, const char *key)
{
    if (strncmp(pattern, "#.", 2) == 0) {
        const char *dot = strrchr(key, '.');
        return strcmp(pattern + 2, dot ? dot + 1 : key) == 0;
    }
    while (*pattern) {
        if (strcmp(pattern, "#") == 0) {
            return true;
        }
        if (!*key || !word_matches(&pattern, &key)) {
            return false;
        }
    }
    return !*key;
}

static const struct wr_item *find(const struct wr_topology *topology, enum wr_item_kind kind,
                                  const char *name)
{
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        if (item->kind == kind && strcmp(item->name, name) == 0) {
            return item;
        }
    }
    return NULL;
}

/* The only binding of `exchange` that matches; fails when there are none or several. */
static const struct wr_item *route(const struct wr_topology *topology, const char *exchange,
                                   const char *key)
{
    const struct wr_item *found = NULL;
    bool takes_all = strcmp(find(topology, WR_ITEM_EXCHANGE, exchange)->type, "fanout") == 0;
    for (size_t i = 0; i < topology->length; i++) {
        const struct wr_item *item = &topology->items[i];
        if (item->kind == WR_ITEM_BIND && strcmp(item->name, exchange) == 0 &&
            (takes_all || matches(item->key, key))) {
            CU_ASSERT_PTR_NULL(found);
            found = item;
        }
    }
    return found;
}

/* How long a message is under way until it reaches `home`; -1: it ends in the catch-all. */
static int64_t walk_from(const struct wr_topology *topology, char *exchange, const char *key,
                         const char *home)
{
    int64_t waited = 0;
    for (int hops = 0; hops < 60; hops++) {
        const struct wr_item *binding = route(topology, exchange, key);
        if (!binding) {
            const char *next = find(topology, WR_ITEM_EXCHANGE, exchange)->alternate;
            (void)snprintf(exchange, WR_NAME_SIZE, "%s", next);
            continue;
        }
        if (!binding->to_queue) {
            (void)snprintf(exchange, WR_NAME_SIZE, "%s", binding->destination);
            continue;
        }
        const struct wr_item *queue = find(topology, WR_ITEM_QUEUE, binding->destination);
        if (!queue->arguments.ttl_ms) {
            return strcmp(queue->name, home) == 0 ? waited : -1;
        }
        waited += queue->arguments.ttl_ms;
        (void)snprintf(exchange, WR_NAME_SIZE, "%s", queue->arguments.dead_exchange);
    }
    return -1;
}

static int64_t walk(const struct wr_topology *topology, uint32_t units, const char *home)
{
    char key[WR_DELAY_KEY_SIZE];
    char exchange[WR_NAME_SIZE];
    CU_ASSERT(wr_delay_to_queue(exchange, key, "warren", units, home));
    return walk_from(topology, exchange, key, home);
}

/* The same for what was published with a delay. */
static int64_t walk_of_type(const struct wr_topology *topology, uint32_t units, const char *type,
                            const char *home)
{
    char key[WR_DELAY_KEY_SIZE];
    char exchange[WR_NAME_SIZE];
    CU_ASSERT(wr_delay_to_type(exchange, key, "warren", units, type));
    return walk_from(topology, exchange, key, home);
}

static void every_delay_comes_home_after_exactly_its_time(void)
{
    struct wr_topology *topology = build(shared_jobs, false);
    for (uint32_t units = 1; units < 600; units++) {
        CU_ASSERT_EQUAL_FATAL(walk(topology, units, "emails"), (int64_t)units * WR_DELAY_UNIT_MS);
        CU_ASSERT_EQUAL_FATAL(walk_of_type(topology, units, "email.welcome", "emails"),
                              (int64_t)units * WR_DELAY_UNIT_MS);
    }
    uint32_t state = 12345;
    for (int round = 0; round < 300; round++) {
        state = state * 1664525u + 1013904223u;
        uint32_t units = (state >> 8) % ((1u << 20) - 1) + 1;
        CU_ASSERT_EQUAL_FATAL(walk(topology, units, "orders"), (int64_t)units * WR_DELAY_UNIT_MS);
    }
    CU_ASSERT_EQUAL(walk(topology, 8, "nobody"), -1);
    CU_ASSERT_EQUAL(walk(topology, 9, "nobody"), -1);
    CU_ASSERT_EQUAL(walk_of_type(topology, 8, "nobodys", "emails"), -1);
    wr_topology_free(topology);
}

static void a_level_has_sixteen_bindings(void)
{
    struct wr_settings settings = settings_with(shared_jobs);
    settings.delay_max_ms = INT64_MAX;
    struct wr_topology *topology = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_topology_build(&topology, &settings, false, NULL), WARREN_OK);
    size_t bindings = 0;
    size_t levels = 0;
    for (size_t i = 0; i < topology->length; i++) {
        bool is_level = strncmp(topology->items[i].name, "warren.delay.", 13) == 0;
        bindings += is_level && topology->items[i].kind == WR_ITEM_BIND;
        levels += is_level && topology->items[i].kind == WR_ITEM_QUEUE;
    }
    CU_ASSERT_EQUAL(levels, 28);
    CU_ASSERT_EQUAL(bindings, 448);
    CU_ASSERT_EQUAL(walk(topology, 0xfffffff, "emails"), INT64_C(0xfffffff) * 125);
    wr_topology_free(topology);
}

/* --- refusals --- */

static void refuse(struct wr_settings *settings, const char *says)
{
    struct wr_topology *topology = NULL;
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(wr_topology_build(&topology, settings, false, &err), WARREN_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, says));
    CU_ASSERT_PTR_NULL(topology);
}

static void names_that_mean_two_things_are_refused(void)
{
    struct wr_job_settings clash[] = { { .type = TEXT("dead"), .isolate = true },
                                       { .type = TEXT("x") } };
    struct wr_settings settings = settings_with(clash);
    refuse(&settings, "emails.dead");
    settings = settings_with(shared_jobs);
    queues[1].name = TEXT("emails");
    refuse(&settings, "two queues would be named \"emails\"");
    settings = settings_with(shared_jobs);
    queues[1].name = TEXT("warren.unrouted");
    refuse(&settings, "warren.unrouted");
    settings = settings_with(shared_jobs);
    queues[1].exchange = TEXT("warren.deliver");
    refuse(&settings, "namespace");
}

static void names_that_fit_no_key_are_refused(void)
{
    char name[300] = "";
    memset(name, 'n', 236);
    struct wr_settings settings = settings_with(shared_jobs);
    queues[0].name = name;
    refuse(&settings, "at most 235");
    struct wr_job_settings jobs[] = { { .type = name }, { .type = TEXT("x") } };
    settings = settings_with(jobs);
    name[0] = 'm';
    struct wr_topology *topology = NULL;
    CU_ASSERT_EQUAL(wr_topology_build(&topology, &settings, false, NULL), WARREN_OK);
    wr_topology_free(topology);
    name[236] = 'n';
    refuse(&settings, "at most 236");
    name[220] = '\0';
    jobs[0].isolate = true;
    settings = settings_with(jobs);
    settings.ns = TEXT("a.namespace.longer.than.most");
    refuse(&settings, "AMQP allows 255");
}

/* --- pruning --- */

static void surplus_is_only_what_lies_between_our_own(void)
{
    struct wr_topology *topology = build(shared_jobs, false);
    const struct wr_binding items[] = {
        { "warren.jobs", "emails", true, "email.welcome", false },
        { "warren.jobs", "emails", true, "email.retired", false },
        { "warren.jobs", "other-service", true, "email.retired", false },
        { "their.exchange", "emails", true, "email.retired", false },
        { "warren.deliver", "emails", true, "#.type/email/retired", false },
        { "", "emails", true, "emails", false },
        { "warren.delay.250", "warren.delay.125", true, "1.#", false },
        { "warren.delay.250", "warren.delay.125", false, "1.#", false },
        { "warren.jobs", "emails", true, "email.digest", true },
    };
    const struct wr_bindings bindings = { items, 9 };
    struct wr_topology *surplus = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_topology_build_surplus(&surplus, topology, &bindings, NULL),
                          WARREN_OK);
    CU_ASSERT_EQUAL(surplus->length, 4);
    CU_ASSERT(has(surplus, "unbind queue emails from warren.jobs with email.retired"));
    long odd = index_of(surplus, "unbind queue emails from warren.jobs with email.digest");
    CU_ASSERT_FATAL(odd >= 0);
    CU_ASSERT(surplus->items[odd].has_arguments); /* another one than the wanted */
    CU_ASSERT_FALSE(surplus->items[odd ? 0 : 1].has_arguments);
    CU_ASSERT(has(surplus, "unbind queue emails from warren.deliver with "
                           "#.type/email/retired"));
    CU_ASSERT(has(surplus, "unbind exchange warren.delay.125 from warren.delay.250 with 1.#"));
    bool *bound = calloc(topology->length, sizeof *bound);
    CU_ASSERT_EQUAL(wr_topology_find_bound(topology, &bindings, bound, NULL), WARREN_OK);
    CU_ASSERT(bound[index_of(topology, "bind queue emails to warren.jobs with email.welcome")]);
    CU_ASSERT_FALSE(
        bound[index_of(topology, "bind queue emails to warren.jobs with email.digest")]);
    free(bound);
    wr_topology_free(surplus);
    wr_topology_free(topology);
}

static void without_a_list_the_guess_is_types_on_other_queues(void)
{
    struct wr_settings settings = settings_with(shared_jobs);
    struct wr_topology *guess = NULL;
    CU_ASSERT_EQUAL_FATAL(wr_topology_build_prune(&guess, &settings, NULL), WARREN_OK);
    CU_ASSERT(has(guess, "unbind queue emails from warren.jobs with order.paid"));
    CU_ASSERT(has(guess, "unbind queue orders from shop.events with email.welcome"));
    CU_ASSERT(has(guess, "unbind queue orders from warren.deliver with "
                         "#.type/email/welcome"));
    CU_ASSERT_FALSE(has(guess, "unbind queue emails from warren.jobs with email.welcome"));
    CU_ASSERT_EQUAL(guess->length, 6);
    wr_topology_free(guess);
}

static void items_are_written_as_json(void)
{
    struct wr_topology *topology = build(shared_jobs, false);
    struct wr_text text = { 0 };
    long i = index_of(topology, "queue emails (quorum, dead letters to warren.dead as emails, at "
                                "least once, delivery limit 1000)");
    wr_item_write_json(&topology->items[i], &text);
    CU_ASSERT_STRING_EQUAL(
        wr_text_string(&text),
        "{\"kind\": \"queue\", \"name\": \"emails\", \"durable\": true, \"arguments\": "
        "{\"x-queue-type\": \"quorum\", \"x-dead-letter-exchange\": \"warren.dead\", "
        "\"x-dead-letter-routing-key\": \"emails\", \"x-dead-letter-strategy\": "
        "\"at-least-once\", \"x-overflow\": \"reject-publish\", \"x-delivery-limit\": 1000}}");
    wr_text_done(&text);
    wr_topology_free(topology);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("topology", NULL, NULL);
    CU_ADD_TEST(suite, the_list_holds_what_the_design_names);
    CU_ADD_TEST(suite, objects_come_before_what_uses_them);
    CU_ADD_TEST(suite, servers_that_trust_x_death_get_no_at_least_once_work_queue);
    CU_ADD_TEST(suite, an_isolated_type_moves_to_its_own_queue_in_one_breath);
    CU_ADD_TEST(suite, a_shared_type_leaves_the_queue_it_may_have_had);
    CU_ADD_TEST(suite, a_configured_queue_is_never_taken_for_a_leftover);
    CU_ADD_TEST(suite, every_delay_comes_home_after_exactly_its_time);
    CU_ADD_TEST(suite, a_level_has_sixteen_bindings);
    CU_ADD_TEST(suite, names_that_mean_two_things_are_refused);
    CU_ADD_TEST(suite, names_that_fit_no_key_are_refused);
    CU_ADD_TEST(suite, surplus_is_only_what_lies_between_our_own);
    CU_ADD_TEST(suite, without_a_list_the_guess_is_types_on_other_queues);
    CU_ADD_TEST(suite, items_are_written_as_json);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
