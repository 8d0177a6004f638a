/* tests/unit/net/certificate.h - a self-signed certificate in a temporary folder, for tests of TLS. */
#ifndef TEST_CERTIFICATE_H
#define TEST_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

struct certificate {
	char folder[64], cert[96], key[96];
};

static inline X509 *certificate_sign(EVP_PKEY *key, long valid_from, long valid_to)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	must(cert != NULL && X509_set_version(cert, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(cert), valid_from) && X509_gmtime_adj(X509_getm_notAfter(cert), valid_to));
	must(X509_set_pubkey(cert, key) == 1);
	name = X509_get_subject_name(cert);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"relay.test", -1, -1, 0) == 1);
	must(X509_set_issuer_name(cert, name) == 1 && X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

/* Seconds from now; both files in a folder of their own. */
static inline void certificate_create_for(struct certificate *c, long valid_from, long valid_to)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = certificate_sign(key, valid_from, valid_to);
	FILE *file;

	snprintf(c->folder, sizeof(c->folder), "/tmp/warmrelay-cert.XXXXXX");
	must(mkdtemp(c->folder) != NULL);
	snprintf(c->cert, sizeof(c->cert), "%s/cert.pem", c->folder);
	snprintf(c->key, sizeof(c->key), "%s/key.pem", c->folder);
	file = fopen(c->cert, "w");
	must(file != NULL && PEM_write_X509(file, cert) == 1 && fclose(file) == 0);
	file = fopen(c->key, "w");
	must(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void certificate_create(struct certificate *c)
{
	certificate_create_for(c, -3600, 3600);
}

static inline void certificate_remove(const struct certificate *c)
{
	unlink(c->cert);
	unlink(c->key);
	rmdir(c->folder);
}

#endif
