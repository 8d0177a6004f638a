/* sched/feedback.c - what an attempt's end means for the job, its lane and its destination. */
#include "sched/parts.h"

/* --- destinations --- */

static void dest_works(struct sched *sched, struct dest *dest, wall_ms now)
{
	dest->failures = 0;
	if (!dest->down)
		return;
	dest->down = false;
	sched->dests_down--;
	dest->probe = ENTRY_NONE;
	dest->pauses = 0;
	dest->pause_until = 0;
	dest_refresh(sched, dest, now);
	recall_note_dest(sched, dest);
}

static void dest_rest(struct sched *sched, struct dest *dest, wall_ms not_before, wall_ms now)
{
	struct backoff backoff = backoff_of(sched, dest, CLASS_TRANSIENT_SYSTEM);

	if (!dest->down) {
		sched->dests_down++;
		silence_forgive(sched, dest, now);
	}
	dest->down = true;
	dest->probe = ENTRY_NONE;
	dest->pauses++;
	dest->pause_until = now + backoff_delay(backoff.first_ms, backoff.max_ms, dest->pauses, &sched->rand);
	if (not_before > dest->pause_until)
		dest->pause_until = not_before;
	dest_refresh(sched, dest, now);
	recall_note_dest(sched, dest);
}

/* Attempts that were under way when the pause began tell nothing new: only the probe's failure makes it longer. */
static void dest_fails(struct sched *sched, struct dest *dest, bool probe, wall_ms not_before, wall_ms now)
{
	dest->failures++;
	if (dest->down ? probe : dest->failures >= FAILURES_TO_PAUSE || not_before > now)
		dest_rest(sched, dest, not_before, now);
}

/* --- lanes --- */

static void lane_fails(struct sched *sched, struct lane *lane, wall_ms not_before, wall_ms now)
{
	struct backoff backoff = backoff_of(sched, lane->dest, CLASS_TRANSIENT_SYSTEM);
	wall_ms until = not_before;

	if (lane->paused_until <= now) {
		lane_set_failures(sched, lane, lane->failures + 1);
		until = now + backoff_delay(backoff.first_ms, backoff.max_ms, lane->failures, &sched->rand);
	}
	lane_shut(sched, lane, until > not_before ? until : not_before, WHY_LANE_PAUSED, NULL);
}

/* Refused for what we are: the pause grows with each refusal in a row; where somebody must mend something it is the longest at once. */
static void lane_is_refused(struct sched *sched, struct lane *lane, const struct sched_result *result, wall_ms now)
{
	struct backoff backoff = backoff_of(sched, lane->dest, CLASS_TRANSIENT_SYSTEM);
	wall_ms until = result->not_before;
	int64_t pause;

	if (lane->paused_until <= now || lane->shut_by != WHY_LANE_BLOCKED) {
		lane_set_failures(sched, lane, lane->failures + 1);
		lane->blocks++;
		pause = result->action == ACTION_CLOSE_SOURCE
		    ? backoff.max_ms
		    : backoff_delay(backoff.first_ms, backoff.max_ms, lane->blocks, &sched->rand);
		if (now + pause > until)
			until = now + pause;
	}
	lane_shut(sched, lane, until, WHY_LANE_BLOCKED, replies_class_name(result->class));
}

static bool is_refusal_of_us(const struct sched_result *result)
{
	return result->judged &&
	    (result->class == CLASS_REPUTATION_BLOCK || result->class == CLASS_AUTH_POLICY ||
		result->action == ACTION_CLOSE_LANE || result->action == ACTION_CLOSE_SOURCE ||
		result->action == ACTION_OTHER_SOURCE);
}

static void lane_works(struct sched *sched, struct lane *lane)
{
	lane_set_failures(sched, lane, 0);
	if (lane->blocks == 0)
		return;
	lane->blocks = 0;
	if (lane->closed)
		lane_reopen(sched, lane);
	blocked_sweep(sched);
}

/* --- blame --- */

static void blame(struct sched *sched, struct lane *lane, const struct sched_result *result, bool probe, wall_ms now)
{
	struct dest *dest = lane->dest;

	switch (result->scope) {
	case SCOPE_HOST:
	case SCOPE_DESTINATION:
		if (result->delivered > 0)
			break;
		if (result->reach == REACH_NOBODY && silence_met(sched, lane, now)) {
			if (probe)
				dest_fails(sched, dest, true, 0, now);
			return;
		}
		/* Others are chosen first; a pause is the destination's matter. */
		if (lane->failures == 0)
			lane_set_failures(sched, lane, 1);
		dest_fails(sched, dest, probe, result->scope == SCOPE_DESTINATION ? result->not_before : 0, now);
		return;
	case SCOPE_LANE:
	case SCOPE_SOURCE:
		if (is_refusal_of_us(result))
			lane_is_refused(sched, lane, result, now);
		else
			lane_fails(sched, lane, result->not_before, now);
		dest_works(sched, dest, now);
		return;
	case SCOPE_NONE:
	case SCOPE_RECIPIENT:
	case SCOPE_MESSAGE:
		break;
	}
	if (result->attempted || result->delivered > 0) {
		lane_works(sched, lane);
		dest_works(sched, dest, now);
	} else if (probe) {
		dest_fails(sched, dest, true, 0, now); /* it found out nothing */
	}
}

/* --- the job --- */

/* What those have heard that are put off. */
static struct sched_heard heard(const struct sched_result *r)
{
	if (r->mixed)
		return r->put_off;
	return (struct sched_heard){ .judged = r->judged, .class = r->class, .not_before = r->not_before };
}

static void defer(struct sched *sched, struct entry *e, const struct sched_result *result, wall_ms now)
{
	struct sched_heard answer = heard(result);
	enum replies_class class = answer.judged ? answer.class : CLASS_TRANSIENT_SYSTEM;
	struct backoff backoff = backoff_of(sched, domain_of(sched, e)->dest, class);

	e->lost = 0;
	if (e->attempts < UINT16_MAX)
		e->attempts++;
	e->due = now + backoff_delay(backoff.first_ms, backoff.max_ms, e->attempts, &sched->rand);
	if (answer.not_before > e->due)
		e->due = answer.not_before;
	if (answer.judged && class == CLASS_GREYLIST)
		e->flags |= ENTRY_STAYS;
	/* Others may have more room there, or a better name. */
	if (answer.judged && (class == CLASS_THROTTLE || class == CLASS_REPUTATION_BLOCK))
		e->source = SOURCE_NONE;
}

/* Recipients of the claim that were tried. */
static uint32_t tried(const struct sched_result *r)
{
	return r->delivered + r->throttled + r->deferred + r->blocked + r->unknown + r->refused;
}

/* `part`: not all of the job had been claimed. */
static void plan(struct sched *sched, struct entry *e, const struct sched_result *result, bool part, wall_ms now)
{
	bool expiry = e->flags & ENTRY_EXPIRY;

	if (expiry && e->deadline > now) {
		; /* a warning: nothing was tried, and it is due when it was */
	} else if (expiry) {
		/* Its end could not be settled: ask again later, or it would be handed out without end. */
		e->due = e->deadline = now + sched->conf->retry.first_ms;
	} else if (result->barred) {
		blocked_plan(sched, e, result, now);
	} else if (part && !result->mixed && tried(result) > 0 && result->throttled + result->deferred == 0) {
		e->lost = 0;
		e->due = now; /* the rest has not had its turn yet */
	} else if (!result->attempted && result->delivered > 0) {
		e->lost = 0;
		e->due = now; /* the remote takes so many at a time */
	} else if (!result->attempted && e->lost < LOST_MAX) {
		e->lost++;
		e->due = now;
	} else if (result->reach == REACH_NOBODY && silence_may_move(sched, e, now)) {
		uint8_t moved = e->lost + 1u;

		defer(sched, e, result, now);
		e->lost = moved & 7;
		e->source = SOURCE_NONE;
		e->due = now;
	} else {
		defer(sched, e, result, now);
	}
	if (e->due > e->deadline)
		e->due = e->deadline;
	e->flags &= (uint8_t)~ENTRY_EXPIRY;
}

/* What the answer means for a cold lane; it may go on, or have to rest. */
static void warm(struct sched *sched, struct lane *lane, uint32_t claimed, wall_ms claimed_at, const struct sched_result *r, wall_ms now)
{
	struct warmup_answer answer = { .delivered = r->delivered,
		.throttled = r->throttled,
		.deferred = r->deferred,
		.blocked = r->blocked,
		.unknown = r->unknown,
		.other = r->refused,
		.complained = r->complained,
		.unheard = !r->attempted && (r->scope == SCOPE_HOST || r->scope == SCOPE_DESTINATION) };
	uint32_t used = tried(r) - (r->early < tried(r) ? r->early : tried(r));

	if (lane->cold == NULL)
		return;
	cold_answer(lane->cold, claimed > used ? claimed - used : 0, claimed_at, &answer, now);
	if (lane->closed && lane->reasons & WHY_LANE_WARMUP)
		lane_reopen(sched, lane);
}

static void count(struct ledger *ledger, const struct sched_result *r, wall_ms now)
{
	struct ledger_bucket answer = { .delivered = r->delivered, .deferred = r->throttled + r->deferred, .blocked = r->blocked,
		.refused = r->unknown + r->refused };

	ledger_note(ledger, &answer, now);
}

/* Growth is for each delivery, so a fast receiver has its lane at the limit in no time. */
static void set_pace(struct sched *sched, struct lane *lane, const struct sched_result *r, wall_ms now)
{
	if (r->throttled > 0 || r->scope == SCOPE_LANE || r->scope == SCOPE_SOURCE)
		(void)pace_cut(&lane->pace, lane->connections, lane->active, now);
	else if (r->delivered > 0)
		(void)pace_grow(&lane->pace, lane_limit(sched, lane), now);
	else if (lane->pace.flight > 0)
		lane->pace.flight--;
	if (lane->closed && lane->reasons & WHY_LANE_SLOW)
		lane_reopen(sched, lane);
}

wall_ms sched_done(struct sched *sched, const struct sched_result *result, wall_ms now)
{
	uint32_t number = entries_find(&sched->entries, result->id, result->first);
	struct entry *e;
	struct lane *lane;
	uint32_t claimed, left;
	bool part;

	if (number == ENTRY_NONE)
		return 0;
	e = entries_get(&sched->entries, number);
	if (e->place != PLACE_ACTIVE)
		return e->rcpts > 0 ? e->due : 0;
	lane = slots_get(&sched->lanes, e->next);
	claimed = e->prev;
	part = lane != NULL && claimed < e->rcpts;
	left = result->rcpts_left == RCPTS_AS_BEFORE ? e->rcpts : result->rcpts_left;
	e->next = e->prev = ENTRY_NONE;
	repute_note(name_tenant_of(sched, e), tried(result), result->unknown, result->complained);
	job_set_rcpts(sched, e, left);
	job_move(sched, number, PLACE_DONE, now);
	/* An attempt that found out nothing leaves it where it was. */
	if (result->attempted)
		e->flags &= (uint8_t) ~(ENTRY_BLOCKED | ENTRY_BOUND | ENTRY_STAYS);
	if (lane != NULL) {
		lane->active--;
		count(&lane->source->ledger, result, now);
		count(tally_of_tenant(sched, name_tenant_of(sched, e)), result, now);
		warm(sched, lane, claimed, e->due, result, now);
		if (result->reach == REACH_ANSWERED || result->delivered > 0)
			silence_broken(sched, lane, now);
		blame(sched, lane, result, lane->dest->probe == number, now);
		state_answer(sched, lane, result, now);
		set_pace(sched, lane, result, now);
	}
	/* Where it may go next depends on what its lane is worth now. */
	if (left > 0)
		plan(sched, e, result, part, now);
	if (lane != NULL) {
		state_tell(sched, lane, now);
		recall_note_lane(sched, lane);
		lane_tidy(sched, lane, now);
	}
	return left > 0 ? e->due : 0;
}

bool sched_is_blocked(const struct sched *sched, uint64_t id, uint32_t first)
{
	uint32_t number = entries_find(&sched->entries, id, first);

	return number != ENTRY_NONE && entries_get(&sched->entries, number)->flags & ENTRY_BLOCKED;
}

bool sched_has_moved(const struct sched *sched, uint64_t id, uint32_t first)
{
	uint32_t number = entries_find(&sched->entries, id, first);

	return number != ENTRY_NONE && entries_get(&sched->entries, number)->flags & ENTRY_HOPPED;
}

/* A START that comes to nothing: what it took is given back. */
static void take_back(struct sched *sched, uint32_t number, wall_ms now)
{
	struct entry *e = entries_get(&sched->entries, number);
	struct lane *lane = slots_get(&sched->lanes, e->next);

	if (lane != NULL) {
		lane->active--;
		warm(sched, lane, e->prev, e->due, &(struct sched_result){ .attempted = false }, now);
		lane_refund(sched, lane, e->prev, now);
		ration_refund(sched, name_tenant_of(sched, e), lane->dest, e->prev, now);
		if (lane->dest->probe == number) {
			lane->dest->probe = ENTRY_NONE;
			dest_refresh(sched, lane->dest, now);
		}
		lane_tidy(sched, lane, now);
	}
	e->next = e->prev = ENTRY_NONE;
}

static uint32_t find_active(const struct sched *sched, uint64_t id, uint32_t first)
{
	uint32_t number = entries_find(&sched->entries, id, first);

	return number != ENTRY_NONE && entries_get(&sched->entries, number)->place == PLACE_ACTIVE ? number : ENTRY_NONE;
}

static void put_off(struct sched *sched, uint32_t number, enum put_off why, wall_ms until, wall_ms now)
{
	struct entry *e = entries_get(&sched->entries, number);

	e->due = until < e->deadline ? until : e->deadline;
	e->put_off = why & 3;
	job_rest(sched, number, now);
}

void sched_put_off(struct sched *sched, uint64_t id, uint32_t first, wall_ms until, wall_ms now)
{
	uint32_t number = find_active(sched, id, first);

	if (number == ENTRY_NONE)
		return;
	take_back(sched, number, now);
	put_off(sched, number, PUT_OFF_SENDER, until, now);
}

/* Where it is known without an attempt that nobody is there. Its next probe is as good as the one that would have told. */
static void dest_is_down(struct sched *sched, struct dest *dest, wall_ms until, wall_ms now)
{
	if (!dest->down) {
		sched->dests_down++;
		silence_forgive(sched, dest, now);
	}
	dest->down = true;
	if (until > dest->pause_until)
		dest->pause_until = until;
	dest_refresh(sched, dest, now);
	recall_note_dest(sched, dest);
}

void sched_hosts_down(struct sched *sched, uint64_t id, uint32_t first, wall_ms until, bool everybody, wall_ms now)
{
	uint32_t number = find_active(sched, id, first);
	struct domain *domain;

	if (number == ENTRY_NONE)
		return;
	domain = domain_of(sched, entries_get(&sched->entries, number));
	take_back(sched, number, now);
	entries_get(&sched->entries, number)->source = SOURCE_NONE; /* another may be offered */
	if (everybody && domain->dest->provider == NULL && domain->dest->routes == 1)
		dest_is_down(sched, domain->dest, until, now);
	else if (everybody)
		domain_rest(sched, domain, until, now);
	put_off(sched, number, PUT_OFF_HOSTS, until, now);
}

void sched_settled(struct sched *sched, uint64_t id, uint32_t first, wall_ms now)
{
	uint32_t number = entries_find(&sched->entries, id, first);
	struct entry *e;

	if (number == ENTRY_NONE)
		return;
	e = entries_get(&sched->entries, number);
	if (e->place != PLACE_DONE)
		return;
	if (e->rcpts == 0)
		job_forget(sched, number, now);
	else
		job_rest(sched, number, now);
}

void sched_release_connection(struct sched *sched, uint32_t handle, wall_ms now)
{
	struct lane *lane = slots_get(&sched->lanes, handle);

	if (lane == NULL || lane->connections == 0)
		return;
	limit_released(sched, lane, now);
	lane_used(sched, lane, now);
	if (lane->closed && lane->reasons & (WHY_LANE_CONNECTIONS | WHY_LANE_SLOW))
		lane_reopen(sched, lane);
	lane_tidy(sched, lane, now);
}
