/* sched/decide.c - what may start now: expiry, look-ups, and the turn of bundles, tenants, lines and sources. */
#include "sched/parts.h"

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
	struct entry *e = get(sched, number);
	bool over = e->deadline <= now;

	job_move(sched, number, PLACE_ACTIVE, now);
	e->warns = false;
	e->flags |= ENTRY_EXPIRY;
	describe(sched, over ? SCHED_EXPIRE : SCHED_WARN, e, out);
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

void decide_start(struct sched *sched, struct line *line, struct lane *lane, wall_ms now, struct sched_decision *out)
{
	uint32_t number = line->head, part;
	struct entry *e = get(sched, number);
	struct dest *dest = lane->dest;

	part = lane_part(lane, e->rcpts, now);
	must(part > 0);
	if (share_second(line->share->bundle) == line->share->tenant)
		part = repute_part(line->share->tenant, part);
	e->put_off = PUT_OFF_NOT;
	ration_charge(sched, line->share->tenant, dest, part, now);
	line_turn(sched, line, part);
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
	e->due = now < e->deadline ? now : e->deadline;
	e->source = (uint16_t)lane->source->handle;
	describe(sched, SCHED_START, e, out);
	out->lane = lane->handle;
	out->source = lane->source->name;
	out->rcpts = part;
	out->warmup = lane->cold != NULL;
	out->messages_left = dest_message_limit(sched, dest);
}

static unsigned rings_waiting(const struct sched *sched)
{
	unsigned waiting = 0;

	for (unsigned class = 0; class < PRIORITIES; class++)
		waiting |= (unsigned)(sched->runnable[class] != NULL) << class;
	return waiting;
}

/* Nothing but lanes is in the way of its next job; else that is seen to. */
static bool is_free(struct sched *sched, struct bundle *bundle, struct line *line, wall_ms now)
{
	uint32_t rcpts;

	bundle->waits_as = yield_class(line);
	if (line->domain->expires <= now) {
		domain_unroute(sched, line->domain, now);
		return false;
	}
	if (blocked_put_off(sched, line->head, now))
		return false;
	rcpts = get(sched, line->head)->rcpts;
	return limit_dest_open(sched, bundle->dest, rcpts, bundle->waits_as, now) &&
	    ration_open(sched, line->share->tenant, bundle->dest, rcpts, bundle->waits_as, now);
}

/* The bundle whose turn it is starts its next job, or has one obstacle less to look at: a closed lane or an outdated route. */
static bool start_next(struct sched *sched, unsigned waiting, wall_ms now, struct sched_decision *out)
{
	enum conf_priority ring = share_class_in_turn(sched->passed, waiting);
	struct bundle *bundle = sched->runnable[ring];
	struct line *line = share_in_turn(bundle)->lines;
	struct tenant *second = share_second(bundle);
	struct lane *lane;
	bool own;

	if (!is_free(sched, bundle, line, now))
		return false;
	lane = lane_choose(sched, bundle, get(sched, line->head), now);
	if (lane == NULL && (overflow_waits(sched, bundle->dest, get(sched, line->head), now) ||
				overflow_shuns(sched, bundle->dest, get(sched, line->head), now))) {
		line = overflow_line(sched, bundle, now);
		if (line == NULL || !is_free(sched, bundle, line, now))
			return false;
		lane = lane_choose(sched, bundle, get(sched, line->head), now);
	}
	if (lane == NULL)
		return false;
	own = line->share->tenant == second;
	limit_connected(sched, lane, now);
	share_class_served(sched->passed, waiting, ring);
	bundle->strayed = 0;
	decide_start(sched, line, lane, now, out);
	share_count_turn(bundle, second, own, out->rcpts);
	return true;
}

static void nothing(struct sched *sched, bool all_moved, wall_ms now, struct sched_decision *out)
{
	wall_ms jobs = heap_top_key(&sched->times), timers = heap_top_key(&sched->timers);

	*out = (struct sched_decision){ .kind = SCHED_NOTHING, .lane = LANE_NONE, .reasons = reason_of_all(sched) };
	out->when = !all_moved ? now : jobs < timers ? jobs : timers;
	if (sched->keep_at < out->when)
		out->when = sched->keep_at;
	if (sched->retire_at < out->when)
		out->when = sched->retire_at;
}

void sched_next(struct sched *sched, wall_ms now, struct sched_decision *out)
{
	unsigned waiting;
	bool all_moved;

	timer_now(sched, now);
	timer_run(sched, now);
	retire_run(sched, now); /* before blocked jobs are looked at: it may give them something to look for */
	all_moved = job_advance(sched, now);
	all_moved = blocked_advance(sched, now) && all_moved;
	if (sched->expired != ENTRY_NONE) {
		expire(sched, now, out);
		return;
	}
	overflow_run(sched, now);
	(void)limit_wake(sched, now);
	for (;;) {
		if (sched->wanted != NULL && sched->lookups < RESOLVES_MAX) {
			look_up(sched, out);
			return;
		}
		if (sched->connections >= sched->conf->delivery.connections)
			break;
		waiting = rings_waiting(sched);
		if (waiting == 0 && !limit_wake(sched, now))
			break;
		if (waiting != 0 && start_next(sched, waiting, now, out))
			return;
	}
	nothing(sched, all_moved, now, out);
}
