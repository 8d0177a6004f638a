/* relay/deliver/route_build.c - from what the look-ups of the hosts brought to a route, or to the reason why there is none. */
#include "relay/deliver/route_build.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "relay/wire/address.h"
#include "relay/wire/utf8.h"

#define LIFE_MIN_MS SECONDS(30)
#define LIFE_MAX_MS HOURS(1)

void route_fail(struct route_failure *failure, bool permanent, const char *enhanced, const char *format, ...)
{
	va_list args;

	failure->permanent = permanent;
	failure->enhanced = enhanced;
	va_start(args, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
}

/* --- facts --------------------------------------------------------------------------------------------------------------- */

bool route_name_usable(const char *name)
{
	struct ip_addr addr;

	/* "MX 10 192.0.2.1" is a common mistake; the name that it makes exists nowhere. A U-label domain is the resolver's to judge. */
	return (domain_is_valid(name) && !ip_parse(name, &addr)) || !utf8_is_ascii(name, strlen(name));
}

struct route_candidate *route_facts_add(struct route_facts *facts, const char *name, uint16_t preference, struct rand *rand)
{
	struct route_candidate *host;

	for (size_t i = 0; i < facts->host_count; i++) {
		if (strcmp(facts->hosts[i].name, name) != 0)
			continue;
		if (preference < facts->hosts[i].preference)
			facts->hosts[i].preference = preference;
		return &facts->hosts[i];
	}
	facts->hosts = xrealloc(facts->hosts, (facts->host_count + 1) * sizeof(*facts->hosts));
	host = &facts->hosts[facts->host_count++];
	*host = (struct route_candidate){
	    .name = xstrdup(name), .preference = preference, .shuffle = rand_u64(rand),
	    .v4 = {.status = DNS_NO_NAME}, .v6 = {.status = DNS_NO_NAME},
	};
	return host;
}

static void candidate_fini(struct route_candidate *host)
{
	free(host->name);
	free(host->v4.addrs);
	free(host->v4.canonical);
	free(host->v6.addrs);
	free(host->v6.canonical);
	dane_fini(&host->dane);
}

void route_facts_fini(struct route_facts *facts)
{
	for (size_t i = 0; i < facts->host_count; i++)
		candidate_fini(&facts->hosts[i]);
	free(facts->hosts);
	sts_found_unref(&facts->sts);
	facts->hosts = NULL;
	facts->host_count = 0;
}

static int by_preference(const void *a, const void *b)
{
	const struct route_candidate *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->shuffle < y->shuffle ? -1 : x->shuffle > y->shuffle;
}

void route_facts_sort(struct route_facts *facts)
{
	if (facts->host_count > 1)
		qsort(facts->hosts, facts->host_count, sizeof(*facts->hosts), by_preference);
	while (facts->host_count > ROUTE_HOSTS_MAX)
		candidate_fini(&facts->hosts[--facts->host_count]);
}

/* --- DANE ---------------------------------------------------------------------------------------------------------------- */

/* One insecure answer makes the whole insecure. */
bool route_dane_host(const struct route_facts *facts, const struct route_candidate *host, struct dane_host *out)
{
	bool has_v4 = host->v4.status == DNS_FOUND, has_v6 = host->v6.status == DNS_FOUND;

	if ((!has_v4 && !has_v6) || !facts->mx_secure || !route_name_usable(host->name))
		return false;
	*out = (struct dane_host){
		.name = host->name,
		.canonical = has_v4 ? host->v4.canonical : host->v6.canonical,
		.secure = (!has_v4 || host->v4.secure) && (!has_v6 || host->v6.secure),
		.port = facts->port,
	};
	return true;
}

/* --- ourselves ----------------------------------------------------------------------------------------------------------- */

static bool is_wildcard(const struct ip_addr *addr)
{
	static const struct ip_addr none;

	return memcmp(addr->bytes, none.bytes, sizeof(none.bytes)) == 0;
}

static bool is_source(const struct conf *conf, const struct ip_addr *addr)
{
	for (size_t i = 0; i < conf->source_count; i++)
		if (ip_equal(&conf->sources[i].ip, addr))
			return true;
	return false;
}

/* A listener on all addresses has at least those that we send from. */
static bool is_ourselves(const struct conf *conf, const struct ip_addr *addr, uint16_t port)
{
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct ip_port *at = &conf->listen[i].at;

		if (at->port == port && (ip_equal(&at->addr, addr) || (is_wildcard(&at->addr) && is_source(conf, addr))))
			return true;
	}
	return false;
}

static bool found_ourselves(const struct route_facts *facts, const struct route_found *found)
{
	for (size_t i = 0; i < found->count; i++)
		if (is_ourselves(facts->conf, &found->addrs[i], facts->port))
			return true;
	return false;
}

/* How many hosts stay: those with a lower preference value than our own best (RFC 5321 section 5.1). The list is sorted. */
static size_t hosts_before_us(const struct route_facts *facts)
{
	for (size_t i = 0; i < facts->host_count; i++) {
		const struct route_candidate *host = &facts->hosts[i];
		size_t first = i;

		if (!found_ourselves(facts, &host->v4) && !found_ourselves(facts, &host->v6))
			continue;
		while (first > 0 && facts->hosts[first - 1].preference == host->preference)
			first--;
		return first;
	}
	return facts->host_count;
}

/* --- addresses ----------------------------------------------------------------------------------------------------------- */

/* How the hosts fared whose addresses are of no use. */
struct tally {
	const struct route_candidate *failed; /* the first one of its kind each; NULL: none */
	const struct route_found *failure;
	const struct route_candidate *refused;
	struct ip_addr refused_addr;
};

static bool is_refused(const struct route_facts *facts, const struct ip_addr *addr)
{
	for (size_t i = 0; facts->from_mx && i < facts->conf->delivery.refuse_network_count; i++)
		if (ip_net_contains(&facts->conf->delivery.refuse_networks[i], addr))
			return true;
	return false;
}

/* The next address of `found` from *at on that we may connect to; NULL: no more. */
static const struct ip_addr *next_address(const struct route_facts *facts, const struct route_candidate *host,
    const struct route_found *found, size_t *at, struct tally *tally)
{
	while (*at < found->count) {
		const struct ip_addr *addr = &found->addrs[(*at)++];

		if (!is_refused(facts, addr))
			return addr;
		if (!tally->refused) {
			tally->refused = host;
			tally->refused_addr = *addr;
		}
	}
	return NULL;
}

/* Both families by turns, the preferred one first, so that one that does not work here costs one attempt only. */
static void take_addresses(struct route_host *out, const struct route_facts *facts, const struct route_candidate *host,
    struct tally *tally)
{
	bool v6_first = facts->conf->delivery.prefer_ipv6;
	const struct route_found *found[2] = {v6_first ? &host->v6 : &host->v4, v6_first ? &host->v4 : &host->v6};
	size_t at[2] = {0, 0};
	bool more = true;

	out->addrs = xcalloc(ROUTE_ADDRESSES_MAX, sizeof(out->addrs[0]));
	while (more) {
		more = false;
		for (unsigned i = 0; i < 2 && out->addr_count < ROUTE_ADDRESSES_MAX; i++) {
			const struct ip_addr *addr = next_address(facts, host, found[i], &at[i], tally);

			if (!addr)
				continue;
			out->addrs[out->addr_count++] = *addr;
			more = true;
		}
	}
}

static bool may_pass(enum dns_status status)
{
	return status == DNS_FAILED || status == DNS_TIMEOUT || status == DNS_BOGUS;
}

static void note_failure(struct tally *tally, const struct route_candidate *host)
{
	if (tally->failed || (!may_pass(host->v4.status) && !may_pass(host->v6.status)))
		return;
	tally->failed = host;
	tally->failure = may_pass(host->v4.status) ? &host->v4 : &host->v6;
}

/* --- the route ----------------------------------------------------------------------------------------------------------- */

static void add_host(struct route *route, const struct route_facts *facts, const struct route_candidate *host, struct tally *tally)
{
	struct route_host *out = &route->hosts[route->host_count];

	take_addresses(out, facts, host, tally);
	if (out->addr_count == 0) {
		free(out->addrs);
		*out = (struct route_host){0};
		note_failure(tally, host);
		return;
	}
	out->name = xstrdup(host->name);
	dane_copy(&out->dane, &host->dane);
	out->sts = facts->sts ? facts->sts->policy.mode : STS_NONE;
	out->sts_allows = facts->sts && sts_policy_allows(&facts->sts->policy, host->name);
	out->preference = host->preference;
	route->host_count++;
}

static uint64_t host_hash(const struct route_host *host)
{
	uint64_t bound[] = {(uint64_t)host->dane.status, tlsa_set_hash(host->dane.tlsa, host->dane.tlsa_count), (uint64_t)host->sts,
	    host->sts_allows};

	/* Multiplied, so that two hosts cannot change their records with each other unseen. */
	return table_hash(host->name, strlen(host->name)) * (table_hash(bound, sizeof(bound)) | 1);
}

/* A sum of hashes, so that the order does not matter. */
static void set_key(struct route *route)
{
	struct {
		uint32_t port, tls, mx_secure, from_mx;
	} rest = {route->port, (uint32_t)route->tls, route->mx_secure, route->from_mx};

	route->key = table_hash(&rest, sizeof(rest));
	for (size_t i = 0; i < route->host_count; i++) {
		const struct route_host *host = &route->hosts[i];

		route->key += host_hash(host);
		for (size_t k = 0; k < host->addr_count; k++) {
			route->key += table_hash(&host->addrs[k], sizeof(host->addrs[k]));
			route->families |= host->addrs[k].family == AF_INET ? 1u : 2u;
		}
	}
}

/* No longer than the records, nor than the policy. */
static wall_ms life(const struct route_facts *facts)
{
	int64_t ms = SECONDS(facts->ttl);

	if (facts->sts && facts->sts->has_policy && facts->sts->until - facts->now < ms)
		ms = facts->sts->until - facts->now;
	return ms < LIFE_MIN_MS ? LIFE_MIN_MS : ms > LIFE_MAX_MS ? LIFE_MAX_MS : ms;
}

/* A route of the configuration is the operator's to mend: its mail waits. */
static void fail_looping(const struct route_facts *facts, struct route_failure *failure)
{
	if (facts->from_mx)
		route_fail(failure, true, "5.4.6", "mail for %s loops back to this host (%s)", facts->domain, facts->hosts[0].name);
	else
		route_fail(failure, false, "4.4.6", "the route of %s leads back to this host (%s)", facts->domain, facts->hosts[0].name);
}

static void fail_without_hosts(const struct route_facts *facts, const struct tally *tally, struct route_failure *failure)
{
	char ip[IP_TEXT];

	if (tally->failed)
		route_fail(failure, false, "4.4.3", "address of %s, mail server of %s: %s%s%s", tally->failed->name, facts->domain,
		    dns_status_text(tally->failure->status), tally->failure->why[0] ? ": " : "", tally->failure->why);
	else if (tally->refused)
		route_fail(failure, true, "5.4.4", "mail servers of %s have only addresses that delivery.refuse_networks excludes (%s [%s])",
		    facts->domain, tally->refused->name, ip_format(&tally->refused_addr, ip));
	else if (!facts->from_mx)
		route_fail(failure, false, "4.4.4", "the host of the route of %s has no address (%s)", facts->domain, facts->hosts[0].name);
	else if (facts->implicit)
		route_fail(failure, true, "5.4.4", "no MX and no address for %s", facts->domain);
	else
		route_fail(failure, true, "5.4.4", "no mail server of %s has an address (%s)", facts->domain, facts->hosts[0].name);
}

struct route *route_build(const struct route_facts *facts, struct route_failure *failure)
{
	size_t count = hosts_before_us(facts);
	struct tally tally = {0};
	struct route *route;

	if (count == 0) {
		fail_looping(facts, failure);
		return NULL;
	}
	route = xcalloc(1, sizeof(*route));
	atomic_init(&route->refs, 1);
	route->domain = xstrdup(facts->domain);
	route->port = facts->port;
	route->from_mx = facts->from_mx;
	route->tls = facts->tls;
	route->mx_secure = facts->mx_secure;
	route->sts = sts_found_ref(facts->sts);
	route->expires = facts->now + life(facts);
	route->hosts = xcalloc(count, sizeof(route->hosts[0]));
	for (size_t i = 0; i < count; i++)
		add_host(route, facts, &facts->hosts[i], &tally);
	if (route->host_count == 0) {
		fail_without_hosts(facts, &tally, failure);
		route_unref(&route);
		return NULL;
	}
	set_key(route);
	return route;
}
