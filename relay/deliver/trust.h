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

/* Does the domain's MTA-STS policy count at this level? Not where the operator wants no more than what is offered. */
bool trust_wants_sts(const struct conf *conf, enum conf_tls_level level);

/* What the tenant asks for at least; a tenant that is no longer there asks for nothing. */
enum conf_tls_level trust_tenant_level(const struct conf *conf, const char *tenant);

struct trust {
	bool tls;           /* STARTTLS, when offered */
	bool required;      /* nothing in the clear */
	enum tls_auth auth;
	bool host_only;     /* the certificate must bear the host's own name, as subjectAltName (RFC 8461 section 4.1) */
	bool check;         /* nothing is demanded of the certificate, but what is wrong with it is to be told (mode testing) */
	bool unreachable;   /* the host must not be used: its TLSA records cannot be had */
	bool excluded;      /* the host must not be used: the domain's MTA-STS policy does not name it */
	bool unproven;      /* the host must not be used: REQUIRETLS, and its name came by no secure way */
	const char *demand; /* who requires TLS, in words for a reply; static */
};

/*
 * What counts towards `host`: the higher one of the domain's level and the tenant's. dane adds to others what secure TLSA records demand
 * (RFC 7672 section 2.2): TLS, authenticated by them, or without authentication when none is of use; where they are, they
 * take the place of certificate authorities for level verified. Where there are none, an MTA-STS policy in mode enforce demands that it names the host
 * and that a certificate authority vouches for the host's name (RFC 8461 section 4).
 */
void trust_decide(struct trust *out, enum conf_tls_level level, enum conf_tls_level tenant, const struct route_host *host);

/* What REQUIRETLS demands in addition (RFC 8689 section 4.2.1): a server that is authenticated, under a name that came by a secure way: DNSSEC, the
 * configuration, or an MTA-STS policy in mode enforce. */
void trust_require(struct trust *trust, const struct route *route, const struct route_host *host);

/*
 * What tells one resumable TLS session from another: whom it is with, from where, and all that it was verified by, for a resumed one is not verified
 * again. Another demand or another TLSA set makes another key.
 *
 *   relay, source  the host with its address and port; our own side
 */
#define TRUST_KEY 800
const char *trust_session_key(const struct trust *trust, const struct route_host *host, const char *relay, const char *source, char out[TRUST_KEY]);

/* For the operator: what `trust`, as decided for `host`, comes to. Returns `out`. */
#define TRUST_WORDS 400
const char *trust_words(const struct trust *trust, const struct route_host *host, char out[TRUST_WORDS]);

/* Is a connection with (or without) TLS, and an authenticated server or not, good enough? */
bool trust_is_met(const struct trust *trust, bool secure, bool verified);

#endif
