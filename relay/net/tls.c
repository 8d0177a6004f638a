/* relay/net/tls.c - OpenSSL contexts: the server's certificates, the client's settings. Sessions are in tls_stream.c. */
#include "relay/net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/net/tls_context.h"
#include "relay/net/tls_names.h"
#include "relay/net/tls_ticket.h"

/* RELEASE_BUFFERS: an idle session gives its 34 KB back. MOVING_WRITE_BUFFER: output is queued and may have moved at the next try. */
#define STREAM_MODES \
	(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY)
/* SMTP has its own end markers: a peer that hangs up without close_notify has simply closed. */
#define STREAM_OPTIONS (SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION)

/* A key that needs a passphrase is an error; OpenSSL would ask for it on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	return -1;
}

static SSL_CTX *context_create(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	must(ctx != NULL);
	must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	SSL_CTX_set_mode(ctx, STREAM_MODES);
	SSL_CTX_set_options(ctx, STREAM_OPTIONS);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	return ctx;
}

static enum err file_check(const char *what, const char *file, struct err_detail *why)
{
	if (access(file, R_OK) == 0)
		return OK;
	return err_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s %s: %s", what, file, strerror(errno));
}

static enum err openssl_fault(const char *what, const char *file, struct err_detail *why)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(why, ERR_INVALID, "%s %s: %s", what, file, reason != NULL ? reason : "not usable");
}

static enum err server_load(SSL_CTX *ctx, const char *cert, const char *key, struct err_detail *why)
{
	enum err err = file_check("certificate", cert, why);

	if (err != OK)
		return err;
	err = file_check("key", key, why);
	if (err != OK)
		return err;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return openssl_fault("certificate", cert, why);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return openssl_fault("key", key, why);
	return OK;
}

static const char *validity_warning(SSL_CTX *ctx)
{
	const X509 *cert = SSL_CTX_get0_certificate(ctx);

	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return "the certificate has expired";
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return "the certificate is not valid yet";
	return NULL;
}

/* Sessions may go on under another certificate's context, or after a reload: they must all be of one kind. */
static const unsigned char session_context[] = "warmrelay";

static SSL_CTX *certificate_context(const char *cert, const char *key, const char **warning_out, struct err_detail *why)
{
	SSL_CTX *ctx = context_create(TLS_server_method());

	*warning_out = NULL;
	if (server_load(ctx, cert, key, why) != OK) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	/* Tickets only: nothing is kept here for a session that ended. One is enough for a submitter that comes again. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	must(SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) == 1);
	tls_ticket_install(ctx);
	*warning_out = validity_warning(ctx);
	return ctx;
}

struct tls_server *tls_server_create(const char *cert, const char *key, const char **warning_out, struct err_detail *why)
{
	SSL_CTX *ctx = certificate_context(cert, key, warning_out, why);
	struct tls_server *server;

	if (ctx == NULL)
		return NULL;
	server = xcalloc(1, sizeof(*server));
	server->ctx = ctx;
	atomic_init(&server->refs, 1);
	return server;
}

enum err tls_server_add(struct tls_server *server, const char *cert, const char *key, const char **warning_out, struct err_detail *why)
{
	struct err_detail detail = { .code = ERR_INVALID };
	SSL_CTX *ctx = certificate_context(cert, key, warning_out, &detail), *twin;

	if (ctx == NULL)
		return err_set(why, detail.code, "%s", detail.text);
	twin = tls_names_twin(server->ctx, SSL_CTX_get0_certificate(ctx));
	if (twin == NULL) {
		tls_names_add(server->ctx, ctx);
		return OK;
	}
	SSL_CTX_free(ctx);
	if (server_load(twin, cert, key, &detail) != OK)
		return err_set(why, detail.code, "%s", detail.text);
	/* By its own names a context is known: they are the same in both. */
	must(SSL_CTX_set_current_cert(twin, SSL_CERT_SET_FIRST) == 1);
	return OK;
}

/* Whose certificate is whose is for the configuration to say: any is taken, and its key is what counts. */
static int take_any(int good, X509_STORE_CTX *store)
{
	return 1;
}

void tls_server_ask(struct tls_server *server)
{
	SSL_CTX_set_verify(server->ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, take_any);
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
	atomic_fetch_add(&server->refs, 1);
	return server;
}

void tls_server_unref(struct tls_server **server)
{
	struct tls_server *s = *server;

	*server = NULL;
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
}

struct tls_client *tls_client_create(void)
{
	static atomic_uint serials;
	struct tls_client *client = xcalloc(1, sizeof(*client));

	client->ctx = context_create(TLS_client_method());
	SSL_CTX_set_verify(client->ctx, SSL_VERIFY_NONE, NULL); /* each session sets its own */
	must(SSL_CTX_dane_enable(client->ctx) == 1);
	SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client->ctx, tls_stream_on_session);
	atomic_init(&client->refs, 1);
	client->serial = atomic_fetch_add(&serials, 1);
	return client;
}

static enum err authorities_load(SSL_CTX *ctx, const char *ca, struct err_detail *why)
{
	enum err err;

	ERR_clear_error();
	if (ca == NULL) {
		if (SSL_CTX_set_default_verify_paths(ctx) == 1)
			return OK;
		return openssl_fault("certificate authorities", "of the system", why);
	}
	err = file_check("certificate authorities", ca, why);
	if (err == OK && SSL_CTX_load_verify_file(ctx, ca) != 1)
		err = openssl_fault("certificate authorities", ca, why);
	return err;
}

struct tls_client *tls_client_load(const char *ca, struct err_detail *why)
{
	struct tls_client *client = tls_client_create();

	if (authorities_load(client->ctx, ca, why) != OK)
		tls_client_unref(&client);
	return client;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	atomic_fetch_add(&client->refs, 1);
	return client;
}

void tls_client_unref(struct tls_client **client)
{
	struct tls_client *c = *client;

	*client = NULL;
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}
