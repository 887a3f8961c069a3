// SPDX-License-Identifier: MIT
// TLS with peers of every kind, and certificates made on the fly: who is taken, who is refused and
// in what words, whom the hello names, and that no secret is in any sentence.
#include <CUnit/Basic.h>
#include <openssl/ssl.h>

#include "amqp_talk.h"
#include "tls_peer.h"

#define SECRET "s3cret-of-joe"
#define HERE "DNS:localhost,IP:127.0.0.1"

static struct certificate *ca, *stranger_ca, *good, *ours;
static warren_error error;
static struct tls_talk heard;

static struct certificate *make(struct certificate_wish wish)
{
    return certificate_make(&wish);
}

/* One attempt to connect by that name; the peer's side of it is in `heard`. */
static warren_status meet(const struct tls_peer_wish *wish, const char *host,
                          struct wr_tls_settings tls)
{
    struct tls_peer *peer = tls_peer_start(wish);
    char url[256];
    (void)snprintf(url, sizeof url, "amqps://joe:" SECRET "@%s:%d/v", host, tls_peer_port(peer));
    struct wr_broker_settings settings = talk_settings(url);
    settings.tls = tls;
    struct wr_broker *broker = talk_open(&settings, 0, &error);
    heard = tls_peer_stop(peer);
    CU_ASSERT_PTR_NULL(broker);
    CU_ASSERT_PTR_NULL(strstr(error.text, SECRET));
    wr_broker_close(broker);
    return error.status;
}

static struct wr_tls_settings trusting(struct certificate *trusted)
{
    return (struct wr_tls_settings){ .verify = true, .ca_file = trusted->file };
}

static struct wr_tls_settings with_certificate(struct certificate *client)
{
    struct wr_tls_settings tls = trusting(ca);
    tls.cert_file = client->file;
    tls.key_file = client->key_file;
    return tls;
}

static bool says(const char *words)
{
    bool is_said = strstr(error.text, words) != NULL;
    if (!is_said) {
        fprintf(stderr, "not '%s' in: %s\n", words, error.text);
    }
    return is_said;
}

/* A server with that certificate is refused before a word of AMQP is said. */
static void assert_refused(struct certificate *shown, const char *what, const char *next)
{
    CU_ASSERT_EQUAL(meet(&(struct tls_peer_wish){ .own = shown }, "localhost", trusting(ca)),
                    WARREN_REFUSED);
    CU_ASSERT(says("TLS: the certificate of localhost:"));
    CU_ASSERT(says(what));
    CU_ASSERT(says(next));
    CU_ASSERT_FALSE(heard.has_hello);
    certificate_free(shown);
}

static void a_good_certificate_is_taken(void)
{
    const struct tls_peer_wish wish = { .own = good };
    CU_ASSERT_EQUAL(meet(&wish, "localhost", trusting(ca)), WARREN_UNREACHABLE);
    CU_ASSERT(says("closed the connection during the login"));
    CU_ASSERT(heard.has_hello);
    (void)meet(&wish, "127.0.0.1", trusting(ca));
    CU_ASSERT(heard.has_hello);
}

static void another_name_is_refused(void)
{
    assert_refused(make((struct certificate_wish){
                       .name = "localhost", .alternatives = "DNS:rabbit.example", .issuer = ca }),
                   "is not for 'localhost'", "broker.tls.server_name");
}

static void a_common_name_is_no_name(void)
{
    assert_refused(make((struct certificate_wish){ .name = "localhost", .issuer = ca }),
                   "is not for 'localhost'", "broker.tls.server_name");
}

static void an_expired_certificate_is_refused(void)
{
    assert_refused(
        make((struct certificate_wish){
            .name = "old", .alternatives = HERE, .issuer = ca, .from_s = -7200, .until_s = -3600 }),
        "has expired", "Renew it");
}

static void a_certificate_of_tomorrow_is_refused(void)
{
    assert_refused(
        make((struct certificate_wish){
            .name = "new", .alternatives = HERE, .issuer = ca, .from_s = 3600, .until_s = 7200 }),
        "is not valid yet", "clock");
}

static void a_self_signed_certificate_is_refused(void)
{
    assert_refused(make((struct certificate_wish){ .name = "self", .alternatives = HERE }),
                   "is not signed by a CA that is trusted", "broker.tls.ca_file");
}

static void another_ca_is_refused(void)
{
    assert_refused(make((struct certificate_wish){
                       .name = "localhost", .alternatives = HERE, .issuer = stranger_ca }),
                   "is not signed by a CA that is trusted", "broker.tls.ca_file");
}

/* What a CA signed may not sign others. */
static void a_certificate_is_no_ca(void)
{
    assert_refused(make((struct certificate_wish){
                       .name = "localhost", .alternatives = HERE, .issuer = good }),
                   "is not signed by a CA that is trusted", "broker.tls.ca_file");
}

static void the_hello_names_whom_we_want(void)
{
    struct certificate *named = make((struct certificate_wish){
        .name = "x", .alternatives = "DNS:rabbit.example", .issuer = ca });
    const struct tls_peer_wish wish = { .own = named };
    struct wr_tls_settings tls = trusting(ca);
    tls.server_name = (char *)(uintptr_t) "rabbit.example";
    CU_ASSERT_EQUAL(meet(&wish, "127.0.0.1", tls), WARREN_UNREACHABLE);
    CU_ASSERT(heard.has_hello);
    CU_ASSERT_STRING_EQUAL(heard.server_name, "rabbit.example");
    CU_ASSERT_EQUAL(meet(&wish, "localhost", trusting(ca)), WARREN_REFUSED);
    CU_ASSERT_STRING_EQUAL(heard.server_name, "localhost");
    certificate_free(named);
}

/* RFC 6066: a literal address is no server name. */
static void the_hello_names_no_address(void)
{
    (void)meet(&(struct tls_peer_wish){ .own = good }, "127.0.0.1", trusting(ca));
    CU_ASSERT(heard.has_hello);
    CU_ASSERT_STRING_EQUAL(heard.server_name, "");
}

static void tls_1_1_is_refused(void)
{
    const struct tls_peer_wish wish = { .own = good, .version_most = TLS1_1_VERSION };
    CU_ASSERT_EQUAL(meet(&wish, "localhost", trusting(ca)), WARREN_REFUSED);
    CU_ASSERT(says("offers nothing newer than TLS 1.1"));
    CU_ASSERT(says("ssl_options.versions"));
    CU_ASSERT_FALSE(heard.is_accepted);
}

/* 1.2 refuses a client within the handshake, 1.3 behind it. */
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void our_certificate_is_shown_where_it_is_wanted(void)
{
    for (size_t i = 0; i < 2; i++) {
        const struct tls_peer_wish wish = { good, ca, versions[i] };
        CU_ASSERT_EQUAL(meet(&wish, "localhost", with_certificate(ours)), WARREN_UNREACHABLE);
        CU_ASSERT(heard.has_hello);
        CU_ASSERT_STRING_EQUAL(heard.client, "worker");
    }
}

static void without_a_certificate_we_are_told_to_have_one(void)
{
    for (size_t i = 0; i < 2; i++) {
        const struct tls_peer_wish wish = { good, ca, versions[i] };
        CU_ASSERT_EQUAL(meet(&wish, "localhost", trusting(ca)), WARREN_REFUSED);
        CU_ASSERT(says("Does it ask for a client certificate"));
        CU_ASSERT(says("broker.tls.cert_file"));
        CU_ASSERT_FALSE(heard.is_accepted);
    }
}

static void a_certificate_of_another_ca_is_named_as_what_is_refused(void)
{
    struct certificate *strange =
        make((struct certificate_wish){ .name = "worker", .issuer = stranger_ca });
    for (size_t i = 0; i < 2; i++) {
        const struct tls_peer_wish wish = { good, ca, versions[i] };
        CU_ASSERT_EQUAL(meet(&wish, "localhost", with_certificate(strange)), WARREN_REFUSED);
        CU_ASSERT(says(strange->file));
        CU_ASSERT(says("signed by a CA that the broker trusts"));
        CU_ASSERT_FALSE(heard.is_accepted);
    }
    certificate_free(strange);
}

static void a_key_of_another_certificate_is_a_config_error(void)
{
    struct certificate *rsa =
        make((struct certificate_wish){ .name = "worker", .issuer = ca, .is_rsa = true });
    const struct certificate *others[] = { good, rsa };
    for (size_t i = 0; i < 2; i++) {
        struct wr_tls_settings tls = with_certificate(ours);
        tls.key_file = (char *)(uintptr_t)others[i]->key_file;
        CU_ASSERT_EQUAL(meet(&(struct tls_peer_wish){ .own = good }, "localhost", tls),
                        WARREN_CONFIG);
        CU_ASSERT(says(others[i]->key_file));
        CU_ASSERT(says("is not the key of the certificate"));
        CU_ASSERT(says(ours->file));
    }
    certificate_free(rsa);
}

static void a_key_file_without_a_key_is_a_config_error(void)
{
    struct wr_tls_settings tls = with_certificate(ours);
    FILE *file = fopen(ours->key_file, "r+");
    CU_ASSERT_FATAL(file && fputs("-----BEGIN NOTHING", file) >= 0 && fclose(file) == 0);
    CU_ASSERT_EQUAL(meet(&(struct tls_peer_wish){ .own = good }, "localhost", tls), WARREN_CONFIG);
    CU_ASSERT(says("can't use the key file"));
    CU_ASSERT(says(ours->key_file));
}

static void make_certificates(void)
{
    ca = make((struct certificate_wish){ .name = "Test CA", .is_ca = true });
    stranger_ca = make((struct certificate_wish){ .name = "Stranger CA", .is_ca = true });
    good = make((struct certificate_wish){ .name = "peer", .alternatives = HERE, .issuer = ca });
    ours = make((struct certificate_wish){ .name = "worker", .issuer = ca });
}

static void free_certificates(void)
{
    certificate_free(ca);
    certificate_free(stranger_ca);
    certificate_free(good);
    certificate_free(ours);
}

int main(void)
{
    make_certificates();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tls_peer", NULL, NULL);
    CU_ADD_TEST(suite, a_good_certificate_is_taken);
    CU_ADD_TEST(suite, another_name_is_refused);
    CU_ADD_TEST(suite, a_common_name_is_no_name);
    CU_ADD_TEST(suite, an_expired_certificate_is_refused);
    CU_ADD_TEST(suite, a_certificate_of_tomorrow_is_refused);
    CU_ADD_TEST(suite, a_self_signed_certificate_is_refused);
    CU_ADD_TEST(suite, another_ca_is_refused);
    CU_ADD_TEST(suite, a_certificate_is_no_ca);
    CU_ADD_TEST(suite, the_hello_names_whom_we_want);
    CU_ADD_TEST(suite, the_hello_names_no_address);
    CU_ADD_TEST(suite, tls_1_1_is_refused);
    CU_ADD_TEST(suite, our_certificate_is_shown_where_it_is_wanted);
    CU_ADD_TEST(suite, without_a_certificate_we_are_told_to_have_one);
    CU_ADD_TEST(suite, a_certificate_of_another_ca_is_named_as_what_is_refused);
    CU_ADD_TEST(suite, a_key_of_another_certificate_is_a_config_error);
    CU_ADD_TEST(suite, a_key_file_without_a_key_is_a_config_error);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    free_certificates();
    return failed ? 1 : 0;
}
