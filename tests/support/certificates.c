// SPDX-License-Identifier: MIT
// DESIGN: OpenSSL's own calls, since the command's options for dates differ between its versions.
// A certificate that was loaded keeps its files; those of this process stand in one folder, whose
// files are numbered and removed by that number.
#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600 };

static char folder[64];
static int made;

static void give_up(const char *what)
{
    fprintf(stderr, "certificates: %s\n", what);
    exit(1);
}

static void need(bool holds, const char *what)
{
    if (!holds) {
        give_up(what);
    }
}

static void name_files(struct certificate *certificate, int number)
{
    (void)snprintf(certificate->file, sizeof certificate->file, "%s/%d.pem", folder, number);
    (void)snprintf(certificate->key_file, sizeof certificate->key_file, "%s/%d-key.pem", folder,
                   number);
}

static void remove_folder(void)
{
    struct certificate certificate;
    for (int i = 1; i <= made; i++) {
        name_files(&certificate, i);
        (void)unlink(certificate.file);
        (void)unlink(certificate.key_file);
    }
    (void)rmdir(folder);
}

static void need_folder(void)
{
    if (*folder) {
        return;
    }
    (void)snprintf(folder, sizeof folder, "/tmp/warren-certificates.XXXXXX");
    need(mkdtemp(folder) != NULL, "no folder");
    need(atexit(remove_folder) == 0, "no atexit");
}

static void add_extension(X509 *x509, const struct certificate *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer ? issuer->x509 : x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    need(extension && X509_add_ext(x509, extension, -1) == 1, "an extension is not taken");
    X509_EXTENSION_free(extension);
}

static void set_names(X509 *x509, const struct certificate_wish *wish)
{
    X509_NAME *name = X509_get_subject_name(x509);
    need(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->name,
                                    -1, -1, 0) == 1,
         "a name is not taken");
    const X509_NAME *issuer = wish->issuer ? X509_get_subject_name(wish->issuer->x509) : name;
    need(X509_set_issuer_name(x509, issuer) == 1, "an issuer is not taken");
}

static void sign(struct certificate *certificate, const struct certificate_wish *wish)
{
    X509 *x509 = certificate->x509;
    need(X509_set_version(x509, 2) == 1, "no version 3");
    need(ASN1_INTEGER_set(X509_get_serialNumber(x509), made) == 1, "no serial number");
    set_names(x509, wish);
    (void)X509_gmtime_adj(X509_getm_notBefore(x509), wish->from_s);
    (void)X509_gmtime_adj(X509_getm_notAfter(x509), wish->until_s ? wish->until_s : DAY_S);
    need(X509_set_pubkey(x509, certificate->key) == 1, "a key is not taken");
    add_extension(x509, wish->issuer, NID_basic_constraints,
                  wish->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->alternatives) {
        add_extension(x509, wish->issuer, NID_subject_alt_name, wish->alternatives);
    }
    EVP_PKEY *signer = wish->issuer ? wish->issuer->key : certificate->key;
    need(X509_sign(x509, signer, EVP_sha256()) > 0, "it can't be signed");
}

static void save(const struct certificate *certificate)
{
    FILE *file = fopen(certificate->file, "w");
    need(file && PEM_write_X509(file, certificate->x509) == 1 && fclose(file) == 0,
         "a certificate can't be written");
    FILE *key = fopen(certificate->key_file, "w");
    need(key && fchmod(fileno(key), 0600) == 0 &&
             PEM_write_PrivateKey(key, certificate->key, NULL, NULL, 0, NULL, NULL) == 1 &&
             fclose(key) == 0,
         "a key can't be written");
}

static struct certificate *new_one(void)
{
    struct certificate *certificate = calloc(1, sizeof *certificate);
    if (!certificate) {
        give_up("no memory");
    }
    return certificate;
}

struct certificate *certificate_make(const struct certificate_wish *wish)
{
    need_folder();
    struct certificate *certificate = new_one();
    name_files(certificate, ++made);
    certificate->x509 = X509_new();
    certificate->key = wish->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    need(certificate->x509 && certificate->key, "no key");
    sign(certificate, wish);
    save(certificate);
    return certificate;
}

struct certificate *certificate_load(const char *file, const char *key_file)
{
    struct certificate *certificate = new_one();
    (void)snprintf(certificate->file, sizeof certificate->file, "%s", file);
    (void)snprintf(certificate->key_file, sizeof certificate->key_file, "%s", key_file);
    FILE *in = fopen(file, "r");
    certificate->x509 = in ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
    need(certificate->x509 && fclose(in) == 0, "a certificate can't be read");
    in = fopen(key_file, "r");
    certificate->key = in ? PEM_read_PrivateKey(in, NULL, NULL, NULL) : NULL;
    need(certificate->key && fclose(in) == 0, "a key can't be read");
    return certificate;
}

void certificate_free(struct certificate *certificate)
{
    if (!certificate) {
        return;
    }
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    free(certificate);
}
