/* relay/deliver/route.c - the look-ups behind a route: MX, the addresses of all hosts side by side, then their TLSA records. */
#include "relay/deliver/route.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/deliver/route_build.h"
#include "relay/deliver/trust.h"

#define MX_MAX 256 /* records of a set that are looked at */

/* One look-up of addresses that is under way. */
struct address_query {
	struct route_lookup *lookup;
	struct route_found *found;
	struct dns_query *query; /* NULL: ended */
};

/* One look-up of TLSA records that is under way. */
struct tlsa_query {
	struct route_lookup *route;
	struct dane *dane;
	struct dane_lookup *lookup; /* NULL: ended */
};

/* Until `fn` is called the caller's; gone then. */
struct route_lookup {
	struct resolver *resolver;
	struct sts_lookup *sts; /* NULL: not asked for, or ended */
	bool hosts_known;       /* all but that has ended */
	struct conf *conf;
	const struct conf_route *to; /* NULL: none of the configuration */
	char *domain;
	struct rand rand;
	struct route_facts facts;
	struct route_failure failure; /* of the look-up of the MX; text "" while there is none */
	struct dns_query *mx;
	struct address_query addresses[2 * ROUTE_HOSTS_MAX];
	struct tlsa_query tlsa[ROUTE_HOSTS_MAX];
	size_t open; /* look-ups under way: of addresses, then of TLSA records */
	struct timer timer; /* to end without a look-up, never from inside route_lookup */
	route_fn fn;
	void *arg;
};

struct route *route_ref(struct route *route)
{
	atomic_fetch_add_explicit(&route->refs, 1, memory_order_relaxed);
	return route;
}

void route_unref(struct route **route)
{
	struct route *r = *route;

	*route = NULL;
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < r->host_count; i++) {
		free(r->hosts[i].name);
		free(r->hosts[i].addrs);
		dane_fini(&r->hosts[i].dane);
	}
	free(r->hosts);
	sts_found_unref(&r->sts);
	free(r->domain);
	free(r->left_out);
	free(r);
}

struct route *route_bare(const struct route *route, size_t room)
{
	struct route *bare = xcalloc(1, sizeof(*bare));

	atomic_init(&bare->refs, 1);
	bare->domain = xstrdup(route->domain);
	bare->port = route->port;
	bare->key = route->key;
	bare->families = route->families;
	bare->expires = route->expires;
	bare->tls = route->tls;
	bare->sts = sts_found_ref(route->sts);
	bare->mx_secure = route->mx_secure;
	bare->from_mx = route->from_mx;
	bare->hosts = xcalloc(room + 1, sizeof(bare->hosts[0]));
	return bare;
}

/* --- the end ------------------------------------------------------------------------------------------------------------- */

static void lookup_destroy(struct route_lookup *lookup)
{
	if (lookup->mx)
		resolver_cancel(lookup->mx);
	for (size_t i = 0; i < ARRAY_LEN(lookup->addresses); i++)
		if (lookup->addresses[i].query)
			resolver_cancel(lookup->addresses[i].query);
	for (size_t i = 0; i < ARRAY_LEN(lookup->tlsa); i++)
		dane_lookup_cancel(&lookup->tlsa[i].lookup);
	sts_lookup_cancel(&lookup->sts);
	timer_fini(&lookup->timer);
	route_facts_fini(&lookup->facts);
	conf_unref(&lookup->conf);
	free(lookup->domain);
	free(lookup);
}

static void finish(void *arg)
{
	struct route_lookup *lookup = arg;
	struct route_failure failure = lookup->failure;
	struct route *route = NULL;
	route_fn fn = lookup->fn;
	void *fn_arg = lookup->arg;

	if (!failure.text[0])
		route = route_build(&lookup->facts, &failure);
	lookup_destroy(lookup);
	fn(fn_arg, route, route ? NULL : &failure);
}

/* The hosts are known, or it is known that there are none: only a policy may still be waited for, when it counts. */
static void finish_hosts(struct route_lookup *lookup)
{
	lookup->hosts_known = true;
	if (lookup->failure.text[0] || !trust_wants_sts(lookup->conf, lookup->facts.tls))
		sts_lookup_cancel(&lookup->sts);
	if (!lookup->sts)
		finish(lookup);
}

static void on_sts(void *arg, struct sts_found *found)
{
	struct route_lookup *lookup = arg;

	lookup->sts = NULL;
	lookup->facts.sts = found;
	if (lookup->hosts_known)
		finish(lookup);
}

/* --- TLSA records of the hosts ------------------------------------------------------------------------------------------------ */

static void note_ttl(struct route_lookup *lookup, uint32_t ttl)
{
	if (ttl < lookup->facts.ttl)
		lookup->facts.ttl = ttl;
}

static void on_dane(void *arg, struct dane *dane)
{
	struct tlsa_query *query = arg;
	struct route_lookup *lookup = query->route;

	query->lookup = NULL;
	*query->dane = *dane;
	note_ttl(lookup, dane->ttl);
	if (--lookup->open == 0)
		finish_hosts(lookup);
}

static enum conf_tls_level level_of(const struct route_lookup *lookup)
{
	const struct route_facts *facts = &lookup->facts;
	const char **hosts = xcalloc(facts->host_count + 1, sizeof(hosts[0]));
	enum conf_tls_level level;

	for (size_t i = 0; i < facts->host_count; i++)
		hosts[i] = facts->hosts[i].name;
	level = trust_level(lookup->conf, lookup->domain, lookup->to, hosts, facts->host_count);
	free(hosts);
	return level;
}

/* The addresses are there: now what binds their hosts. */
static void ask_tlsa(struct route_lookup *lookup)
{
	struct route_facts *facts = &lookup->facts;
	bool wanted = trust_wants_tlsa(lookup->conf, facts->tls);

	for (size_t i = 0; wanted && i < facts->host_count; i++) {
		struct tlsa_query *query = &lookup->tlsa[lookup->open];
		struct dane_host host;

		if (!route_dane_host(facts, &facts->hosts[i], &host))
			continue;
		query->route = lookup;
		query->dane = &facts->hosts[i].dane;
		query->lookup = dane_lookup(lookup->resolver, &host, on_dane, query);
		lookup->open += query->lookup != NULL;
	}
	if (lookup->open == 0)
		finish_hosts(lookup);
}

/* --- addresses of the hosts ---------------------------------------------------------------------------------------------- */

static void on_addresses(void *arg, const struct dns_answer *answer)
{
	struct address_query *query = arg;
	struct route_lookup *lookup = query->lookup;
	struct route_found *found = query->found;

	query->query = NULL;
	found->status = answer->status;
	(void)snprintf(found->why, sizeof(found->why), "%s", answer->why);
	if (answer->status == DNS_FOUND) {
		found->addrs = xcalloc(answer->addr_count, sizeof(answer->addrs[0]));
		memcpy(found->addrs, answer->addrs, answer->addr_count * sizeof(answer->addrs[0]));
		found->count = answer->addr_count;
		found->secure = answer->secure;
		found->canonical = xstrdup(answer->canonical);
		note_ttl(lookup, answer->ttl);
	}
	if (--lookup->open == 0)
		ask_tlsa(lookup);
}

static void ask_address(struct route_lookup *lookup, const char *name, enum dns_type type, struct route_found *found)
{
	struct address_query *query = &lookup->addresses[lookup->open++];

	query->lookup = lookup;
	query->found = found;
	query->query = resolver_ask(lookup->resolver, name, type, on_addresses, query);
}

/* From here on the list of hosts does not move. */
static void ask_addresses(struct route_lookup *lookup)
{
	route_facts_sort(&lookup->facts);
	lookup->facts.tls = level_of(lookup);
	for (size_t i = 0; i < lookup->facts.host_count; i++) {
		struct route_candidate *host = &lookup->facts.hosts[i];

		if (!route_name_usable(host->name))
			continue;
		ask_address(lookup, host->name, DNS_A, &host->v4);
		ask_address(lookup, host->name, DNS_AAAA, &host->v6);
	}
	if (lookup->open == 0)
		timer_start(&lookup->timer, 0);
}

/* --- MX ------------------------------------------------------------------------------------------------------------------ */

static void take_mx(struct route_lookup *lookup, const struct dns_answer *answer)
{
	note_ttl(lookup, answer->ttl);
	for (size_t i = 0; i < answer->mx_count && i < MX_MAX; i++)
		if (answer->mx[i].host[0])
			route_facts_add(&lookup->facts, answer->mx[i].host, answer->mx[i].preference, &lookup->rand);
	if (lookup->facts.host_count == 0)
		route_fail(&lookup->failure, true, "5.1.10", "%s does not accept mail (null MX)", lookup->domain);
}

static void on_mx(void *arg, const struct dns_answer *answer)
{
	struct route_lookup *lookup = arg;

	lookup->mx = NULL;
	lookup->facts.mx_secure = answer->secure;
	switch (answer->status) {
	case DNS_FOUND:
		take_mx(lookup, answer);
		break;
	case DNS_NO_DATA: /* RFC 5321 section 5.1: the implicit MX */
		note_ttl(lookup, answer->ttl);
		lookup->facts.implicit = true;
		route_facts_add(&lookup->facts, lookup->domain, 0, &lookup->rand);
		break;
	case DNS_NO_NAME:
		route_fail(&lookup->failure, true, "5.1.2", "there is no domain %s", lookup->domain);
		break;
	case DNS_FAILED:
	case DNS_TIMEOUT:
	case DNS_BOGUS:
		route_fail(&lookup->failure, false, "4.4.3", "MX of %s: %s%s%s", lookup->domain, dns_status_text(answer->status),
		    answer->why[0] ? ": " : "", answer->why);
		break;
	}
	if (lookup->failure.text[0])
		finish_hosts(lookup);
	else
		ask_addresses(lookup);
}

/* --- the beginning ------------------------------------------------------------------------------------------------------- */

/* A host that needs no look-up. */
static void add_known(struct route_lookup *lookup, const struct ip_addr *addr)
{
	char text[IP_TEXT];
	struct route_candidate *host = route_facts_add(&lookup->facts, ip_format(addr, text), 0, &lookup->rand);
	struct route_found *found = addr->family == AF_INET ? &host->v4 : &host->v6;

	lookup->facts.tls = level_of(lookup);
	found->status = DNS_FOUND;
	found->addrs = xcalloc(1, sizeof(*addr));
	found->addrs[0] = *addr;
	found->count = 1;
	timer_start(&lookup->timer, 0);
}

static void begin_configured(struct route_lookup *lookup, const struct conf_route *to)
{
	lookup->facts.from_mx = false;
	lookup->facts.mx_secure = true;
	lookup->facts.port = to->to_port;
	if (to->to_ip.family) {
		add_known(lookup, &to->to_ip);
		return;
	}
	route_facts_add(&lookup->facts, to->to_host, 0, &lookup->rand);
	ask_addresses(lookup);
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3). */
static void begin_literal(struct route_lookup *lookup)
{
	static const char tag[] = "ipv6:";
	char text[IP_TEXT] = "";
	const char *inside = lookup->domain + 1;
	size_t len = strcspn(inside, "]");
	struct ip_addr addr;

	if (strncasecmp(inside, tag, sizeof(tag) - 1) == 0) {
		inside += sizeof(tag) - 1;
		len -= sizeof(tag) - 1;
	}
	if (len < sizeof(text))
		(void)snprintf(text, sizeof(text), "%.*s", (int)len, inside);
	if (ip_parse(text, &addr)) {
		ip_unmap(&addr);
		add_known(lookup, &addr);
		return;
	}
	route_fail(&lookup->failure, true, "5.1.2", "not an address literal: %s", lookup->domain);
	timer_start(&lookup->timer, 0);
}

static void begin_mx(struct route_lookup *lookup, struct sts *sts)
{
	lookup->mx = resolver_ask(lookup->resolver, lookup->domain, DNS_MX, on_mx, lookup);
	if (sts && lookup->conf->mta_sts.enabled)
		lookup->sts = sts_lookup(sts, lookup->domain, lookup->facts.now, on_sts, lookup);
}

static void on_timer(void *arg)
{
	finish_hosts(arg);
}

struct route_lookup *route_lookup(struct resolver *resolver, struct sts *sts, struct loop *loop, struct conf *conf, const char *domain, uint64_t seed,
    wall_ms now, route_fn fn, void *arg)
{
	const struct conf_route *to = conf_route_find(conf, domain);
	struct route_lookup *lookup = xcalloc(1, sizeof(*lookup));

	lookup->resolver = resolver;
	lookup->conf = conf_ref(conf);
	lookup->domain = xstrdup(domain);
	lookup->to = to;
	lookup->fn = fn;
	lookup->arg = arg;
	lookup->facts = (struct route_facts){
	    .conf = conf, .domain = lookup->domain, .port = conf->delivery.port, .from_mx = true, .ttl = UINT32_MAX, .now = now,
	};
	rand_seed(&lookup->rand, seed);
	timer_init(&lookup->timer, loop, on_timer, lookup);
	if (to)
		begin_configured(lookup, to);
	else if (domain[0] == '[')
		begin_literal(lookup);
	else
		begin_mx(lookup, sts);
	return lookup;
}

void route_lookup_cancel(struct route_lookup **lookup)
{
	if (*lookup)
		lookup_destroy(*lookup);
	*lookup = NULL;
}
