/* relay/deliver/dispatch_route.c - routes of recipient domains: looked up when the scheduler asks, kept for the attempts that follow. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"

#define ROUTES_SWEEP   20000 /* domains known before those that expired long ago are looked for */
#define ROUTE_KEPT_MS  HOURS(1)
#define UNRESOLVED_MAX 256   /* jobs of one failed look-up that are settled in one turn */

struct dispatch_ask {
	struct domain_route *entry;
	dispatch_ask_fn fn;
	void *arg;
	struct dispatch_ask *prev, *next;
};

static struct domain_route *route_entry(struct dispatch *d, const char *domain)
{
	struct domain_route *entry;

	HASH_FIND_STR(d->routes, domain, entry);
	return entry;
}

struct route *dispatch_route(struct dispatch *d, const char *domain)
{
	struct domain_route *entry = route_entry(d, domain);

	return entry ? entry->route : NULL;
}

static void answer_asks(struct domain_route *entry, const struct route *route, const char *failure)
{
	struct dispatch_ask *ask;

	while ((ask = entry->asks)) {
		DL_DELETE(entry->asks, ask);
		ask->fn(ask->arg, route, failure);
		free(ask);
	}
}

static void entry_destroy(struct dispatch *d, struct domain_route *entry)
{
	HASH_DEL(d->routes, entry);
	route_lookup_cancel(&entry->lookup);
	answer_asks(entry, NULL, "the daemon stops");
	route_unref(&entry->route);
	free(entry->domain);
	free(entry);
}

static void sweep(struct dispatch *d, wall_ms now)
{
	struct domain_route *entry, *tmp;

	HASH_ITER(hh, d->routes, entry, tmp)
		if (!entry->lookup && (!entry->route || entry->route->expires + ROUTE_KEPT_MS < now))
			entry_destroy(d, entry);
	d->routes_sweep_at = 2 * HASH_COUNT(d->routes);
	if (d->routes_sweep_at < ROUTES_SWEEP)
		d->routes_sweep_at = ROUTES_SWEEP;
}

/* Every job that waits for this route hears the same; what one turn does not reach asks for the look-up again (it is cached then). */
static void fail_jobs(struct dispatch *d, const char *domain, const struct route_failure *failure, wall_ms now)
{
	struct sched_decision decision;
	struct outcome outcome;

	outcome_make(&outcome, failure->permanent ? OUTCOME_REFUSED : OUTCOME_DEFERRED, SCOPE_NONE, STAGE_DNS, failure->enhanced,
	    "", "%s", failure->text);
	for (unsigned i = 0; i < UNRESOLVED_MAX; i++) {
		sched_unresolved(d->env.sched, domain, now, &decision);
		if (decision.kind == SCHED_NOTHING)
			break;
		dispatch_settle_unsent(d, &decision, &outcome, now);
	}
}

/* A provider that is no more: known without DNS, where its name may still stand for years. */
static bool is_closed(struct dispatch *d, const char *domain, wall_ms now)
{
	const struct conf_provider *provider = conf_provider_by_domain(d->conf, domain);
	struct route_failure failure = {.permanent = true, .enhanced = "5.1.2"};
	char *own;

	if (!provider || !provider->closed || conf_route_find(d->conf, domain))
		return false;
	(void)snprintf(failure.text, sizeof(failure.text), "%s takes no mail any more: %s", domain, provider->closed);
	own = xstrdup(domain); /* the scheduler's may go with its jobs */
	fail_jobs(d, own, &failure, now);
	free(own);
	return true;
}

static void on_route(void *arg, struct route *route, const struct route_failure *failure)
{
	struct domain_route *entry = arg;
	struct dispatch *d = entry->dispatch;
	wall_ms now = dispatch_now(d);

	entry->lookup = NULL;
	if (route) {
		const char **hosts = xcalloc(route->host_count, sizeof(hosts[0]));

		for (size_t i = 0; i < route->host_count; i++)
			hosts[i] = route->hosts[i].name;
		route_unref(&entry->route);
		entry->route = route;
		entry->stale = false;
		sched_resolved(d->env.sched, entry->domain, route->key, hosts, route->host_count, route->families, route->expires, now);
		free(hosts);
		answer_asks(entry, route, NULL);
	} else {
		fail_jobs(d, entry->domain, failure, now);
		answer_asks(entry, NULL, failure->text);
	}
	dispatch_pump_soon(d);
}

static void lookup(struct dispatch *d, struct domain_route *entry, wall_ms now)
{
	entry->lookup = route_lookup(d->resolver, d->sts, d->env.loop, d->conf, entry->domain, rand_u64(&d->rand), now, on_route, entry);
}

static struct domain_route *entry_get(struct dispatch *d, const char *domain, wall_ms now)
{
	struct domain_route *entry = route_entry(d, domain);

	if (entry)
		return entry;
	if (HASH_COUNT(d->routes) >= d->routes_sweep_at)
		sweep(d, now);
	entry = xcalloc(1, sizeof(*entry));
	entry->domain = xstrdup(domain);
	entry->dispatch = d;
	HASH_ADD_KEYPTR(hh, d->routes, entry->domain, strlen(entry->domain), entry);
	return entry;
}

void dispatch_resolve(struct dispatch *d, const char *domain, wall_ms now)
{
	struct domain_route *entry = route_entry(d, domain);

	if (!entry && is_closed(d, domain, now)) {
		dispatch_pump_soon(d);
		return;
	}
	entry = entry_get(d, domain, now);
	if (!entry->lookup)
		lookup(d, entry, now);
}

struct dispatch_ask *dispatch_ask(struct dispatch *d, const char *domain, dispatch_ask_fn fn, void *arg)
{
	wall_ms now = dispatch_now(d);
	struct domain_route *entry = entry_get(d, domain, now);
	struct dispatch_ask *ask;

	if (entry->route && !entry->stale && entry->route->expires > now) {
		fn(arg, entry->route, NULL);
		return NULL;
	}
	ask = xcalloc(1, sizeof(*ask));
	*ask = (struct dispatch_ask){ .entry = entry, .fn = fn, .arg = arg };
	DL_APPEND(entry->asks, ask);
	if (!entry->lookup)
		lookup(d, entry, now);
	return ask;
}

void dispatch_ask_cancel(struct dispatch_ask **ask)
{
	if (*ask) {
		DL_DELETE((*ask)->entry->asks, *ask);
		free(*ask);
	}
	*ask = NULL;
}

void dispatch_routes_restart(struct dispatch *d)
{
	struct domain_route *entry, *tmp;
	wall_ms now = dispatch_now(d);

	HASH_ITER(hh, d->routes, entry, tmp) {
		if (!entry->lookup)
			continue;
		route_lookup_cancel(&entry->lookup);
		lookup(d, entry, now);
	}
}

void dispatch_routes_expire(struct dispatch *d)
{
	struct domain_route *entry, *tmp;

	HASH_ITER(hh, d->routes, entry, tmp)
		entry->stale = true;
	sched_routes_expire(d->env.sched, dispatch_now(d));
	dispatch_routes_restart(d);
}

void dispatch_routes_fini(struct dispatch *d)
{
	struct domain_route *entry, *tmp;

	HASH_ITER(hh, d->routes, entry, tmp)
		entry_destroy(d, entry);
}
