/* sched/cold.c - the cold lanes: which plan holds for each, its state in and out of the store, and what the operator sees and says of it.
 *
 * A state outlives its lane and a change of the configuration: it hangs on the names of source and destination alone. */
#include <stdlib.h>
#include <string.h>

#include "sched/parts.h"

#define KEY_MAX   400         /* bytes; the store's keys are short, sets of hosts may not be */
#define JITTER_MS MINUTES(30) /* days of different lanes begin a little apart: no burst of all sources at midnight */

static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

/* "source destination-key". In `room` when it fits, else malloc'ed: lanes are made and forgotten all the time, and most keys are short. */
static char *key_of(const struct source *source, const struct dest *dest, char *room, size_t size)
{
	size_t name = strlen(source->name), rest = strlen(dest->key);

	if (rest > KEY_MAX)
		return xasprintf("%s h:#%016llx", source->name, (unsigned long long)hash_of(dest->key));
	if (name + rest + 2 > size)
		return xasprintf("%s %s", source->name, dest->key);
	memcpy(room, source->name, name);
	room[name] = ' ';
	memcpy(room + name + 1, dest->key, rest + 1);
	return room;
}

/* --- plans --- */

static const struct conf_plan_group *group_of(const struct conf_plan *plan, const char *provider)
{
	for (size_t i = 0; i < plan->group_count; i++)
		for (size_t n = 0; n < plan->groups[i].provider_count; n++)
			if (strcmp(plan->groups[i].providers[n], provider) == 0)
				return &plan->groups[i];
	return NULL;
}

static uint32_t or_else(uint32_t value, uint32_t other)
{
	return value > 0 ? value : other;
}

static struct warmup_plan cold_plan(const struct conf_plan *from, const struct conf_provider *provider)
{
	static const struct conf_plan_group none;
	const struct conf_plan_group *group = provider != NULL ? group_of(from, provider->name) : NULL;

	if (group == NULL)
		group = &none;
	return (struct warmup_plan){
		.adapt = from->adapt,
		.start = or_else(group->start, from->start),
		.growth = 1 + or_else(group->growth, from->growth) / 100.0,
		.explore = or_else(group->explore, from->explore),
		.ceiling = from->ceiling,
		.idle_days = from->idle_days,
		.days = from->adapt        ? NULL
		    : group->day_count > 0 ? group->days
					   : from->days,
		.day_count = group->day_count > 0 ? group->day_count : from->day_count,
	};
}

/* --- records --- */

/* The key's two halves: the source's name, and the destination as the operator knows it. */
const char *cold_destination(const struct cold *cold)
{
	return cold->lane != NULL ? cold->lane->dest->name : strchr(cold->key, ' ') + 3;
}

static char *source_name(const struct cold *cold)
{
	return xasprintf("%.*s", (int)strcspn(cold->key, " "), cold->key);
}

/* The plan that the configuration has for it now. */
static void resolve(struct sched *sched, struct cold *cold)
{
	char *name = source_name(cold);
	const char *dest = strchr(cold->key, ' ') + 1;
	const struct conf_source *source = conf_source_find(sched->conf, name);

	free(name);
	cold->conf = source != NULL && source->plan != NULL ? source : NULL;
	if (cold->conf == NULL)
		return;
	cold->source = name_source(sched, source->name);
	cold->plan = cold_plan(source->plan, dest[0] == 'p' ? conf_provider_find(sched->conf, dest + 2) : NULL);
	cold->offset = sched->conf->warmup_zone_ms - (wall_ms)(hash_of(cold->key) % JITTER_MS);
	cold->plan.curve = habit_line(sched, dest);
	cold->plan.curve_shift = cold->offset;
	cold->since = source->warmup_since != 0 ? source->warmup_since - sched->conf->warmup_zone_ms : 0;
	if (!cold->known)
		warmup_init(&cold->state, &cold->plan);
	cold->known = true;
	kin_known(cold);
}

static struct cold *cold_get(struct sched *sched, const char *key)
{
	struct cold *cold;

	HASH_FIND_STR(sched->colds, key, cold);
	if (cold != NULL)
		return cold;
	cold = model_alloc(sched, sizeof(*cold));
	cold->sched = sched;
	cold->key = xstrdup(key);
	HASH_ADD_KEYPTR(hh, sched->colds, cold->key, strlen(cold->key), cold);
	return cold;
}

void cold_attach(struct sched *sched, struct lane *lane)
{
	const struct conf_source *source = lane->source->conf;
	struct cold *cold;
	char room[256], *key;

	cold_detach(lane);
	if (source == NULL || source->plan == NULL)
		return;
	key = key_of(lane->source, lane->dest, room, sizeof(room));
	cold = cold_get(sched, key);
	if (key != room)
		free(key);
	if (cold->conf == NULL)
		resolve(sched, cold);
	cold->lane = lane;
	cold->base = lane->dest->started - cold->state.beside;
	lane->cold = cold;
	if (sched->now > 0)
		warmup_clock(&cold->state, sched->now + cold->offset);
	kin_refresh(sched, cold, sched->now);
}

void cold_clock(struct sched *sched)
{
	for (struct cold *cold = sched->colds; cold != NULL; cold = cold->hh.next) {
		if (cold->lane == NULL)
			continue;
		warmup_clock(&cold->state, sched->now + cold->offset);
		if (cold->lane->closed && cold->lane->reasons & WHY_LANE_WARMUP)
			lane_reopen(sched, cold->lane);
	}
}

void cold_reload(struct sched *sched)
{
	for (struct cold *cold = sched->colds; cold != NULL; cold = cold->hh.next)
		resolve(sched, cold);
}

void cold_detach(struct lane *lane)
{
	if (lane->cold != NULL) {
		cold_beside(lane->cold);
		lane->cold->lane = NULL;
	}
	lane->cold = NULL;
}

void cold_fini(struct sched *sched)
{
	struct cold *cold, *next;

	almanac_fini(sched);
	habit_fini(sched);
	HASH_ITER (hh, sched->colds, cold, next) {
		HASH_DEL(sched->colds, cold);
		free(cold->key);
		model_free(sched, cold, sizeof(*cold));
	}
}

/* --- decisions --- */

uint32_t cold_may(const struct cold *cold, uint32_t rcpts, wall_ms now, wall_ms *when_out)
{
	uint32_t may;

	if (now < cold->since) {
		*when_out = cold->since;
		return 0;
	}
	may = warmup_may(&cold->state, &cold->plan, rcpts, cold->out, now + cold->offset, when_out);
	if (*when_out != WALL_NEVER)
		*when_out -= cold->offset;
	return may;
}

void cold_claim(struct cold *cold, uint32_t rcpts, wall_ms now)
{
	struct kin_mark before = kin_mark(cold);

	almanac_close(cold, rcpts, now);
	warmup_claim(&cold->state, &cold->plan, rcpts, now + cold->offset);
	if (cold->state.day != before.day && cold->lane != NULL)
		cold_day_began(cold, cold->lane->dest, rcpts);
	if (cold->state.day != before.day || now < cold->began)
		cold->began = now;
	kin_tell(cold->sched, cold, &before, now);
	cold->out++;
}

void cold_answer(struct cold *cold, uint32_t untried, wall_ms claimed_at, const struct warmup_answer *answer, wall_ms now)
{
	struct kin_mark before = kin_mark(cold);

	if (cold->out > 0)
		cold->out--;
	almanac_close(cold, 0, now);
	/* Of a day that is over nothing can be given to another. */
	if (untried > 0 && claimed_at >= cold->began)
		warmup_give_back(&cold->state, untried, now + cold->offset);
	warmup_answer(&cold->state, &cold->plan, answer, now + cold->offset);
	if (cold->state.day != before.day && cold->lane != NULL)
		cold_day_began(cold, cold->lane->dest, 0);
	if (cold->state.day != before.day)
		cold->began = now;
	kin_tell(cold->sched, cold, &before, now);
}

/* --- the store --- */

static void encode(struct cold *cold, struct sched_warm *out)
{
	cold_beside(cold);
	out->key = cold->key;
	out->len = warmup_encode(&cold->state, out->data);
}

bool sched_warm_state(struct sched *sched, uint32_t handle, struct sched_warm *out)
{
	const struct lane *lane = slots_get(&sched->lanes, handle);

	if (lane == NULL || lane->cold == NULL)
		return false;
	encode(lane->cold, out);
	return true;
}

void sched_warm_each(struct sched *sched, sched_warm_changed_fn fn, void *arg)
{
	struct sched_warm state;

	for (struct cold *cold = sched->colds; cold != NULL; cold = cold->hh.next) {
		if (!cold->known)
			continue;
		encode(cold, &state);
		fn(arg, &state);
	}
	for (struct tenant *tenant = sched->tenant_names; tenant != NULL; tenant = tenant->hh.next)
		if (repute_state(tenant, &state))
			fn(arg, &state);
	habit_each(sched, fn, arg);
}

void sched_warm_records(struct sched *sched, sched_warm_changed_fn fn, void *arg)
{
	struct sched_warm state;

	for (struct tenant *tenant = sched->tenant_names; tenant != NULL; tenant = tenant->hh.next) {
		if (tenant->noted && repute_state(tenant, &state))
			fn(arg, &state);
		tenant->noted = false;
	}
	habit_records(sched, fn, arg);
}

/* " t NAME" or the like: no lane's, for no source has an empty name. */
static bool is_record(const char *key, char mark)
{
	return key[0] == ' ' && key[1] == mark && key[2] == ' ';
}

enum err sched_warm_restore(struct sched *sched, const char *key, const void *data, size_t len)
{
	struct warmup state;
	struct cold *cold;
	enum err e;

	if (is_record(key, HABIT_MARK))
		return habit_restore(sched, key + 3, data, len);
	if (is_record(key, REPUTE_MARK) && key[3] != '\0')
		return repute_restore(name_tenant(sched, key + 3), data, len);
	e = warmup_decode(data, len, &state);
	if (e != OK)
		return e;
	if (key[0] == ' ' || strchr(key, ' ') == NULL || strlen(strchr(key, ' ')) < 4)
		return ERR_CORRUPT;
	cold = cold_get(sched, key);
	if (cold->known)
		return ERR_EXISTS;
	cold->state = state;
	cold->known = true;
	resolve(sched, cold);
	return OK;
}

/* --- the operator --- */

static void describe(const struct cold *cold, const char *source, wall_ms now, struct sched_warm_view *out)
{
	struct warmup today = cold->state;
	wall_ms local = now + cold->offset;

	warmup_tick(&today, &cold->plan, local);
	*out = (struct sched_warm_view){
		.source = source,
		.destination = cold_destination(cold),
		.plan = cold->conf->warmup_plan,
		.warm = today.phase == WARMUP_WARM,
		.exploring = today.phase == WARMUP_EXPLORE,
		.step = today.step + 1,
		.planned = warmup_planned(&cold->plan, today.step),
		.budget = today.budget,
		.used = today.used,
		.accepted = today.accepted,
		.deferred = today.throttled + today.deferred,
		.blocked = today.blocked,
		.unknown = today.unknown,
		.complained = today.complained,
		.yesterday = today.last,
		.mean = today.mean,
		.next_step = ((wall_ms)today.day + 1) * WARMUP_DAY_MS - cold->offset,
		.resting_until = today.halt == WARMUP_RESTING ? today.pause_until - cold->offset : 0,
		.obstacle = now < cold->since ? "its day has not come yet (warmup.since)"
					      : warmup_obstacle(&today, local),
	};
	if (cold->plan.wary && !out->warm && out->obstacle[0] == '\0')
		out->obstacle = "its source was blocked elsewhere: goes carefully for some days";
}

void sched_warm_read(struct sched *sched, wall_ms now, sched_warm_fn fn, void *arg)
{
	struct sched_warm_view view;

	for (const struct cold *cold = sched->colds; cold != NULL; cold = cold->hh.next) {
		char *source;

		if (cold->conf == NULL)
			continue;
		source = source_name(cold);
		describe(cold, source, now, &view);
		fn(arg, &view);
		free(source);
	}
}

static void change(struct cold *cold, enum sched_warm_verb verb, uint32_t volume, wall_ms local)
{
	switch (verb) {
	case WARM_PAUSE:
		cold->state.paused = 1;
		break;
	case WARM_RESUME:
		cold->state.paused = 0;
		if (cold->state.halt != WARMUP_PROBING)
			cold->state.halt = WARMUP_GOING;
		break;
	case WARM_STEP:
		warmup_step_to(&cold->state, &cold->plan, volume, local);
		break;
	case WARM_RESTART:
		warmup_restart(&cold->state, &cold->plan, local);
		break;
	case WARM_ADOPT:
		warmup_adopt(&cold->state);
		break;
	case WARM_COMPLAINED:
		warmup_answer(&cold->state, &cold->plan, &(struct warmup_answer){ .complained = volume }, local);
		break;
	}
}

static bool is_meant(const struct cold *cold, const char *source, const char *destination)
{
	size_t len = strlen(source);

	return cold->conf != NULL && strncmp(cold->key, source, len) == 0 && cold->key[len] == ' ' &&
	    (destination == NULL || strcmp(cold_destination(cold), destination) == 0);
}

uint32_t sched_warm_change(struct sched *sched, enum sched_warm_verb verb, const char *source, const char *destination,
    uint32_t volume, wall_ms now, sched_warm_changed_fn fn, void *arg)
{
	uint32_t changed = 0;
	struct sched_warm state;
	struct kin_mark before;

	for (struct cold *cold = sched->colds; cold != NULL; cold = cold->hh.next) {
		if (!is_meant(cold, source, destination))
			continue;
		before = kin_mark(cold);
		almanac_close(cold, 0, now);
		change(cold, verb, volume, now + cold->offset);
		kin_tell(sched, cold, &before, now);
		if (cold->lane != NULL)
			lane_reopen(sched, cold->lane);
		changed++;
		encode(cold, &state);
		if (fn != NULL)
			fn(arg, &state);
	}
	return changed;
}
