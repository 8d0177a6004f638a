/* relay/net/tls_stream.c - one TLS session over a non-blocking socket. */
#include "relay/net/tls_stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "relay/net/tls_context.h"

/* Owned by its connection. The SSL holds its own reference to the SSL_CTX, so ours to tls_server may go earlier. */
struct tls_stream {
	SSL *ssl;
	char error[160];
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

struct tls_stream *tls_stream_client(struct tls_client *client, int fd, const char *name)
{
	struct tls_stream *stream = stream_create(client->ctx, fd);
	struct ip_addr literal;

	if (stream == NULL)
		return NULL;
	SSL_set_connect_state(stream->ssl);
	/* RFC 6066 section 3: an address is no server name. */
	if (name != NULL && !ip_parse(name, &literal) && SSL_set_tlsext_host_name(stream->ssl, name) != 1) {
		ERR_clear_error();
		tls_stream_destroy(&stream);
	}
	return stream;
}

void tls_stream_destroy(struct tls_stream **stream)
{
	if (*stream == NULL)
		return;
	SSL_free((*stream)->ssl);
	free(*stream);
	*stream = NULL;
}

static void note_error(struct tls_stream *stream, int cause)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (reason == NULL)
		reason = cause == SSL_ERROR_SYSCALL && errno != 0 ? strerror(errno) : "connection closed";
	snprintf(stream->error, sizeof(stream->error), "%s", reason);
	ERR_clear_error();
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

void tls_stream_info(const struct tls_stream *stream, struct tls_info *out)
{
	*out = (struct tls_info){ .version = SSL_get_version(stream->ssl), .cipher = SSL_get_cipher_name(stream->ssl) };
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
