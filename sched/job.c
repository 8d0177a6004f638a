/* sched/job.c - where each job is: the only place that changes entry.place, the counts and the heap of times. */
#include "sched/parts.h"

#define ADVANCE_MAX \
	4096 /* jobs that one decision moves at most: a million that become due at once must not block a loop */

#define FETCH_LEAST 4096 /* jobs; fewer are in the cache anyway */

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

enum sched_state job_state(const struct entry *e)
{
	switch ((enum place)e->place) {
	case PLACE_ACTIVE:
	case PLACE_DONE:
		return JOB_ACTIVE;
	case PLACE_HELD:
	case PLACE_ORPHAN:
		return JOB_HELD;
	case PLACE_FREE:
	case PLACE_LATER:
	case PLACE_READY:
	case PLACE_EXPIRED:
	case PLACES:
		break;
	}
	if (e->flags & ENTRY_BLOCKED)
		return JOB_BLOCKED;
	return e->attempts > 0 ? JOB_DEFERRED : JOB_WAITING;
}

static void count_in(uint64_t counts[JOB_STATES], uint32_t rcpts, enum sched_state from, enum sched_state to)
{
	if (from != JOB_STATES)
		counts[from] -= rcpts;
	if (to != JOB_STATES)
		counts[to] += rcpts;
}

static void count(struct sched *sched, const struct entry *e, enum sched_state from, enum sched_state to)
{
	struct domain *domain;

	if (from == to)
		return;
	domain = domain_of(sched, e);
	count_in(domain->rcpts, e->rcpts, from, to);
	count_in(domain->dest->rcpts, e->rcpts, from, to);
	count_in(name_tenant_of(sched, e)->rcpts, e->rcpts, from, to);
	count_in(sched->rcpts, e->rcpts, from, to);
}

/* --- the list of jobs to hand out as EXPIRE --- */

static void expired_push(struct sched *sched, uint32_t number)
{
	struct entry *e = get(sched, number);

	e->next = ENTRY_NONE;
	e->prev = sched->expired_tail;
	if (e->prev != ENTRY_NONE)
		get(sched, e->prev)->next = number;
	else
		sched->expired = number;
	sched->expired_tail = number;
}

static void expired_remove(struct sched *sched, uint32_t number)
{
	struct entry *e = get(sched, number);

	if (e->prev != ENTRY_NONE)
		get(sched, e->prev)->next = e->next;
	else
		sched->expired = e->next;
	if (e->next != ENTRY_NONE)
		get(sched, e->next)->prev = e->prev;
	else
		sched->expired_tail = e->prev;
	e->next = e->prev = ENTRY_NONE;
}

/* --- moves --- */

static void unlink_place(struct sched *sched, uint32_t number)
{
	enum place place = (enum place)get(sched, number)->place;

	sched->places[place]--;
	if (place == PLACE_READY)
		line_remove(sched, number);
	else if (place == PLACE_EXPIRED)
		expired_remove(sched, number);
}

/* When its sender is told that it is late: retry.warn after it could first have been tried, which the sender may have put off. */
static wall_ms warn_at(const struct sched *sched, const struct entry *e)
{
	const struct conf_retry *retry = &sched->conf->retry;
	wall_ms arrived = (wall_ms)(e->id >> ID_TIME_SHIFT), began;
	int priority = e->urgency == URGENCY_HIGH ? 1 : e->urgency == URGENCY_LOW ? -1 : 0;

	if (!e->warns || !retry->warnings)
		return WALL_NEVER;
	began = e->deadline - conf_expire_ms(sched->conf, conf_tenant_find(sched->conf, name_tenant_of(sched, e)->name), priority);
	return (began > arrived ? began : arrived) + retry->warn_ms;
}

/* When the heap of times has to look at a job that waits. */
static wall_ms job_time(const struct sched *sched, const struct entry *e)
{
	wall_ms time = e->place == PLACE_LATER ? e->due : e->deadline, warn = warn_at(sched, e);

	return e->place <= PLACE_READY && warn < time ? warn : time;
}

static void link_place(struct sched *sched, uint32_t number, enum place place, wall_ms now)
{
	struct entry *e = get(sched, number);

	e->place = (uint8_t)place;
	sched->places[place]++;
	if (place == PLACE_READY)
		line_push(sched, number, now);
	else if (place == PLACE_EXPIRED)
		expired_push(sched, number);
	if (place == PLACE_LATER || place == PLACE_READY || place == PLACE_HELD || place == PLACE_ORPHAN)
		heap_set(&sched->times, number, job_time(sched, e));
	else
		heap_remove(&sched->times, number);
}

static enum place resting_place(const struct sched *sched, const struct entry *e, wall_ms now)
{
	if (e->deadline <= now)
		return PLACE_EXPIRED;
	if (e->flags & ENTRY_HOLD)
		return PLACE_HELD;
	if (!name_tenant_of(sched, e)->present || !name_pool_of(sched, e)->present)
		return PLACE_ORPHAN;
	if (warn_at(sched, e) <= now)
		return PLACE_EXPIRED;
	return e->due <= now ? PLACE_READY : PLACE_LATER;
}

void job_enter(struct sched *sched, uint32_t number, wall_ms now)
{
	struct entry *e = get(sched, number);

	blocked_hold_back(sched, e, now);
	link_place(sched, number, resting_place(sched, e, now), now);
	count(sched, e, JOB_STATES, job_state(e));
}

void job_move(struct sched *sched, uint32_t number, enum place place, wall_ms now)
{
	struct entry *e = get(sched, number);
	enum sched_state from = job_state(e);

	unlink_place(sched, number);
	link_place(sched, number, place, now);
	count(sched, e, from, job_state(e));
}

void job_rest(struct sched *sched, uint32_t number, wall_ms now)
{
	blocked_hold_back(sched, get(sched, number), now);
	job_move(sched, number, resting_place(sched, get(sched, number), now), now);
}

void job_set_flags(struct sched *sched, struct entry *e, unsigned set, unsigned clear)
{
	enum sched_state from = job_state(e);

	e->flags = ((e->flags & ~clear) | set) & ENTRY_FLAGS;
	count(sched, e, from, job_state(e));
}

void job_set_rcpts(struct sched *sched, struct entry *e, uint32_t rcpts)
{
	enum sched_state state = job_state(e);

	count(sched, e, state, JOB_STATES);
	e->rcpts = rcpts;
	count(sched, e, JOB_STATES, state);
}

void job_forget(struct sched *sched, uint32_t number, wall_ms now)
{
	struct entry *e = get(sched, number);

	unlink_place(sched, number);
	heap_remove(&sched->times, number);
	count(sched, e, job_state(e), JOB_STATES);
	domain_remove_job(sched, domain_of(sched, e), number, now);
	entries_remove(&sched->entries, number);
}

/* Among many destinations nothing of the next job is in the cache when its time comes, and each structure is found through the one before. So it is
 * fetched in steps while others are dealt with: the entries of those that may be next but one, and the domain of the next. */
static void fetch_next(const struct sched *sched)
{
	const struct heap *times = &sched->times;
	const struct domain *domain;

	if (times->count < FETCH_LEAST)
		return;
	for (unsigned i = 1; i <= 4; i++)
		__builtin_prefetch(get(sched, times->refs[i]));
	domain = domain_of(sched, get(sched, times->refs[0]));
	__builtin_prefetch(domain);
	__builtin_prefetch(&domain->rcpts);
	__builtin_prefetch(&domain->lines);
}

bool job_advance(struct sched *sched, wall_ms now)
{
	for (unsigned i = 0; heap_top_key(&sched->times) <= now; i++) {
		if (i == ADVANCE_MAX)
			return false;
		job_rest(sched, heap_top(&sched->times), now);
		fetch_next(sched);
	}
	return true;
}
