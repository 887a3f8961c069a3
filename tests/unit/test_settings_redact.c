// SPDX-License-Identifier: MIT
// URLs as people see them: whatever could be a password is gone, also from URLs that are garbage.
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "model/redact.h"

static char shown[512];

static const char *redact(const char *url)
{
    struct wr_text text = { 0 };
    wr_settings_redact_url(url, &text);
    strncpy(shown, wr_text_string(&text), sizeof shown - 1);
    wr_text_done(&text);
    return shown;
}

static void a_password_is_hidden_and_the_rest_is_shown(void)
{
    CU_ASSERT_STRING_EQUAL(redact("amqp://app:pw@host:5672/vh"), "amqp://app:***@host:5672/vh");
    CU_ASSERT_STRING_EQUAL(redact("amqps://app:pw@one:1,two:2/%2f?a=b"),
                           "amqps://app:***@one:1,two:2/%2f?a=b");
    CU_ASSERT_STRING_EQUAL(redact("http://:pw@host"), "http://:***@host");
}

static void a_url_without_a_password_stays_as_it_is(void)
{
    static const char *const urls[] = {
        "amqp://localhost",
        "amqp://one:1,[::1]:2,three/vh",
        "amqp://[::1]",
        "amqp://app@host:1/vh",
        "memory:",
        "memory:orders",
        "",
        "amqp://",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        CU_ASSERT_STRING_EQUAL(redact(urls[i]), urls[i]);
    }
    CU_ASSERT_STRING_EQUAL(redact(NULL), "");
}

static void a_password_with_characters_of_a_url_is_hidden_whole(void)
{
    CU_ASSERT_STRING_EQUAL(redact("amqp://app:p@w@host"), "amqp://app:***@host");
    CU_ASSERT_STRING_EQUAL(redact("amqp://app:p/w?x#y,z@host/vh"), "amqp://app:***@host/vh");
    CU_ASSERT_STRING_EQUAL(redact("amqp://app:p://w@host"), "amqp://app:***@host");
    CU_ASSERT_STRING_EQUAL(redact("amqp://me@mail.org:pw@host"), "amqp://me:***@host");
}

static void several_hosts_with_credentials_each_hide_them_all(void)
{
    CU_ASSERT_STRING_EQUAL(redact("amqp://a:pw@one,b:pw2@two/vh"), "amqp://a:***@two/vh");
}

static void a_query_hides_what_sounds_secret(void)
{
    CU_ASSERT_STRING_EQUAL(redact("amqp://h/v?heartbeat=5&password=pw&Auth_Token=t&x=1"),
                           "amqp://h/v?heartbeat=5&password=***&Auth_Token=***&x=1");
}

static void nothing_leaks_from_garbage(void)
{
    static const char *const urls[] = {
        "amqp://app:hidden",          "app:hidden@host",
        "app:x://hidden@host",        "amqp:app:hidden@host",
        "//app:hidden@host",          "@:hidden@",
        "amqp://host:1,app:hidden/v", "amqp://app:hidden/vh",
        "://app:hidden@h://x",        ":hidden@",
        "amqp://h?secret=hidden",     "amqp://[:hidden@h",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        CU_ASSERT_PTR_NULL(strstr(redact(urls[i]), "hidden"));
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings_redact", NULL, NULL);
    CU_ADD_TEST(suite, a_password_is_hidden_and_the_rest_is_shown);
    CU_ADD_TEST(suite, a_url_without_a_password_stays_as_it_is);
    CU_ADD_TEST(suite, a_password_with_characters_of_a_url_is_hidden_whole);
    CU_ADD_TEST(suite, several_hosts_with_credentials_each_hide_them_all);
    CU_ADD_TEST(suite, a_query_hides_what_sounds_secret);
    CU_ADD_TEST(suite, nothing_leaks_from_garbage);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
