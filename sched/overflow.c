/* sched/overflow.c - pools whose mail waits for their cold sources (pools[].overflow: wait) until it is too old for that, and mail of tenants with a
 * bad record, which waits for the warm ones.
 *
 * A bundle with nothing but such mail leaves the turns until one of its lanes opens, its oldest mail in sight is old enough, or a minute has
 * passed: what waits in it costs nothing meanwhile, however much it is. */
#include "sched/parts.h"

#define LOOK_MS     MINUTES(1)
#define SHARES_SEEN 16

/* Reasons to believe that the lane will take more by itself, and those that it will not soon. */
#define PASSING (WHY_LANE_WARMUP | WHY_LANE_CONNECTIONS | WHY_LANE_SLOW | WHY_LANE_RATE)
#define LASTING (WHY_NO_SOURCE | WHY_OPERATOR | WHY_SOURCE_DRAINED | WHY_SOURCE_PARKED)

static wall_ms spills_at(const struct pool *pool, const struct entry *e)
{
	return (wall_ms)(e->id >> ID_TIME_SHIFT) + pool->overflow_ms;
}

static bool is_worth_waiting(const struct sched *sched, const struct dest *dest, const struct source *source)
{
	const struct lane *lane = lane_find(sched, dest, source);

	if (source->drained || source->paused || source->retire != NULL)
		return false;
	if (lane == NULL)
		return true;
	if (lane->cold == NULL || lane->cold->state.phase == WARMUP_WARM || lane->cold->state.paused)
		return false;
	return !lane->closed || ((lane->reasons & PASSING) != 0 && (lane->reasons & LASTING) == 0);
}

bool overflow_waits(const struct sched *sched, const struct dest *dest, const struct entry *e, wall_ms now)
{
	const struct pool *pool = name_pool_of(sched, e);

	if (pool->overflow_ms == 0 || spills_at(pool, e) <= now || pool->cold_count == pool->source_count ||
	    repute_is_risky(name_tenant_of(sched, e)))
		return false;
	for (uint32_t i = 0; i < COLD_TRIED && i < pool->cold_count; i++)
		if (is_worth_waiting(sched, dest, slots_get(&sched->sources, pool->sources[pool->cold_places[i]])))
			return true;
	return false;
}

/* A reputation that it has nowhere yet is not risked there: neither at its plan's end nor once the operator has adopted it. */
bool overflow_is_cold(const struct sched *sched, const struct dest *dest, const struct source *source)
{
	const struct lane *lane = lane_find(sched, dest, source);

	return source->conf != NULL && source->conf->plan != NULL &&
	    !(lane != NULL && lane->cold != NULL && lane->cold->state.phase == WARMUP_WARM);
}

static bool is_in_service(const struct source *source, wall_ms now)
{
	return source->present && !source->paused && !source->drained && source->parked_until <= now;
}

bool overflow_shuns(const struct sched *sched, const struct dest *dest, const struct entry *e, wall_ms now)
{
	const struct pool *pool = name_pool_of(sched, e);
	const struct domain *domain = domain_of(sched, e);

	if (pool->cold_count == 0 || pool->cold_count == pool->source_count || !repute_is_risky(name_tenant_of(sched, e)))
		return false;
	for (uint32_t i = 0; i < pool->source_count; i++) {
		const struct source *source = slots_get(&sched->sources, pool->sources[i]);

		if (!overflow_is_cold(sched, dest, source) && is_in_service(source, now) &&
		    (!domain->routed || (source->families & domain->families) != 0))
			return true;
	}
	return false;
}

static bool has_open_warm(const struct sched *sched, const struct bundle *bundle)
{
	for (uint32_t place = 0; place < bundle->pool->source_count; place++)
		if (!bundle_is_closed(bundle, place) &&
		    !overflow_is_cold(sched, bundle->dest, slots_get(&sched->sources, bundle->pool->sources[place])))
			return true;
	return false;
}

wall_ms overflow_until(const struct sched *sched, const struct entry *e)
{
	return spills_at(name_pool_of(sched, e), e);
}

/* Of the list the first share whose next job need not wait; *first_out gets the earliest time at which one need not. */
static struct share *free_one(
    const struct sched *sched, struct share *list, wall_ms now, unsigned *left, wall_ms *first_out)
{
	for (; list != NULL && *left > 0; list = list->next, (*left)--) {
		const struct entry *e = entries_get(&sched->entries, list->lines->head);

		if (overflow_shuns(sched, list->bundle->dest, e, now)) {
			if (has_open_warm(sched, list->bundle))
				return list;
			continue;
		}
		if (!overflow_waits(sched, list->bundle->dest, e, now))
			return list;
		if (overflow_until(sched, e) < *first_out)
			*first_out = overflow_until(sched, e);
	}
	return NULL;
}

struct line *overflow_line(struct sched *sched, struct bundle *bundle, wall_ms now)
{
	wall_ms first = now + LOOK_MS;
	unsigned left = SHARES_SEEN;
	struct share *share = NULL;

	for (unsigned class = 0; class < PRIORITIES && share == NULL; class++) {
		share = free_one(sched, bundle->tiers[class].open, now, &left, &first);
		if (share == NULL)
			share = free_one(sched, bundle->tiers[class].spent, now, &left, &first);
	}
	if (share != NULL)
		return share->lines;
	bundle->keeping = true;
	DL_APPEND2(sched->keeping, bundle, keep_prev, keep_next);
	if (first < sched->keep_at)
		sched->keep_at = first;
	bundle_refresh(sched, bundle);
	return NULL;
}

void overflow_release(struct sched *sched, struct bundle *bundle)
{
	if (!bundle->keeping)
		return;
	bundle->keeping = false;
	DL_DELETE2(sched->keeping, bundle, keep_prev, keep_next);
	bundle_refresh(sched, bundle);
}

void overflow_run(struct sched *sched, wall_ms now)
{
	if (now < sched->keep_at)
		return;
	sched->keep_at = WALL_NEVER;
	while (sched->keeping != NULL)
		overflow_release(sched, sched->keeping);
}
