/* sched/onward.c - more mail for a connection that has just finished a job.
 *
 * Whoever is in turn gets it, as if a new connection had opened: an open one must not go on with one tenant's bulk while another's urgent mail
 * waits for the same lane. Mail in turn that this connection cannot take, for its hosts are others, waits for a lane of its own; where none is to
 * be had the connection is given up. */
#include "sched/parts.h"

#define LINES_TRIED 16
#define STRAY_MAX   4 /* turns of its own class that may be taken out of order before a connection is given up: reconnecting costs too */

/* Mail that waits for cold sources takes no warm one, and that of tenants with a bad record the other way round. */
static bool fits_warmth(const struct sched *sched, const struct line *line, const struct lane *lane, wall_ms now)
{
	const struct entry *e = entries_get(&sched->entries, line->head);

	if (!overflow_is_cold(sched, lane->dest, lane->source))
		return !overflow_waits(sched, lane->dest, e, now);
	return !share_yields(line->share) && !overflow_shuns(sched, lane->dest, e, now);
}

static bool line_fits(const struct sched *sched, const struct line *line, const struct lane *lane, wall_ms now)
{
	const struct lane *bound = blocked_lane(sched, entries_get(&sched->entries, line->head));

	const struct pool *pool = slots_get(&sched->pools, line->key.pool);

	return line->share->place != SHARE_RESTING && line->domain->expires > now && (bound == NULL || bound == lane) &&
	    name_pool_has(pool, lane->source, NULL) && (bound == lane || !retire_had_share(pool, lane, now)) &&
	    (bound == lane || fits_warmth(sched, line, lane, now));
}

static bool lane_may_go_on(const struct sched *sched, const struct lane *lane, uint32_t rcpts, wall_ms now)
{
	wall_ms when;

	return limit_dest_rate(sched, lane->dest, rcpts, now) <= now &&
	    lane_check(sched, lane->dest, lane->source, lane, false, rcpts, now, &when) == 0;
}

static bool may_use(const struct bundle *bundle, const struct lane *lane)
{
	return (lane->source->families & bundle->families) != 0 && name_pool_has(bundle->pool, lane->source, NULL);
}

/* Of the bundles that the lane serves the one with the highest class that waits; among equals, whose last turn is longest ago. */
static struct bundle *bundle_in_turn(const struct lane *lane)
{
	struct bundle *best = NULL;
	int best_class = PRIORITIES;

	for (struct bundle *b = lane->dest->bundles; b != NULL; b = b->dest_next) {
		unsigned waiting = share_waiting(b);
		int class = waiting != 0 ? __builtin_ctz(waiting) : PRIORITIES;

		if (waiting == 0 || class > best_class || !may_use(b, lane))
			continue;
		if (class < best_class || b->served < best->served) {
			best = b;
			best_class = class;
		}
	}
	return best;
}

/* What the connection can take, the highest class first. */
static struct line *line_of_route(const struct sched *sched, struct route *route, const struct lane *lane, wall_ms now)
{
	for (unsigned class = 0; class < PRIORITIES; class++) {
		for (unsigned i = 0; i < LINES_TRIED && route->lines[class] != NULL; i++) {
			struct line *line = route->lines[class];

			if (line_fits(sched, line, lane, now))
				return line;
			DL_DELETE2(route->lines[class], line, route_prev, route_next);
			DL_APPEND2(route->lines[class], line, route_prev, route_next);
		}
	}
	return NULL;
}

static bool is_full(const struct sched *sched)
{
	return sched->connections >= sched->conf->delivery.connections;
}

/* Mail of a higher class could start elsewhere, if only there were a connection to be had. */
static bool higher_waits_elsewhere(const struct sched *sched, enum conf_priority class)
{
	for (unsigned higher = 0; is_full(sched) && higher < class; higher++)
		if (sched->runnable[higher] != NULL)
			return true;
	return false;
}

/* `line` is not what is in turn: may it go all the same? Where the bundle can start on another lane, or a new connection, nobody waits for this one. */
static bool may_stray(const struct sched *sched, struct bundle *bundle, const struct share *in_turn, const struct line *line)
{
	if (bundle->runnable && !is_full(sched))
		return true;
	if (in_turn->priority < line->priority || ++bundle->strayed > STRAY_MAX) {
		bundle->strayed = 0;
		return false;
	}
	return true;
}

/* What goes out next on an open connection of `lane`; NULL: nothing, and the connection is given up. */
static struct line *choose(struct sched *sched, const struct domain *domain, const struct lane *lane, wall_ms now)
{
	struct bundle *bundle = bundle_in_turn(lane);
	struct share *share = bundle != NULL ? share_in_turn(bundle) : NULL;
	struct line *line = share != NULL ? line_on_route(sched, share, domain) : NULL;

	if (line != NULL && line_fits(sched, line, lane, now)) {
		bundle->strayed = 0;
	} else {
		line = line_of_route(sched, domain->route, lane, now);
		if (line != NULL && share != NULL && !may_stray(sched, bundle, share, line))
			return NULL;
	}
	if (line != NULL && line->share->bundle != bundle)
		line->share->bundle->second = NULL; /* nobody's turn was looked for there */
	return line != NULL && !higher_waits_elsewhere(sched, line->priority) ? line : NULL;
}

void sched_next_on(struct sched *sched, uint32_t handle, const char *name, wall_ms now, struct sched_decision *out)
{
	struct lane *lane = slots_get(&sched->lanes, handle);
	struct domain *domain = domain_find(sched, name);
	struct line *line;
	struct tenant *second;
	struct bundle *bundle;
	uint32_t rcpts;
	bool own;

	*out = (struct sched_decision){ .kind = SCHED_NOTHING, .when = WALL_NEVER, .lane = LANE_NONE };
	if (lane == NULL || domain == NULL || domain->route == NULL || domain->dest != lane->dest || lane->dest->blocked ||
	    lane->dest->down)
		return;
	timer_run(sched, now);
	job_advance(sched, now);
	lane = slots_get(&sched->lanes, handle);
	line = choose(sched, domain, lane, now);
	if (line == NULL)
		return;
	rcpts = entries_get(&sched->entries, line->head)->rcpts;
	if (!ration_open(sched, line->share->tenant, lane->dest, rcpts, yield_class(line), now) || !lane_may_go_on(sched, lane, rcpts, now))
		return;
	bundle = line->share->bundle;
	second = share_second(bundle);
	own = line->share->tenant == second;
	decide_start(sched, line, lane, now, out);
	share_count_turn(bundle, second, own, out->rcpts);
}
