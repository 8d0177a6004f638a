/* relay/net/tls_context.h - what the files of TLS share: reference-counted contexts, and sessions in the cache. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "relay/net/tls.h"
#include "relay/net/tls_cache.h"

struct tls_server {
	SSL_CTX *ctx;
	atomic_uint refs;
};

struct tls_client {
	SSL_CTX *ctx;
	atomic_uint refs;
	unsigned serial; /* a session of one client's is never resumed by another, which may know other authorities */
};

/* A session of this name, or NULL; *how_out (TLS_HOW_TEXT bytes) is how its server was verified. Borrowed until the next call. */
SSL_SESSION *tls_cache_find(struct tls_cache *cache, const char *key, char *how_out, mono_ms now);

/* Keep a session, in place of an older one of this name; takes a reference of its own. */
void tls_cache_put(struct tls_cache *cache, const char *key, SSL_SESSION *session, const char *how, mono_ms now);
void tls_cache_drop(struct tls_cache *cache, const char *key);

/* SSL_CTX_sess_set_new_cb: a server has handed out a session (tls_stream.c). */
int tls_stream_on_session(SSL *ssl, SSL_SESSION *session);

#endif
