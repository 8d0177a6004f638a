/* bench/warmup/run.c - one run: the real scheduler on a clock of our own, mail that comes in by the hour, and the provider's answers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define START_MS   ((wall_ms)1780272000000) /* 2026-06-01, a Monday */
#define EXPIRE_MS  DAYS(5)
#define DOMAIN     "sim.example"
#define FULL_SHARE 0.95
#define JOBS       (1u << 16) /* at once; a slot brings a few, and they live five days */
#define LOTS       4000       /* of a day's mail beside warm sources */
#define LEAST_DAYS 30
#define AFTER_FULL 3

enum { CLEAN, DIRTY, KINDS };

static const char *const tenants[KINDS] = { "clean", "dirty" };

struct job {
	wall_ms arrived;
	uint32_t left;
	uint8_t kind;
	bool known; /* to the scheduler */
};

/* Mail that came back and is offered again with the next slot. */
struct again {
	double count, arrived; /* sum of arrivals */
};

struct world {
	const struct model *model;
	const struct run_plan *plan;
	struct conf *conf;
	struct sched *sched;
	struct run_result *out;
	double k[KEYS]; /* of the run as a whole */
	struct provider_lane lanes[SOURCES_MAX];
	unsigned cold, warm;
	unsigned slots; /* in which mail comes in, an hour */
	wall_ms now;
	struct job *jobs;
	uint32_t next_job;
	uint64_t seed;
	struct again again[KINDS];
	double owed[KINDS]; /* fractions of recipients to come */
	double waiting, taken_today, day_put_off;
};

struct conf *run_conf(const struct run_plan *plan, unsigned cold, unsigned warm)
{
	struct conf_faults faults;
	struct conf *conf;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	must(out);
	fputs("hostname: relay.sim.example\nlisten: [{at: \"127.0.0.1:2525\"}]\n"
	      "tenants: [{name: clean, from: [127.0.0.0/8]}, {name: dirty, from: [10.0.0.0/8]}]\n"
	      "providers: [{name: sim, domains: [" DOMAIN "], mx: [mx." DOMAIN
	      "], connections: 1000, messages: 100000}]\n"
	      "plans: [{name: oracle-bound, start: 20, growth: 1, ceiling: 1000000000}]\n"
	      "retry: {first: 5m, max: 1h}\nsources:\n",
	    out);
	for (unsigned i = 0; i < cold + warm; i++) {
		fprintf(out, "  - {name: s%u, ip: 127.0.1.%u", i, i + 1);
		if (i < cold)
			fprintf(out, ", warmup: {plan: %s}", plan->name);
		fputs("}\n", out);
	}
	fclose(out);
	conf = conf_load_text("sim.yaml", text, len, &faults);
	if (!conf)
		fputs(faults.text, stderr);
	conf_faults_free(&faults);
	free(text);
	return conf;
}

/* --- mail comes in --- */

static void announce(struct world *w, uint32_t number)
{
	struct job *j = &w->jobs[number];
	struct sched_job job = { .id = (uint64_t)j->arrived << 20 | number,
		.rcpts = j->left,
		.domain = DOMAIN,
		.tenant = tenants[j->kind],
		.pool = "default",
		.due = w->now,
		.deadline = j->arrived + EXPIRE_MS };

	must(sched_add(w->sched, &job, w->now));
	j->known = true;
}

static void add(struct world *w, unsigned kind, uint32_t count, wall_ms arrived)
{
	uint32_t number = w->next_job;

	if (count == 0)
		return;
	while (w->jobs[number].known)
		number = (number + 1) % JOBS;
	w->next_job = (number + 1) % JOBS;
	w->jobs[number] = (struct job){ .arrived = arrived, .left = count, .kind = (uint8_t)kind };
	w->waiting += count;
	announce(w, number);
}

/* A warm source takes any job at once, so beside one the mail must come as jobs do: small, and all the time. */
static void add_lots(struct world *w, unsigned kind, uint32_t count)
{
	uint32_t lot = w->warm > 0 ? (uint32_t)(w->k[KEY_DEMAND] / LOTS) + 1 : UINT32_MAX;

	for (; count > lot; count -= lot)
		add(w, kind, lot, w->now);
	add(w, kind, count, w->now);
}

static void slot(struct world *w)
{
	int day = (int)((w->now - START_MS) / DAYS(1)) % 7;
	double demand = w->k[KEY_DEMAND] * (day >= 5 ? w->k[KEY_WEEKEND] : 1) / (24 * w->slots);

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct again *a = &w->again[kind];
		uint32_t fresh;

		w->owed[kind] += demand * (kind == DIRTY ? w->k[KEY_DIRTY_SHARE] : 1 - w->k[KEY_DIRTY_SHARE]);
		fresh = (uint32_t)w->owed[kind];
		w->owed[kind] -= fresh;
		add_lots(w, kind, fresh);
		if (a->count > 0 && (wall_ms)(a->arrived / a->count) + EXPIRE_MS > w->now)
			add(w, kind, (uint32_t)a->count, (wall_ms)(a->arrived / a->count));
		*a = (struct again){ 0 };
	}
}

static void bring_back(struct world *w, const struct job *j, uint32_t count)
{
	w->again[j->kind].count += count;
	w->again[j->kind].arrived += (double)count * (double)j->arrived;
	w->waiting -= count;
}

/* --- and goes out --- */

static void deliver(struct world *w, const struct sched_decision *d)
{
	uint32_t number = (uint32_t)(d->id & (JOBS - 1)), lane = (uint32_t)strtoul(d->source + 1, NULL, 10);
	struct job *j = &w->jobs[number];
	int hour = (int)((w->now - START_MS) / HOURS(1));
	struct sched_result result = { .id = d->id, .lane = d->lane, .attempted = true, .scope = SCOPE_NONE };
	struct reply_counts r = { .delivered = d->rcpts };

	if (lane < w->cold)
		r = provider_offer(&w->lanes[lane], d->rcpts, j->kind == DIRTY, hour);
	w->out->attempts += d->rcpts;
	if (r.silent) {
		result.attempted = false;
		result.scope = SCOPE_HOST;
		result.rcpts_left = j->left;
	} else {
		uint32_t back = r.throttled + r.deferred + r.blocked;

		result.delivered = r.delivered;
		result.throttled = r.throttled;
		result.deferred = r.deferred;
		result.blocked = r.blocked;
		result.unknown = r.unknown;
		result.complained = r.complained;
		/* What was put off comes again with another slot, as jobs of one recipient would. */
		if (back > 0)
			bring_back(w, j, back);
		j->left -= d->rcpts;
		w->waiting -= r.delivered + r.unknown;
		result.rcpts_left = j->left;
		w->out->put_off += r.throttled + r.deferred;
		w->out->delivered += r.delivered;
		w->out->delay_ms += (double)r.delivered * (double)(w->now - j->arrived);
		if (w->now < START_MS + DAYS(30))
			w->out->delivered30 += r.delivered;
		if (lane < w->cold)
			w->taken_today += r.delivered;
	}
	(void)sched_done(w->sched, &result, w->now);
	sched_settled(w->sched, d->id, 0, w->now);
	sched_release_connection(w->sched, d->lane, w->now);
	if (result.rcpts_left == 0)
		j->known = false;
}

static void expire(struct world *w, const struct sched_decision *d)
{
	struct job *j = &w->jobs[d->id & (JOBS - 1)];
	struct sched_result result = { .id = d->id, .lane = d->lane };

	(void)sched_done(w->sched, &result, w->now);
	sched_settled(w->sched, d->id, 0, w->now);
	w->waiting -= j->left;
	j->known = false;
}

static void resolve(struct world *w, const char *domain)
{
	const char *host = "mx." DOMAIN;

	sched_resolved(w->sched, domain, 1, &host, 1, 1, WALL_NEVER, w->now);
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
	const struct world *w;
	uint32_t used[SOURCES_MAX];
};

static void look_at(void *arg, const struct sched_warm_view *view)
{
	struct look *look = arg;

	look->used[strtoul(view->source + 1, NULL, 10)] = view->used;
}

static void tell_limits(struct world *w)
{
	struct look look = { .w = w };

	sched_warm_read(w->sched, w->now, look_at, &look);
	for (unsigned i = 0; i < w->cold; i++) {
		const struct lane_day *t = &w->lanes[i].today;
		char name[16];
		double rest;

		snprintf(name, sizeof(name), "s%u", i);
		/* Until the lane's own midnight, within the first half hour, nothing: its day is over. */
		rest = (w->now - START_MS) % DAYS(1) < MINUTES(31) ? 0 : t->limit - t->accepted;
		sched_warm_change(w->sched, WARM_STEP, name, NULL,
		    (uint32_t)fmax(1, fmin(4e9, floor(look.used[i] + rest))), w->now, NULL, NULL);
	}
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

/* --- a stop and a start in between: the states go through their stored form --- */

struct stored {
	struct sched_warm states[SOURCES_MAX];
	char keys[SOURCES_MAX][128];
	unsigned count;
};

static void restart(struct world *w)
{
	struct stored *s = xcalloc(1, sizeof(*s));

	for (unsigned i = 0; i < w->cold && i < SOURCES_MAX; i++)
		if (sched_warm_state(w->sched, i, &s->states[s->count])) {
			snprintf(s->keys[s->count], sizeof(s->keys[0]), "%s", s->states[s->count].key);
			s->count++;
		}
	sched_destroy(&w->sched);
	w->sched = sched_create(w->conf, w->seed + (uint64_t)w->now);
	for (unsigned i = 0; i < s->count; i++)
		must(sched_warm_restore(w->sched, s->keys[i], s->states[i].data, s->states[i].len) == OK);
	for (uint32_t i = 0; i < JOBS; i++)
		if (w->jobs[i].known)
			announce(w, i);
	free(s);
}

/* --- days --- */

static void day_end(struct world *w, unsigned day, double target)
{
	struct run_result *out = w->out;

	for (unsigned i = 0; i < w->cold; i++) {
		struct provider_lane *lane = &w->lanes[i];
		double rest = lane->today.limit - lane->today.accepted;

		if (!(lane->day < lane->blocked_until)) {
			out->could += lane->today.limit < lane->today.accepted + w->waiting
			    ? lane->today.limit
			    : lane->today.accepted + w->waiting;
			out->unused += fmax(0, fmin(rest, w->waiting));
		}
		provider_day_end(lane);
	}
	out->curve[day - 1] = (float)w->taken_today;
	if (!out->reached && w->taken_today >= FULL_SHARE * target) {
		out->reached = true;
		out->days = day;
	}
	w->taken_today = 0;
}

static void begin(struct world *w, const struct model *model, unsigned seed)
{
	struct rand rand;

	rand_seed(&rand, (uint64_t)seed * 1000003 + 17);
	model_draw(model, &rand, w->k);
	w->seed = seed;
	w->cold = (unsigned)w->k[KEY_SOURCES];
	w->warm = (unsigned)w->k[KEY_WARM_SOURCES];
	w->slots = w->warm > 0 ? 12 : 1;
	must(w->cold > 0 && w->cold + w->warm <= SOURCES_MAX);
	for (unsigned i = 0; i < w->cold; i++) {
		double keys[KEYS];
		uint64_t own = rand_u64(&rand);

		if (i == 0)
			memcpy(keys, w->k, sizeof(keys));
		else
			model_draw(model, &rand, keys);
		provider_init(&w->lanes[i], keys, model->days, own);
	}
}

void run_once(const struct model *model, const struct run_plan *plan, unsigned seed, unsigned restart_hours,
    struct conf **conf, struct run_result *out)
{
	struct world w = { .model = model, .plan = plan, .out = out, .now = START_MS };
	unsigned day, last = model->days;
	double target;

	*out = (struct run_result){ 0 };
	begin(&w, model, seed);
	if (*conf && (*conf)->source_count != w.cold + w.warm)
		conf_unref(conf);
	if (!*conf)
		*conf = run_conf(plan, w.cold, w.warm);
	must(*conf);
	w.conf = *conf;
	w.jobs = xcalloc(JOBS, sizeof(*w.jobs));
	w.sched = sched_create(*conf, seed);
	target = w.k[KEY_DEMAND] * w.cold / (w.cold + w.warm);
	for (day = 1; day <= last; day++) {
		for (unsigned hour = 0; hour < 24; hour++) {
			run_hour(&w, START_MS + DAYS(day - 1) + HOURS(hour));
			if (restart_hours > 0 && ((day - 1) * 24 + hour + 1) % restart_hours == 0)
				restart(&w);
		}
		day_end(&w, day, target);
		if (out->reached && out->days == day)
			last = day + AFTER_FULL > LEAST_DAYS ? day + AFTER_FULL : LEAST_DAYS;
		if (last > model->days)
			last = model->days;
	}
	out->simulated = day - 1;
	for (unsigned i = 0; i < w.cold; i++) {
		out->crossings += w.lanes[i].crossings;
		out->blocks += w.lanes[i].blocks;
	}
	sched_destroy(&w.sched);
	free(w.jobs);
}
