/* relay/deliver/blocklist.h - DNS blocklists (RFC 5782): the name to ask about an address, and what an answer means. Pure. */
#ifndef DELIVER_BLOCKLIST_H
#define DELIVER_BLOCKLIST_H

#include "relay/net/resolver.h"

#define BLOCKLIST_NAME_MAX 512
#define BLOCKLIST_WORDS    240

/* "2.0.0.127.bl.example.net", or 32 nibbles for IPv6 (RFC 5782 section 2). Returns `out`. */
char *blocklist_name(const struct ip_addr *addr, const char *zone, char out[BLOCKLIST_NAME_MAX]);

enum blocklist_verdict {
	BLOCKLIST_CLEAN,   /* not listed */
	BLOCKLIST_LISTED,  /* an address in 127.0.0.0/8 */
	BLOCKLIST_TROUBLE, /* an answer that says nothing about the address: it is not believed */
};

/* What an answer to a question for A records means; `words` gets the codes of a listing or the trouble. 127.255.255.0/24 is what lists answer to
 * resolvers that they do not serve; an address outside of 127.0.0.0/8 is a zone that was sold, or a resolver that makes answers up. */
enum blocklist_verdict blocklist_read(const struct dns_answer *answer, char words[BLOCKLIST_WORDS]);

#endif
