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
