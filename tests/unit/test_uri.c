// SPDX-License-Identifier: MIT
// AMQP URLs: what they mean, what is refused, and that no part of a password gets into an error.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "model/uri.h"

static struct wr_uri uri;
static warren_error error;

static bool reads(const char *url)
{
    wr_uri_done(&uri);
    error = (warren_error){ 0 };
    return wr_uri_read(&uri, url, &error) == WARREN_OK;
}

static void a_full_url_has_all_its_parts(void)
{
    CU_ASSERT_FATAL(reads("amqp://joe:p%40ss%2Fw%25@rabbit.example:5673/jobs%2Fmain"));
    CU_ASSERT_FALSE(uri.is_tls);
    CU_ASSERT_STRING_EQUAL(uri.user, "joe");
    CU_ASSERT_STRING_EQUAL(uri.password, "p@ss/w%");
    CU_ASSERT_EQUAL(uri.host_count, 1);
    CU_ASSERT_STRING_EQUAL(uri.hosts[0].name, "rabbit.example");
    CU_ASSERT_EQUAL(uri.hosts[0].port, 5673);
    CU_ASSERT_STRING_EQUAL(uri.vhost, "jobs/main");
}

static void what_is_left_out_has_its_default(void)
{
    CU_ASSERT_FATAL(reads("amqp://"));
    CU_ASSERT_STRING_EQUAL(uri.hosts[0].name, "localhost");
    CU_ASSERT_EQUAL(uri.hosts[0].port, 5672);
    CU_ASSERT_PTR_NULL(uri.user);
    CU_ASSERT_PTR_NULL(uri.password);
    CU_ASSERT_STRING_EQUAL(uri.vhost, "/");
    CU_ASSERT_EQUAL(uri.heartbeat_ms, -1);
    CU_ASSERT_EQUAL(uri.verify, -1);
    CU_ASSERT_FATAL(reads("AMQPS://h"));
    CU_ASSERT(uri.is_tls);
    CU_ASSERT_EQUAL(uri.hosts[0].port, 5671);
}

static void no_path_is_the_vhost_slash_and_a_bare_slash_is_not(void)
{
    CU_ASSERT_FATAL(reads("amqp://h"));
    CU_ASSERT_STRING_EQUAL(uri.vhost, "/");
    CU_ASSERT_FATAL(reads("amqp://h/%2f"));
    CU_ASSERT_STRING_EQUAL(uri.vhost, "/");
    CU_ASSERT_FATAL(reads("amqp://h/"));
    CU_ASSERT_STRING_EQUAL(uri.vhost, "");
    CU_ASSERT_FALSE(reads("amqp://h//"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "%2F"));
}

static void several_hosts_and_ipv6_addresses(void)
{
    CU_ASSERT_FATAL(reads("amqp://u:p@a:1,[::1]:2,b-c.d,[fe80::1%25eth0]/v"));
    CU_ASSERT_EQUAL_FATAL(uri.host_count, 4);
    CU_ASSERT_STRING_EQUAL(uri.hosts[0].name, "a");
    CU_ASSERT_EQUAL(uri.hosts[0].port, 1);
    CU_ASSERT_STRING_EQUAL(uri.hosts[1].name, "::1");
    CU_ASSERT_EQUAL(uri.hosts[1].port, 2);
    CU_ASSERT_STRING_EQUAL(uri.hosts[2].name, "b-c.d");
    CU_ASSERT_EQUAL(uri.hosts[2].port, 5672);
    CU_ASSERT_STRING_EQUAL(uri.hosts[3].name, "fe80::1%eth0");
}

static void the_query_sets_rabbitmqs_parameters(void)
{
    CU_ASSERT_FATAL(reads("amqps://h/v?heartbeat=7&connection_timeout=1500&cacertfile=/etc/ca%20x"
                          "&certfile=c&keyfile=k&verify=verify_none&server_name_indication=n"));
    CU_ASSERT_EQUAL(uri.heartbeat_ms, 7000);
    CU_ASSERT_EQUAL(uri.connect_timeout_ms, 1500);
    CU_ASSERT_STRING_EQUAL(uri.ca_file, "/etc/ca x");
    CU_ASSERT_STRING_EQUAL(uri.cert_file, "c");
    CU_ASSERT_STRING_EQUAL(uri.key_file, "k");
    CU_ASSERT_STRING_EQUAL(uri.server_name, "n");
    CU_ASSERT_EQUAL(uri.verify, 0);
    CU_ASSERT_FATAL(reads("amqp://h?heartbeat=0"));
    CU_ASSERT_STRING_EQUAL(uri.vhost, "/");
    CU_ASSERT_EQUAL(uri.heartbeat_ms, 0);
}

static void malformed_urls_are_refused_with_a_reason(void)
{
    static const char *const urls[] = {
        "http://h",          "h:5672",          "amqp://h:0",
        "amqp://h:65536",    "amqp://h:x",      "amqp://h:",
        "amqp://a,,b",       "amqp://u:p@h,",   "amqp://a b",
        "amqp://[::1",       "amqp://[::1]x",   "amqp://[1.2]",
        "amqp://h/%zz",      "amqp://h/%00",    "amqp://u%0:p@h",
        "amqp://h/a/b",      "amqp://h?x=1",    "amqp://h?heartbeat",
        "amqp://h?verify=1", "amqp://h#f",      "amqp://h?heartbeat=-1",
        "amqp://h?keyfile=", "amqp://::1:5672", "amqp://h?heartbeat=99999",
        "amqp://h?a",        "amqp://h?=",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        CU_ASSERT_FALSE(reads(urls[i]));
        CU_ASSERT_EQUAL(error.status, WARREN_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "broker URL"));
    }
}

static void limits_hold(void)
{
    char url[WR_URI_MOST + 64] = "amqp://h/";
    memset(url + 9, 'v', 256);
    url[9 + 256] = '\0';
    CU_ASSERT_FALSE(reads(url));
    url[9 + 255] = '\0';
    CU_ASSERT(reads(url));
    memset(url + 9, 'v', WR_URI_MOST);
    url[9 + WR_URI_MOST] = '\0';
    CU_ASSERT_FALSE(reads(url));
    struct wr_text many = { 0 };
    wr_text_add_string(&many, "amqp://h0");
    for (int i = 1; i < WR_HOSTS_MOST; i++) {
        wr_text_add_format(&many, ",h%d", i);
    }
    CU_ASSERT(reads(wr_text_string(&many)));
    wr_text_add_string(&many, ",one-more");
    CU_ASSERT_FALSE(reads(wr_text_string(&many)));
    wr_text_done(&many);
}

static void a_badly_escaped_password_is_refused_and_never_shown(void)
{
    static const char *const urls[] = {
        "amqp://u:hunter/2@h",           "amqp://u:hunter@2@h",   "amqp://u:hunter?2@h",
        "amqp://u:hunter#2@h",           "amqp://u:hunter%2@h",   "amqp://u:/hunter@h/v",
        "amqp://hunter:5672/x@h",        "amqp://u:hunter,2@h:x", "amqp://u:p@h/hunter@2",
        "amqp://u:hunter?heartbeat=1@h",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        CU_ASSERT_FALSE(reads(urls[i]));
        CU_ASSERT_PTR_NULL(strstr(error.text, "hunter"));
    }
}

static void loopback_is_this_machine_only(void)
{
    CU_ASSERT(wr_uri_is_loopback("localhost"));
    CU_ASSERT(wr_uri_is_loopback("127.0.0.1"));
    CU_ASSERT(wr_uri_is_loopback("127.9.9.9"));
    CU_ASSERT(wr_uri_is_loopback("::1"));
    CU_ASSERT(wr_uri_is_loopback("::ffff:127.0.0.1"));
    CU_ASSERT_FALSE(wr_uri_is_loopback("128.0.0.1"));
    CU_ASSERT_FALSE(wr_uri_is_loopback("10.127.0.1"));
    CU_ASSERT_FALSE(wr_uri_is_loopback("::2"));
    CU_ASSERT_FALSE(wr_uri_is_loopback("localhost.example"));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("uri", NULL, NULL);
    CU_ADD_TEST(suite, a_full_url_has_all_its_parts);
    CU_ADD_TEST(suite, what_is_left_out_has_its_default);
    CU_ADD_TEST(suite, no_path_is_the_vhost_slash_and_a_bare_slash_is_not);
    CU_ADD_TEST(suite, several_hosts_and_ipv6_addresses);
    CU_ADD_TEST(suite, the_query_sets_rabbitmqs_parameters);
    CU_ADD_TEST(suite, malformed_urls_are_refused_with_a_reason);
    CU_ADD_TEST(suite, limits_hold);
    CU_ADD_TEST(suite, a_badly_escaped_password_is_refused_and_never_shown);
    CU_ADD_TEST(suite, loopback_is_this_machine_only);
    CU_basic_run_tests();
    wr_uri_done(&uri);
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
