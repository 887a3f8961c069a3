/* SPDX-License-Identifier: MIT */
/*
 * Certificates made on the fly, with whatever is wrong with them that a test wants: for another
 * name, expired, signed by nobody or by a stranger. Each stands in two PEM files, the key readable
 * by its owner only, in a folder of this process that is gone at exit. Owned by the test:
 * certificate_free. Threads: the main thread. Errors: what cannot be made ends the process with a
 * sentence.
 */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

#include <openssl/x509.h>
#include <stdbool.h>

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
    char file[96];
    char key_file[96];
};

struct certificate_wish {
    const char *name;                 /* the common name */
    const char *alternatives;         /* such as "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const struct certificate *issuer; /* NULL: signed by itself */
    long from_s;                      /* counted from now; may be negative */
    long until_s;                     /* 0: a day from now */
    bool is_ca;
    bool is_rsa; /* else a curve */
};

struct certificate *certificate_make(const struct certificate_wish *wish);

/** One that another made: to sign with the CA of a private broker. */
struct certificate *certificate_load(const char *file, const char *key_file);

void certificate_free(struct certificate *certificate);

#endif
