// SPDX-License-Identifier: MIT
/*
 * The ground that the other tests on a real broker stand on: a vhost of one's own with the shield
 * policies on it, the users of deploy/rabbitmq, and a broker that comes back after a crash.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

static void a_fresh_vhost_has_both_shields(void)
{
    char *policies = live_ctl("list_policies", "-p", live_vhost(), NULL);
    char *operators = live_ctl("list_operator_policies", "-p", live_vhost(), NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(policies, "{\"delivery-limit\":2147483647}\t1000000"));
    CU_ASSERT_PTR_NOT_NULL(strstr(operators, "{\"delivery-limit\":2147483647}\t1000000"));
    free(policies);
    free(operators);
}

static void the_url_leads_to_the_vhost(void)
{
    const char *slash = strrchr(live_url(), '/');
    const char *tls_slash = strrchr(live_tls_url(), '/');
    CU_ASSERT_STRING_EQUAL(slash + 1, live_vhost());
    CU_ASSERT_STRING_EQUAL(tls_slash + 1, live_vhost());
    CU_ASSERT_PTR_NOT_NULL(strstr(live_management_url(), "http://"));
}

static void sample_users_have_no_password_until_one_is_set(void)
{
    CU_ASSERT_NOT_EQUAL(live_try_ctl("authenticate_user", "warren-worker", "", NULL), 0);
    free(live_ctl("change_password", "warren-worker", "secret", NULL));
    CU_ASSERT_EQUAL(live_try_ctl("authenticate_user", "warren-worker", "secret", NULL), 0);
}

static void a_killed_broker_comes_back_with_its_vhosts(void)
{
    live_kill_broker();
    live_restart_broker();
    char *vhosts = live_ctl("list_vhosts", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(vhosts, live_vhost()));
    free(vhosts);
}

int main(void)
{
    live_own_broker();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("live", NULL, NULL);
    CU_ADD_TEST(suite, a_fresh_vhost_has_both_shields);
    CU_ADD_TEST(suite, the_url_leads_to_the_vhost);
    CU_ADD_TEST(suite, sample_users_have_no_password_until_one_is_set);
    CU_ADD_TEST(suite, a_killed_broker_comes_back_with_its_vhosts);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
