/* sched/warmup_answer.c - what a provider's answers do to a cold lane: signs of its limit, blocks, rests and probes.
 *
 * A single throttle near a limit is a sign, not a catastrophe: what hurts is going on. So the lane stops at the first sign, rests, and tries
 * one recipient. Taken: it was a warning. Refused again: that was the limit, tomorrow is another day. Each day has an allowance of refusals,
 * which a warm sender has too; when it is used up nothing more is tried. */
#include "sched/warmup.h"

#include <math.h>

#include "sched/warmup_int.h"

#define REST_MS        MINUTES(10) /* Google's advice after 4.7.28 */
#define HOUR_MARGIN_MS MINUTES(2)
#define BLOCK_REST_MS  HOURS(6)
#define BLOCK_REST_MAX HOURS(24)
#define ALLOWED        3          /* refusals of a day that nobody minds, */
#define TINY           40         /* taken today: even three are a great share of a limit so small */
#define ALLOWED_SHARE  0.01       /* or that share of what was taken */
#define RELIEF         (1.0 / 15) /* pressure that one taken recipient relieves: throttles below 6 % do not add up */
#define PRESSURE_MAX   8.0
#define WARNED_MOST    10    /* times what was taken until a warning: more is not tried on its day */
#define EARLY          0.6   /* of what was expected: too early for the day's limit */
#define BUSY           1.15  /* of the even pace: an hour of much mail, in which a refusal says less of the day, */
#define EARLY_BUSY     0.85  /* as long as that has brought no more of what was expected */
#define AFTER_BLOCK    1.3   /* growth after a block */
#define MEMORY         200.0 /* attempts that the share of meaningless deferrals is learned from */
#define QUIET          0.015 /* below that share a deferral is rather a limit in other words */
#define QUIET_FIRST    0.04  /* the same for a new lane, of which little is known */
#define HALF_CHANCE    1e-2  /* the same of an answer that puts half of its recipients off */
#define CHANCE         1e-4  /* that a row of deferrals means nothing */
#define ROW_MOST       8
#define NOISY_PROBES   3     /* where deferrals mean nothing so often, a failed try means little either */
#define LEAST_SHARE    (1.0 / 14)
#define UNHEARD        3           /* connections lost in a row: whoever is to blame, going on tells nothing new */
#define MUTE_REST_MS   MINUTES(15) /* longer each time, always well beyond the pause of a destination that is down */
#define MUTE_DOUBLES   4

static uint32_t allowance(const struct warmup *w)
{
	double share = ALLOWED_SHARE * w->accepted;

	if (w->accepted < TINY)
		return ALLOWED - 1;
	return share > ALLOWED ? (uint32_t)share : ALLOWED;
}

static void rest(struct warmup *w, wall_ms until)
{
	w->halt = WARMUP_RESTING;
	w->pause_until = until;
	w->row = w->block_row = 0;
	w->pressure = 0;
}

static void end_day(struct warmup *w)
{
	w->halt = WARMUP_ENDED;
	w->limited = 1;
	w->row = 0;
	w->pressure = 0;
	w->hour_wait = 0;
}

/* --- throttles ---------------------------------------------------------------------------------------------------------- */

/* A new lane cannot know which of its deferrals were refusals in other words: one of them is taken for one. */
static uint32_t suspected(const struct warmup *w)
{
	return w->phase == WARMUP_EXPLORE && w->deferred > w->row ? 1 : 0;
}

static bool is_busy_hour(const struct warmup *w, const struct warmup_plan *plan, wall_ms local)
{
	return warmup_pace_of(w, plan, local) > BUSY && w->used < EARLY_BUSY * larger(w->base, w->mean);
}

/* So many deferrals mean nothing here that one more says nothing. */
static bool is_noisy(const struct warmup *w)
{
	return w->noise >= QUIET_FIRST;
}

static bool may_be_hourly(const struct warmup *w)
{
	double expected = larger(w->base, w->mean);

	return w->phase == WARMUP_EXPLORE || w->used < EARLY * expected || w->hour_share < 1.0 / 12;
}

static bool is_other_hour(wall_ms local, wall_ms then)
{
	return local / HOURS(1) != then / HOURS(1);
}

static void wait_for_hour(struct warmup *w, wall_ms local)
{
	w->hour_wait = 1;
	w->hour_sign = w->hour_used;
	rest(w, (local / HOURS(1) + 1) * HOURS(1) + HOUR_MARGIN_MS);
}

static void sign(struct warmup *w, const struct warmup_plan *plan, uint32_t refused, wall_ms local)
{
	/* While a lane is new nothing tells chance from a limit in other words: the worse counts. */
	w->wordless = refused == 0 && (w->phase != WARMUP_EXPLORE || is_noisy(w));
	w->probes = 0;
	if (w->wordless && is_noisy(w)) {
		w->sign_refused = w->row_deferred = 0;
		w->hour_wait = w->listed = 0;
		rest(w, local + REST_MS);
		return;
	}
	/* The words of a refusal may mislead; that nothing gets through does not. */
	refused += w->row_deferred;
	w->refused += w->row_deferred;
	w->row_deferred = 0;
	w->sign_refused = refused;
	w->hour_wait = w->listed = 0;
	if (w->refused + 1 + suspected(w) > allowance(w)) {
		end_day(w);
	} else if (is_busy_hour(w, plan, local) || (may_be_hourly(w) && (allowance(w) <= ALLOWED || is_other_hour(local, local + REST_MS)))) {
		/* One try, when it tells most: few refusals are left, or the hour is the more likely reason. A rest into the next hour would tell nothing. */
		wait_for_hour(w, local);
	} else {
		rest(w, local + REST_MS);
	}
}

static void probe_failed(struct warmup *w, const struct warmup_plan *plan, uint32_t throttled, wall_ms local)
{
	w->probes++;
	w->refused += !w->wordless || !is_noisy(w) || throttled > 0;
	if (is_noisy(w) && throttled == 0 && w->probes < NOISY_PROBES && w->refused + 1 <= allowance(w)) {
		rest(w, local + REST_MS);
		return;
	}
	if (w->probes == 1 && !w->hour_wait && w->refused + 1 <= allowance(w) && (may_be_hourly(w) || is_busy_hour(w, plan, local)))
		wait_for_hour(w, local);
	else
		end_day(w);
}

static void probe_passed(struct warmup *w, const struct warmup_plan *plan)
{
	w->halt = WARMUP_GOING;
	if (w->listed) {
		w->listed = 0;
		w->blocks = 0;
		w->phase = w->phase == WARMUP_EXPLORE ? WARMUP_CLIMB : w->phase;
		w->factor = smaller(w->factor, AFTER_BLOCK);
		return;
	}
	if (w->hour_wait && !w->wordless &&
	    (w->phase == WARMUP_EXPLORE || w->used < EARLY * larger(w->base, w->mean) ||
		is_busy_hour(w, plan, w->pause_until - HOURS(1)))) {
		double share = 0.85 * w->hour_sign / larger(larger(w->accepted, w->mean), w->base);

		w->hour_cap = (uint32_t)(0.7 * w->hour_sign) + 1;

		w->hour_share = larger(LEAST_SHARE, smaller(share, w->hour_share * 0.8));
		w->hour_wait = 0;
		return;
	}
	/* It was a warning: it does not count as a refusal for volume, but the limit is near. Or it was chance. */
	w->hour_wait = 0;
	w->refused -= w->sign_refused < w->refused ? w->sign_refused : w->refused;
	if (!w->wordless) {
		uint64_t most = WARNED_MOST * (uint64_t)w->used;

		w->limited = 1;
		w->budget = w->budget < most || w->forced ? w->budget : (uint32_t)most;
	}
}

/* A mailbox that does not exist, or a message that is not wanted: or the limit in other words. Another one is tried as long as it may be that. */
static void probe_unclear(struct warmup *w)
{
	w->refused++;
	w->sign_refused++;
	if (!w->listed && w->refused + 1 > allowance(w))
		end_day(w);
	else
		w->halt = WARMUP_RESTING;
}

/* --- blocks ---------------------------------------------------------------------------------------------------------------- */

static void block(struct warmup *w, wall_ms local)
{
	int64_t pause = BLOCK_REST_MS << (w->blocks < 3 ? w->blocks : 3);

	w->blocks++;
	w->block_day = w->day;
	w->listed = 1;
	w->hour_wait = 0;
	w->freeze = w->freeze > 1 ? w->freeze : 1;
	rest(w, local + (pause < BLOCK_REST_MAX ? pause : BLOCK_REST_MAX));
}

/* --- all of it ---------------------------------------------------------------------------------------------------------------- */

static uint32_t count_all(const struct warmup_answer *a)
{
	return a->delivered + a->throttled + a->deferred + a->blocked + a->unknown + a->other;
}

static void on_probe(struct warmup *w, const struct warmup_plan *plan, const struct warmup_answer *a, wall_ms local)
{
	if (a->blocked > 0)
		block(w, local);
	else if (a->delivered > 0)
		probe_passed(w, plan);
	else if (a->unknown + a->other > 0)
		probe_unclear(w);
	else if (w->listed)
		block(w, local);
	else
		probe_failed(w, plan, a->throttled, local);
}

/* Nothing was tried. A probe that reached nobody is still to come; a silence that lasts is met with rests. */
static void on_nothing(struct warmup *w, const struct warmup_answer *a, wall_ms local)
{
	bool probe = w->halt == WARMUP_PROBING;

	if (probe)
		w->halt = WARMUP_RESTING;
	w->unheard += a->unheard;
	if (!a->unheard || (probe ? !w->mute && w->unheard < UNHEARD : w->halt != WARMUP_GOING || w->unheard < UNHEARD))
		return;
	if (w->halt == WARMUP_RESTING && !w->mute) {
		/* The rest it has come from goes on. */
		w->pause_until = local + MUTE_REST_MS;
		return;
	}
	w->mute = 1;
	w->hour_wait = w->listed = 0;
	rest(w, local + (MUTE_REST_MS << (w->mutes < MUTE_DOUBLES ? w->mutes : MUTE_DOUBLES)));
	w->mutes += w->mutes < MUTE_DOUBLES;
}

static void heard(struct warmup *w)
{
	w->unheard = w->mutes = 0;
}

static bool is_block(struct warmup *w, const struct warmup_answer *a)
{
	if (a->blocked == 0) {
		w->block_row = a->delivered > 0 ? 0 : w->block_row;
		return false;
	}
	w->block_row += a->blocked;
	return w->block_row >= 2 && a->blocked * 2 >= count_all(a);
}

/* So many deferrals in a row happen by chance less often than CHANCE says. */
static uint32_t chance_row(const struct warmup *w)
{
	uint32_t row = 2;
	double chance = w->noise * w->noise;

	while (chance > CHANCE && row < ROW_MOST) {
		chance *= w->noise;
		row++;
	}
	return row;
}

static void listen(struct warmup *w, const struct warmup_answer *a)
{
	uint32_t n = count_all(a);

	if (n > 0)
		/* Rounding must not take it below nothing: a stored state is refused for that. */
		w->noise = larger(0, w->noise + (a->deferred - w->noise * n) / larger(MEMORY, n));
}

/* Half of many, and not by chance: there are at most two to the power of `n` ways to choose those put off. */
static bool is_half(const struct warmup *w, uint32_t put_off, uint32_t n)
{
	return put_off >= 2 && put_off * 2 >= n && n >= 4 && (n > 64 || ldexp(pow(w->noise, put_off), (int)n) < HALF_CHANCE);
}

/* Whatever the words: nothing but 4xx several times in a row, or for half of many, is no accident. */
static bool is_sign(struct warmup *w, const struct warmup_answer *a)
{
	uint32_t put_off = a->throttled + a->deferred;
	double most = smaller(larger(allowance(w) / 3.0, 1), PRESSURE_MAX);

	/* A mailbox that does not exist says nothing of a limit, but a limit may be worded as one: it neither makes a row nor ends it. */
	if (a->delivered > 0)
		w->row = 0;
	else
		w->row += put_off > 0;
	w->row_deferred = a->delivered > 0 ? 0 : w->row_deferred + a->deferred + a->unknown;
	w->pressure = larger(0, w->pressure + a->throttled - RELIEF * a->delivered);
	/* The last refusal that may be is one by any words. */
	if (w->row > 0 && w->refused + 2 > allowance(w) &&
	    w->noise < (w->phase == WARMUP_EXPLORE ? QUIET_FIRST : QUIET))
		return true;
	return w->pressure >= most || w->row >= chance_row(w) || is_half(w, put_off, count_all(a));
}

static void count(struct warmup *w, const struct warmup_answer *a)
{
	w->accepted += a->delivered;
	w->throttled += a->throttled;
	w->deferred += a->deferred;
	w->blocked += a->blocked;
	w->unknown += a->unknown;
	w->complained += a->complained;
}

void warmup_answer(struct warmup *w, const struct warmup_plan *plan, const struct warmup_answer *a, wall_ms local)
{
	warmup_tick(w, plan, local);
	count(w, a);
	if (!plan->adapt)
		return;
	if (count_all(a) == 0) {
		if (a->complained == 0)
			on_nothing(w, a, local);
		return;
	}
	heard(w);
	if (w->halt == WARMUP_PROBING && w->mute) {
		/* Somebody speaks again: what is said counts as at any other time. */
		w->halt = WARMUP_GOING;
		w->mute = 0;
	}
	if (w->halt == WARMUP_PROBING) {
		on_probe(w, plan, a, local);
		return;
	}
	w->refused += a->throttled;
	listen(w, a);
	if (w->halt != WARMUP_GOING)
		return;
	if (is_block(w, a))
		block(w, local);
	else if (is_sign(w, a))
		sign(w, plan, a->throttled, local);
}
