/* relay/net/tls_names.h - several certificates on one listener: the one whose names the client asks for (RFC 6066 section 3). Inside net/ only. */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include <openssl/ssl.h>

/* Have `first` hand over to `other` when a client asks for a name of other's certificate and not of its own. Takes over the reference to
 * `other`. Before `first` is shared. */
void tls_names_add(SSL_CTX *first, SSL_CTX *other);

#endif
