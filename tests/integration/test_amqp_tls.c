// SPDX-License-Identifier: MIT
// TLS: the certificate's chain and name are checked, and what is wrong with them is said.
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amqp_talk.h"
#include "live.h"

static warren_error error;

static warren_status try_with(struct wr_tls_settings tls)
{
    struct wr_broker_settings settings = talk_settings(live_tls_url());
    settings.tls = tls;
    struct wr_broker *broker = talk_open(&settings, 0, &error);
    wr_broker_close(broker);
    return broker ? WARREN_OK : error.status;
}

static char *ca(void)
{
    return (char *)(uintptr_t)live_tls_ca();
}

static bool says(const char *words)
{
    bool is_said = strstr(error.text, words) != NULL;
    if (!is_said) {
        fprintf(stderr, "not '%s' in: %s\n", words, error.text);
    }
    return is_said;
}

static void a_trusted_certificate_with_the_right_address_is_taken(void)
{
    CU_ASSERT_EQUAL(try_with((struct wr_tls_settings){ .verify = true, .ca_file = ca() }),
                    WARREN_OK);
}

static void an_unknown_ca_is_refused(void)
{
    CU_ASSERT_EQUAL(try_with((struct wr_tls_settings){ .verify = true }), WARREN_REFUSED);
    CU_ASSERT(says("not signed by a CA that is trusted"));
    CU_ASSERT(says("broker.tls.ca_file"));
}

static void another_name_is_refused(void)
{
    struct wr_tls_settings tls = { .verify = true, .ca_file = ca() };
    tls.server_name = (char *)(uintptr_t) "rabbit.example";
    CU_ASSERT_EQUAL(try_with(tls), WARREN_REFUSED);
    CU_ASSERT(says("is not for 'rabbit.example'"));
    tls.server_name = (char *)(uintptr_t) "127.0.0.2";
    CU_ASSERT_EQUAL(try_with(tls), WARREN_REFUSED);
    tls.server_name = (char *)(uintptr_t) "localhost";
    CU_ASSERT_EQUAL(try_with(tls), WARREN_OK);
}

static void without_verify_any_certificate_is_taken(void)
{
    CU_ASSERT_EQUAL(try_with((struct wr_tls_settings){ .verify = false }), WARREN_OK);
}

static void files_that_cannot_be_used_are_config_errors(void)
{
    struct wr_tls_settings tls = { .verify = true };
    tls.ca_file = (char *)(uintptr_t) "/no/such/ca.pem";
    CU_ASSERT_EQUAL(try_with(tls), WARREN_CONFIG);
    CU_ASSERT(says("/no/such/ca.pem"));
    tls = (struct wr_tls_settings){ .verify = true, .ca_file = ca(), .cert_file = ca() };
    CU_ASSERT_EQUAL(try_with(tls), WARREN_CONFIG);
    CU_ASSERT(says("key file"));
}

static void a_key_that_others_may_read_is_refused(void)
{
    char path[] = "/tmp/warren-test-key.XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fchmod(fd, 0644), 0);
    (void)close(fd);
    struct wr_tls_settings tls = {
        .verify = true, .ca_file = ca(), .cert_file = ca(), .key_file = path
    };
    CU_ASSERT_EQUAL(try_with(tls), WARREN_CONFIG);
    CU_ASSERT(says("chmod 600"));
    (void)unlink(path);
}

/* The authority of one URL with the scheme of the other. */
static warren_status try_mixed(const char *scheme, const char *url)
{
    char mixed[512];
    (void)snprintf(mixed, sizeof mixed, "%s%s", scheme, strstr(url, "://"));
    struct wr_broker_settings settings = talk_settings(mixed);
    settings.connect_timeout_ms = 2000;
    struct wr_broker *broker = talk_open(&settings, 0, &error);
    wr_broker_close(broker);
    return broker ? WARREN_OK : error.status;
}

static void the_wrong_scheme_is_pointed_out(void)
{
    CU_ASSERT_EQUAL(try_mixed("amqps", live_url()), WARREN_REFUSED);
    CU_ASSERT(says("speaks no TLS"));
    CU_ASSERT_NOT_EQUAL(try_mixed("amqp", live_tls_url()), WARREN_OK);
    CU_ASSERT(says("amqps://"));
}

static void large_messages_pass_both_ways(void)
{
    struct wr_broker_settings settings = talk_settings(live_tls_url());
    settings.tls.ca_file = ca();
    struct wr_broker *broker = talk_open(&settings, 0, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(broker);
    size_t size = (size_t)3 << 20;
    char *body = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    for (size_t i = 0; i < size; i++) {
        body[i] = (char)(i * 31 >> 3);
    }
    CU_ASSERT_EQUAL(wr_broker_channel_open(broker, 1, true, NULL), WARREN_OK);
    talk_queue(broker, 1, "large");
    struct wr_message message = talk_message("large", (struct wr_slice){ body, size });
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(wr_broker_publish(broker, 1, &message, NULL), WARREN_OK);
        (void)talk_expect(broker, WR_EVENT_ACKED);
    }
    CU_ASSERT_EQUAL(wr_broker_consume(broker, 1, "large", "c", NULL), WARREN_OK);
    for (int i = 0; i < 3; i++) {
        struct wr_event event = talk_expect(broker, WR_EVENT_DELIVERY);
        CU_ASSERT(event.delivery && wr_slice_equals(event.delivery->message.body, message.body));
        wr_delivery_free(event.delivery);
    }
    free(body);
    wr_broker_close(broker);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("amqp_tls", NULL, NULL);
    CU_ADD_TEST(suite, a_trusted_certificate_with_the_right_address_is_taken);
    CU_ADD_TEST(suite, an_unknown_ca_is_refused);
    CU_ADD_TEST(suite, another_name_is_refused);
    CU_ADD_TEST(suite, without_verify_any_certificate_is_taken);
    CU_ADD_TEST(suite, files_that_cannot_be_used_are_config_errors);
    CU_ADD_TEST(suite, a_key_that_others_may_read_is_refused);
    CU_ADD_TEST(suite, the_wrong_scheme_is_pointed_out);
    CU_ADD_TEST(suite, large_messages_pass_both_ways);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
