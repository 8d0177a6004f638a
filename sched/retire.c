/* sched/retire.c - an address on its way out: its share of its pools sinks day by day to nothing, then it is out of service.
 *
 * The share is one of recipients at each destination, whichever source they took. What is above it goes to the others of the pool; where none of
 * them can start, the retiring one still does, for mail must not wait for a swap. Under load all of them are always busy: that is why its
 * connections sink as well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/parts.h"

#define MEMORY 1024 /* recipients of a destination that the share is measured over */

static struct source *find(const struct sched *sched, const char *name)
{
	struct source *source;

	HASH_FIND_STR(sched->source_names, name, source);
	return source;
}

static void look_again(struct sched *sched)
{
	sched->retire_at = WALL_NEVER;
	for (const struct source *s = sched->source_names; s != NULL; s = s->hh.next)
		if (s->retire != NULL && !s->drained && s->retire->until < sched->retire_at)
			sched->retire_at = s->retire->until;
}

void retire_end(struct sched *sched, struct source *source)
{
	free(source->retire);
	source->retire = NULL;
	look_again(sched);
}

static void count_anew(struct source *source)
{
	struct lane *lane;

	DL_FOREACH2(source->lanes, lane, source_next)
	{
		lane->share_base = lane->dest->started;
		lane->share_used = 0;
	}
}

bool sched_retire_source(struct sched *sched, const char *name, const struct sched_retire *retire, wall_ms now)
{
	struct source *source = find(sched, name);
	struct lane *lane, *next;

	if (source == NULL)
		return false;
	must(retire->since < retire->until);
	if (source->drained && now < retire->until)
		(void)sched_drain_source(sched, name, false, now);
	if (source->retire == NULL)
		source->retire = xcalloc(1, sizeof(*retire));
	if (source->retire->since != retire->since)
		count_anew(source);
	*source->retire = *retire;
	/* It may have more again than it had left of an earlier one. */
	DL_FOREACH_SAFE2(source->lanes, lane, next, source_next)
	{
		lane_reopen(sched, lane);
		lane_tidy(sched, lane, now);
	}
	look_again(sched);
	retire_run(sched, now);
	return true;
}

void retire_run(struct sched *sched, wall_ms now)
{
	bool any = false;

	if (now < sched->retire_at)
		return;
	for (struct source *s = sched->source_names; s != NULL; s = s->hh.next) {
		if (s->retire == NULL || s->drained || now < s->retire->until)
			continue;
		s->drained = s->retired = any = true;
	}
	look_again(sched);
	sched->retired = sched->retired || any;
	if (any)
		blocked_sweep(sched);
}

const char *sched_retired_next(struct sched *sched)
{
	for (struct source *s = sched->retired ? sched->source_names : NULL; s != NULL; s = s->hh.next) {
		if (!s->retired)
			continue;
		s->retired = false;
		return s->name;
	}
	sched->retired = false;
	return NULL;
}

double retire_share(const struct source *source, wall_ms now)
{
	const struct sched_retire *r = source->retire;

	if (r == NULL)
		return source->drained ? 0 : 1;
	if (now <= r->since)
		return 1;
	return now >= r->until ? 0 : (double)(r->until - now) / (double)(r->until - r->since);
}

uint32_t retire_connections(const struct lane *lane, uint32_t limit, wall_ms now)
{
	double most = limit * retire_share(lane->source, now);

	return limit == UINT32_MAX ? limit : most < 1 ? 1 : (uint32_t)most;
}

void retire_charge(struct lane *lane, uint32_t rcpts)
{
	uint64_t total;

	if (lane->source->retire == NULL)
		return;
	lane->share_used += rcpts;
	total = lane->dest->started - lane->share_base;
	if (total < MEMORY)
		return;
	lane->share_base = lane->dest->started - total / 2;
	lane->share_used /= 2;
}

bool retire_had_share(const struct pool *pool, const struct lane *lane, wall_ms now)
{
	const struct source *source = lane->source;
	uint64_t total = lane->dest->started - lane->share_base;
	uint32_t weight;

	if (source->retire == NULL || source->conf == NULL || pool->weight == 0)
		return false;
	weight = source->conf->weight > 0 ? source->conf->weight : 1;
	return (double)lane->share_used > retire_share(source, now) * weight / pool->weight * (double)total;
}

uint32_t retire_successor(const struct sched *sched, const struct bundle *bundle, const struct source *source)
{
	const struct source *into = source->retire != NULL ? find(sched, source->retire->into) : NULL;
	uint32_t place;

	if (into == NULL || !name_pool_has(bundle->pool, into, &place) || bundle_is_closed(bundle, place))
		return UINT32_MAX;
	return place;
}
