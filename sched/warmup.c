/* sched/warmup.c - the days of a cold lane: budget, pace and claims. What answers do to them is in warmup_answer.c. */
#include "sched/warmup.h"

#include <math.h>
#include <string.h>

#include "sched/warmup_int.h"

#define HOUR_SHARE     (1.0 / 10) /* of a day's budget in one hour, unless less was learned */
#define RISE           2.0  /* of the even pace: as far as a lane follows the mail's curve; */
#define RISE_NEW       1.3  /* while it explores: whatever follows the curve closely finds the limits of hours */
#define RISE_SHARE     20.0 /* where less of an hour was learned, by that share: five sixths of it */
#define STRIDE_MS      MINUTES(15) /* for which the pace counts as the same */
#define BURST_MS       MINUTES(5) /* of unused pace that may be made up at once */
#define PARTS          1024       /* an adaptive day's budget is claimed in at least so many parts */
#define CALENDAR_PARTS 72
#define PART_MAX       1000
#define CAREFUL        4.0  /* by which a day may multiply what was taken while there is reason for care, */
#define WARY_GROWTH    1.15 /* and by which it may exceed the mean where limits are known */
#define EARLY_PART     (1.0 / 300) /* of what was taken today: a third of the refusals that nobody minds */
#define FIRST_FACTOR   2.0
#define FACTOR_STEP    1.15
#define WARNED_STEP    1.08 /* there were warnings, but the limit was not met */

static int32_t day_of(wall_ms local)
{
	return (int32_t)(local / WARMUP_DAY_MS);
}

static wall_ms day_end(const struct warmup *w)
{
	return ((wall_ms)w->day + 1) * WARMUP_DAY_MS;
}

static uint32_t to_volume(double x)
{
	return x < 1 ? 1 : x > 4e9 ? UINT32_MAX : (uint32_t)x;
}

void warmup_init(struct warmup *w, const struct warmup_plan *plan)
{
	*w = (struct warmup){ .phase = plan->explore >= 2 && plan->adapt ? WARMUP_EXPLORE : WARMUP_CLIMB,
		.factor = FIRST_FACTOR < plan->growth ? FIRST_FACTOR : plan->growth,
		.base = plan->start,
		.hour_share = HOUR_SHARE };
}

/* From day to day; of an adaptive plan half of what it may be. */
static double growth_of(const struct warmup_plan *plan)
{
	return plan->adapt ? 1 + (plan->growth - 1) / 2 : plan->growth;
}

uint32_t warmup_planned(const struct warmup_plan *plan, uint32_t step)
{
	if (plan->days != NULL)
		return plan->days[step < plan->day_count ? step : plan->day_count - 1];
	return to_volume(plan->start * pow(growth_of(plan), step));
}

/* Is the share of `hits` in `tried` above `limit`, and by more than chance would have it (two standard deviations)? */
static bool exceeds(uint32_t hits, uint32_t tried, double limit)
{
	double expected = limit * tried;

	return tried >= SAMPLES && hits > expected + 2 * sqrt(expected);
}

/* --- the budget of a day ------------------------------------------------------------------------------------------------- */

/* While no limit was met: from where the pace of the day starts. */
static double explore_from(const struct warmup *w, const struct warmup_plan *plan)
{
	return w->last > 2 * plan->start ? w->last / 2.0 : plan->start;
}

static uint32_t budget_of(const struct warmup *w, const struct warmup_plan *plan)
{
	double budget;

	if (!plan->adapt)
		return warmup_planned(plan, w->step);
	if (w->phase == WARMUP_EXPLORE)
		return to_volume(explore_from(w, plan) * plan->explore);
	budget = larger(w->base, w->factor * w->mean);
	if (w->freeze > 0)
		budget = smaller(budget, larger(larger(w->before, w->mean), w->base / 2));
	if (plan->wary)
		budget = smaller(budget, larger(larger(w->last, w->base), WARY_GROWTH * w->mean));
	return to_volume(budget);
}

/* The provider's limit of the day past is known, or was not reached: how far beyond the mean the next day may go. */
static void learn(struct warmup *w, const struct warmup_plan *plan)
{
	if (w->phase == WARMUP_EXPLORE && w->limited) {
		w->phase = WARMUP_CLIMB;
		w->base = larger(w->accepted, 1);
		w->limit_day = w->day;
	} else if (w->phase == WARMUP_CLIMB && w->halt == WARMUP_ENDED && !w->listed) {
		if (w->accepted < w->base)
			w->base = larger(w->accepted, w->base / 2);
		else if (w->mean > 0)
			w->factor = FACTOR_STEP * w->accepted / w->mean;
	} else if (w->halt != WARMUP_ENDED && w->used >= 0.85 * w->budget) {
		w->factor *= w->limited ? WARNED_STEP : FACTOR_STEP;
	}
	w->factor = larger(1.1, smaller(w->factor, plan->growth));
	if (w->hour_share < HOUR_SHARE)
		w->hour_share *= 1.02;
}

static void close_day(struct warmup *w, const struct warmup_plan *plan)
{
	uint32_t tried = w->accepted + w->throttled + w->deferred + w->unknown;
	bool held = w->freeze > 0;

	learn(w, plan);
	if (w->used >= w->budget / 2 && w->blocked == 0)
		w->step++;
	if (w->freeze > 0)
		w->freeze--;
	/* Mail that stays bad slows the ramp down; a hold that has changed nothing does not stop it for good. */
	if (!held && exceeds(w->unknown, tried, UNKNOWN_HOLD))
		w->freeze = 1;
	if (!held && exceeds(w->complained, tried, COMPLAINT_HOLD))
		w->freeze = 2;
	w->idle = w->used > 0 ? 0 : w->idle + 1;
	if (w->used > 0) {
		w->prior_day = w->day;
		w->prior_used = w->used;
	}
	w->mean = (w->mean + w->accepted) / 2;
	w->last = w->accepted;
	w->before = tried;
	w->used = w->accepted = w->throttled = w->deferred = w->blocked = w->unknown = w->complained = w->refused = 0;
	w->limited = w->forced = 0;
	/* A sign is of its day; a block is not. */
	w->sign_refused = w->row_deferred = w->hour_cap = 0;
	if (w->halt == WARMUP_ENDED || (w->halt == WARMUP_RESTING && !w->listed && !w->mute))
		w->halt = WARMUP_GOING;
}

static void open_day(struct warmup *w, const struct warmup_plan *plan, int32_t day)
{
	w->day = day;
	w->started = 1;
	if (w->idle >= plan->idle_days) {
		struct warmup fresh;

		warmup_init(&fresh, plan);
		fresh.day = day;
		fresh.started = 1;
		fresh.paused = w->paused;
		fresh.prior_day = w->prior_day;
		fresh.prior_used = w->prior_used;
		fresh.seen = w->seen;
		*w = fresh;
	}
	w->budget = budget_of(w, plan);
	if (plan->ceiling > 0 && w->budget > plan->ceiling)
		w->phase = WARMUP_WARM;
}

/* Times to come are as far away as they were, and the day goes on under its new number. If that is one with mail of its own, what was claimed then
 * counts too: nothing is sent twice. */
void warmup_clock(struct warmup *w, wall_ms local)
{
	int64_t back = w->seen > local + MINUTES(1) ? w->seen - local : 0;
	int32_t day = day_of(local);

	w->next_at -= back;
	w->pause_until -= back;
	w->seen = local;
	if (day >= w->day - 1)
		return;
	if (day == w->prior_day)
		w->used += w->prior_used < UINT32_MAX - w->used ? w->prior_used : UINT32_MAX - w->used;
	w->day = day;
}

void warmup_tick(struct warmup *w, const struct warmup_plan *plan, wall_ms local)
{
	int32_t day = day_of(local);

	warmup_clock(w, local);
	if (!w->started) {
		open_day(w, plan, day);
		return;
	}
	while (w->day < day) {
		int32_t next = day - w->day > 400 ? day : w->day + 1;

		if (w->phase == WARMUP_WARM)
			w->day = next;
		close_day(w, plan);
		if (w->phase == WARMUP_WARM && w->idle < plan->idle_days)
			w->day = next;
		else
			open_day(w, plan, next);
	}
}

/* --- pace ------------------------------------------------------------------------------------------------------------------ */

/* Recipients an hour. What was learned of hours is a share of the mean: the budget may be far beyond what they add up to. */
static double hour_most(const struct warmup *w)
{
	double known = larger(w->mean, w->base);

	return w->hour_share * (w->hour_share < HOUR_SHARE && known < w->budget ? known : w->budget);
}

/* What the day's pace goes by, in recipients a day. */
struct tempo {
	double even; /* at an even pace of the mail; follows the mail's own curve, */
	double most; /* and no more than this whatever that says */
	double bend; /* how much of the curve counts: 0 nothing, 1 all */
};

/* A curve that rises higher than an hour may is flattened as a whole: what its peak cannot have, the other hours get from the beginning. */
static double bend_of(const struct warmup_plan *plan, double highest)
{
	double peak = plan->curve != NULL ? plan->curve->peak : 1;

	return peak <= highest ? 1 : larger(0, (highest - 1) / (peak - 1));
}

/* Where the answers decide, a budget may be far beyond what was ever taken: the best hour of it is to be of what is known. */
static double bend_now(const struct warmup *w, const struct warmup_plan *plan)
{
	double known;

	if (w->phase == WARMUP_EXPLORE && !w->limited)
		return bend_of(plan, RISE_NEW);
	if (!plan->adapt)
		return bend_of(plan, RISE);
	known = larger(w->base, larger(w->mean, w->last));
	return bend_of(plan, larger(1, smaller(RISE * smaller(1, known / larger(1, w->budget)), RISE_SHARE * w->hour_share)));
}

static double bent(const struct tempo *tempo, double curve, double even)
{
	return even + tempo->bend * (curve - even);
}

/* What was taken multiplies by `explore` in a day, so that an hour never brings more than a known share. Where others have met a limit, what they
 * were taken of is a day's pace until that is reached, and little more is multiplied. */
static double explore_pace(const struct warmup *w, const struct warmup_plan *plan)
{
	double from = explore_from(w, plan) + w->used, bold = from * log(plan->explore + 1), careful = from * log(CAREFUL + 1);

	if (plan->wary)
		return smaller(bold, careful);
	return plan->hint > 0 ? smaller(bold, larger(plan->hint, careful)) : bold;
}

/* What is left of the budget is for what is left of the day's mail: an hour that brought less than it should leaves that to those that follow,
 * within the bound of an hour. `wall`: the clock of the curve. */
static struct tempo tempo_of(const struct warmup *w, const struct warmup_plan *plan, wall_ms local, wall_ms wall)
{
	struct tempo tempo = { .most = w->hour_cap > 0 ? w->hour_cap * 24.0 : 1e11, .bend = bend_now(w, plan) };
	int64_t rest = day_end(w) - local;
	double left, least;

	if (w->phase == WARMUP_EXPLORE && !w->limited) {
		tempo.even = explore_pace(w, plan);
		return tempo;
	}
	left = bent(&tempo, curve_over(plan->curve, wall, rest), (double)rest / (double)WARMUP_DAY_MS);
	least = bent(&tempo, curve_at(plan->curve, wall), 1) * (double)MINUTES(10) / (double)WARMUP_DAY_MS;
	tempo.even = (w->budget - (double)w->used) / larger(left, least);
	tempo.most = smaller(tempo.most, hour_most(w) * 24);
	return tempo;
}

/* Recipients a millisecond. */
static double pace(const struct tempo *tempo, const struct warmup_plan *plan, wall_ms wall)
{
	return smaller(tempo->most, tempo->even * bent(tempo, curve_at(plan->curve, wall), 1)) / (double)WARMUP_DAY_MS;
}

double warmup_pace_of(const struct warmup *w, const struct warmup_plan *plan, wall_ms local)
{
	return 1 + bend_now(w, plan) * (curve_at(plan->curve, local - plan->curve_shift) - 1);
}

/* How long `count` recipients take from `local` on. A small budget has hours from one to the next, in which the pace changes. */
static int64_t time_for(const struct warmup *w, const struct warmup_plan *plan, uint32_t count, wall_ms local)
{
	wall_ms wall = local - plan->curve_shift;
	struct tempo tempo = tempo_of(w, plan, local, wall);
	double left = count, rate = pace(&tempo, plan, wall);
	int64_t taken = 0;

	if (tempo.even <= 0)
		return 0;
	for (; taken < WARMUP_DAY_MS && left > rate * (double)STRIDE_MS; taken += STRIDE_MS) {
		left -= rate * (double)STRIDE_MS;
		rate = pace(&tempo, plan, wall + taken + STRIDE_MS);
	}
	return taken < WARMUP_DAY_MS ? taken + (int64_t)(left / rate) : WARMUP_DAY_MS;
}

/* Most that may be claimed at once: a sign should cost little. */
static uint32_t part_of(const struct warmup *w, const struct warmup_plan *plan)
{
	double day = w->budget;
	uint32_t part;

	if (w->phase == WARMUP_EXPLORE && plan->adapt)
		day = explore_from(w, plan) + w->used;
	part = (uint32_t)(day / (plan->adapt ? PARTS : CALENDAR_PARTS));
	if (plan->adapt && part > 1 + w->accepted * EARLY_PART)
		part = 1 + (uint32_t)(w->accepted * EARLY_PART); /* what an hour refuses early in the day weighs most */
	return part < 1 ? 1 : part > PART_MAX ? PART_MAX : part;
}

static uint32_t may_on_its_day(const struct warmup *w, const struct warmup_plan *plan, uint32_t want, uint32_t out,
    wall_ms local, wall_ms *when_out)
{
	uint32_t left = w->used < w->budget ? w->budget - w->used : 0, part = part_of(w, plan);

	*when_out = WALL_NEVER;
	if (w->paused || w->halt == WARMUP_PROBING)
		return 0;
	if (w->halt == WARMUP_RESTING && local >= w->pause_until && left > 0)
		return out > 0 ? 0 : 1;
	*when_out = day_end(w);
	if (w->halt == WARMUP_RESTING) {
		/* A throttle is forgiven with the day, a block and a silence are not. */
		if (local < w->pause_until && (w->listed || w->mute || w->pause_until < *when_out))
			*when_out = w->pause_until;
		return 0;
	}
	if (w->halt == WARMUP_ENDED || left == 0)
		return 0;
	if (w->next_at > local) {
		*when_out = w->next_at;
		return 0;
	}
	want = want < part ? want : part;
	return want < left ? want : left;
}

uint32_t warmup_may(const struct warmup *w, const struct warmup_plan *plan, uint32_t want, uint32_t out, wall_ms local,
    wall_ms *when_out)
{
	struct warmup today;

	if (w->phase == WARMUP_WARM && !w->paused && w->halt == WARMUP_GOING) {
		*when_out = local;
		return want;
	}
	if (w->started && w->day == day_of(local))
		return may_on_its_day(w, plan, want, out, local, when_out);
	today = *w;
	warmup_tick(&today, plan, local);
	if (today.phase == WARMUP_WARM && !today.paused && today.halt == WARMUP_GOING)
		return want;
	return may_on_its_day(&today, plan, want, out, local, when_out);
}

void warmup_claim(struct warmup *w, const struct warmup_plan *plan, uint32_t count, wall_ms local)
{
	int32_t hour = (int32_t)(local / HOURS(1));
	int64_t takes;

	warmup_tick(w, plan, local);
	if (hour != w->hour)
		w->hour_used = 0;
	w->hour = hour;
	takes = time_for(w, plan, count, local);
	w->hour_used += count;
	w->used += count;
	if (w->halt == WARMUP_RESTING)
		w->halt = WARMUP_PROBING;
	if (w->next_at < local - BURST_MS)
		w->next_at = local - BURST_MS;
	w->next_at += takes;
}

void warmup_give_back(struct warmup *w, uint32_t count, wall_ms local)
{
	/* A clock that was set back goes on with the day that it was. */
	if (w->day >= day_of(local))
		w->used -= count < w->used ? count : w->used;
}

/* --- the operator ------------------------------------------------------------------------------------------------------------ */

void warmup_step_to(struct warmup *w, const struct warmup_plan *plan, uint32_t volume, wall_ms local)
{
	double growth;

	warmup_tick(w, plan, local);
	w->phase = WARMUP_CLIMB;
	w->halt = WARMUP_GOING;
	w->base = w->budget = volume > 0 ? volume : 1;
	w->forced = 1;
	if (w->next_at > local + MINUTES(30))
		w->next_at = local; /* the pace of a smaller budget */
	w->step = 0;
	while (plan->days != NULL && w->step < plan->day_count && plan->days[w->step] < volume)
		w->step++;
	growth = growth_of(plan);
	if (plan->days == NULL && volume > plan->start && growth > 1)
		w->step = (uint32_t)smaller(1000, ceil(log((double)volume / plan->start) / log(growth)));
}

void warmup_restart(struct warmup *w, const struct warmup_plan *plan, wall_ms local)
{
	uint32_t used = w->used;
	int32_t day = w->day;
	bool same = w->started;

	warmup_init(w, plan);
	warmup_tick(w, plan, local);
	if (same && w->day == day)
		w->used = used;
}

void warmup_adopt(struct warmup *w)
{
	w->phase = WARMUP_WARM;
	w->halt = WARMUP_GOING;
}

/* --- questions ---------------------------------------------------------------------------------------------------------------- */

uint32_t warmup_connections(const struct warmup *w)
{
	if (w->phase == WARMUP_WARM)
		return UINT32_MAX;
	if (w->halt == WARMUP_RESTING || w->halt == WARMUP_PROBING || w->budget <= 500)
		return 1;
	return w->budget / 2500 < 1 ? 2 : w->budget / 2500 + 1;
}

const char *warmup_obstacle(const struct warmup *w, wall_ms local)
{
	if (w->paused)
		return "paused by the operator";
	if (w->halt == WARMUP_RESTING && w->listed)
		return "blocked: rests, then one recipient is tried";
	if (w->halt == WARMUP_RESTING && w->mute)
		return "nobody answers: rests, then one recipient is tried";
	if (w->halt == WARMUP_RESTING)
		return w->hour_wait ? "throttled: rests until the hour is over"
				    : "throttled: rests, then one recipient is tried";
	if (w->halt == WARMUP_PROBING)
		return "one recipient is tried";
	if (w->halt == WARMUP_ENDED)
		return "the provider takes no more today";
	if (w->freeze > 0)
		return "holds its level after bad answers";
	if (w->phase != WARMUP_WARM && w->used >= w->budget && w->day == day_of(local))
		return "today's budget is used";
	return "";
}
