/* relay/deliver/route.h - the ordered hosts of a recipient domain (RFC 5321 section 5.1, RFC 7505), looked up on the main loop. */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include "conf/conf.h"
#include "relay/deliver/dane.h"
#include "relay/deliver/sts.h"
#include "relay/net/resolver.h"

struct route_host {
	char *name;        /* as in the MX; for address literals and routes to addresses: the address text */
	uint16_t preference;
	struct ip_addr *addrs; /* in the order in which to try */
	size_t addr_count;
	uint32_t no_tls;   /* bit i: addrs[i] failed a handshake lately; set in copies of hostmap.h alone */
	struct dane dane;  /* what binds it when the level is dane */
	enum sts_mode sts; /* what the domain's MTA-STS policy says about its hosts; NONE: nothing */
	bool sts_allows;   /* this one is among those of the policy */
};

/* Immutable once made; shared by reference count between threads. */
struct route {
	_Atomic unsigned refs;
	char *domain;
	uint16_t port;
	uint64_t key;         /* equal keys: the same hosts, port, level and TLSA records: connections may be shared */
	unsigned families;    /* bit 0: some IPv4 address, bit 1: some IPv6 address */
	wall_ms expires;
	enum conf_tls_level tls; /* of the domain; a tenant may ask for more (trust.h) */
	struct sts_found *sts; /* the domain's MTA-STS policy, or why there is none; NULL: there is none */
	bool mx_secure;       /* the hosts' names came by a secure way: validated, or the configuration */
	bool from_mx;         /* false: a route of the configuration, refuse_networks does not apply */
	struct route_host *hosts;
	size_t host_count;
	char *left_out;       /* which addresses it is without, for they are down, in words; NULL: none. Copies of hostmap.h alone */
};
struct route *route_ref(struct route *route);
void route_unref(struct route **route); /* any thread; sets the pointer to NULL */

/* A copy without hosts, with room for so many: one reference, not shared yet, to be filled. */
struct route *route_bare(const struct route *route, size_t room) MUST_USE;

/* A look-up's end: a route, or why there is none. */
struct route_failure {
	bool permanent;      /* the domain cannot get mail: bounce (null MX 5.1.10, no such domain 5.1.2, loop to ourselves 5.4.6); else defer (4.4.3) */
	const char *enhanced; /* "5.1.10" */
	char text[256];      /* words for operator and DSN, such as "no MX or address for example.net" */
};
/* Exactly one of `route` (a reference that the callee owns) and `failure` (borrowed) is given. */
typedef void (*route_fn)(void *arg, struct route *route, const struct route_failure *failure);

/*
 * Find the route of `domain`: routes[] of the configuration first; an address literal; else MX, else A/AAAA (implicit MX).
 *
 * MX hosts by preference, random order among equals (`rand`); a set that holds ourselves (listen.at address together with delivery.port) is cut at our own
 * preference (RFC 5321 section 5.1), nothing left: loop, permanent. Addresses in delivery.refuse_networks are left out (all left out: permanent 5.4.4...
 * with a text that names the network rule). A host whose address look-ups fail for now is left out as long as another host has addresses; else
 * the failure is temporary. Null MX: permanent. The domain's MTA-STS policy is looked up beside all that (`sts` NULL: it is not). When the level asks for it, the TLSA records of the hosts are looked up too, if the MX is secure or the
 * configuration names the host (RFC 7672 section 2.1). `fn` is called exactly once, never from inside this call.
 */
struct route_lookup;
struct route_lookup *route_lookup(struct resolver *resolver, struct sts *sts, struct loop *loop, struct conf *conf, const char *domain, uint64_t seed,
    wall_ms now, route_fn fn, void *arg);
void route_lookup_cancel(struct route_lookup **lookup);

#endif
