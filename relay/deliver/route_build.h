/* relay/deliver/route_build.h - from what the look-ups of the hosts brought to a route, or to the reason why there is none. Pure. */
#ifndef DELIVER_ROUTE_BUILD_H
#define DELIVER_ROUTE_BUILD_H

#include "base/rand.h"
#include "relay/deliver/route.h"

#define ROUTE_HOSTS_MAX     20 /* of one domain; the rest of a longer set is never tried */
#define ROUTE_ADDRESSES_MAX 16 /* of one host */

/* What the look-up of one type of address of one host brought. */
struct route_found {
	enum dns_status status;
	struct ip_addr *addrs; /* malloc'ed */
	size_t count;
	bool secure;     /* validated, aliases too */
	char *canonical; /* the name at the end of the aliases; malloc'ed, NULL: unknown */
	char why[200];
};

/* One host of a domain before it is a route_host. */
struct route_candidate {
	char *name; /* malloc'ed */
	uint16_t preference;
	uint64_t shuffle; /* order among equal preferences */
	struct route_found v4, v6;
	struct dane dane;
};

/* All that is known of a domain. */
struct route_facts {
	const struct conf *conf;
	const char *domain;
	uint16_t port;
	bool from_mx;     /* false: a route of the configuration */
	bool implicit;    /* no MX: the domain itself is the host */
	bool mx_secure;   /* validated, or its denial; true for a route of the configuration */
	enum conf_tls_level tls;
	struct sts_found *sts; /* NULL: no policy */
	uint32_t ttl;     /* seconds, the least of all records; UINT32_MAX: none was looked up */
	wall_ms now;
	struct route_candidate *hosts;
	size_t host_count;
};

/* Add a host; `name` is copied. Names that cannot be looked up (address text, syntax) count as hosts without an address. A name twice is kept
 * at its better preference. */
struct route_candidate *route_facts_add(struct route_facts *facts, const char *name, uint16_t preference, struct rand *rand);
void route_facts_fini(struct route_facts *facts);

/* Is it a name that DNS can have addresses for? */
bool route_name_usable(const char *name);

/* Bring the hosts into the order in which they are tried, and cut the list to ROUTE_HOSTS_MAX. */
void route_facts_sort(struct route_facts *facts);

/* May TLSA records bind the host (RFC 7672 section 2.1)? What dane_lookup wants to know of it; false: no address, or no name. */
bool route_dane_host(const struct route_facts *facts, const struct route_candidate *host, struct dane_host *out);

/* All look-ups of every host have ended: make the route (one reference, the caller's), or NULL and *failure. */
struct route *route_build(const struct route_facts *facts, struct route_failure *failure) MUST_USE;

/* Fill a failure; `enhanced` is static. */
void route_fail(struct route_failure *failure, bool permanent, const char *enhanced, const char *format, ...) PRINTF_LIKE(4, 5);

#endif
