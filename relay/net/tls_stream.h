/* relay/net/tls_stream.h - one TLS session over a non-blocking socket: what conn.c needs of OpenSSL, in its own words. */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include "relay/net/tls.h"

struct tls_stream;

/* What a step came to. WANT_*: try the same again when the socket can be read or written. */
enum tls_step { TLS_STEP_DONE, TLS_STEP_WANT_READ, TLS_STEP_WANT_WRITE, TLS_STEP_EOF, TLS_STEP_FAILED };

/* Wrap `fd`, which stays the caller's. Each holds a reference to its settings. NULL: out of memory or a bad name in `want`. */
struct tls_stream *tls_stream_server(struct tls_server *server, int fd) MUST_USE;
struct tls_stream *tls_stream_client(struct tls_client *client, int fd, const struct tls_want *want) MUST_USE;

/* Free without a word to the peer; sets the pointer to NULL. NULL is accepted. */
void tls_stream_destroy(struct tls_stream **stream);

/* Go on with the handshake; DONE: the session is secure. */
MUST_USE enum tls_step tls_stream_handshake(struct tls_stream *stream);

/* Up to `size` bytes; DONE with *n_out > 0, else why not. */
MUST_USE enum tls_step tls_stream_read(struct tls_stream *stream, char *data, size_t size, size_t *n_out);

/* DONE with *n_out > 0: so much was taken (maybe a part). After WANT_* the next call must offer at least the same bytes, from
 * whatever address. */
MUST_USE enum tls_step tls_stream_write(struct tls_stream *stream, const char *data, size_t len, size_t *n_out);

/* Bytes that are here already although the socket shows nothing. */
bool tls_stream_has_pending(const struct tls_stream *stream);

/* Say close_notify, without waiting for the answer. */
void tls_stream_shutdown(struct tls_stream *stream);

/* What the finished handshake achieved. */
void tls_stream_info(const struct tls_stream *stream, struct tls_info *out);

/* What the chain of the server lacks to be one that AUTH_CA takes, as far as it was looked at. */
enum tls_fault tls_stream_fault(const struct tls_stream *stream);

/* Why the last step FAILED; words of OpenSSL. */
const char *tls_stream_error(const struct tls_stream *stream);

/* SHA-256 of the peer's public key (SubjectPublicKeyInfo) in hexadecimal. False, and "": it has shown no certificate. */
bool tls_stream_fingerprint(const struct tls_stream *stream, char out[TLS_FINGERPRINT_TEXT]);

#endif
