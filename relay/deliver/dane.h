/* relay/deliver/dane.h - which TLSA records bind a host (RFC 7672 section 2.2), looked up on the main loop. */
#ifndef DELIVER_DANE_H
#define DELIVER_DANE_H

#include "relay/net/resolver.h"

enum dane_status {
	DANE_NONE,   /* not looked for, not secure, or securely denied: DANE does not apply */
	DANE_FOUND,  /* secure records, maybe none of use: TLS is a must */
	DANE_FAILED, /* whether there are any cannot be told now: the host must not be used (RFC 7672 section 2.1.3) */
};

struct dane {
	enum dane_status status;
	char *base; /* the TLSA base domain: SNI and first reference name; NULL unless FOUND */
	struct tlsa *tlsa;
	size_t tlsa_count;
	uint32_t ttl;  /* seconds; UINT32_MAX: nothing was looked up */
	char why[256]; /* FAILED: which name, and what went wrong */
};
void dane_fini(struct dane *dane);
void dane_copy(struct dane *out, const struct dane *from);

/* What is known of the host. Borrowed for the call. */
struct dane_host {
	const char *name;      /* as the MX or the configuration names it */
	const char *canonical; /* where its address records are; the same without an alias, NULL: unknown */
	bool secure;           /* they are validated, and so is all that led to them */
	uint16_t port;
};

/* `dane` is the callee's from now on: dane_fini. */
typedef void (*dane_fn)(void *arg, struct dane *dane);

/*
 * Look for the records of a host whose name itself came by a secure way (secure MX, or the configuration).
 *
 * Secure addresses: first at the name that aliases led to, then at the name itself (RFC 7672 section 2.2.3). Insecure ones behind an alias: at the
 * name, if the alias is secure (section 2.1.3). Other insecure ones: no look-up at all, as name servers of unsigned zones may
 * choke on the question; returns NULL, DANE does not apply. Else `fn` is called exactly once, never from inside this call.
 */
struct dane_lookup;
struct dane_lookup *dane_lookup(struct resolver *resolver, const struct dane_host *host, dane_fn fn, void *arg) MUST_USE;
void dane_lookup_cancel(struct dane_lookup **lookup); /* before `fn` was called; NULL is accepted */

#endif
