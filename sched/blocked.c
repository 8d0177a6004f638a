/* sched/blocked.c - mail that was refused for reasons of ours: it takes one other source, or waits until its own may send there again.
 *
 * A refusal of the address is no refusal of the recipient. Who was refused by one source may try one other healthy one at once, never a third:
 * going through all of them would look like evasion. Then it is bound to the source that refused it last: when the pause of that lane is over
 * one job goes ahead, and what the destination says to it decides for the others. A refusal that blames no lane (the sender's own set-up)
 * binds to none; it is tried again after a long while, or when the operator says so. */
#include "sched/parts.h"

#define SPREAD_PART   8          /* jobs come back within this part of their lane's pause, one of them first */
#define SPREAD_MAX_MS MINUTES(10)
#define PROBING_MAX_MS SECONDS(20) /* until the one that went ahead is asked about again, and less than a pause */
#define PROBING_PART  8
/* What passes without anybody's doing. */
#define WHY_MOMENTARY \
	(WHY_LANE_CONNECTIONS | WHY_LANE_RATE | WHY_LANE_SLOW | WHY_DESTINATION_CONNECTIONS | WHY_DESTINATION_RATE | \
	    WHY_SOURCE_CONNECTIONS | WHY_SOURCE_RATE)
#define OTHERS_MAX    64         /* busy sources that are looked at, when no idle one will do */
#define SWEEP_SLICE   4096       /* jobs that one decision looks at, after a lane has opened for all */

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

static bool is_in_service(const struct source *source, wall_ms now)
{
	return source->present && !source->paused && !source->drained && source->parked_until <= now;
}

/* The lane that a blocked job waits for; NULL: any of its pool will do. */
static struct lane *lane_of(const struct sched *sched, const struct entry *e)
{
	const struct source *source = slots_get(&sched->sources, e->source);
	struct lane *lane;

	if (!(e->flags & ENTRY_BOUND) || source == NULL || !source->present || source->drained ||
	    !name_pool_has(name_pool_of(sched, e), source, NULL))
		return NULL;
	lane = lane_find(sched, domain_of(sched, e)->dest, source);
	return lane != NULL && lane->blocks > 0 ? lane : NULL;
}

static bool is_shut(const struct lane *lane, wall_ms now)
{
	return lane->paused_until > now && lane->blocks > 0;
}

/* While another is finding out. */
static int64_t probing_time(struct sched *sched, const struct lane *lane)
{
	int64_t part = backoff_of(sched, lane->dest, CLASS_TRANSIENT_SYSTEM).first_ms / PROBING_PART;

	if (part > PROBING_MAX_MS)
		part = PROBING_MAX_MS;
	return part + (int64_t)(rand_unit(&sched->rand) * (double)part);
}

/* A moment soon after the lane's opening. */
static wall_ms opening(struct sched *sched, const struct lane *lane, wall_ms now)
{
	int64_t spread = (lane->paused_until - now) / SPREAD_PART;

	if (spread > SPREAD_MAX_MS)
		spread = SPREAD_MAX_MS;
	return lane->paused_until + (int64_t)(rand_unit(&sched->rand) * (double)spread);
}

void blocked_hold_back(struct sched *sched, struct entry *e, wall_ms now)
{
	const struct lane *lane = e->due <= now ? lane_of(sched, e) : NULL;

	if (lane != NULL && is_shut(lane, now))
		e->due = opening(sched, lane, now);
	if (e->due > e->deadline)
		e->due = e->deadline;
}

static unsigned obstacles(const struct sched *sched, const struct lane *lane, const struct entry *e, wall_ms now)
{
	wall_ms when;

	return lane_check(sched, lane->dest, lane->source, lane, true, e->rcpts, now, &when);
}

/* The lane whose source has greylisted the job, while that is merely busy; other sources would be greylisted anew. */
static struct lane *busy_lane_of(const struct sched *sched, struct entry *e, wall_ms now)
{
	const struct source *source = slots_get(&sched->sources, e->source);
	struct lane *lane;
	unsigned reasons;

	if (!(e->flags & ENTRY_STAYS) || e->lost >= LOST_MAX || source == NULL || name_pool_of(sched, e)->source_count < 2 ||
	    !name_pool_has(name_pool_of(sched, e), source, NULL))
		return NULL;
	lane = lane_find(sched, domain_of(sched, e)->dest, source);
	reasons = lane != NULL ? obstacles(sched, lane, e, now) : 0;
	if (reasons == 0 || (reasons & ~(unsigned)WHY_MOMENTARY) != 0)
		return NULL;
	e->lost++;
	return lane;
}

bool blocked_put_off(struct sched *sched, uint32_t number, wall_ms now)
{
	struct entry *e = get(sched, number);
	struct lane *lane = lane_of(sched, e);

	if (lane != NULL ? !lane->closed && obstacles(sched, lane, e, now) == 0
			 : (lane = busy_lane_of(sched, e, now)) == NULL)
		return false;
	e->due = is_shut(lane, now) ? opening(sched, lane, now) : now + probing_time(sched, lane);
	if (e->due > e->deadline)
		e->due = e->deadline;
	job_move(sched, number, PLACE_LATER, now);
	return true;
}

const struct lane *blocked_lane(const struct sched *sched, const struct entry *e)
{
	return lane_of(sched, e);
}

/* --- one other source --- */

/* Hopping between addresses with what was refused for its content, or that nobody wants, is what spammers do. */
static bool may_change_source(const struct sched_result *result)
{
	return result->class != CLASS_CONTENT && result->class != CLASS_COMPLAINT_POLICY && result->action != ACTION_HOLD &&
	    (result->scope >= SCOPE_LANE || result->action == ACTION_OTHER_SOURCE || result->class == CLASS_REPUTATION_BLOCK);
}

static bool is_healthy(
    const struct sched *sched, const struct dest *dest, const struct source *source, wall_ms now)
{
	const struct lane *lane = lane_find(sched, dest, source);
	wall_ms when;
	unsigned reasons;

	if (!is_in_service(source, now))
		return false;
	if (lane == NULL)
		return true;
	if (lane->failures > 0 || lane->blocks > 0)
		return false;
	reasons = lane_check(sched, dest, source, lane, true, 1, now, &when);
	return (reasons & ~(unsigned)WHY_MOMENTARY) == 0;
}

static bool has_other_source(struct sched *sched, const struct entry *e, const struct lane *refused, wall_ms now)
{
	const struct domain *domain = domain_of(sched, e);
	const struct pool *pool = name_pool_of(sched, e);
	unsigned families = domain->families != 0 ? domain->families : FAMILY_ANY;
	uint32_t looked = 0;

	for (uint32_t i = 0; i < pool->source_count && looked < OTHERS_MAX; i++) {
		const struct source *source = slots_get(&sched->sources, pool->sources[i]);

		if ((source->families & families) == 0 || (refused != NULL && source == refused->source))
			continue;
		if (is_healthy(sched, domain->dest, source, now))
			return true;
		looked++;
	}
	return false;
}

void blocked_plan(struct sched *sched, struct entry *e, const struct sched_result *result, wall_ms now)
{
	struct lane *lane = slots_get(&sched->lanes, result->lane);
	struct backoff backoff = backoff_of(sched, domain_of(sched, e)->dest, CLASS_AUTH_POLICY);
	bool shut = lane != NULL && is_shut(lane, now);

	e->lost = 0;
	if (e->attempts < UINT16_MAX)
		e->attempts++;
	if (!(e->flags & ENTRY_HOPPED) && may_change_source(result) && has_other_source(sched, e, lane, now)) {
		e->flags |= ENTRY_HOPPED;
		e->source = SOURCE_NONE;
		e->due = now;
		return;
	}
	e->flags |= ENTRY_BLOCKED | (shut ? ENTRY_BOUND : 0);
	e->due = shut ? opening(sched, lane, now)
		      : now + backoff_delay(backoff.first_ms, backoff.max_ms, e->attempts, &sched->rand);
	if (!shut && result->not_before > e->due)
		e->due = result->not_before;
}

void sched_apart(struct sched *sched, const struct sched_result *result, wall_ms now, struct sched_apart *out)
{
	uint32_t number = entries_find(&sched->entries, result->id, result->first);
	struct sched_result own = *result;
	struct entry e;

	*out = (struct sched_apart){ .due = now };
	if (number == ENTRY_NONE)
		return;
	e = *get(sched, number);
	if (e.attempts > 0)
		e.attempts--; /* this one was counted for the others */
	own.class = result->barred_by.class;
	own.action = result->barred_by.action;
	own.scope = result->barred_by.scope;
	own.not_before = result->barred_by.not_before;
	blocked_plan(sched, &e, &own, now);
	out->due = e.due < e.deadline ? e.due : e.deadline;
	out->blocked = e.flags & ENTRY_BLOCKED;
	out->moved = e.flags & ENTRY_HOPPED;
}

/* --- a lane has opened for all that wait for it --- */

void blocked_sweep(struct sched *sched)
{
	if (sched->rcpts[JOB_BLOCKED] == 0)
		return;
	sched->sweeping = true;
	sched->sweep = ENTRY_NONE;
}

bool blocked_advance(struct sched *sched, wall_ms now)
{
	for (unsigned i = 0; sched->sweeping && i < SWEEP_SLICE; i++) {
		struct entry *e;

		sched->sweep = entries_next(&sched->entries, sched->sweep);
		if (sched->sweep == ENTRY_NONE) {
			sched->sweeping = false;
			break;
		}
		e = get(sched, sched->sweep);
		if (!(e->flags & ENTRY_BOUND) || e->place != PLACE_LATER || lane_of(sched, e) != NULL)
			continue;
		e->due = now;
		job_rest(sched, sched->sweep, now);
	}
	return !sched->sweeping;
}
