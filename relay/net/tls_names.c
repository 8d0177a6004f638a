/* relay/net/tls_names.c - several certificates on one listener: the one whose names the client asks for. */
#include "relay/net/tls_names.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Owned by the first context: a session holds a reference to that one, so the list is there as long as anybody can ask. */
struct names {
	SSL_CTX **others;
	size_t count;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int slot; /* of the list in the first context */

static void free_names(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	struct names *names = ptr;

	if (names == NULL)
		return;
	for (size_t i = 0; i < names->count; i++)
		SSL_CTX_free(names->others[i]);
	free(names->others);
	free(names);
}

static void make_slot(void)
{
	slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_names);
	must(slot >= 0);
}

/* Its alternative names; its common name where it has none of those. */
static bool has_name(SSL_CTX *ctx, const char *name)
{
	return X509_check_host(SSL_CTX_get0_certificate(ctx), name, strlen(name), 0, NULL) == 1;
}

/* For no name and an unknown one the first certificate stays: mail clients are known to ask for names that nobody serves. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct names *names = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (name == NULL || has_name(SSL_get_SSL_CTX(ssl), name))
		return SSL_TLSEXT_ERR_OK;
	for (size_t i = 0; i < names->count; i++)
		if (has_name(names->others[i], name))
			return SSL_set_SSL_CTX(ssl, names->others[i]) != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

/* --- two keys for the same names ---------------------------------------------------------------------------------------------- */

static bool lists(GENERAL_NAMES *names, GENERAL_NAME *wanted)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == wanted->type && GENERAL_NAME_cmp(name, wanted) == 0)
			return true;
	}
	return false;
}

static bool has_all(GENERAL_NAMES *names, GENERAL_NAMES *wanted)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(wanted); i++)
		if (!lists(names, sk_GENERAL_NAME_value(wanted, i)))
			return false;
	return true;
}

/* Their alternative names; without any they are not the same. */
static bool have_same_names(X509 *a, X509 *b)
{
	GENERAL_NAMES *of_a = X509_get_ext_d2i(a, NID_subject_alt_name, NULL, NULL);
	GENERAL_NAMES *of_b = X509_get_ext_d2i(b, NID_subject_alt_name, NULL, NULL);
	bool same = of_a != NULL && of_b != NULL && has_all(of_a, of_b) && has_all(of_b, of_a);

	GENERAL_NAMES_free(of_a);
	GENERAL_NAMES_free(of_b);
	return same;
}

static int key_kind(X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);

	return key != NULL ? EVP_PKEY_get_base_id(key) : NID_undef;
}

static bool has_kind(SSL_CTX *ctx, int kind)
{
	bool found = false;

	for (long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST); more == 1 && !found;
	    more = found ? 0 : SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
		found = key_kind(SSL_CTX_get0_certificate(ctx)) == kind;
	must(SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST) == 1);
	return found;
}

SSL_CTX *tls_names_twin(SSL_CTX *first, X509 *cert)
{
	const struct names *names;
	SSL_CTX *ctx = first;

	must(pthread_once(&once, make_slot) == 0);
	names = SSL_CTX_get_ex_data(first, slot);
	for (size_t i = 0; ctx != NULL; i++) {
		if (have_same_names(SSL_CTX_get0_certificate(ctx), cert) && !has_kind(ctx, key_kind(cert)))
			return ctx;
		ctx = names != NULL && i < names->count ? names->others[i] : NULL;
	}
	return NULL;
}

void tls_names_add(SSL_CTX *first, SSL_CTX *other)
{
	struct names *names;

	must(pthread_once(&once, make_slot) == 0);
	names = SSL_CTX_get_ex_data(first, slot);
	if (names == NULL) {
		names = xcalloc(1, sizeof(*names));
		must(SSL_CTX_set_ex_data(first, slot, names) == 1);
		SSL_CTX_set_tlsext_servername_callback(first, on_server_name);
		SSL_CTX_set_tlsext_servername_arg(first, names);
	}
	names->others = xrealloc(names->others, (names->count + 1) * sizeof(names->others[0]));
	names->others[names->count++] = other;
}
