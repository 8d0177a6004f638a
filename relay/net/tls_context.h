/* relay/net/tls_context.h - what tls.c and tls_stream.c share: the reference-counted contexts. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_server {
	SSL_CTX *ctx;
	atomic_uint refs;
};

struct tls_client {
	SSL_CTX *ctx;
	atomic_uint refs;
};

#endif
