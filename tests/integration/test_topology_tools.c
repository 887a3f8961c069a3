// SPDX-License-Identifier: MIT
// The topology as tools see it, through the public interface, from configuration files to a real
// RabbitMQ and back.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "warren/topology.h"

#include "live.h"

static char folder[] = "/tmp/warren-topology.XXXXXX";
static char config[128];
static char queue_file[128];

static void write_file(const char *path, const char *head, const char *tail)
{
    FILE *file = fopen(path, "w");
    if (!file || fprintf(file, "%s%s", head, tail) < 0 || fclose(file)) {
        perror(path);
        exit(1);
    }
}

static void write_queue(const char *jobs)
{
    write_file(queue_file, "queue: { name = \"tools\"; jobs: ", jobs);
}

static void write_config(const char *url)
{
    char text[512];
    snprintf(text, sizeof text, "\"%s\"; management_url = \"http://127.0.0.1:15672\"; };\n", url);
    write_file(config, "namespace = \"tools\"; delay: { max = \"60s\"; };\nbroker: { url = ", text);
}

struct counts {
    int states[6];
    char names[4096]; /* of all that is there but not as wanted */
};

static bool count_row(const warren_topology_row *row, void *user)
{
    struct counts *counts = user;
    counts->states[row->state]++;
    if (row->state == WARREN_TOPOLOGY_SURPLUS || row->state == WARREN_TOPOLOGY_DIFFERS) {
        size_t used = strlen(counts->names);
        snprintf(counts->names + used, sizeof counts->names - used, "%s %s %s: %s\n", row->kind,
                 row->name, warren_topology_state_name(row->state), row->text);
    }
    return true;
}

static warren_topology *open_tool(void)
{
    warren_topology *topology = NULL;
    warren_error err = { 0 };
    if (warren_topology_open(&topology, config, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return topology;
}

static struct counts plan_with(warren_topology *topology, const warren_bindings *bindings)
{
    struct counts counts = { 0 };
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(warren_topology_plan(topology, bindings, count_row, &counts, &err), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    return counts;
}

static void a_plan_before_and_after_an_apply(void)
{
    write_queue("( { type = \"a\"; }, { type = \"b\"; } ); };\n");
    warren_topology *topology = open_tool();
    struct counts counts = plan_with(topology, NULL);
    CU_ASSERT_EQUAL(counts.states[WARREN_TOPOLOGY_EXISTS], 0);
    CU_ASSERT(counts.states[WARREN_TOPOLOGY_MISSING] > 100);
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(warren_topology_notes(topology), "");
    counts = plan_with(topology, NULL);
    CU_ASSERT_EQUAL(counts.states[WARREN_TOPOLOGY_MISSING], 0);
    CU_ASSERT_EQUAL(counts.states[WARREN_TOPOLOGY_DIFFERS], 0);
    CU_ASSERT(counts.states[WARREN_TOPOLOGY_EXISTS] > 10);
    CU_ASSERT(counts.states[WARREN_TOPOLOGY_UNKNOWN] > 100);
    warren_topology_close(topology);
}

static void what_a_type_left_behind_is_named_and_pruned(void)
{
    write_queue("( { type = \"a\"; } ); };\n");
    warren_topology *topology = open_tool();
    warren_binding items[] = { { "tools.jobs", "tools", true, "a", false },
                               { "tools.jobs", "tools", true, "b", false },
                               { "", "tools", true, "tools", false } };
    warren_bindings bindings = { items, 3 };
    struct counts counts = plan_with(topology, &bindings);
    CU_ASSERT_EQUAL(counts.states[WARREN_TOPOLOGY_SURPLUS], 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(counts.names, "binding tools.jobs -> tools (b) surplus: apply"));
    warren_topology_options options = { .prune = true, .bindings = &bindings };
    CU_ASSERT_EQUAL(warren_topology_apply(topology, &options, NULL), WARREN_OK);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(warren_topology_notes(topology), "unbind queue tools from tools.jobs with b"));
    char *left = live_ctl("list_bindings", "-p", live_vhost(), "source_name", "routing_key", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(left, "tools.jobs\ta"));
    CU_ASSERT_PTR_NULL(strstr(left, "tools.jobs\tb"));
    free(left);
    warren_topology_close(topology);
}

static void a_difference_is_refused_with_exit_code_7(void)
{
    write_file(queue_file, "queue: { name = \"tools\"; type = \"classic\"; jobs: ",
               "( { type = \"a\"; } ); };\n");
    warren_topology *topology = open_tool();
    warren_error err = { 0 };
    warren_status rc = warren_topology_apply(topology, NULL, &err);
    CU_ASSERT_EQUAL(rc, WARREN_MISMATCH);
    CU_ASSERT_EQUAL(warren_exit_code(rc), 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        err.text, "queue tools: x-queue-type is quorum at the broker, the config wants classic"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Ways on:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(warren_topology_notes(topology), "x-queue-type"));
    struct counts counts = plan_with(topology, NULL);
    CU_ASSERT_EQUAL(counts.states[WARREN_TOPOLOGY_DIFFERS], 1);
    warren_topology_close(topology);
}

static void the_export_needs_no_broker_and_is_json(void)
{
    write_queue("( { type = \"a\"; }, { type = \"b\"; isolate = true; } ); };\n");
    write_config("amqp://127.0.0.1:1");
    warren_topology *topology = open_tool();
    char *text = NULL;
    CU_ASSERT_EQUAL(warren_topology_export(topology, WARREN_TOPOLOGY_JSON, &text, NULL), 0);
    struct json_object *json = json_tokener_parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    struct json_object *items = json_object_object_get(json, "items");
    CU_ASSERT(json_object_array_length(items) > 100);
    json_object_put(json);
    free(text);
    CU_ASSERT_EQUAL(warren_topology_export(topology, WARREN_TOPOLOGY_TEXT, &text, NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nbind queue tools.b to tools.jobs with b\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "queue tools.a "));
    free(text);
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, &err), WARREN_UNREACHABLE);
    CU_ASSERT_EQUAL(warren_exit_code(err.status), 6);
    warren_topology_close(topology);
}

static void a_namespace_is_removed_only_when_all_of_it_is_named_after_it(void)
{
    write_config(live_url());
    write_queue("( { type = \"a\"; } ); };\n");
    warren_topology *topology = open_tool();
    warren_error err = { 0 };
    CU_ASSERT_EQUAL(warren_topology_remove(topology, "warren", &err), WARREN_STATE);
    CU_ASSERT_EQUAL(warren_topology_remove(topology, "tools", &err), WARREN_STATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tools is outside of it"));
    warren_topology_close(topology);
    write_file(queue_file,
               "queue: { name = \"tools.scratch\"; jobs: ", "( { type = \"a\"; } ); };\n");
    topology = open_tool();
    CU_ASSERT_EQUAL(warren_topology_apply(topology, NULL, &err), WARREN_OK);
    CU_ASSERT_EQUAL(warren_topology_remove(topology, "tools", &err), WARREN_OK);
    struct counts counts = plan_with(topology, NULL);
    CU_ASSERT_EQUAL(counts.states[WARREN_TOPOLOGY_EXISTS], 0);
    warren_topology_close(topology);
    char *left = live_ctl("list_queues", "-p", live_vhost(), "name", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(left, "tools.dead"));
    CU_ASSERT_PTR_NULL(strstr(left, "tools.scratch"));
    CU_ASSERT_PTR_NULL(strstr(left, "tools.delay"));
    free(left);
}

static void whoever_asks_the_management_api_learns_where_it_is(void)
{
    write_config("amqp://me:s%2Fcret@127.0.0.1:1/my%2Fvhost");
    warren_topology *topology = open_tool();
    warren_management management;
    CU_ASSERT_EQUAL(warren_topology_management(topology, &management, NULL), WARREN_OK);
    CU_ASSERT_STRING_EQUAL(management.url, "http://127.0.0.1:15672");
    CU_ASSERT_STRING_EQUAL(management.vhost, "my/vhost");
    CU_ASSERT_STRING_EQUAL(management.user, "me");
    CU_ASSERT_STRING_EQUAL(management.password, "s/cret");
    warren_topology_close(topology);
}

int main(void)
{
    if (!mkdtemp(folder)) {
        return 1;
    }
    char queues[96];
    snprintf(config, sizeof config, "%s/warren.cfg", folder);
    snprintf(queues, sizeof queues, "%s/queues", folder);
    if (mkdir(queues, 0700)) {
        return 1;
    }
    snprintf(queue_file, sizeof queue_file, "%s/queues/tools.cfg", folder);
    write_config(live_url());
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("topology for tools", NULL, NULL);
    CU_ADD_TEST(suite, a_plan_before_and_after_an_apply);
    CU_ADD_TEST(suite, what_a_type_left_behind_is_named_and_pruned);
    CU_ADD_TEST(suite, a_difference_is_refused_with_exit_code_7);
    CU_ADD_TEST(suite, the_export_needs_no_broker_and_is_json);
    CU_ADD_TEST(suite, a_namespace_is_removed_only_when_all_of_it_is_named_after_it);
    CU_ADD_TEST(suite, whoever_asks_the_management_api_learns_where_it_is);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    bool is_gone = !unlink(queue_file) && !unlink(config) && !rmdir(queues) && !rmdir(folder);
    return failures || !is_gone ? 1 : 0;
}
