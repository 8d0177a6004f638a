/* sched/lane.c - one source towards one destination: limits, counts, pauses, and the choice among a pool's sources. */
#include "sched/parts.h"

/* Idle connections are known by the handle of their lane: it must not become another lane's while one may be open. */
#define KEEP_MARGIN_MS SECONDS(60)


void lane_used(struct sched *sched, struct lane *lane, wall_ms now)
{
	lane->kept_until = now + 2 * sched->conf->delivery.keepalive_ms + KEEP_MARGIN_MS;
}

static wall_ms later_of(wall_ms a, wall_ms b)
{
	return a > b ? a : b;
}

/* Failures of a lane that nobody uses are forgotten so long after its last pause. */
static wall_ms forget_at(const struct sched *sched, const struct lane *lane, wall_ms now)
{
	return later_of(lane->paused_until, now) + sched->conf->retry.max_ms;
}

struct lane *lane_find(const struct sched *sched, const struct dest *dest, const struct source *source)
{
	struct lane_key key = { .dest = dest->handle, .source = source->handle };
	struct lane *lane;

	for (lane = dest->lanes; lane != NULL && !lane->far; lane = lane->dest_next)
		if (lane->source == source)
			return lane;
	if (dest->far_lanes > 0)
		HASH_FIND(hh, sched->lane_keys, &key, sizeof(key), lane);
	return lane;
}

/* Those beyond the first few of a destination are found by a table, and stand last in its list. */
static void link_lane(struct sched *sched, struct lane *lane)
{
	struct dest *dest = lane->dest;

	lane->far = dest->near_lanes >= NEAR_MAX;
	if (!lane->far) {
		dest->near_lanes++;
		DL_PREPEND2(dest->lanes, lane, dest_prev, dest_next);
		return;
	}
	dest->far_lanes++;
	HASH_ADD(hh, sched->lane_keys, key, sizeof(lane->key), lane);
	DL_APPEND2(dest->lanes, lane, dest_prev, dest_next);
}

static void unlink_lane(struct sched *sched, struct lane *lane)
{
	struct dest *dest = lane->dest;

	DL_DELETE2(dest->lanes, lane, dest_prev, dest_next);
	if (lane->far) {
		HASH_DEL(sched->lane_keys, lane);
		dest->far_lanes--;
	} else {
		dest->near_lanes--;
	}
}

struct lane *lane_get(struct sched *sched, struct dest *dest, struct source *source)
{
	struct lane *lane = lane_find(sched, dest, source);

	if (lane != NULL)
		return lane;
	lane = model_alloc(sched, sizeof(*lane));
	lane->key = (struct lane_key){ .dest = dest->handle, .source = source->handle };
	lane->dest = dest;
	lane->source = source;
	lane->share_base = dest->started;
	lane->handle = slots_add(&sched->lanes, lane);
	link_lane(sched, lane);
	DL_APPEND2(source->lanes, lane, source_prev, source_next);
	sched->lane_states[LANE_OPEN]++;
	cold_attach(sched, lane);
	recall_lane(sched, lane);
	state_recalled(sched, lane, sched->now);
	return lane;
}

static void rate_of(const struct sched *sched, const struct dest *dest, uint32_t *count_out, int64_t *period_out)
{
	bool own = dest->provider != NULL && dest->provider->rate_count > 0;

	*count_out = own ? dest->provider->rate_count : sched->conf->lane_rate_count;
	*period_out = own ? dest->provider->rate_period_ms : sched->conf->lane_rate_period_ms;
}

/* A cold lane's connections grow with its budget. */
uint32_t lane_limit(const struct sched *sched, const struct lane *lane)
{
	uint32_t limit = dest_connection_limit(sched, lane->dest), own;

	if (lane->blocks > 0 || lane->silent || lane->refused)
		return 1; /* whether the refusals are over is found out by one */
	if (lane->strained && limit > 1)
		limit = limit == UINT32_MAX ? 1 : limit / 2;
	limit = retire_connections(lane, limit, sched->now);
	if (lane->cold == NULL)
		return limit;
	own = warmup_connections(&lane->cold->state);
	return own < limit ? own : limit;
}

uint32_t lane_part(const struct lane *lane, uint32_t rcpts, wall_ms now)
{
	wall_ms when;

	return lane->cold != NULL ? cold_may(lane->cold, rcpts, now, &when) : rcpts;
}

/* One gate: `bit` holds until `until`. */
static void gate(unsigned *reasons, wall_ms *when, unsigned bit, wall_ms until)
{
	*reasons |= bit;
	if (until > *when)
		*when = until;
}

unsigned lane_check(const struct sched *sched, const struct dest *dest, const struct source *source,
    const struct lane *lane, bool connect, uint32_t rcpts, wall_ms now, wall_ms *when_out)
{
	unsigned reasons = 0;
	uint32_t count;
	int64_t period;
	wall_ms tokens, open;

	*when_out = now;
	if (!source->present)
		gate(&reasons, when_out, WHY_NO_SOURCE, WALL_NEVER);
	if (source->paused)
		gate(&reasons, when_out, WHY_OPERATOR, WALL_NEVER);
	if (source->drained)
		gate(&reasons, when_out, WHY_SOURCE_DRAINED, WALL_NEVER);
	if (source->parked_until > now)
		gate(&reasons, when_out, WHY_SOURCE_PARKED, source->parked_until);
	if (limit_source_is_crowded(source, connect))
		gate(&reasons, when_out, WHY_SOURCE_CONNECTIONS, WALL_NEVER);
	tokens = limit_source_rate(source, rcpts, now);
	if (tokens > now)
		gate(&reasons, when_out, WHY_SOURCE_RATE, tokens);
	if (lane == NULL)
		return reasons;
	if (lane->paused_until > now)
		gate(&reasons, when_out, lane->shut_by, lane->paused_until);
	if (lane->connections + connect > lane_limit(sched, lane))
		gate(&reasons, when_out, WHY_LANE_CONNECTIONS, WALL_NEVER);
	else if (lane->connections + connect > pace_limit(&lane->pace))
		gate(&reasons, when_out, WHY_LANE_SLOW, WALL_NEVER);
	if (lane->cold != NULL) {
		rcpts = cold_may(lane->cold, rcpts, now, &open);
		if (rcpts == 0)
			gate(&reasons, when_out, WHY_LANE_WARMUP, open);
	}
	rate_of(sched, dest, &count, &period);
	tokens = rate_next(lane->rate_full_us, count, period, rcpts, now);
	if (tokens > now)
		gate(&reasons, when_out, WHY_LANE_RATE, tokens);
	return reasons;
}

static void count_closed(struct sched *sched, unsigned reasons, int by)
{
	for (unsigned bit = 0; bit < ARRAY_LEN(sched->lanes_closed); bit++)
		if (reasons & 1u << bit)
			sched->lanes_closed[bit] += (uint32_t)by;
}

void lane_close(struct sched *sched, struct lane *lane, unsigned reasons, enum conf_priority as, uint32_t rcpts, wall_ms when, wall_ms now)
{
	must(!lane->closed && reasons != 0);
	lane->closed = true;
	lane->reasons = reasons;
	yield_closed(lane, as);
	timer_chore(sched, lane, WALL_NEVER);
	count_closed(sched, reasons, 1);
	if (reasons & WHY_SOURCE_LIMITS)
		limit_wait(sched, lane, limit_source_rate(lane->source, rcpts, now));
	else
		timer_set(sched, TIMER_LANE, lane->handle, when);
}

void lane_reopen(struct sched *sched, struct lane *lane)
{
	if (!lane->closed)
		return;
	lane->closed = false;
	yield_reopened(lane);
	if (lane->waiting)
		limit_unwait(lane);
	count_closed(sched, lane->reasons, -1);
	lane->reasons = 0;
	timer_set(sched, TIMER_LANE, lane->handle, WALL_NEVER);
	for (struct bundle *b = lane->dest->bundles; b != NULL; b = b->dest_next)
		bundle_reopen(sched, b, lane->source);
}

void lane_shut(struct sched *sched, struct lane *lane, wall_ms until, unsigned reason, const char *words)
{
	must(reason != 0);
	if (until <= lane->paused_until)
		return;
	lane->paused_until = until;
	lane->shut_by = reason;
	lane->shut_words = words;
	/* It may stand closed for something that ends earlier: whoever asks next finds all of it. */
	lane_reopen(sched, lane);
}

void lane_unshut(struct sched *sched, struct lane *lane)
{
	lane->paused_until = 0;
	lane_reopen(sched, lane);
	state_tell(sched, lane, sched->now);
	recall_note_lane(sched, lane);
}

void lane_charge(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now)
{
	uint32_t count;
	int64_t period;

	if (lane->connections <= 1 && lane->active == 0)
		pace_begin(&lane->pace, sched->conf->slow_start_idle_ms, now);
	limit_charge(sched, lane, rcpts, now);
	rate_of(sched, lane->dest, &count, &period);
	lane->dest->started += rcpts;
	retire_charge(lane, rcpts);
	lane->rate_full_us = rate_take(lane->rate_full_us, count, period, rcpts, now);
	lane->active++;
	timer_chore(sched, lane, WALL_NEVER);
	state_tell(sched, lane, now);
}

void lane_refund(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now)
{
	uint32_t count;
	int64_t period;

	limit_refund(sched, lane, rcpts, now);
	rate_of(sched, lane->dest, &count, &period);
	lane->dest->started -= rcpts;
	lane->rate_full_us = rate_give(lane->rate_full_us, count, period, rcpts);
	if (lane->closed && lane->reasons & WHY_LANE_RATE)
		lane_reopen(sched, lane);
}

void lane_set_failures(struct sched *sched, struct lane *lane, unsigned failures)
{
	uint32_t place;

	if ((lane->failures > 0) != (failures > 0))
		for (struct bundle *b = lane->dest->bundles; b != NULL; b = b->dest_next)
			if (name_pool_has(b->pool, lane->source, &place))
				bundle_mark(b, place, failures > 0);
	lane->failures = failures;
}

void lane_free(struct sched *sched, struct lane *lane)
{
	must(lane->connections == 0 && lane->active == 0);
	recall_forget_lane(sched, lane);
	lane_reopen(sched, lane);
	lane_set_failures(sched, lane, 0);
	timer_chore(sched, lane, WALL_NEVER);
	sched->lane_states[lane->state]--;
	cold_detach(lane);
	unlink_lane(sched, lane);
	DL_DELETE2(lane->source->lanes, lane, source_prev, source_next);
	slots_remove(&sched->lanes, lane->handle);
	model_free(sched, lane, sizeof(*lane));
}

void lane_tidy(struct sched *sched, struct lane *lane, wall_ms now)
{
	struct dest *dest = lane->dest;
	wall_ms keep = later_of(lane->kept_until, later_of(lane->paused_until, (lane->rate_full_us + 999) / 1000));

	if (lane->connections > 0 || lane->active > 0 || lane->closed)
		return;
	if (state_is_worth(lane)) {
		timer_chore(sched, lane, forget_at(sched, lane, now));
	} else if (keep > now) {
		timer_chore(sched, lane, keep);
	} else {
		lane_free(sched, lane);
		dest_tidy(sched, dest, now);
	}
}

/* --- choice --- */

/* Where the job was sent from the last time, when that is open and did not fail as such: greylisting wants the same address again. */
static uint32_t preferred(const struct sched *sched, const struct bundle *bundle, const struct entry *e)
{
	const struct source *last = slots_get(&sched->sources, e->source);
	uint32_t place;

	if (e->attempts == 0 || last == NULL || !name_pool_has(bundle->pool, last, &place))
		return UINT32_MAX;
	return bundle_is_closed(bundle, place) || bundle_is_shaky(bundle, place) ? UINT32_MAX : place;
}

static struct source *source_at(const struct sched *sched, const struct bundle *bundle, uint32_t place)
{
	return slots_get(&sched->sources, bundle->pool->sources[place]);
}

/* What the lane of `place` says: NULL, and the bit of `place` set, when it cannot start. `lane` NULL: nothing is known of it. */
static struct lane *try_place(
    struct sched *sched, struct bundle *bundle, uint32_t place, struct lane *lane, const struct entry *e, wall_ms now)
{
	struct source *source = source_at(sched, bundle, place);
	unsigned reasons;
	wall_ms when;

	if (lane == NULL)
		lane = lane_get(sched, bundle->dest, source);
	if (!lane->closed) {
		reasons = lane_check(sched, bundle->dest, source, lane, true, e->rcpts, now, &when);
		if (reasons == 0)
			return lane;
		lane_close(sched, lane, reasons, bundle->waits_as, e->rcpts, when, now);
	}
	bundle_close(sched, bundle, place);
	return NULL;
}

static bool is_cold(const struct sched *sched, const struct bundle *bundle, uint32_t place)
{
	const struct source *source = source_at(sched, bundle, place);

	return source->conf != NULL && source->conf->plan != NULL;
}

/* Cold ones beside warm ones that have had their share, and one on its way out that has had what is left of its own. */
static bool comes_last(
    const struct sched *sched, const struct bundle *bundle, uint32_t place, const struct lane *lane, bool mixed, wall_ms now)
{
	return (mixed && is_cold(sched, bundle, place)) || (lane != NULL && retire_had_share(bundle->pool, lane, now));
}

/* For mail that keeps off cold sources; those that failed the last time come last. */
static struct lane *choose_warm(struct sched *sched, struct bundle *bundle, const struct entry *e, wall_ms now)
{
	uint32_t count = bundle->pool->source_count;

	for (uint32_t i = 0; i < 2 * count; i++) {
		uint32_t place = (bundle->cursor + i) % count;
		struct source *source = source_at(sched, bundle, place);
		struct lane *lane;

		if (bundle_is_closed(bundle, place) || overflow_is_cold(sched, bundle->dest, source))
			continue;
		lane = lane_find(sched, bundle->dest, source);
		if (i < count && lane != NULL && lane->failures > 0)
			continue;
		lane = try_place(sched, bundle, place, lane, e, now);
		if (lane != NULL) {
			bundle->cursor = (place + 1) % count;
			return lane;
		}
	}
	return NULL;
}

struct lane *lane_choose(struct sched *sched, struct bundle *bundle, const struct entry *e, wall_ms now)
{
	const struct lane *bound = blocked_lane(sched, e);
	struct lane *lane;
	uint32_t place = preferred(sched, bundle, e);
	bool mixed;
	uint32_t passed = 0;

	if (bound != NULL && name_pool_has(bundle->pool, bound->source, &place))
		return try_place(sched, bundle, place, lane_find(sched, bundle->dest, bound->source), e, now);
	if (overflow_shuns(sched, bundle->dest, e, now))
		return choose_warm(sched, bundle, e, now);
	if (place != UINT32_MAX) {
		lane = lane_find(sched, bundle->dest, source_at(sched, bundle, place));
		if ((lane == NULL || (lane->failures == 0 && !retire_had_share(bundle->pool, lane, now))) &&
		    (lane = try_place(sched, bundle, place, lane, e, now)) != NULL)
			return lane;
	}
	mixed = bundle->pool->cold_count > 0 && bundle->pool->cold_count < bundle->pool->source_count;
	while ((place = cold_choose(sched, bundle, now)) != UINT32_MAX) {
		lane = lane_find(sched, bundle->dest, source_at(sched, bundle, place));
		if ((lane = try_place(sched, bundle, place, lane, e, now)) != NULL)
			return lane;
	}
	if (overflow_waits(sched, bundle->dest, e, now))
		return NULL;
	while ((place = bundle_choose(bundle)) != UINT32_MAX) {
		lane = lane_find(sched, bundle->dest, source_at(sched, bundle, place));
		if (passed < COLD_TRIED && comes_last(sched, bundle, place, lane, mixed, now)) {
			passed++;
			bundle->cursor = (place + 1) % bundle->pool->source_count;
			place = retire_successor(sched, bundle, source_at(sched, bundle, place));
			if (place == UINT32_MAX)
				continue;
			lane = lane_find(sched, bundle->dest, source_at(sched, bundle, place));
			if ((lane = try_place(sched, bundle, place, lane, e, now)) != NULL)
				return lane;
			continue;
		}
		/* The bundle may be younger than the lane's failures. */
		if (lane != NULL && lane->failures > 0 && !bundle_is_shaky(bundle, place)) {
			bundle_mark(bundle, place, true);
			continue;
		}
		lane = try_place(sched, bundle, place, lane, e, now);
		if (lane != NULL) {
			bundle->cursor = (place + 1) % bundle->pool->source_count;
			return lane;
		}
	}
	return NULL;
}
