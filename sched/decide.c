/* sched/decide.c - what may start now: expiry, look-ups, and the turn of bundles, tenants, lines and sources. */
#include "sched/model.h"

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

/* What a decision about a job always says. */
static void describe(const struct sched *sched, enum sched_kind kind, const struct entry *e, struct sched_decision *out)
{
	const struct domain *domain = domain_of(sched, e);

	*out = (struct sched_decision){
		.kind = kind,
		.domain = domain->name,
		.id = e->id,
		.first = e->first,
		.rcpts = e->rcpts,
		.attempts = e->attempts,
		.tenant = name_tenant_of(sched, e)->name,
		.pool = name_pool_of(sched, e)->name,
		.destination = domain->dest->name,
		.lane = LANE_NONE,
	};
}

static void expire(struct sched *sched, wall_ms now, struct sched_decision *out)
{
	uint32_t number = sched->expired;

	job_move(sched, number, PLACE_ACTIVE, now);
	get(sched, number)->flags |= ENTRY_EXPIRY;
	describe(sched, SCHED_EXPIRE, get(sched, number), out);
}

static void look_up(struct sched *sched, struct sched_decision *out)
{
	struct domain *domain = sched->wanted;

	domain_unwant(sched, domain);
	domain->resolving = true;
	sched->lookups++;
	*out = (struct sched_decision){
		.kind = SCHED_RESOLVE, .domain = domain->name, .destination = domain->dest->name, .lane = LANE_NONE
	};
}

static void start(struct sched *sched, struct line *line, struct lane *lane, wall_ms now, struct sched_decision *out)
{
	uint32_t number = line->head, part;
	struct entry *e = get(sched, number);
	struct dest *dest = lane->dest;

	part = lane_part(lane, e->rcpts, now);
	must(part > 0);
	line_turn(sched, line);
	lane_charge(sched, lane, part, now);
	if (lane->cold != NULL)
		cold_claim(lane->cold, part, now);
	if (dest->down) {
		dest->probe = number;
		dest_refresh(sched, dest, now);
	}
	job_move(sched, number, PLACE_ACTIVE, now); /* may end the line */
	e->next = lane->handle;
	e->prev = part;
	e->source = (uint16_t)lane->source->handle;
	describe(sched, SCHED_START, e, out);
	out->lane = lane->handle;
	out->source = lane->source->name;
	out->rcpts = part;
	out->warmup = lane->cold != NULL;
	out->messages_left = dest_message_limit(sched, dest);
}

#define SHARES_TRIED 16
#define RISKY_TURN   20 /* every so manieth turn of a tenant with a bad record is one: a twentieth of the mail */

/* The line whose turn it is. From cold sources alone mail of tenants with a good record goes first; the others take what is left of a day. */
static struct line *line_in_turn(struct bundle *bundle)
{
	struct share *share = bundle->shares, *other = share->next;

	if (bundle->pool->cold_count < bundle->pool->source_count || !name_is_risky(share->tenant) ||
	    ++bundle->risky_turns % RISKY_TURN == 0)
		return share->lines;
	for (unsigned i = 0; i < SHARES_TRIED && other != NULL; i++, other = other->next)
		if (!name_is_risky(other->tenant))
			return other->lines;
	return share->lines;
}

/* The bundle whose turn it is starts its next job, or has one obstacle less to look at: a closed lane or an outdated route. */
static bool start_next(struct sched *sched, wall_ms now, struct sched_decision *out)
{
	struct bundle *bundle = sched->runnable;
	struct line *line = line_in_turn(bundle);
	struct lane *lane;

	if (line->domain->expires <= now) {
		domain_unroute(sched, line->domain, now);
		return false;
	}
	if (blocked_put_off(sched, line->head, now))
		return false;
	if (!limit_dest_open(sched, bundle->dest, get(sched, line->head)->rcpts, now))
		return false;
	lane = lane_choose(sched, bundle, get(sched, line->head), now);
	if (lane == NULL)
		return false;
	limit_connected(sched, lane, now);
	start(sched, line, lane, now, out);
	return true;
}

static void nothing(struct sched *sched, bool all_moved, wall_ms now, struct sched_decision *out)
{
	wall_ms jobs = heap_top_key(&sched->times), timers = heap_top_key(&sched->timers);

	*out = (struct sched_decision){ .kind = SCHED_NOTHING, .lane = LANE_NONE, .reasons = reason_of_all(sched) };
	out->when = !all_moved ? now : jobs < timers ? jobs : timers;
}

void sched_next(struct sched *sched, wall_ms now, struct sched_decision *out)
{
	bool all_moved;

	sched->now = now;
	timer_run(sched, now);
	all_moved = job_advance(sched, now);
	all_moved = blocked_advance(sched, now) && all_moved;
	if (sched->expired != ENTRY_NONE) {
		expire(sched, now, out);
		return;
	}
	(void)limit_wake(sched, now);
	for (;;) {
		if (sched->wanted != NULL && sched->lookups < RESOLVES_MAX) {
			look_up(sched, out);
			return;
		}
		if (sched->connections >= sched->conf->delivery.connections)
			break;
		if (sched->runnable == NULL && !limit_wake(sched, now))
			break;
		if (sched->runnable == NULL)
			continue;
		if (start_next(sched, now, out))
			return;
	}
	nothing(sched, all_moved, now, out);
}

/* --- more for an open connection --- */

/* Lines of one route take turns here as well; so many are looked at. */
#define LINES_TRIED 16

static bool line_fits(const struct sched *sched, const struct line *line, const struct lane *lane, wall_ms now)
{
	const struct lane *bound = blocked_lane(sched, get(sched, line->head));

	return line->share->turning && line->domain->expires > now && (bound == NULL || bound == lane) &&
	    name_pool_has(slots_get(&sched->pools, line->key.pool), lane->source, NULL);
}

static bool lane_may_go_on(const struct sched *sched, const struct lane *lane, uint32_t rcpts, wall_ms now)
{
	wall_ms when;

	return limit_dest_rate(sched, lane->dest, rcpts, now) <= now &&
	    lane_check(sched, lane->dest, lane->source, lane, false, rcpts, now, &when) == 0;
}

void sched_next_on(struct sched *sched, uint32_t handle, const char *name, wall_ms now, struct sched_decision *out)
{
	struct lane *lane = slots_get(&sched->lanes, handle);
	struct domain *domain = domain_find(sched, name);
	struct route *route = domain != NULL ? domain->route : NULL;

	*out = (struct sched_decision){ .kind = SCHED_NOTHING, .when = WALL_NEVER, .lane = LANE_NONE };
	if (lane == NULL || route == NULL || domain->dest != lane->dest || lane->dest->blocked || lane->dest->down)
		return;
	timer_run(sched, now);
	job_advance(sched, now);
	lane = slots_get(&sched->lanes, handle);
	for (unsigned i = 0; i < LINES_TRIED && route->lines != NULL; i++) {
		struct line *line = route->lines;

		if (line_fits(sched, line, lane, now)) {
			if (lane_may_go_on(sched, lane, get(sched, line->head)->rcpts, now))
				start(sched, line, lane, now, out);
			return;
		}
		DL_DELETE2(route->lines, line, route_prev, route_next);
		DL_APPEND2(route->lines, line, route_prev, route_next);
	}
}
