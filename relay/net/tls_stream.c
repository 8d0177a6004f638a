/* relay/net/tls_stream.c - one TLS session over a non-blocking socket. */
#include "relay/net/tls_stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "relay/net/tls_context.h"

/* Owned by its connection. The SSL holds its own reference to the SSL_CTX, so ours to tls_server may go earlier. */
struct tls_stream {
	SSL *ssl;
	enum tls_auth auth;       /* what the handshake sees to */
	struct tls_cache *cache;  /* NULL: sessions are not kept */
	char *cache_key;
	char *name;               /* tls_want.name, when another one was good too; else NULL */
	char how[TLS_HOW_TEXT];   /* of the session that is to be resumed; "" for a new one */
	char error[200];
};

static struct tls_stream *stream_create(SSL_CTX *ctx, int fd)
{
	struct tls_stream *stream = xcalloc(1, sizeof(*stream));

	stream->ssl = SSL_new(ctx);
	if (stream->ssl == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
		ERR_clear_error();
		tls_stream_destroy(&stream);
	}
	return stream;
}

struct tls_stream *tls_stream_server(struct tls_server *server, int fd)
{
	struct tls_stream *stream = stream_create(server->ctx, fd);

	if (stream != NULL)
		SSL_set_accept_state(stream->ssl);
	return stream;
}

/* --- what a client demands ------------------------------------------------------------------------------------------------ */

static bool is_address(const char *name)
{
	struct ip_addr addr;

	return ip_parse(name, &addr);
}

/* Any certificate, and any key: a weak one is better than clear text (RFC 7435 section 3). */
static bool demand_nothing(SSL *ssl)
{
	SSL_set_security_level(ssl, 0);
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	return true;
}

static bool demand_names(SSL *ssl, const struct tls_want *want)
{
	bool fine;

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | (want->strict_names ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT : 0));
	if (is_address(want->name))
		fine = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), want->name) == 1;
	else
		fine = SSL_set1_host(ssl, want->name) == 1;
	return fine && (want->also == NULL || SSL_add1_host(ssl, want->also) == 1);
}

static bool demand_ca(SSL *ssl, const struct tls_want *want)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return demand_names(ssl, want);
}

/* The chain is looked at, whatever comes of it. */
static bool check_ca(SSL *ssl, const struct tls_want *want)
{
	return demand_nothing(ssl) && demand_names(ssl, want);
}

/* How many records OpenSSL can use. */
static size_t add_records(SSL *ssl, const struct tls_want *want)
{
	size_t usable = 0;

	for (size_t i = 0; i < want->tlsa_count; i++) {
		const struct tlsa *r = &want->tlsa[i];

		if (tlsa_is_usable(r) && SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching, r->data, r->len) > 0)
			usable++;
	}
	ERR_clear_error();
	return usable;
}

/* RFC 7672 section 3.1.1: neither names nor dates count under DANE-EE; under DANE-TA both do. */
static bool demand_dane(struct tls_stream *stream, const struct tls_want *want)
{
	SSL *ssl = stream->ssl;

	if (SSL_dane_enable(ssl, want->name) != 1)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (add_records(ssl, want) == 0) {
		/* RFC 7672 section 2.2: records, but none of use: encrypted without authentication. */
		stream->auth = TLS_AUTH_NONE;
		return demand_nothing(ssl);
	}
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return want->also == NULL || SSL_add1_host(ssl, want->also) == 1;
}

static bool demand(struct tls_stream *stream, const struct tls_want *want)
{
	stream->auth = want->auth;
	/* RFC 6066 section 3: an address is no server name. */
	if (want->name != NULL && !is_address(want->name) && SSL_set_tlsext_host_name(stream->ssl, want->name) != 1)
		return false;
	switch (want->auth) {
	case TLS_AUTH_CA:
		return demand_ca(stream->ssl, want);
	case TLS_AUTH_CHECK:
		return check_ca(stream->ssl, want);
	case TLS_AUTH_DANE:
		return demand_dane(stream, want);
	case TLS_AUTH_NONE:
		break;
	}
	return demand_nothing(stream->ssl);
}

static void resume(struct tls_stream *stream, const struct tls_client *client, const struct tls_want *want)
{
	SSL_SESSION *session;

	if (want->cache == NULL)
		return;
	stream->cache = want->cache;
	stream->cache_key = xasprintf("%u|%s", client->serial, want->cache_key);
	session = tls_cache_find(stream->cache, stream->cache_key, stream->how, clock_mono());
	if (session == NULL || SSL_set_session(stream->ssl, session) != 1)
		stream->how[0] = '\0';
	ERR_clear_error();
}

struct tls_stream *tls_stream_client(struct tls_client *client, int fd, const struct tls_want *want)
{
	struct tls_stream *stream = stream_create(client->ctx, fd);

	if (stream == NULL)
		return NULL;
	SSL_set_connect_state(stream->ssl);
	SSL_set_app_data(stream->ssl, stream);
	stream->name = want->also != NULL ? xstrdup(want->name) : NULL;
	if (demand(stream, want)) {
		resume(stream, client, want);
	} else {
		ERR_clear_error();
		tls_stream_destroy(&stream);
	}
	return stream;
}

void tls_stream_destroy(struct tls_stream **stream)
{
	if (*stream == NULL)
		return;
	/* SMTP ends by QUIT: a stream that is freed without close_notify may still be resumed. */
	if ((*stream)->ssl != NULL && (*stream)->cache != NULL)
		SSL_set_shutdown((*stream)->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free((*stream)->ssl);
	free((*stream)->cache_key);
	free((*stream)->name);
	free(*stream);
	*stream = NULL;
}

/* --- steps ----------------------------------------------------------------------------------------------------------------- */

/* OpenSSL's reason; when it is the certificate, why that will not do. */
static void note_error(struct tls_stream *stream, int cause)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
	long verdict = SSL_get_verify_result(stream->ssl);

	if (reason == NULL)
		reason = cause == SSL_ERROR_SYSCALL && errno != 0 ? strerror(errno) : "connection closed";
	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
		snprintf(stream->error, sizeof(stream->error), "%s: %s", reason, X509_verify_cert_error_string(verdict));
	else
		snprintf(stream->error, sizeof(stream->error), "%s", reason);
	ERR_clear_error();
	if (!SSL_is_init_finished(stream->ssl) && stream->cache != NULL)
		tls_cache_drop(stream->cache, stream->cache_key); /* maybe it was the resumption */
}

static enum tls_step step_of(struct tls_stream *stream, int result)
{
	int cause = SSL_get_error(stream->ssl, result);

	switch (cause) {
	case SSL_ERROR_NONE:
		return TLS_STEP_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_STEP_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_STEP_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_STEP_EOF;
	default:
		note_error(stream, cause);
		return TLS_STEP_FAILED;
	}
}

enum tls_step tls_stream_handshake(struct tls_stream *stream)
{
	ERR_clear_error();
	errno = 0;
	return step_of(stream, SSL_do_handshake(stream->ssl));
}

enum tls_step tls_stream_read(struct tls_stream *stream, char *data, size_t size, size_t *n_out)
{
	*n_out = 0;
	ERR_clear_error();
	errno = 0;
	return step_of(stream, SSL_read_ex(stream->ssl, data, size, n_out));
}

enum tls_step tls_stream_write(struct tls_stream *stream, const char *data, size_t len, size_t *n_out)
{
	*n_out = 0;
	ERR_clear_error();
	errno = 0;
	return step_of(stream, SSL_write_ex(stream->ssl, data, len, n_out));
}

bool tls_stream_has_pending(const struct tls_stream *stream)
{
	return SSL_has_pending(stream->ssl) == 1;
}

void tls_stream_shutdown(struct tls_stream *stream)
{
	ERR_clear_error();
	SSL_shutdown(stream->ssl);
	ERR_clear_error();
}

enum tls_fault tls_stream_fault(const struct tls_stream *stream)
{
	static const struct {
		long code;
		enum tls_fault fault;
	} rows[] = {
		{ X509_V_OK, TLS_FAULT_NONE },
		{ X509_V_ERR_HOSTNAME_MISMATCH, TLS_FAULT_NAME },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH, TLS_FAULT_NAME },
		{ X509_V_ERR_CERT_HAS_EXPIRED, TLS_FAULT_EXPIRED },
		{ X509_V_ERR_CERT_NOT_YET_VALID, TLS_FAULT_EXPIRED },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLS_FAULT_UNTRUSTED },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLS_FAULT_UNTRUSTED },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLS_FAULT_UNTRUSTED },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLS_FAULT_UNTRUSTED },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLS_FAULT_UNTRUSTED },
		{ X509_V_ERR_CERT_UNTRUSTED, TLS_FAULT_UNTRUSTED },
	};
	long verdict = SSL_get_verify_result(stream->ssl);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == verdict)
			return rows[i].fault;
	return TLS_FAULT_OTHER;
}

/* --- what came of it ------------------------------------------------------------------------------------------------------- */

/* A resumed session was verified when it was made: OpenSSL does not remember by which record. */
static void describe_proof(const struct tls_stream *stream, char how[TLS_HOW_TEXT])
{
	uint8_t usage, selector, matching;

	how[0] = '\0';
	if (SSL_session_reused(stream->ssl) == 1)
		snprintf(how, TLS_HOW_TEXT, "%s", stream->how);
	else if (stream->auth == TLS_AUTH_CA)
		snprintf(how, TLS_HOW_TEXT, "ca");
	else if (stream->auth == TLS_AUTH_DANE && SSL_get0_dane_tlsa(stream->ssl, &usage, &selector, &matching, NULL, NULL) >= 0)
		snprintf(how, TLS_HOW_TEXT, "dane %u %u %u", usage, selector, matching);
}

/* OpenSSL names what stands in the certificate, which may be a wildcard: hence a look of our own. No name counts under DANE-EE. */
static bool by_other_name(const struct tls_stream *stream)
{
	X509 *cert = SSL_get0_peer_certificate(stream->ssl);
	uint8_t usage = 0;

	if (stream->name == NULL || stream->auth == TLS_AUTH_NONE || stream->auth == TLS_AUTH_CHECK || cert == NULL || SSL_session_reused(stream->ssl) == 1)
		return false;
	if (stream->auth == TLS_AUTH_DANE && SSL_get0_dane_tlsa(stream->ssl, &usage, NULL, NULL, NULL, NULL) >= 0 && usage == 3)
		return false;
	if (is_address(stream->name))
		return X509_check_ip_asc(cert, stream->name, 0) != 1;
	return X509_check_host(cert, stream->name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) != 1;
}

void tls_stream_info(const struct tls_stream *stream, struct tls_info *out)
{
	*out = (struct tls_info){
		.version = SSL_get_version(stream->ssl),
		.cipher = SSL_get_cipher_name(stream->ssl),
		.resumed = SSL_session_reused(stream->ssl) == 1,
	};
	describe_proof(stream, out->how);
	out->verified = out->how[0] != '\0';
	out->by_other_name = by_other_name(stream);
	out->fault = stream->auth == TLS_AUTH_CHECK ? tls_stream_fault(stream) : TLS_FAULT_NONE;
}

int tls_stream_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_stream *stream = SSL_get_app_data(ssl);
	char how[TLS_HOW_TEXT];

	if (stream == NULL || stream->cache == NULL || by_other_name(stream))
		return 0;
	describe_proof(stream, how);
	tls_cache_put(stream->cache, stream->cache_key, session, how, clock_mono());
	return 0; /* the cache took a reference of its own */
}

const char *tls_stream_error(const struct tls_stream *stream)
{
	return stream->error;
}

/* The key alone: a renewed certificate of the same key is the same client. */
bool tls_stream_fingerprint(const struct tls_stream *stream, char out[TLS_FINGERPRINT_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	const X509 *cert = SSL_get0_peer_certificate(stream->ssl);
	unsigned char *der = NULL, hash[32];
	int len = cert != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : 0;
	bool made = len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	ERR_clear_error();
	for (size_t i = 0; i < sizeof(hash) && made; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
	out[made ? 2 * sizeof(hash) : 0] = '\0';
	return made;
}
