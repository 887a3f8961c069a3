// SPDX-License-Identifier: MIT
// Every way in which a connect fails is one sentence that names the place and the way out, tells a
// broker that is away from one that refuses, and holds no secret.
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amqp_talk.h"
#include "listener.h"
#include "live.h"

#define SECRET "hunter2secret"

static warren_error error;

/* Tries to connect; the status, with the text in `error`. */
static warren_status try_with(const struct wr_broker_settings *settings)
{
    struct wr_broker *broker = talk_open(settings, 0, &error);
    wr_broker_close(broker);
    CU_ASSERT_PTR_NULL(strstr(error.text, SECRET));
    CU_ASSERT_EQUAL(strlen(error.text) > 0, broker == NULL);
    return broker ? WARREN_OK : error.status;
}

static warren_status try_url(const char *url)
{
    struct wr_broker_settings settings = talk_settings(url);
    settings.connect_timeout_ms = 1000;
    return try_with(&settings);
}

static bool says(const char *words)
{
    bool is_said = strstr(error.text, words) != NULL;
    if (!is_said) {
        fprintf(stderr, "not '%s' in: %s\n", words, error.text);
    }
    return is_said;
}

static char *url_for(const char *user, const char *authority_end)
{
    char *url = NULL;
    CU_ASSERT_FATAL(asprintf(&url, "amqp://%s:" SECRET "@%s", user, authority_end) > 0);
    return url;
}

/* "127.0.0.1:port" of the broker, from its URL. */
static void broker_place(const char *url, char out[64])
{
    const char *at = strchr(url, '@') + 1;
    (void)snprintf(out, 64, "%.*s", (int)strcspn(at, "/"), at);
}

/* --- a port of one's own that is no broker --- */

struct stranger {
    int fd;
    const char *says; /* NULL: nothing, and it keeps the connection; "": it closes at once */
    char url[128];
    pthread_t thread;
};

static void *be_strange(void *user)
{
    struct stranger *stranger = user;
    int fd = accept(stranger->fd, NULL, NULL);
    if (fd >= 0) {
        (void)!write(fd, stranger->says, strlen(stranger->says));
        char buffer[512];
        if (*stranger->says) {
            (void)!read(fd, buffer, sizeof buffer);
        }
        (void)close(fd);
    }
    return NULL;
}

static void stranger_start(struct stranger *stranger, const char *words)
{
    int port;
    stranger->says = words;
    stranger->fd = listen_on_loopback(&port);
    (void)snprintf(stranger->url, sizeof stranger->url, "amqp://joe:" SECRET "@127.0.0.1:%d/v",
                   port);
    if (words) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&stranger->thread, NULL, be_strange, stranger), 0);
    }
}

static void stranger_stop(struct stranger *stranger)
{
    if (stranger->says) {
        (void)pthread_join(stranger->thread, NULL);
    }
    (void)close(stranger->fd);
}

/* --- away --- */

static void a_closed_port_is_connection_refused(void)
{
    struct stranger stranger;
    stranger_start(&stranger, NULL);
    stranger_stop(&stranger); /* nobody listens there now */
    CU_ASSERT_EQUAL(try_url(stranger.url), WARREN_UNREACHABLE);
    CU_ASSERT(says("connection refused"));
    CU_ASSERT(says("127.0.0.1:"));
}

static void an_unknown_host_is_named(void)
{
    struct wr_broker_settings settings =
        talk_settings("amqp://joe:" SECRET "@no-such-host.invalid/v");
    settings.allow_plaintext = true;
    CU_ASSERT_EQUAL(try_with(&settings), WARREN_UNREACHABLE);
    CU_ASSERT(says("no-such-host.invalid"));
    CU_ASSERT(says("DNS"));
}

static void a_port_that_never_answers_is_a_timeout(void)
{
    struct stranger stranger;
    stranger_start(&stranger, NULL);
    int64_t start_us = wr_clock_mono_us(NULL);
    CU_ASSERT_EQUAL(try_url(stranger.url), WARREN_UNREACHABLE);
    CU_ASSERT(wr_clock_mono_us(NULL) - start_us < 5 * WR_US_PER_S);
    CU_ASSERT(says("does not answer within 1000 ms"));
    stranger_stop(&stranger);
}

static void a_port_that_closes_at_once_may_be_starting(void)
{
    struct stranger stranger;
    stranger_start(&stranger, "");
    CU_ASSERT_EQUAL(try_url(stranger.url), WARREN_UNREACHABLE);
    CU_ASSERT(says("closed the connection during the login"));
    stranger_stop(&stranger);
}

/* --- refused --- */

static void another_service_does_not_speak_amqp(void)
{
    struct stranger stranger;
    stranger_start(&stranger, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    CU_ASSERT_EQUAL(try_url(stranger.url), WARREN_REFUSED);
    CU_ASSERT(says("does not speak AMQP"));
    stranger_stop(&stranger);
}

static void a_wrong_password_is_refused(void)
{
    char place[64];
    broker_place(live_url(), place);
    char *url = url_for("warren", place);
    CU_ASSERT_EQUAL(try_url(url), WARREN_REFUSED);
    CU_ASSERT(says("wrong user name or password"));
    CU_ASSERT(says("'warren'"));
    CU_ASSERT(says(place));
    free(url);
}

static void a_missing_vhost_is_named(void)
{
    char url[512];
    (void)snprintf(url, sizeof url, "%.*sno-such-vhost",
                   (int)(strrchr(live_url(), '/') + 1 - live_url()), live_url());
    CU_ASSERT_EQUAL(try_url(url), WARREN_REFUSED);
    CU_ASSERT(says("no vhost 'no-such-vhost'"));
    *(strrchr(url, '/') + 1) = '\0';
    CU_ASSERT_EQUAL(try_url(url), WARREN_REFUSED);
    CU_ASSERT(says("%2F"));
}

static void a_user_without_rights_on_the_vhost_is_told_so(void)
{
    free(live_ctl("add_user", "amqp-stranger", SECRET, NULL));
    char *url = live_url_as("amqp-stranger", SECRET);
    CU_ASSERT_EQUAL(try_url(url), WARREN_REFUSED);
    CU_ASSERT(says("has no access to the vhost"));
    free(url);
    free(live_ctl("delete_user", "amqp-stranger", NULL));
}

static void a_password_does_not_leave_the_machine_unencrypted(void)
{
    CU_ASSERT_EQUAL(try_url("amqp://joe:" SECRET "@192.0.2.1/v"), WARREN_REFUSED);
    CU_ASSERT(says("unencrypted"));
    CU_ASSERT(says("allow_plaintext"));
    CU_ASSERT_EQUAL(try_url("amqp://joe:" SECRET "@127.0.0.1:1,192.0.2.1/v"), WARREN_REFUSED);
}

static void a_malformed_url_is_a_config_error(void)
{
    CU_ASSERT_EQUAL(try_url("amqp://joe:" SECRET "@2@h/v"), WARREN_CONFIG);
    CU_ASSERT(says("broker URL"));
}

/* --- several hosts --- */

static void any_host_that_works_will_do(void)
{
    char place[64];
    broker_place(live_url(), place);
    char url[512];
    (void)snprintf(url, sizeof url, "%.*s127.0.0.1:1,%s,127.0.0.1:2/%s",
                   (int)(strchr(live_url(), '@') + 1 - live_url()), live_url(), place,
                   live_vhost());
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(try_url(url), WARREN_OK);
    }
}

static void of_several_failures_the_refusal_is_told(void)
{
    char places[256];
    char place[64];
    broker_place(live_url(), place);
    (void)snprintf(places, sizeof places, "127.0.0.1:1,%s,127.0.0.1:2", place);
    char *url = url_for("warren", places);
    CU_ASSERT_EQUAL(try_url(url), WARREN_REFUSED);
    CU_ASSERT(says("none of the 3 hosts"));
    CU_ASSERT(says("wrong user name or password"));
    free(url);
}

/* --- secrets in files --- */

static char secret_path[] = "/tmp/warren-test-secret.XXXXXX";

static void write_secret(const char *text)
{
    FILE *file = fopen(secret_path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(text, file) >= 0);
    (void)fclose(file);
}

static void a_password_file_is_read_at_each_connect(void)
{
    int fd = mkstemp(secret_path);
    CU_ASSERT_FATAL(fd >= 0);
    (void)close(fd);
    const char *colon = strchr(live_url() + 7, ':');
    char password[256];
    (void)snprintf(password, sizeof password, "%.*s\n", (int)strcspn(colon + 1, "@"), colon + 1);
    struct wr_broker_settings settings = talk_settings(live_url());
    settings.password_file = secret_path;
    write_secret(SECRET "\n");
    CU_ASSERT_EQUAL(try_with(&settings), WARREN_REFUSED);
    write_secret(password);
    CU_ASSERT_EQUAL(try_with(&settings), WARREN_OK);
    write_secret("\n");
    CU_ASSERT_EQUAL(try_with(&settings), WARREN_CONFIG);
    (void)unlink(secret_path);
    CU_ASSERT_EQUAL(try_with(&settings), WARREN_CONFIG);
    CU_ASSERT(says(secret_path));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("amqp_connect", NULL, NULL);
    CU_ADD_TEST(suite, a_closed_port_is_connection_refused);
    CU_ADD_TEST(suite, an_unknown_host_is_named);
    CU_ADD_TEST(suite, a_port_that_never_answers_is_a_timeout);
    CU_ADD_TEST(suite, a_port_that_closes_at_once_may_be_starting);
    CU_ADD_TEST(suite, another_service_does_not_speak_amqp);
    CU_ADD_TEST(suite, a_wrong_password_is_refused);
    CU_ADD_TEST(suite, a_missing_vhost_is_named);
    CU_ADD_TEST(suite, a_user_without_rights_on_the_vhost_is_told_so);
    CU_ADD_TEST(suite, a_password_does_not_leave_the_machine_unencrypted);
    CU_ADD_TEST(suite, a_malformed_url_is_a_config_error);
    CU_ADD_TEST(suite, any_host_that_works_will_do);
    CU_ADD_TEST(suite, of_several_failures_the_refusal_is_told);
    CU_ADD_TEST(suite, a_password_file_is_read_at_each_connect);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed ? 1 : 0;
}
