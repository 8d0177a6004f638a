/* sched/domain.c - recipient domains: the jobs of each, the destination it hangs on, and the look-ups of its route. */
#include "sched/parts.h"

#include <stdlib.h>
#include <string.h>

#define ARRIVAL_STEPS   64         /* how far back an out-of-order arrival is sorted in */
#define ROUTE_MIN_MS    SECONDS(1) /* a route that is over at once would be looked up without end */
#define LOOKUP_FIRST_MS SECONDS(1)
#define LOOKUP_MAX_MS   SECONDS(60)

struct domain *domain_find(const struct sched *sched, const char *name)
{
	struct domain *domain;

	HASH_FIND_STR(sched->domain_names, name, domain);
	return domain;
}

static void idle_enter(struct sched *sched, struct domain *domain)
{
	if (domain->idle)
		return;
	domain->idle = true;
	DL_APPEND2(sched->idle, domain, prev, next);
	sched->idle_count++;
}

static void idle_leave(struct sched *sched, struct domain *domain)
{
	if (!domain->idle)
		return;
	domain->idle = false;
	DL_DELETE2(sched->idle, domain, prev, next);
	sched->idle_count--;
}

struct domain *domain_get(struct sched *sched, const char *name, wall_ms now)
{
	struct domain *domain = domain_find(sched, name);
	const struct conf_provider *provider;

	if (domain != NULL)
		return domain;
	domain = model_alloc(sched, sizeof(*domain));
	domain->name = model_text(sched, name);
	domain->oldest[0] = domain->oldest[1] = domain->youngest[0] = domain->youngest[1] = ENTRY_NONE;
	domain->handle = slots_add(&sched->domains, domain);
	HASH_ADD_KEYPTR(hh, sched->domain_names, domain->name, strlen(domain->name), domain);
	idle_enter(sched, domain);
	provider = conf_provider_by_domain(sched->conf, name);
	domain_move(
	    sched, domain, provider != NULL ? dest_of_provider(sched, provider) : dest_of_hosts(sched, &name, 1), now);
	return domain;
}

void domain_move(struct sched *sched, struct domain *domain, struct dest *dest, wall_ms now)
{
	struct dest *old = domain->dest;

	if (old == dest)
		return;
	must(!domain->routed); /* lines hang in bundles of the old one */
	if (old != NULL)
		DL_DELETE2(old->domains, domain, dest_prev, dest_next);
	for (unsigned i = 0; i < JOB_STATES; i++) {
		dest->rcpts[i] += domain->rcpts[i];
		if (old != NULL)
			old->rcpts[i] -= domain->rcpts[i];
	}
	domain->dest = dest;
	DL_APPEND2(dest->domains, domain, dest_prev, dest_next);
	if (old != NULL)
		dest_tidy(sched, old, now);
}

/* --- order of arrival ---
 *
 * Two lists: what comes in has growing ids, and so has what is put back from the store meanwhile. */

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

static void arrive_after(struct sched *sched, struct domain *domain, unsigned list, uint32_t elder, uint32_t number)
{
	struct entry *e = get(sched, number);

	e->elder = elder;
	e->younger = elder != ENTRY_NONE ? get(sched, elder)->younger : domain->oldest[list];
	e->rebuilt = list & 1;
	if (elder != ENTRY_NONE)
		get(sched, elder)->younger = number;
	else
		domain->oldest[list] = number;
	if (e->younger != ENTRY_NONE)
		get(sched, e->younger)->elder = number;
	else
		domain->youngest[list] = number;
}

void domain_add_job(struct sched *sched, struct domain *domain, uint32_t number)
{
	uint64_t id = get(sched, number)->id;
	uint32_t elder = domain->youngest[0];
	unsigned list = elder != ENTRY_NONE && get(sched, elder)->id > id;

	if (list == 1) {
		elder = domain->youngest[1];
		for (int i = 0; i < ARRIVAL_STEPS && elder != ENTRY_NONE && get(sched, elder)->id > id; i++)
			elder = get(sched, elder)->elder;
	}
	arrive_after(sched, domain, list, elder, number);
	domain->jobs++;
	idle_leave(sched, domain);
}

void domain_remove_job(struct sched *sched, struct domain *domain, uint32_t number, wall_ms now)
{
	struct entry *e = get(sched, number);
	unsigned list = e->rebuilt;

	if (e->elder != ENTRY_NONE)
		get(sched, e->elder)->younger = e->younger;
	else
		domain->oldest[list] = e->younger;
	if (e->younger != ENTRY_NONE)
		get(sched, e->younger)->elder = e->elder;
	else
		domain->youngest[list] = e->elder;
	domain->jobs--;
	domain_tidy(sched, domain, now);
}

uint64_t domain_oldest(const struct sched *sched, const struct domain *domain)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned list = 0; list < 2; list++)
		if (domain->oldest[list] != ENTRY_NONE && get(sched, domain->oldest[list])->id < oldest)
			oldest = get(sched, domain->oldest[list])->id;
	return oldest;
}

/* --- routes --- */

static void route_leave(struct sched *sched, struct domain *domain)
{
	struct route *route = domain->route;

	domain->route = NULL;
	if (route == NULL || --route->domains > 0)
		return;
	for (unsigned class = 0; class < PRIORITIES; class++)
		must(route->lines[class] == NULL);
	route->dest->routes--;
	HASH_DEL(sched->routes, route);
	model_free(sched, route, sizeof(*route));
}

static struct route *route_get(struct sched *sched, const struct domain *domain, uint64_t hosts)
{
	struct route_key key = { .hosts = hosts, .dest = domain->dest->handle };
	struct route *route;

	HASH_FIND(hh, sched->routes, &key, sizeof(key), route);
	if (route == NULL) {
		route = model_alloc(sched, sizeof(*route));
		route->key = key;
		route->dest = domain->dest;
		route->dest->routes++;
		HASH_ADD(hh, sched->routes, key, sizeof(key), route);
	}
	route->domains++;
	return route;
}

void domain_route(struct sched *sched, struct domain *domain, uint64_t key, unsigned families, wall_ms expires)
{
	struct line *line;

	must(!domain->routed);
	route_leave(sched, domain);
	domain->route = route_get(sched, domain, key);
	domain->families = (families & FAMILY_ANY) != 0 ? families & FAMILY_ANY : FAMILY_ANY;
	domain->expires = expires;
	domain->routed = true;
	DL_FOREACH2(domain->lines, line, domain_next)
	line_attach(sched, line);
}

void domain_unroute(struct sched *sched, struct domain *domain, wall_ms now)
{
	struct line *line;

	if (domain->routed) {
		DL_FOREACH2(domain->lines, line, domain_next)
		line_detach(sched, line);
		domain->routed = false;
	}
	domain_want(sched, domain, now);
}

void domain_rest(struct sched *sched, struct domain *domain, wall_ms until, wall_ms now)
{
	domain->lookup_after = until;
	domain->resting = true;
	domain_unroute(sched, domain, now);
}

void domain_want(struct sched *sched, struct domain *domain, wall_ms now)
{
	if (domain->routed || domain->resolving || domain->wanted || domain->lines == NULL)
		return;
	if (domain->lookup_after > now) {
		timer_set(sched, TIMER_DOMAIN, domain->handle, domain->lookup_after);
		return;
	}
	domain->wanted = true;
	DL_APPEND2(sched->wanted, domain, prev, next);
}

void domain_unwant(struct sched *sched, struct domain *domain)
{
	if (!domain->wanted)
		return;
	domain->wanted = false;
	DL_DELETE2(sched->wanted, domain, prev, next);
}

/* The look-up is over, one way or the other. */
static void lookup_ended(struct sched *sched, struct domain *domain)
{
	if (domain->resolving)
		sched->lookups--;
	domain->resolving = false;
}

void sched_resolved(struct sched *sched, const char *name, uint64_t key, const char *const *hosts, size_t host_count,
    unsigned families, wall_ms expires, wall_ms now)
{
	struct domain *domain = domain_find(sched, name);
	const struct conf_provider *provider;
	struct dest *dest;

	if (domain == NULL)
		return; /* nobody waits any more */
	domain_unwant(sched, domain);
	lookup_ended(sched, domain);
	timer_set(sched, TIMER_DOMAIN, domain->handle, WALL_NEVER);
	domain->failed_lookups = 0;
	domain->lookup_after = 0;
	domain->resting = false;
	if (domain->routed)
		domain_unroute(sched, domain, now);
	domain_unwant(sched, domain);
	provider = conf_provider_by_domain(sched->conf, name);
	if (provider == NULL && host_count > 0)
		provider = conf_provider_by_mx(sched->conf, hosts, host_count);
	if (provider != NULL)
		dest = dest_of_provider(sched, provider);
	else
		dest = host_count > 0 ? dest_of_hosts(sched, hosts, host_count) : dest_of_hosts(sched, &name, 1);
	route_leave(sched, domain);
	domain_move(sched, domain, dest, now);
	domain_route(sched, domain, key, families, expires > now + ROUTE_MIN_MS ? expires : now + ROUTE_MIN_MS);
	domain_tidy(sched, domain, now);
}

void sched_routes_expire(struct sched *sched, wall_ms now)
{
	for (struct domain *d = sched->domain_names; d != NULL; d = d->hh.next)
		d->expires = d->expires < now ? d->expires : now;
}

static void lookup_failed(struct sched *sched, struct domain *domain, wall_ms now)
{
	lookup_ended(sched, domain);
	domain_unroute(sched, domain, now);
	domain_unwant(sched, domain);
	domain->resting = false;
	domain->failed_lookups++;
	domain->lookup_after = now +
	    backoff_delay(LOOKUP_FIRST_MS, LOOKUP_MAX_MS, domain->failed_lookups, &sched->rand);
	domain_tidy(sched, domain, now);
}

void sched_unresolved(struct sched *sched, const char *name, wall_ms now, struct sched_decision *out)
{
	struct domain *domain = domain_find(sched, name);
	struct entry *e;
	uint32_t number;

	*out = (struct sched_decision){ .kind = SCHED_NOTHING, .when = WALL_NEVER };
	if (domain == NULL)
		return;
	if (domain->lines == NULL) {
		lookup_failed(sched, domain, now);
		return;
	}
	number = domain->lines->head;
	e = get(sched, number);
	job_move(sched, number, PLACE_ACTIVE, now);
	*out = (struct sched_decision){ .kind = SCHED_START,
		.domain = domain->name,
		.id = e->id,
		.first = e->first,
		.rcpts = e->rcpts,
		.attempts = e->attempts,
		.tenant = name_tenant_of(sched, e)->name,
		.pool = name_pool_of(sched, e)->name,
		.destination = domain->dest->name,
		.lane = LANE_NONE };
}

/* --- forgetting --- */

void domain_free(struct sched *sched, struct domain *domain, wall_ms now)
{
	struct dest *dest = domain->dest;

	must(domain->lines == NULL && domain->jobs == 0 && !domain->resolving && !domain->wanted);
	idle_leave(sched, domain);
	domain->routed = false;
	route_leave(sched, domain);
	timer_set(sched, TIMER_DOMAIN, domain->handle, WALL_NEVER);
	DL_DELETE2(dest->domains, domain, dest_prev, dest_next);
	HASH_DEL(sched->domain_names, domain);
	slots_remove(&sched->domains, domain->handle);
	model_text_free(sched, domain->name);
	model_free(sched, domain, sizeof(*domain));
	dest_tidy(sched, dest, now);
}

void domain_tidy(struct sched *sched, struct domain *domain, wall_ms now)
{
	if (domain->jobs > 0 || domain->resolving)
		return;
	domain_unwant(sched, domain);
	idle_enter(sched, domain);
	while (sched->idle_count > IDLE_DOMAINS_MAX)
		domain_free(sched, sched->idle, now);
}
