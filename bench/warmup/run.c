/* bench/warmup/run.c - one run: the real scheduler on a clock of our own, mail that comes in by the hour, and the providers' answers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char *const tenants[KINDS] = { "clean", "dirty" };

/* --- mail comes in --- */

void run_announce(struct world *w, uint32_t number)
{
	struct job *j = &w->jobs[number];
	struct sched_job job = { .id = (uint64_t)j->arrived << 20 | number,
		.rcpts = j->left,
		.domain = w->sites[j->site].domain,
		.tenant = tenants[j->kind],
		.pool = "default",
		.due = w->now,
		/* Who knows the limits of hours needs no curve, which would break them. */
		.fresh = j->arrived == w->now && !w->plan->bound,
		.deadline = j->arrived + EXPIRE_MS };

	must(sched_add(w->sched, &job, w->now));
	j->known = true;
}

static void add(struct world *w, unsigned site, unsigned kind, uint32_t count, wall_ms arrived)
{
	uint32_t number = w->next_job;

	if (count == 0)
		return;
	while (w->jobs[number].known)
		number = (number + 1) % JOBS;
	w->next_job = (number + 1) % JOBS;
	w->jobs[number] = (struct job){
		.arrived = arrived, .turn = ++w->turns, .left = count, .kind = (uint8_t)kind, .site = (uint8_t)site
	};
	w->sites[site].waiting += count;
	if (w->sites[site].jobs[kind]++ == 0)
		w->sites[site].share_turn[kind] = w->turns;
	run_announce(w, number);
}

/* A warm source takes any job at once, so beside one the mail must come as jobs do: small, and all the time. */
static void add_lots(struct world *w, unsigned site, unsigned kind, uint32_t count)
{
	uint32_t lot = w->warm > 0 ? (uint32_t)(w->sites[site].k[KEY_DEMAND] / LOTS) + 1 : UINT32_MAX;

	for (; count > lot; count -= lot)
		add(w, site, kind, lot, w->now);
	add(w, site, kind, count, w->now);
}

/* Of a day's mail; `office` of it comes in eight hours, none: all hours are the same. */
static double hour_share(const struct site *site, wall_ms now)
{
	int64_t hour = (now - START_MS) % DAYS(1) / HOURS(1);
	double office = site->k[KEY_OFFICE];

	if (office == 0)
		return 1.0 / 24;
	return hour >= 8 && hour < 16 ? office / 8 : (1 - office) / 16;
}

static void slot_of(struct world *w, unsigned number)
{
	struct site *site = &w->sites[number];
	int day = (int)((w->now - START_MS) / DAYS(1)) % 7;
	double demand = site->k[KEY_DEMAND] * (day >= 5 ? site->k[KEY_WEEKEND] : 1) * hour_share(site, w->now) / w->slots;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct again *a = &site->again[kind];
		uint32_t fresh;

		site->owed[kind] += demand * (kind == DIRTY ? site->k[KEY_DIRTY_SHARE] : 1 - site->k[KEY_DIRTY_SHARE]);
		fresh = (uint32_t)site->owed[kind];
		site->owed[kind] -= fresh;
		add_lots(w, number, kind, fresh);
		if (a->count > 0 && (wall_ms)(a->arrived / a->count) + EXPIRE_MS > w->now)
			add(w, number, kind, (uint32_t)a->count, (wall_ms)(a->arrived / a->count));
		*a = (struct again){ 0 };
	}
}

static void slot(struct world *w)
{
	for (unsigned i = 0; i < w->site_count; i++)
		if (w->now < START_MS + DAYS(w->sites[i].last))
			slot_of(w, i);
}

static void bring_back(struct site *site, const struct job *j, uint32_t count)
{
	site->again[j->kind].count += count;
	site->again[j->kind].arrived += (double)count * (double)j->arrived;
}

/* --- and goes out --- */

static void count_replies(struct world *w, const struct job *j, const struct reply_counts *r, bool cold)
{
	struct run_result *out = w->sites[j->site].out;

	out->put_off += r->throttled + r->deferred;
	out->delivered += r->delivered;
	out->delay_ms += (double)r->delivered * (double)(w->now - j->arrived);
	if (w->now < START_MS + DAYS(30))
		out->delivered30 += r->delivered;
	if (cold)
		w->sites[j->site].taken_today += r->delivered;
}

/* What was put off comes again with another slot, and what had no turn waits on, as jobs of one recipient would. */
static void answered(
    struct world *w, struct job *j, const struct reply_counts *r, uint32_t tried, struct sched_result *result)
{
	struct site *site = &w->sites[j->site];
	uint32_t back = r->throttled + r->deferred + r->blocked;

	result->delivered = r->delivered;
	result->throttled = r->throttled;
	result->deferred = r->deferred;
	result->blocked = r->blocked;
	result->unknown = r->unknown;
	result->refused = r->refused;
	result->complained = r->complained;
	site->out->attempts += tried;
	site->waiting -= tried;
	j->left -= tried;
	result->rcpts_left = j->left;
	if (back == 0)
		return;
	bring_back(site, j, back);
	result->rcpts_left = 0;
}

/* "s17" */
static uint32_t source_number(const char *name)
{
	uint32_t number = 0;

	for (const char *c = name + 1; *c != '\0'; c++)
		number = number * 10 + (uint32_t)(*c - '0');
	return number;
}

static void deliver(struct world *w, const struct sched_decision *d)
{
	struct job *j = &w->jobs[d->id & (JOBS - 1)];
	struct site *site = &w->sites[j->site];
	uint32_t lane = source_number(d->source);
	int hour = (int)((w->now - START_MS) / HOURS(1));
	struct sched_result result = { .id = d->id, .lane = d->lane, .attempted = true, .scope = SCOPE_NONE };
	struct reply_counts r = lane < w->cold ? provider_offer(&site->lanes[lane], d->rcpts, j->kind == DIRTY, hour)
					       : provider_welcome(&site->easy, d->rcpts, j->kind == DIRTY);

	if (r.silent) {
		result.attempted = false;
		result.scope = SCOPE_HOST;
		result.rcpts_left = j->left;
	} else {
		answered(w, j, &r, d->rcpts, &result);
		count_replies(w, j, &r, lane < w->cold);
	}
	(void)sched_done(w->sched, &result, w->now);
	sched_settled(w->sched, d->id, 0, w->now);
	sched_release_connection(w->sched, d->lane, w->now);
	j->turn = site->share_turn[j->kind] = ++w->turns;
	j->known = result.rcpts_left > 0;
	if (j->known)
		return;
	site->jobs[j->kind]--;
	if (j->left == 0)
		return;
	site->waiting -= j->left;
	add(w, j->site, j->kind, j->left, j->arrived);
}

static void expire(struct world *w, const struct sched_decision *d)
{
	struct job *j = &w->jobs[d->id & (JOBS - 1)];
	struct sched_result result = { .id = d->id, .lane = d->lane };

	(void)sched_done(w->sched, &result, w->now);
	sched_settled(w->sched, d->id, 0, w->now);
	w->sites[j->site].waiting -= j->left;
	w->sites[j->site].jobs[j->kind]--;
	j->known = false;
}

static void resolve(struct world *w, const char *domain)
{
	char name[40];
	const char *host = name;
	uint64_t key = 5381;

	(void)snprintf(name, sizeof(name), "mx.%s", domain);
	for (const char *c = name; *c != '\0'; c++)
		key = key * 33 + (unsigned char)*c;
	sched_resolved(w->sched, domain, key, &host, 1, 1, WALL_NEVER, w->now);
}

static void run_until(struct world *w, wall_ms end)
{
	struct sched_decision d;

	for (;;) {
		sched_next(w->sched, w->now, &d);
		switch (d.kind) {
		case SCHED_RESOLVE:
			resolve(w, d.domain);
			break;
		case SCHED_START:
			deliver(w, &d);
			break;
		case SCHED_EXPIRE:
			expire(w, &d);
			break;
		case SCHED_WARN:
			must(!"no job here asks for a warning");
			break;
		case SCHED_NOTHING:
			if (d.when >= end) {
				w->now = end;
				return;
			}
			if (d.when > w->now)
				w->now = d.when;
			break;
		}
	}
}

/* --- the bound knows the limits --- */

struct look {
	struct world *w;
	uint32_t used[SITES_MAX][SOURCES_MAX];
};

static void look_at(void *arg, const struct sched_warm_view *view)
{
	struct look *look = arg;

	look->used[strtoul(view->destination + 3, NULL, 10)][strtoul(view->source + 1, NULL, 10)] = view->used;
}

static void tell_limit(struct world *w, unsigned site, unsigned source, uint32_t used)
{
	const struct lane_day *t = &w->sites[site].lanes[source].today;
	char name[16], destination[16];
	/* Until the lane's own midnight, within the first half hour, nothing: its day is over. */
	double rest = (w->now - START_MS) % DAYS(1) < MINUTES(31) ? 0 : t->limit - t->accepted;

	snprintf(name, sizeof(name), "s%u", source);
	snprintf(destination, sizeof(destination), "sim%.0u", site);
	sched_warm_change(w->sched, WARM_STEP, name, destination, (uint32_t)fmax(1, fmin(4e9, floor(used + rest))), w->now,
	    NULL, NULL);
}

static void tell_limits(struct world *w)
{
	struct look *look = xcalloc(1, sizeof(*look));

	sched_warm_read(w->sched, w->now, look_at, look);
	for (unsigned site = 0; site < w->site_count; site++)
		for (unsigned i = 0; i < w->cold; i++)
			tell_limit(w, site, i, look->used[site][i]);
	free(look);
}

/* A lane's own midnight lies within the first half of an hour: after it the limit is told again. */
static void run_hour(struct world *w, wall_ms start)
{
	for (unsigned i = 0; i < w->slots; i++) {
		slot(w);
		if (w->plan->bound && (i == 0 || i * 60 / w->slots == 35))
			tell_limits(w);
		if (w->plan->bound && w->slots == 1) {
			run_until(w, start + MINUTES(31));
			tell_limits(w);
		}
		run_until(w, start + HOURS(1) * (i + 1) / w->slots);
	}
}

/* --- days --- */

static void lane_day_end(struct site *site, struct provider_lane *lane)
{
	double could = fmin(lane->today.limit, lane->today.accepted + site->waiting);

	if (!(lane->day < lane->blocked_until)) {
		site->out->could += could;
		site->out->unused += fmax(0, fmin(lane->today.limit - lane->today.accepted, site->waiting));
	}
	provider_day_end(lane);
}

static void day_end(struct world *w, struct site *site, unsigned day)
{
	struct run_result *out = site->out;

	if (day > site->last)
		return;
	for (unsigned i = 0; i < w->cold; i++)
		lane_day_end(site, &site->lanes[i]);
	out->curve[day - 1] = (float)site->taken_today;
	out->simulated = day;
	if (!out->reached && site->taken_today >= FULL_SHARE * site->target) {
		out->reached = true;
		out->days = day;
		site->last = day + AFTER_FULL > LEAST_DAYS ? day + AFTER_FULL : LEAST_DAYS;
		if (site->last > site->model->days)
			site->last = site->model->days;
	}
	site->taken_today = 0;
}

static void begin_site(struct world *w, unsigned number, const struct model *model, unsigned seed)
{
	struct site *site = &w->sites[number];
	struct rand rand;

	run_domain(number, site->domain);
	site->model = model;
	site->last = model->days;
	rand_seed(&rand, (uint64_t)seed * 1000003 + 17 + UINT64_C(7919) * number);
	model_draw(model, &rand, site->k);
	if (number == 0) {
		w->cold = (unsigned)site->k[KEY_SOURCES];
		w->warm = (unsigned)site->k[KEY_WARM_SOURCES];
		w->slots = w->warm > 0 ? 12 : 1;
		must(w->cold > 0 && w->cold + w->warm <= SOURCES_MAX);
	}
	provider_init(&site->easy, site->k, model->days, seed);
	site->target = site->k[KEY_DEMAND] * w->cold / (w->cold + w->warm);
	for (unsigned i = 0; i < w->cold; i++) {
		double keys[KEYS];
		uint64_t own = rand_u64(&rand);

		if (i == 0)
			memcpy(keys, site->k, sizeof(keys));
		else
			model_draw(model, &rand, keys);
		provider_init(&site->lanes[i], keys, model->days, own);
	}
}

static void begin(
    struct world *w, const struct model *models, unsigned count, unsigned seed, struct conf **conf, struct run_result *out)
{
	for (unsigned i = 0; i < count; i++) {
		out[i] = (struct run_result){ 0 };
		w->sites[i].out = &out[i];
		begin_site(w, i, &models[i], seed);
	}
	if (*conf && (*conf)->source_count != w->cold + w->warm)
		conf_unref(conf);
	if (!*conf)
		*conf = run_conf(w->plan, w->cold, w->warm, count);
	must(*conf);
	w->conf = *conf;
	w->sched = sched_create(*conf, seed);
}

static bool is_over(const struct world *w, unsigned day)
{
	for (unsigned i = 0; i < w->site_count; i++)
		if (day <= w->sites[i].last)
			return false;
	return true;
}

void run_once(const struct model *models, unsigned count, const struct run_plan *plan, unsigned seed, unsigned restart_hours,
    struct conf **conf, struct run_result *out)
{
	struct world w = { .plan = plan,
		.sites = xcalloc(count, sizeof(*w.sites)),
		.site_count = count,
		.now = START_MS,
		.jobs = xcalloc(JOBS, sizeof(*w.jobs)),
		.seed = seed };

	begin(&w, models, count, seed, conf, out);
	for (unsigned day = 1; !is_over(&w, day); day++) {
		for (unsigned hour = 0; hour < 24; hour++) {
			run_hour(&w, START_MS + DAYS(day - 1) + HOURS(hour));
			if (restart_hours > 0 && ((day - 1) * 24 + hour + 1) % restart_hours == 0)
				restart_all(&w);
		}
		for (unsigned i = 0; i < count; i++)
			day_end(&w, &w.sites[i], day);
	}
	for (unsigned site = 0; site < count; site++) {
		out[site].sources = w.cold;
		for (unsigned i = 0; i < w.cold; i++) {
			out[site].crossings += w.sites[site].lanes[i].crossings;
			out[site].blocks += w.sites[site].lanes[i].blocks;
		}
	}
	sched_destroy(&w.sched);
	free(w.sites);
	free(w.jobs);
}
