/* relay/deliver/hostmap_plan.c - what of a route may be tried now: what is up, and what one attempt is to find out. */
#include "relay/deliver/hostmap_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define PROBE_LOOK_MS SECONDS(5) /* whoever waits for the end of another's attempt looks again */
#define LEFT_OUT_MAX  400        /* bytes of words */

/* In the order in which they are tried; from LEASED on they are not. */
enum rank {
	RANK_FINE,
	RANK_FAMILY, /* another address of its family has failed, and none of the other */
	RANK_DUE,    /* its pause is over */
	RANK_LEASED, /* ...and another attempt is finding out */
	RANK_DOWN,
};

/* An address of the route that the source reaches. */
struct candidate {
	struct host *host; /* NULL: nothing is known of it */
	size_t route_host, route_addr;
	enum rank rank;
};

struct plan {
	const struct hostmap *map;
	const struct route *route;
	const struct hostmap_ask *ask;
	wall_ms now;
	struct candidate *candidates; /* those that fit the source */
	size_t count;
	size_t fine, due, shut;       /* of them; shut: LEASED, DOWN */
	bool no_tls;                  /* some cannot do TLS */
	bool everybody;               /* all addresses of the route are shut, for all sources */
};

static bool fits(const struct hostmap_ask *ask, const struct ip_addr *addr)
{
	return ask->families & (addr->family == AF_INET ? HOSTMAP_V4 : HOSTMAP_V6);
}

static enum rank rank_of(const struct plan *plan, const struct host *host)
{
	if (!host || host->failures == 0 || (host->down_for != ANYBODY && host->down_for != plan->ask->source))
		return RANK_FINE;
	if (host->down_until > plan->now)
		return RANK_DOWN;
	return host->lease != 0 ? RANK_LEASED : RANK_DUE;
}

static void look_at(struct plan *plan, size_t i, size_t k)
{
	const struct ip_addr *addr = &plan->route->hosts[i].addrs[k];
	struct host *host = hostmap_find(plan->map, addr, plan->route->port);
	enum rank rank = rank_of(plan, host);

	plan->everybody = plan->everybody && rank >= RANK_LEASED && (host->down_for == ANYBODY || plan->ask->only);
	if (!fits(plan->ask, addr))
		return;
	plan->candidates[plan->count++] = (struct candidate){ .host = host, .route_host = i, .route_addr = k, .rank = rank };
	plan->fine += rank == RANK_FINE;
	plan->due += rank == RANK_DUE;
	plan->shut += rank >= RANK_LEASED;
	plan->no_tls = plan->no_tls || (host && host->no_tls_until > plan->now);
}

static void look(struct plan *plan)
{
	size_t total = 0;

	for (size_t i = 0; i < plan->route->host_count; i++)
		total += plan->route->hosts[i].addr_count;
	plan->candidates = xcalloc(total + 1, sizeof(plan->candidates[0]));
	plan->everybody = true;
	for (size_t i = 0; i < plan->route->host_count; i++)
		for (size_t k = 0; k < plan->route->hosts[i].addr_count; k++)
			look_at(plan, i, k);
}

/* --- nothing to try ------------------------------------------------------------------------------------------------------------- */

static void wait_for(const struct plan *plan, struct hostmap_wait *out)
{
	wall_ms look_again = plan->now + PROBE_LOOK_MS;

	*out = (struct hostmap_wait){ .until = WALL_NEVER, .everybody = plan->everybody };
	for (size_t i = 0; i < plan->count; i++) {
		const struct candidate *c = &plan->candidates[i];
		bool others_may = c->host->down_for != ANYBODY && !plan->ask->alone; /* the scheduler offers another source */
		wall_ms until = c->rank == RANK_DOWN && !others_may ? c->host->down_until : look_again;

		if (until < out->until)
			out->until = until;
	}
}

/* --- what is tried ---------------------------------------------------------------------------------------------------------------- */

/* The family in which some addresses failed while none of the other did; 0: none. */
static int troubled_family(const struct plan *plan)
{
	bool v4 = false, v6 = false;

	for (size_t i = 0; i < plan->count; i++) {
		const struct candidate *c = &plan->candidates[i];
		bool is_v4 = plan->route->hosts[c->route_host].addrs[c->route_addr].family == AF_INET;

		v4 = v4 || (c->rank >= RANK_DUE && is_v4);
		v6 = v6 || (c->rank >= RANK_DUE && !is_v4);
	}
	return v4 == v6 ? 0 : v4 ? AF_INET : AF_INET6;
}

/* What this attempt finds out: one while others are up, or it would try nothing else. Others' chances are as if they were shut. */
static uint64_t lease(const struct plan *plan, struct hostmap *map)
{
	struct candidate *chosen = NULL;
	uint64_t number;

	if (plan->due == 0)
		return 0;
	number = ++map->leases;
	for (size_t i = 0; i < plan->count; i++) {
		struct candidate *c = &plan->candidates[i];

		if (c->rank != RANK_DUE)
			continue;
		if (plan->fine == 0)
			c->host->lease = number;
		else if (!chosen || c->host->down_until < chosen->host->down_until)
			chosen = c;
	}
	if (chosen)
		chosen->host->lease = number;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->candidates[i].rank == RANK_DUE && plan->candidates[i].host->lease == 0)
			plan->candidates[i].rank = RANK_LEASED;
	return number;
}

/* Hosts keep their order, and addresses within a host: the one to find out has its place among those that are up. */
static int by_place(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	bool last_a = a->rank == RANK_FAMILY, last_b = b->rank == RANK_FAMILY;

	if (a->route_host != b->route_host)
		return a->route_host < b->route_host ? -1 : 1;
	if (last_a != last_b)
		return last_a ? 1 : -1;
	return a->route_addr < b->route_addr ? -1 : 1;
}

/* Where none is up, who failed longest ago comes first. */
static int by_failure(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->host->down_until != b->host->down_until)
		return a->host->down_until < b->host->down_until ? -1 : 1;
	return by_place(left, right);
}

/* Those to try to the front, in order. Returns how many. */
static size_t order(struct plan *plan)
{
	int troubled = troubled_family(plan);
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		struct candidate c = plan->candidates[i];

		if (c.rank >= RANK_LEASED)
			continue;
		if (c.rank == RANK_FINE && plan->route->hosts[c.route_host].addrs[c.route_addr].family == troubled)
			c.rank = RANK_FAMILY;
		plan->candidates[kept++] = c;
	}
	qsort(plan->candidates, kept, sizeof(plan->candidates[0]), plan->fine > 0 ? by_place : by_failure);
	return kept;
}

static char *words_for(const struct plan *plan)
{
	struct buf text;
	char *words;

	buf_init(&text, LEFT_OUT_MAX);
	for (size_t i = 0; i < plan->count; i++) {
		const struct candidate *c = &plan->candidates[i];
		char at[IP_PORT_TEXT], until[CLOCK_TEXT];

		if (c->rank < RANK_LEASED)
			continue;
		if (c->rank == RANK_DOWN)
			clock_rfc3339(c->host->down_until, until);
		/* What does not fit is cut: the first ones tell enough. */
		if (buf_printf(&text, "%s%s is down, %s%s", text.len > 0 ? "; " : "", ip_port_format(&c->host->at, at),
			c->rank == RANK_DOWN ? "not tried before " : "another attempt finds out",
			c->rank == RANK_DOWN ? until : "") != OK)
			break;
	}
	words = xstrndup(buf_str(&text), text.len);
	buf_fini(&text);
	return words;
}

static void host_fill(const struct plan *plan, struct route_host *to, const struct route_host *from, const struct candidate *c, size_t count)
{
	*to = *from;
	to->name = xstrdup(from->name);
	dane_copy(&to->dane, &from->dane);
	to->no_tls = 0;
	to->addr_count = count;
	to->addrs = xcalloc(count, sizeof(to->addrs[0]));
	for (size_t k = 0; k < count; k++) {
		to->addrs[k] = from->addrs[c[k].route_addr];
		if (k < 32 && c[k].host && c[k].host->no_tls_until > plan->now)
			to->no_tls |= 1u << k;
	}
}

/* Candidates of one host that follow one another become a host of the copy. */
static struct route *copy_of(const struct plan *plan, size_t count)
{
	struct route *copy = route_bare(plan->route, count);

	for (size_t i = 0, n; i < count; i += n) {
		const struct candidate *c = &plan->candidates[i];

		for (n = 1; i + n < count && c[n].route_host == c->route_host; n++)
			;
		host_fill(plan, &copy->hosts[copy->host_count++], &plan->route->hosts[c->route_host], c, n);
	}
	return copy;
}

bool hostmap_may_try(const struct hostmap *map, const struct route *route, const struct hostmap_ask *ask, wall_ms now, struct hostmap_wait *wait)
{
	struct plan plan = { .map = map, .route = route, .ask = ask, .now = now };
	bool may;

	if (map->down == 0)
		return true;
	look(&plan);
	may = plan.shut == 0 || plan.fine + plan.due > 0; /* a source that reaches none at all is told so */
	if (!may)
		wait_for(&plan, wait);
	free(plan.candidates);
	return may;
}

static struct route *choose(struct plan *plan, struct hostmap *map, uint64_t *lease_out)
{
	char *left_out;
	struct route *copy;

	*lease_out = lease(plan, map);
	left_out = words_for(plan);
	copy = copy_of(plan, order(plan));
	if (left_out[0])
		copy->left_out = left_out;
	else
		free(left_out);
	return copy;
}

struct route *hostmap_route(struct hostmap *map, struct route *route, const struct hostmap_ask *ask, wall_ms now, uint64_t *lease_out,
    struct hostmap_wait *wait)
{
	struct plan plan = { .map = map, .route = route, .ask = ask, .now = now };
	struct route *copy = NULL;

	*lease_out = 0;
	if (!map->table)
		return route_ref(route);
	look(&plan);
	if (plan.due + plan.shut == 0 && !plan.no_tls) /* nothing that is known touches it */
		copy = route_ref(route);
	else if (plan.fine + plan.due == 0)
		wait_for(&plan, wait);
	else
		copy = choose(&plan, map, lease_out);
	free(plan.candidates);
	return copy;
}

void hostmap_release(struct hostmap *map, const struct route *route, uint64_t lease)
{
	for (size_t i = 0; lease != 0 && i < route->host_count; i++)
		for (size_t k = 0; k < route->hosts[i].addr_count; k++) {
			struct host *host = hostmap_find(map, &route->hosts[i].addrs[k], route->port);

			if (host && host->lease == lease)
				host->lease = 0;
		}
}
