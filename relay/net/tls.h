/* relay/net/tls.h - OpenSSL contexts, what a client demands of a server, and what a handshake achieved. Only tls*.c know OpenSSL. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"
#include "relay/net/tlsa.h"

struct tls_server; /* certificate, key, settings of the listeners; shared by reference count, any thread */
struct tls_client; /* settings towards the world; shared likewise */
struct tls_cache;  /* sessions that may be resumed; one thread's (tls_cache.h) */

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

/* A client that knows no certificate authority: for TLS_AUTH_NONE and TLS_AUTH_DANE. Never NULL. */
struct tls_client *tls_client_create(void) MUST_USE;

/* One that knows those in the PEM file `ca`, or those of the system when that is NULL. NULL with the file and the cause in `why`: not there,
 * not readable, no certificate inside. */
struct tls_client *tls_client_load(const char *ca, struct err_detail *why) MUST_USE;
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client **client);

/* How the server must prove who it is; the handshake fails when it does not. */
enum tls_auth {
	TLS_AUTH_NONE, /* any certificate will do (RFC 7435) */
	TLS_AUTH_CA,   /* a chain to a known authority, and one of the names (RFC 6125) */
	TLS_AUTH_DANE, /* what the TLSA records say (RFC 7672 section 3); TLS_AUTH_NONE when none of them is of use */
	TLS_AUTH_CHECK, /* as NONE, but tls_info.fault tells what AUTH_CA would have found fault with */
};

/* What a client demands. Borrowed for the call, but for `cache`, which must stay as long as the connection. */
struct tls_want {
	const char *name;  /* SNI, and a name that the certificate may bear; an address is checked but makes no SNI; may be NULL for AUTH_NONE */
	const char *also;  /* another name that will do, or NULL */
	bool strict_names; /* a name counts as subjectAltName alone (RFC 8461 section 4.1) */
	enum tls_auth auth;
	const struct tlsa *tlsa; /* AUTH_DANE: the whole set, unusable ones too */
	size_t tlsa_count;
	struct tls_cache *cache; /* resume from here and keep here; NULL: do not */
	const char *cache_key;   /* must tell servers, sources, demands and TLSA sets apart: a resumed session is not verified again */
};

#define TLS_HOW_TEXT 32

/* What is wrong with a server's certificate, as reports tell it (RFC 8460 section 4.3). */
enum tls_fault { TLS_FAULT_NONE, TLS_FAULT_NAME, TLS_FAULT_EXPIRED, TLS_FAULT_UNTRUSTED, TLS_FAULT_OTHER };

/* What a finished handshake achieved. */
struct tls_info {
	const char *version; /* "TLSv1.3"; static */
	const char *cipher;  /* static */
	bool verified;       /* the server is who it should be */
	bool by_other_name;  /* its certificate bears tls_want.also, not the name: no proof for others than who asked for that */
	bool resumed;
	char how[TLS_HOW_TEXT]; /* "dane 3 1 1", "ca", or "" when not verified */
	enum tls_fault fault; /* of AUTH_CHECK */
};

#endif
