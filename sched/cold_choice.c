/* sched/cold_choice.c - which of a pool's cold lanes has the next job: the one that had least today, as long as it is behind its share.
 *
 * Everything it goes by is in the stored states, so a restart changes nobody's turn. */
#include "sched/parts.h"

/* Beside warm sources a cold lane takes so many fourths of its even share of the day's mail, not whatever comes first: a little more than its
 * share, for it loses time to rests, and what it may send tomorrow hangs on what it sends today. */
#define SHARE_4 5

#define UNUSED_MS MINUTES(10)

/* Today's recipients of the lane, and of its destination since the lane's day began. */
static uint64_t used_today(const struct cold *cold, const struct dest *dest, wall_ms now, uint64_t *total_out)
{
	bool same = cold->state.day == (int32_t)((now + cold->offset) / WARMUP_DAY_MS);

	*total_out = same ? dest->started - cold->base : 0;
	return same ? cold->state.used : 0;
}

/* What the lane remembers counts even if it has not been used since the start; one that stays unused is forgotten again. */
static const struct cold *cold_at(struct sched *sched, const struct bundle *bundle, uint32_t place, wall_ms now)
{
	struct source *source = slots_get(&sched->sources, bundle->pool->sources[place]);
	struct lane *lane = lane_find(sched, bundle->dest, source);

	if (lane == NULL) {
		lane = lane_get(sched, bundle->dest, source);
		timer_chore(sched, lane, now + UNUSED_MS);
	}
	return lane->cold;
}

/* What a lane has had: of two that had the same today, the one that was used less recently comes first, then the one that had less of late. With
 * hardly any mail the first of the pool would have all of it, and the others would grow cold again. */
struct had {
	uint64_t used;
	int32_t day;
	double mean;
};

static bool had_less(const struct had *a, const struct had *b)
{
	if (a->used != b->used)
		return a->used < b->used;
	return a->day != b->day ? a->day < b->day : a->mean < b->mean;
}

uint32_t cold_choose(struct sched *sched, struct bundle *bundle, wall_ms now)
{
	const struct pool *pool = bundle->pool;
	bool alone = pool->cold_count == pool->source_count || pool->overflow_ms > 0;
	uint32_t best = UINT32_MAX, at;
	struct had least = { .used = UINT64_MAX };

	if (pool->cold_count > COLD_TRIED)
		bundle->cold_cursor = (bundle->cold_cursor + 1) % pool->cold_count;
	at = pool->cold_count > 0 ? bundle->cold_cursor % pool->cold_count : 0;
	for (uint32_t i = 0; i < COLD_TRIED && i < pool->cold_count; i++, at = at + 1 < pool->cold_count ? at + 1 : 0) {
		uint32_t place = pool->cold_places[at];
		const struct cold *cold;
		struct had had = { 0 };
		uint64_t total = 0;

		if (bundle_is_closed(bundle, place))
			continue;
		cold = cold_at(sched, bundle, place, now);
		if (cold != NULL && cold->lane != NULL && retire_had_share(pool, cold->lane, now))
			continue;
		if (cold != NULL)
			had = (struct had){ used_today(cold, bundle->dest, now, &total), cold->state.day, cold->state.mean };
		if (had_less(&had, &least) && (alone || had.used * pool->source_count * 4 <= total * SHARE_4)) {
			least = had;
			best = place;
		}
	}
	return best;
}

/* --- the count of what went to the destination since the lane's day began --- */

void cold_day_began(struct cold *cold, const struct dest *dest, uint32_t rcpts)
{
	cold->base = dest->started - rcpts;
}

void cold_beside(struct cold *cold)
{
	uint64_t total;

	if (cold->lane == NULL)
		return;
	total = cold->lane->dest->started - cold->base;
	cold->state.beside = total < UINT32_MAX ? (uint32_t)total : UINT32_MAX;
}
