/* relay/net/tls.h - OpenSSL contexts and what a handshake achieved. The only place for OpenSSL beside conn.c. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"

struct tls_server; /* certificate, key, settings of the listeners; shared by reference count, any thread */
struct tls_client; /* settings towards the world; shared likewise */

/* Load a PEM chain and key (TLS 1.2 and later). ERR_INVALID, ERR_IO or ERR_NOT_FOUND with the file and the cause in `why`: unreadable,
 * no certificate inside, key does not match, expired is only a warning (*warning_out, static or NULL). */
struct tls_server *tls_server_create(const char *cert, const char *key, const char **warning_out, struct err_detail *why) MUST_USE;

/* One more certificate, for clients that ask for a name in it (SNI, RFC 6066 section 3); the first one found counts, and the one of
 * tls_server_create where none fits. Errors as there. Before the server is shared. */
MUST_USE enum err tls_server_add(struct tls_server *server, const char *cert, const char *key, const char **warning_out,
    struct err_detail *why);

/* Ask clients for a certificate of theirs; none is demanded, any is taken (conn_tls_fingerprint tells which). Before the server is shared. */
void tls_server_ask(struct tls_server *server);

#define TLS_FINGERPRINT_TEXT 65 /* bytes of a SHA-256 in hexadecimal, with NUL */

/* Reference counting, any thread. unref frees with the last one and sets the pointer to NULL. */
struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server **server);

/* Opportunistic client (RFC 7435): any certificate will do; SNI is the host name. Never NULL. */
struct tls_client *tls_client_create(void) MUST_USE;
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client **client);

/* What a finished handshake achieved. Texts are static or belong to the connection. */
struct tls_info {
	const char *version; /* "TLSv1.3" */
	const char *cipher;
	bool verified;
};

#endif
