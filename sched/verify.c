/* sched/verify.c - every invariant of the structure, for tests. */
#include <stdlib.h>
#include <string.h>

#include "sched/parts.h"

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

/* Each job is in the heap exactly when its place says so, by the right time, and its counts are in every sum. */
static void verify_jobs(const struct sched *sched)
{
	uint64_t rcpts[JOB_STATES] = { 0 };
	uint32_t places[PLACES] = { 0 }, in_heap = 0;

	for (uint32_t n = entries_next(&sched->entries, ENTRY_NONE); n != ENTRY_NONE;
	     n = entries_next(&sched->entries, n)) {
		const struct entry *e = get(sched, n);
		bool timed = e->place == PLACE_LATER || e->place == PLACE_READY || e->place == PLACE_HELD ||
		    e->place == PLACE_ORPHAN;

		places[e->place]++;
		rcpts[job_state(e)] += e->rcpts;
		must(e->due <= e->deadline);
		must(heap_has(&sched->times, n) == timed);
		must(!timed || heap_key(&sched->times, n) <= (e->place == PLACE_LATER ? e->due : e->deadline));
		must(e->rcpts > 0 || e->place == PLACE_DONE);
		in_heap += timed;
	}
	must(in_heap == sched->times.count);
	must(memcmp(rcpts, sched->rcpts, sizeof(rcpts)) == 0);
	for (unsigned i = PLACE_LATER; i < PLACES; i++)
		must(places[i] == sched->places[i]);
}

/* What a tenant has in the queue is counted with it. */
static void verify_tenants(const struct sched *sched)
{
	uint64_t(*rcpts)[JOB_STATES] = xcalloc(sched->tenants.count + 1, sizeof(*rcpts));

	for (uint32_t n = entries_next(&sched->entries, ENTRY_NONE); n != ENTRY_NONE; n = entries_next(&sched->entries, n))
		rcpts[get(sched, n)->tenant][job_state(get(sched, n))] += get(sched, n)->rcpts;
	for (const struct tenant *tenant = sched->tenant_names; tenant != NULL; tenant = tenant->hh.next)
		must(memcmp(rcpts[tenant->handle], tenant->rcpts, sizeof(*rcpts)) == 0);
	free(rcpts);
}

static uint32_t verify_line(const struct sched *sched, const struct line *line)
{
	uint32_t jobs = 0, prev = ENTRY_NONE;

	must(line->head != ENTRY_NONE);
	must((line->share != NULL) == line->domain->routed);
	for (uint32_t n = line->head; n != ENTRY_NONE; n = get(sched, n)->next) {
		const struct entry *e = get(sched, n);

		must(e->place == PLACE_READY && e->prev == prev && e->domain == line->domain->handle);
		must(e->tenant == line->key.tenant && e->pool == line->key.pool && e->urgency == line->key.urgency);
		prev = n;
		jobs++;
	}
	must(line->tail == prev);
	return jobs;
}

static void verify_domains(const struct sched *sched)
{
	uint32_t ready = 0, jobs = 0, wanted = 0, resolving = 0, idle = 0;
	const struct domain *d;

	for (d = sched->domain_names; d != NULL; d = d->hh.next) {
		const struct line *line;
		uint32_t listed = 0;

		must(d->dest != NULL && slots_get(&sched->domains, d->handle) == d);
		DL_FOREACH2(d->lines, line, domain_next)
		ready += verify_line(sched, line);
		for (unsigned list = 0; list < 2; list++)
			for (uint32_t n = d->oldest[list]; n != ENTRY_NONE; n = get(sched, n)->younger)
				listed++;
		must(listed == d->jobs);
		must(d->idle == (d->jobs == 0 && !d->resolving));
		/* Due mail of a domain without a route is never forgotten: a look-up is out, wanted, or has its time. */
		must(d->lines == NULL || d->routed || d->resolving || d->wanted ||
		    heap_has(&sched->timers, d->handle << TIMER_KIND_BITS | TIMER_DOMAIN));
		jobs += d->jobs;
		wanted += d->wanted;
		resolving += d->resolving;
		idle += d->idle;
	}
	must(jobs == sched->entries.count && ready == sched->places[PLACE_READY]);
	must(resolving == sched->lookups && idle == sched->idle_count);
	DL_FOREACH2(sched->wanted, d, next)
	wanted--;
	must(wanted == 0);
}

static uint32_t verify_list(const struct share *list, enum share_place place, const struct bundle *b, unsigned class)
{
	uint32_t count = 0;

	for (const struct share *s = list; s != NULL; s = s->next) {
		must(s->place == place && s->bundle == b && s->priority == class && !s->tenant->paused);
		must(s->credit <= s->tenant->weight || s->round != b->tiers[class].round);
		count++;
	}
	return count;
}

/* Every line of a share is of its class, as its tenant is classed now; shares rest exactly while it is paused or has had its ration. */
static void verify_share(const struct sched *sched, const struct share *s, uint32_t *turning)
{
	bool rests = s->tenant->paused || ration_rests(sched, s->tenant, s->bundle->dest);
	const struct line *line;

	must(s->lines != NULL && (s->place == SHARE_RESTING) == rests);
	*turning += s->place != SHARE_RESTING;
	DL_FOREACH(s->lines, line)
	must(line->share == s && line->priority == s->priority &&
	    line_priority(s->tenant, (enum urgency)line->key.urgency) == s->priority);
}

static void verify_shares(const struct sched *sched, const struct bundle *b)
{
	uint32_t turning = 0, listed = 0, near = 0, far = 0;

	for (const struct share *s = b->shares; s != NULL; s = s->bundle_next) {
		must(s->bundle == b && (s->far || far == 0));
		near += !s->far;
		far += s->far;
		verify_share(sched, s, &turning);
	}
	must(near == b->near_shares && far == b->far_shares && near <= NEAR_MAX);
	for (unsigned class = 0; class < PRIORITIES; class++) {
		listed += verify_list(b->tiers[class].open, SHARE_OPEN, b, class);
		listed += verify_list(b->tiers[class].spent, SHARE_SPENT, b, class);
	}
	must(turning == listed);
	must(!b->runnable || (unsigned)__builtin_ctz(share_waiting(b)) == b->ring);
}

/* A closed bit belongs to a closed lane or to a source that cannot reach there: nothing is left closed for ever. */
static void verify_bundle(const struct sched *sched, const struct bundle *b)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < b->pool->source_count; i++) {
		const struct source *source = slots_get(&sched->sources, b->pool->sources[i]);
		const struct lane *lane = lane_find(sched, b->dest, source);

		open += !bundle_is_closed(b, i);
		must(
		    !bundle_is_closed(b, i) || (source->families & b->families) == 0 || (lane != NULL && lane->closed));
	}
	must(open == b->open);
	must(b->runnable == (share_waiting(b) != 0 && open > 0 && !b->dest->blocked && !b->dest->crowded && !b->dest->sated && !b->keeping));
}

static void verify_dests(const struct sched *sched)
{
	uint32_t connections = 0, lane_connections = 0, down = 0, crowded = 0, sated = 0;
	uint64_t total[JOB_STATES] = { 0 };

	for (const struct dest *d = sched->dest_keys; d != NULL; d = d->hh_key.next) {
		uint64_t rcpts[JOB_STATES] = { 0 };
		const struct domain *domain;
		const struct lane *lane;

		DL_FOREACH2(d->domains, domain, dest_next)
		for (unsigned i = 0; i < JOB_STATES; i++)
			rcpts[i] += domain->rcpts[i];
		must(memcmp(rcpts, d->rcpts, sizeof(rcpts)) == 0);
		for (unsigned i = 0; i < JOB_STATES; i++)
			total[i] += rcpts[i];
		DL_FOREACH2(d->lanes, lane, dest_next)
		lane_connections += lane->connections;
		for (const struct bundle *b = d->bundles; b != NULL; b = b->dest_next) {
			verify_bundle(sched, b);
			verify_shares(sched, b);
		}
		must(!d->down || !d->blocked || d->operator_paused || d->probe != ENTRY_NONE ||
		    heap_has(&sched->timers, d->handle << TIMER_KIND_BITS | TIMER_DEST));
		connections += d->connections;
		must(!d->sated || heap_has(&sched->timers, d->handle << TIMER_KIND_BITS | TIMER_DEST));
		must(d->crowded == limit_dest_is_crowded(d));
		down += d->down;
		crowded += d->crowded;
		sated += d->sated;
	}
	must(connections == sched->connections && lane_connections == connections && down == sched->dests_down);
	must(crowded == sched->dests_crowded && sated == sched->dests_sated);
	must(memcmp(total, sched->rcpts, sizeof(total)) == 0);
}

static void verify_lanes(const struct sched *sched)
{
	for (uint32_t i = 0; i < sched->lanes.count; i++) {
		const struct lane *lane = slots_get(&sched->lanes, i);

		if (lane == NULL)
			continue;
		must(lane_find(sched, lane->dest, lane->source) == lane);
		must(lane->closed == (lane->reasons != 0));
		must(lane->closed || lane->waits_as == PRIORITY_TRANSACTIONAL);
		must(lane->waiting == (lane->closed && lane->reasons & WHY_SOURCE_LIMITS));
		must(lane->closed || lane->connections > 0 || lane->active > 0 || heap_has(&sched->chores, i));
	}
}

/* Whoever waits for room of a source is woken: by the end of a connection, a time, or the next decision. */
static void verify_sources(const struct sched *sched)
{
	uint32_t connections = 0;

	for (const struct source *s = sched->source_names; s != NULL; s = s->hh.next) {
		uint32_t own = 0;
		const struct lane *lane;

		DL_FOREACH2(s->lanes, lane, source_next)
		own += lane->connections;
		must(own == s->connections);
		connections += own;
		must(s->waiters == NULL || s->roomy || limit_source_is_crowded(s, true) ||
		    heap_has(&sched->timers, s->handle << TIMER_KIND_BITS | TIMER_SOURCE));
	}
	must(connections == sched->connections);
}

void sched_verify(const struct sched *sched)
{
	entries_verify(&sched->entries);
	heap_verify(&sched->times);
	heap_verify(&sched->timers);
	heap_verify(&sched->chores);
	verify_jobs(sched);
	verify_tenants(sched);
	verify_domains(sched);
	verify_dests(sched);
	verify_lanes(sched);
	verify_sources(sched);
}
