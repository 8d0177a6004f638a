/* relay/net/dns_packet.h - a DNS answer in wire form as the values of resolver.h. */
#ifndef NET_DNS_PACKET_H
#define NET_DNS_PACKET_H

#include "relay/net/resolver.h"

/*
 * Read the answer to a question of `name` and `type`: follows CNAMEs inside, keeps the records of `type` at their end.
 *
 *   name  the name that was asked for, ASCII, with or without its last dot
 *
 * Sets all of `out` but `secure`, which the packet does not know. Malformed packets, CNAME loops and RCODEs other than NOERROR and NXDOMAIN become
 * DNS_FAILED with `why`. What `out` points to is malloc'ed: dns_packet_free.
 */
void dns_packet_read(const void *packet, size_t len, const char *name, enum dns_type type, struct dns_answer *out);

/* Forget what dns_packet_read made. An answer of zeros is accepted. */
void dns_packet_free(struct dns_answer *answer);

#endif
