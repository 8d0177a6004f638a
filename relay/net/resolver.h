/* relay/net/resolver.h - asynchronous, caching, validating DNS look-ups: libunbound on the main loop, ldns for the records. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/ip.h"
#include "conf/conf.h"
#include "relay/net/loop.h"
#include "relay/net/tlsa.h"

struct resolver;

/* Start on `loop` with the settings of conf->dns. Nothing is sent yet but a probe. ERR_INVALID: an anchor file or option is bad (the text names it). */
struct resolver *resolver_create(struct loop *loop, const struct conf *conf, struct err_detail *why) MUST_USE;
/* The same for blocklists: blocklists.forward where that is given, and no validation. */
struct resolver *resolver_create_for_lists(struct loop *loop, const struct conf *conf, struct err_detail *why) MUST_USE;
/* Queries under way are cancelled without an answer. Sets the pointer to NULL. */
void resolver_destroy(struct resolver **resolver);

/* Are answers validated from the root on? Found out by looking the root's keys up (dns.validate), anew when answers turn out bogus. */
enum dns_validation {
	DNS_UNVALIDATED, /* the root's anchor is not among ours: at most names below our own ones are */
	DNS_UNPROVEN,    /* not known: the resolver has not answered yet. Nothing goes on without it */
	DNS_VALIDATED,
	DNS_INVALID,     /* they cannot be: prefer goes on without, require defers. Tried again by itself */
};
enum dns_validation resolver_validation(const struct resolver *resolver);
const char *dns_validation_name(enum dns_validation validation); /* "validated" */

/* What is wrong with that, in words and static; NULL: nothing, or nothing is known to be. */
const char *resolver_trouble(const struct resolver *resolver);

/* `fn` is called when that changes, from a timer of the loop. One listener; NULL: nobody. */
void resolver_listen(struct resolver *resolver, void (*fn)(void *arg, enum dns_validation validation), void *arg);

enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA,    /* the name exists, not this type (RFC 2308) */
	DNS_NO_NAME,    /* NXDOMAIN */
	DNS_FAILED,     /* SERVFAIL, REFUSED, malformed: may pass */
	DNS_TIMEOUT,    /* our own deadline: may pass */
	DNS_BOGUS,      /* DNSSEC validation failed: treated as may pass, never as an answer */
};
const char *dns_status_text(enum dns_status status);

struct dns_mx {
	uint16_t preference;
	char *host; /* lower case, no trailing dot; "" is the null MX (RFC 7505) */
};

/* One answer. Lives only during the callback. */
struct dns_answer {
	enum dns_status status;
	bool secure;           /* DNSSEC-validated, denial too */
	char why[200];         /* for failed ones */
	uint32_t ttl;          /* seconds, the least of the records used; for denials the negative TTL */
	const char *canonical; /* the name after CNAMEs, lower case, no trailing dot */
	const struct dns_mx *mx;
	size_t mx_count;
	const struct ip_addr *addrs;
	size_t addr_count;
	const struct tlsa *tlsa; /* those of no use too */
	size_t tlsa_count;
	char *const *txt; /* each with its strings joined (RFC 7208 section 3.3); a NUL inside stands as 0x01 */
	size_t txt_count;
};

/* DNS_CNAME tells whether the name itself is an alias (FOUND) and whether that is validated; `canonical` is the name. */
enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

/* Ask. `name` may be a U-label name (converted with IDNA 2008). `fn` is called exactly once, never from inside this call, unless cancelled.
 * Returns a handle for cancelling, owned by the resolver. */
struct dns_query;
typedef void (*dns_fn)(void *arg, const struct dns_answer *answer);
struct dns_query *resolver_ask(struct resolver *resolver, const char *name, enum dns_type type, dns_fn fn, void *arg);
void resolver_cancel(struct dns_query *query); /* before its callback ran: it will not run */

#endif
