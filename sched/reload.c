/* sched/reload.c - another configuration: everything is matched by name, counts and pauses are kept. */
#include "sched/parts.h"

/* Bundles know places in pools, destinations point into the configuration: all of that is taken apart and put together again. */
static void take_apart(struct sched *sched)
{
	for (struct domain *d = sched->domain_names; d != NULL; d = d->hh.next) {
		struct line *line;

		DL_FOREACH2(d->lines, line, domain_next)
		line_detach(sched, line);
	}
	for (struct dest *d = sched->dest_keys; d != NULL; d = d->hh_key.next)
		bundle_free_all(sched, d);
}

/* A provider that is gone is no destination any more; a domain that a provider names now moves at once. What the MX hosts say is asked again. */
static void rehang(struct sched *sched, struct domain *domain, wall_ms now)
{
	const struct conf_provider *provider = conf_provider_by_domain(sched->conf, domain->name);
	const char *name = domain->name;
	bool orphaned = domain->dest->key[0] == 'p' && domain->dest->provider == NULL;
	bool misplaced = provider != NULL && domain->dest->provider != provider;

	if (!orphaned && !misplaced)
		return;
	domain->routed = false;
	domain_move(
	    sched, domain, provider != NULL ? dest_of_provider(sched, provider) : dest_of_hosts(sched, &name, 1), now);
}

static void put_together(struct sched *sched, wall_ms now)
{
	struct domain *d, *next;
	struct line *line;

	for (d = sched->domain_names; d != NULL; d = next) {
		next = d->hh.next;
		rehang(sched, d, now);
		/* Routes and providers may have changed: the next due job of the domain looks again. */
		d->expires = d->expires < now ? d->expires : now;
		if (d->routed)
			DL_FOREACH2(d->lines, line, domain_next)
		line_attach(sched, line);
		else domain_want(sched, d, now);
	}
}

/* Jobs whose pool or tenant went or came back; nothing to do, and no walk, when none did. */
static void move_jobs(struct sched *sched, wall_ms now)
{
	for (uint32_t n = entries_next(&sched->entries, ENTRY_NONE); n != ENTRY_NONE;
	     n = entries_next(&sched->entries, n)) {
		const struct entry *e = entries_get(&sched->entries, n);
		bool present = name_tenant_of(sched, e)->present && name_pool_of(sched, e)->present;

		if (e->place == PLACE_ORPHAN ? present
					     : !present && (e->place == PLACE_LATER || e->place == PLACE_READY))
			job_rest(sched, n, now);
	}
}

/* A number that changes when a name appears or goes. */
static uint64_t presence(const struct sched *sched)
{
	uint64_t sum = 0;

	for (const struct tenant *t = sched->tenant_names; t != NULL; t = t->hh.next)
		sum = sum * 31 + t->present;
	for (const struct pool *p = sched->pool_names; p != NULL; p = p->hh.next)
		sum = sum * 31 + p->present;
	return sum;
}

void sched_reconfigure(struct sched *sched, struct conf *conf, wall_ms now)
{
	struct conf *old = sched->conf;
	uint64_t before = presence(sched);

	take_apart(sched);
	sched->conf = conf_ref(conf);
	name_load(sched);
	cold_reload(sched);
	for (struct dest *d = sched->dest_keys; d != NULL; d = d->hh_key.next)
		d->provider = d->key[0] == 'p' ? conf_provider_find(conf, d->name) : NULL;
	for (uint32_t i = 0; i < sched->lanes.count; i++) {
		struct lane *lane = slots_get(&sched->lanes, i);

		if (lane == NULL)
			continue;
		lane_reopen(sched, lane);
		cold_attach(sched, lane);
	}
	put_together(sched, now);
	if (presence(sched) != before)
		move_jobs(sched, now);
	for (uint32_t i = 0; i < sched->lanes.count; i++)
		if (slots_get(&sched->lanes, i) != NULL)
			lane_tidy(sched, slots_get(&sched->lanes, i), now);
	ration_reload(sched, now);
	conf_unref(&old);
}
