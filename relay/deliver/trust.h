/* relay/deliver/trust.h - how much TLS a delivery needs on its way to a host, and whether a connection has it. Pure. */
#ifndef DELIVER_TRUST_H
#define DELIVER_TRUST_H

#include "conf/conf.h"
#include "relay/deliver/route.h"
#include "relay/net/tls.h"

/* The level of a domain: its route's, else its provider's (by domain, else by all of `hosts`), else delivery.tls. `to`: its row of routes[], or
 * NULL. */
enum conf_tls_level trust_level(const struct conf *conf, const char *domain, const struct conf_route *to, const char *const *hosts,
    size_t count);

/* Must TLSA records be looked up for a domain of this level? Also where only some tenant asks for dane. */
bool trust_wants_tlsa(const struct conf *conf, enum conf_tls_level level);

/* What the tenant asks for at least; a tenant that is no longer there asks for nothing. */
enum conf_tls_level trust_tenant_level(const struct conf *conf, const char *tenant);

struct trust {
	bool tls;           /* STARTTLS, when offered */
	bool required;      /* nothing in the clear */
	enum tls_auth auth;
	bool unreachable;   /* the host must not be used: its TLSA records cannot be had */
	const char *demand; /* who requires TLS, in words for a reply; static */
};

/*
 * What counts towards `host`: the higher one of the domain's level and the tenant's. dane adds to others what secure TLSA records demand
 * (RFC 7672 section 2.2): TLS, authenticated by them, or without authentication when none is of use; where they are, they
 * take the place of certificate authorities for level verified.
 */
void trust_decide(struct trust *out, enum conf_tls_level level, enum conf_tls_level tenant, const struct route_host *host);

/* Is a connection with (or without) TLS, and an authenticated server or not, good enough? */
bool trust_is_met(const struct trust *trust, bool secure, bool verified);

#endif
