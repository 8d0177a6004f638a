/* sched/sched.c - the scheduler's life, the jobs that come in, and the operator's words. */
#include "sched/sched.h"

#include <stdlib.h>
#include <string.h>

#include "sched/parts.h"

void *model_alloc(struct sched *sched, size_t size)
{
	sched->objects += size;
	return crate_take(&sched->crate, size);
}

void model_free(struct sched *sched, void *object, size_t size)
{
	sched->objects -= size;
	crate_give(&sched->crate, object, size);
}

char *model_text(struct sched *sched, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(model_alloc(sched, size), text, size);
}

void model_text_free(struct sched *sched, char *text)
{
	if (text != NULL)
		model_free(sched, text, strlen(text) + 1);
}

struct sched *sched_create(struct conf *conf, uint64_t seed)
{
	struct sched *sched = xcalloc(1, sizeof(*sched));

	sched->conf = conf_ref(conf);
	rand_seed(&sched->rand, seed);
	sched->retire_at = sched->keep_at = WALL_NEVER;
	entries_init(&sched->entries, rand_u64(&sched->rand));
	heap_init(&sched->times);
	heap_init(&sched->timers);
	heap_init(&sched->chores);
	sched->expired = sched->expired_tail = ENTRY_NONE;
	name_load(sched);
	return sched;
}

/* Everything is counted, so what remains at the end would be a leak of ours. */
static void drop_all(struct sched *sched)
{
	uint32_t number, next;

	for (number = entries_next(&sched->entries, ENTRY_NONE); number != ENTRY_NONE; number = next) {
		next = entries_next(&sched->entries, number);
		job_forget(sched, number, WALL_NEVER);
	}
	for (uint32_t i = 0; i < sched->lanes.count; i++) {
		struct lane *lane = slots_get(&sched->lanes, i);

		if (lane == NULL)
			continue;
		lane->dest->connections -= lane->connections;
		lane->source->connections -= lane->connections;
		lane->connections = lane->active = 0;
		lane_free(sched, lane);
	}
	while (sched->domain_names != NULL) {
		sched->domain_names->resolving = false;
		domain_unwant(sched, sched->domain_names);
		domain_free(sched, sched->domain_names, WALL_NEVER);
	}
	ration_fini(sched);
	while (sched->dest_keys != NULL)
		dest_free(sched, sched->dest_keys);
	cold_fini(sched);
	recall_fini(sched);
}

void sched_destroy(struct sched **ptr)
{
	struct sched *sched = *ptr;

	if (sched == NULL)
		return;
	drop_all(sched);
	name_fini(sched);
	must(sched->objects == 0);
	crate_fini(&sched->crate);
	entries_fini(&sched->entries);
	heap_fini(&sched->times);
	heap_fini(&sched->timers);
	heap_fini(&sched->chores);
	slots_fini(&sched->tenants);
	slots_fini(&sched->sources);
	slots_fini(&sched->pools);
	slots_fini(&sched->domains);
	slots_fini(&sched->dests);
	slots_fini(&sched->lanes);
	slots_fini(&sched->rations);
	conf_unref(&sched->conf);
	free(sched);
	*ptr = NULL;
}

/* --- jobs --- */

static uint16_t last_source(struct sched *sched, const char *name)
{
	return name != NULL && name[0] != '\0' ? (uint16_t)name_source(sched, name)->handle : SOURCE_NONE;
}

bool sched_add(struct sched *sched, const struct sched_job *job, wall_ms now)
{
	struct domain *domain;
	struct entry *e;
	uint32_t number;

	if (entries_find(&sched->entries, job->id, job->first) != ENTRY_NONE)
		return false;
	must(job->rcpts > 0);
	timer_now(sched, now);
	domain = domain_get(sched, job->domain, now);
	number = entries_add(&sched->entries, job->id, job->first);
	e = entries_get(&sched->entries, number);
	e->rcpts = job->rcpts;
	e->domain = domain->handle;
	e->tenant = name_tenant(sched, job->tenant)->handle;
	e->pool = (uint16_t)name_pool(sched, job->pool)->handle;
	e->source = last_source(sched, job->source);
	e->deadline = job->deadline;
	e->due = job->due < job->deadline ? job->due : job->deadline;
	e->attempts = job->attempts < UINT16_MAX ? (uint16_t)job->attempts : UINT16_MAX;
	e->flags = job->held ? ENTRY_HOLD : job->blocked ? ENTRY_BLOCKED | ENTRY_BOUND | ENTRY_HOPPED : job->moved ? ENTRY_HOPPED : 0;
	e->urgency = job->priority > 0 ? URGENCY_HIGH : job->priority < 0 ? URGENCY_LOW : URGENCY_OWN;
	e->warns = job->warns;
	if (job->fresh)
		habit_note(sched, domain->dest, job->rcpts, now);
	domain_add_job(sched, domain, number);
	job_enter(sched, number, now);
	return true;
}

static struct entry *find(const struct sched *sched, uint64_t id, uint32_t first, uint32_t *number_out)
{
	*number_out = entries_find(&sched->entries, id, first);
	return *number_out != ENTRY_NONE ? entries_get(&sched->entries, *number_out) : NULL;
}

static bool is_out(const struct entry *e)
{
	return e->place == PLACE_ACTIVE || e->place == PLACE_DONE;
}

bool sched_find(struct sched *sched, uint64_t id, uint32_t first, wall_ms now, struct sched_view *out)
{
	uint32_t number;
	const struct entry *e = find(sched, id, first, &number);
	const struct domain *domain;

	if (e == NULL)
		return false;
	domain = domain_of(sched, e);
	*out = (struct sched_view){
		.state = job_state(e),
		.due = e->due,
		.deadline = e->deadline,
		.attempts = e->attempts,
		.destination = domain->route != NULL || domain->dest->provider != NULL ? domain->dest->name : NULL,
	};
	out->reasons = reason_of_job(sched, e, now, &out->ask_again);
	return true;
}

/* --- the operator's words --- */

enum err sched_hold(struct sched *sched, uint64_t id, uint32_t first)
{
	uint32_t number;
	struct entry *e = find(sched, id, first, &number);

	if (e == NULL)
		return ERR_NOT_FOUND;
	e->flags |= ENTRY_HOLD;
	if (!is_out(e) && e->place != PLACE_EXPIRED)
		job_move(sched, number, PLACE_HELD, sched->now);
	return OK;
}

enum err sched_release(struct sched *sched, uint64_t id, uint32_t first, wall_ms now)
{
	uint32_t number;
	struct entry *e = find(sched, id, first, &number);

	if (e == NULL)
		return ERR_NOT_FOUND;
	job_set_flags(sched, e, 0, ENTRY_HOLD | ENTRY_BLOCKED | ENTRY_BOUND | ENTRY_HOPPED);
	if (e->place == PLACE_HELD)
		job_rest(sched, number, now);
	return OK;
}

/* The operator wants to see an attempt: what we invented ourselves as a pause gives way, once for each moment. */
static void lift(struct sched *sched, struct domain *domain, wall_ms now)
{
	struct dest *dest = domain->dest;
	struct lane *lane, *next;

	domain->lookup_after = 0;
	domain_want(sched, domain, now);
	if (dest->lifted_at == now)
		return;
	dest->lifted_at = now;
	dest->pause_until = 0;
	dest_refresh(sched, dest, now);
	recall_note_dest(sched, dest);
	DL_FOREACH_SAFE2(dest->lanes, lane, next, dest_next)
	{
		if (lane->paused_until <= now)
			continue;
		lane_unshut(sched, lane);
		lane_tidy(sched, lane, now);
	}
}

enum err sched_retry(struct sched *sched, uint64_t id, uint32_t first, wall_ms now)
{
	uint32_t number;
	struct entry *e = find(sched, id, first, &number);

	if (e == NULL)
		return ERR_NOT_FOUND;
	if (is_out(e))
		return ERR_BUSY;
	lift(sched, domain_of(sched, e), now);
	if (e->place != PLACE_HELD)
		job_set_flags(sched, e, 0, ENTRY_BLOCKED | ENTRY_BOUND | ENTRY_HOPPED);
	if (e->due > now)
		e->due = now;
	if (e->place == PLACE_LATER)
		job_rest(sched, number, now);
	return OK;
}

enum err sched_drop(struct sched *sched, uint64_t id, uint32_t first)
{
	uint32_t number;
	const struct entry *e = find(sched, id, first, &number);

	if (e == NULL)
		return ERR_NOT_FOUND;
	if (is_out(e))
		return ERR_BUSY;
	job_forget(sched, number, sched->now);
	return OK;
}

/* --- pauses --- */

static void reopen_lanes(struct sched *sched, struct source *source, wall_ms now)
{
	struct lane *lane, *next;

	DL_FOREACH_SAFE2(source->lanes, lane, next, source_next)
	{
		lane_reopen(sched, lane);
		lane_tidy(sched, lane, now);
	}
}

/* The operator says that all is well again on a lane. */
static void forgive(struct sched *sched, struct lane *lane, wall_ms now)
{
	lane_unshut(sched, lane);
	state_forget(sched, lane, now);
	recall_note_lane(sched, lane);
}

static void forgive_source(struct sched *sched, struct source *source, wall_ms now)
{
	struct lane *lane, *next;

	DL_FOREACH_SAFE2(source->lanes, lane, next, source_next)
	{
		forgive(sched, lane, now);
		lane_tidy(sched, lane, now);
	}
	blocked_sweep(sched);
}

static void forgive_dest(struct sched *sched, struct dest *dest, wall_ms now)
{
	struct lane *lane;

	DL_FOREACH2(dest->lanes, lane, dest_next)
	forgive(sched, lane, now);
	blocked_sweep(sched);
}

/* The last of its lanes takes a destination along that nothing else needs. */
static void tidy_all(struct sched *sched, struct dest *dest, wall_ms now)
{
	struct lane *lane, *next;

	if (dest->lanes == NULL)
		dest_tidy(sched, dest, now);
	else
		DL_FOREACH_SAFE2(dest->lanes, lane, next, dest_next)
		lane_tidy(sched, lane, now);
}

void sched_park_source(struct sched *sched, const char *name, wall_ms until, const char *why)
{
	struct source *source = name_source(sched, name);
	bool earlier = until < source->parked_until;

	source->parked_until = until;
	free(source->park_why);
	source->park_why = why != NULL ? xstrdup(why) : NULL;
	if (earlier)
		reopen_lanes(sched, source, until);
}

static bool pause_dest(struct sched *sched, const char *name, bool paused, wall_ms now)
{
	const struct conf_provider *provider = conf_provider_find(sched->conf, name);
	const struct domain *domain = domain_find(sched, name);
	struct dest *dest;

	HASH_FIND(hh_name, sched->dest_names, name, strlen(name), dest);
	if (dest == NULL && provider != NULL)
		dest = dest_of_provider(sched, provider);
	if (dest == NULL && domain != NULL)
		dest = domain->dest;
	if (dest == NULL)
		return false;
	sched->operator_pauses += (uint32_t)paused - (uint32_t)dest->operator_paused;
	dest->operator_paused = paused;
	recall_note_dest(sched, dest);
	if (!paused)
		forgive_dest(sched, dest, now);
	dest_refresh(sched, dest, now);
	tidy_all(sched, dest, now);
	return true;
}

static bool pause_tenant(struct sched *sched, const char *name, bool paused, wall_ms now)
{
	struct tenant *tenant;

	HASH_FIND_STR(sched->tenant_names, name, tenant);
	if (tenant == NULL && conf_tenant_find(sched->conf, name) == NULL)
		return false;
	tenant = name_tenant(sched, name);
	sched->operator_pauses += (uint32_t)paused - (uint32_t)tenant->paused;
	share_tenant_paused(sched, tenant, paused);
	recall_note_pause(sched, 't', name);
	return true;
}

static bool pause_source(struct sched *sched, const char *name, bool paused, wall_ms now)
{
	struct source *source;

	HASH_FIND_STR(sched->source_names, name, source);
	if (source == NULL)
		return false;
	sched->operator_pauses += (uint32_t)paused - (uint32_t)source->paused;
	source->paused = paused;
	recall_note_pause(sched, 's', name);
	if (!paused)
		forgive_source(sched, source, now);
	return true;
}

bool sched_drain_source(struct sched *sched, const char *name, bool drained, wall_ms now)
{
	struct source *source;

	HASH_FIND_STR(sched->source_names, name, source);
	if (source == NULL)
		return false;
	source->drained = drained;
	source->retired = false;
	retire_end(sched, source);
	if (drained)
		blocked_sweep(sched);
	else
		forgive_source(sched, source, now);
	return true;
}

enum err sched_pause(struct sched *sched, const char *what, const char *name, bool paused, wall_ms now)
{
	static const struct {
		const char *what;
		bool (*pause)(struct sched *, const char *, bool, wall_ms);
	} kinds[] = { { "destination", pause_dest }, { "tenant", pause_tenant }, { "source", pause_source } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].what, what) == 0)
			return kinds[i].pause(sched, name, paused, now) ? OK : ERR_NOT_FOUND;
	return ERR_NOT_FOUND;
}
