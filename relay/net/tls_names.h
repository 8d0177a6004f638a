/* relay/net/tls_names.h - several certificates on one listener: the one whose names the client asks for (RFC 6066 section 3). Inside net/ only. */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include <openssl/ssl.h>

/* Have `first` hand over to `other` when a client asks for a name of other's certificate and not of its own. Takes over the reference to
 * `other`. Before `first` is shared. */
void tls_names_add(SSL_CTX *first, SSL_CTX *other);

/* The context, `first` or one that it hands over to, whose certificate is for the very names of `cert` and which has no key of its kind yet: the
 * two serve side by side there, say RSA for old clients and ECDSA for the others. NULL: there is none. */
SSL_CTX *tls_names_twin(SSL_CTX *first, X509 *cert);

#endif
