/* relay/net/tls_ticket.h - the keys of session tickets: one set for the whole process, so that every worker takes the tickets of the others
 * and a reload does not make clients start over. Inside net/ only.
 *
 * Departure from "threads share nothing mutable": the set is a few hundred bytes behind a lock, touched once in a handshake. */
#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/err.h"

/* A key signs tickets for so long, and is still taken for as long again: what it protects is lost with it, so it must not live for ever. */
#define TLS_TICKET_PERIOD_MS HOURS(6)

/* Have `ctx` make and take tickets with the process's keys. Any thread. */
void tls_ticket_install(SSL_CTX *ctx);

/* The name of the key that signs at `now`; a period later it is another. `name` holds 16 bytes. Any thread. */
void tls_ticket_key_name(mono_ms now, unsigned char name[16]);

/* Whether a ticket under that name is taken at `now`. Any thread. */
bool tls_ticket_is_known(mono_ms now, const unsigned char name[16]);

#endif
