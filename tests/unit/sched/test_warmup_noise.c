/* tests/unit/sched/test_warmup_noise.c - what a cold lane makes of deferrals without meaning, early warnings, hours and bad lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rand.h"
#include "sched/warmup.h"

#define MIDNIGHT (20000 * WARMUP_DAY_MS)

static const struct warmup_plan plan = {
	.adapt = true, .start = 50, .growth = 3, .explore = 19, .ceiling = 100000000, .idle_days = 30
};

static const struct warmup_answer taken = { .delivered = 1 };
static const struct warmup_answer throttled = { .throttled = 1 };
static const struct warmup_answer put_off = { .deferred = 1 };
static const struct warmup_answer unknown = { .unknown = 1 };

struct journey {
	struct warmup w;
	wall_ms now;
	int day; /* from 1 */
	struct rand rand;
};

static struct journey set_out(uint32_t budget)
{
	struct journey j = { .now = MIDNIGHT, .day = 1 };

	rand_seed(&j.rand, 7);
	warmup_init(&j.w, &plan);
	warmup_step_to(&j.w, &plan, budget, j.now);
	return j;
}

static wall_ms tonight(const struct journey *j)
{
	return MIDNIGHT + j->day * WARMUP_DAY_MS;
}

/* Claim what may be claimed, up to `most`, within the day; 0: nothing more today. */
static uint32_t claim(struct journey *j, uint32_t most)
{
	wall_ms when;
	uint32_t may;

	while ((may = warmup_may(&j->w, &plan, most, 0, j->now, &when)) == 0) {
		if (when >= tonight(j))
			return 0;
		j->now = when;
	}
	warmup_claim(&j->w, &plan, may, j->now);
	return may;
}

static bool send(struct journey *j, const struct warmup_answer *answer)
{
	if (claim(j, 1) == 0)
		return false;
	warmup_answer(&j->w, &plan, answer, j->now);
	return true;
}

/* A day of single recipients, a share of which gets `other` once `from` were taken; returns how many were tried. */
static uint32_t send_day_from(struct journey *j, uint32_t from, double share, const struct warmup_answer *other)
{
	uint32_t count = 0;

	while (send(j, j->w.accepted >= from && rand_unit(&j->rand) < share ? other : &taken))
		count++;
	j->day++;
	j->now = tonight(j) - WARMUP_DAY_MS;
	warmup_tick(&j->w, &plan, j->now);
	return count;
}

static uint32_t send_day(struct journey *j, double share, const struct warmup_answer *other)
{
	return send_day_from(j, 0, share, other);
}

static void a_provider_that_defers_much_for_no_reason_does_not_end_the_days(void **state)
{
	static const struct {
		const char *label;
		double share;
	} rows[] = { { "a twentieth", 0.05 }, { "a seventh", 0.15 }, { "a fourth", 0.25 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct journey j = set_out(2000);

		for (unsigned day = 0; day < 10; day++)
			(void)send_day(&j, rows[i].share, &put_off);
		if (j.w.mean < 4000)
			fail_msg("%s: only %.0f a day after ten days", rows[i].label, j.w.mean);
	}
}

static void in_the_noise_a_limit_is_still_found_soon(void **state)
{
	struct journey j = set_out(2000);
	uint32_t refused = 0;

	(void)state;
	(void)send_day(&j, 0.15, &put_off);
	for (unsigned i = 0; i < 500; i++)
		(void)send(&j, rand_unit(&j.rand) < 0.15 ? &put_off : &taken);
	while (send(&j, &throttled))
		refused++;
	assert_in_range(refused, 1, 5);
	assert_int_equal(j.w.halt, WARMUP_ENDED);
}

/* Half of an answer's recipients deferred is chance where a seventh always is, and is none where hardly any is. */
static void half_of_an_answer_counts_by_what_is_usual(void **state)
{
	static const struct {
		const char *label;
		double noise;
		enum warmup_halt halt;
	} rows[] = { { "quiet", 0.005, WARMUP_RESTING }, { "noisy", 0.15, WARMUP_GOING } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct journey j = set_out(10000);
		struct warmup_answer half = { .delivered = 2, .deferred = 2 };

		j.w.noise = rows[i].noise;
		j.w.accepted = j.w.used = 3000;
		warmup_claim(&j.w, &plan, 4, j.now);
		warmup_answer(&j.w, &plan, &half, j.now);
		if (j.w.halt != rows[i].halt)
			fail_msg("%s: %d", rows[i].label, j.w.halt);
	}
}

/* What comes from an hour's limit early in the day is refused as a whole: it must not exceed what nobody minds. */
static void the_first_claims_of_a_large_day_are_small(void **state)
{
	struct journey j = set_out(1000000);
	uint32_t tried = 0;

	(void)state;
	while (tried < 900) {
		uint32_t may = claim(&j, 1000);
		struct warmup_answer all = { .delivered = may };

		if (may > 1 + tried / 100)
			fail_msg("%u at once after %u", may, tried);
		warmup_answer(&j.w, &plan, &all, j.now);
		tried += may;
	}
}

/* Some providers warn long before their limit: as long as it is not met, the lane goes on growing. */
static void warnings_alone_do_not_stop_the_growth(void **state)
{
	struct journey j = set_out(1000);
	double before;

	(void)state;
	for (unsigned day = 0; day < 3; day++)
		(void)send_day_from(&j, j.w.budget * 2 / 3, 0.02, &throttled);
	before = j.w.mean;
	for (unsigned day = 0; day < 10; day++)
		(void)send_day_from(&j, j.w.budget * 2 / 3, 0.02, &throttled);
	if (j.w.mean < 2 * before)
		fail_msg("%.0f a day, ten days after %.0f", j.w.mean, before);
}

/* Bad lists hold a lane at its level every other day; they do not hold it for ever. */
static void mail_that_stays_bad_slows_the_ramp_and_does_not_stop_it(void **state)
{
	struct journey j = set_out(1000), clean = set_out(1000);

	(void)state;
	for (unsigned day = 0; day < 8; day++) {
		uint32_t before = j.w.freeze;

		(void)send_day(&j, 0.09, &unknown);
		(void)send_day(&clean, 0.001, &unknown);
		assert_false(before > 0 && j.w.freeze > 0);
	}
	assert_true(j.w.mean > 2000);
	assert_true(clean.w.mean > 2 * j.w.mean);
}

/* A limit worded as an unknown mailbox: neither does it end a row of refusals, nor does a try that meets one pass. */
static void a_limit_worded_as_an_unknown_mailbox_is_met_like_any_other(void **state)
{
	static const struct warmup_answer *const words[] = { &unknown, &put_off, &put_off, &unknown, &throttled, &unknown };
	struct journey j = set_out(1000);
	uint32_t refused = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		(void)send(&j, &taken);
	while (refused < 20 && send(&j, words[refused % ARRAY_LEN(words)]))
		refused++;
	assert_in_range(refused, 2, 3);
	assert_int_equal(j.w.halt, WARMUP_ENDED);
}

/* A bad list's own unknown mailboxes cost a try that meets one nothing, once another has passed. */
static void an_unknown_mailbox_does_not_make_a_try_fail(void **state)
{
	struct journey j = set_out(400);

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		(void)send(&j, &taken);
	assert_true(send(&j, &throttled));
	assert_int_equal(j.w.halt, WARMUP_RESTING);
	assert_true(send(&j, &unknown));
	assert_int_equal(j.w.halt, WARMUP_RESTING);
	assert_true(send(&j, &taken));
	assert_int_equal(j.w.halt, WARMUP_GOING);
	assert_int_equal(j.w.refused, 0);
}

/* A day's budget may be far beyond what the hours add up to: what was learned of an hour is a share of the mean. */
static void the_pace_of_an_hour_follows_the_mean_not_the_budget(void **state)
{
	struct journey j = set_out(1000);
	uint32_t sent = 0;

	(void)state;
	(void)send_day(&j, 0, &taken);
	j.w.hour_share = 0.08;
	j.w.mean = j.w.base = 1000;
	j.w.budget = 3000;
	while (j.now < MIDNIGHT + WARMUP_DAY_MS + HOURS(1) && send(&j, &taken))
		sent++;
	assert_in_range(sent, 60, 95);
}

/* A refusal late in an hour: that the next hour takes a try again does not show that it was a mere warning. */
static void an_hours_limit_met_at_its_end_is_not_taken_for_a_warning(void **state)
{
	(void)state;
	for (uint32_t most = 30; most <= 120; most += 5) {
		struct journey j = { .now = MIDNIGHT, .day = 1 };
		uint32_t accepted = 0, refused = 0, in_hour = 0;
		wall_ms hour = 0;

		warmup_init(&j.w, &plan);
		while (claim(&j, 1) == 1) {
			if (j.now / HOURS(1) != hour)
				in_hour = 0;
			hour = j.now / HOURS(1);
			if (in_hour == most) {
				warmup_answer(&j.w, &plan, &throttled, j.now);
				refused++;
			} else {
				warmup_answer(&j.w, &plan, &taken, j.now);
				accepted++;
				in_hour++;
			}
		}
		if (refused > 3 && refused * 100 > accepted)
			fail_msg("%u an hour: %u taken, %u refused", most, accepted, refused);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_provider_that_defers_much_for_no_reason_does_not_end_the_days),
		cmocka_unit_test(in_the_noise_a_limit_is_still_found_soon),
		cmocka_unit_test(half_of_an_answer_counts_by_what_is_usual),
		cmocka_unit_test(the_first_claims_of_a_large_day_are_small),
		cmocka_unit_test(warnings_alone_do_not_stop_the_growth),
		cmocka_unit_test(mail_that_stays_bad_slows_the_ramp_and_does_not_stop_it),
		cmocka_unit_test(a_limit_worded_as_an_unknown_mailbox_is_met_like_any_other),
		cmocka_unit_test(an_unknown_mailbox_does_not_make_a_try_fail),
		cmocka_unit_test(an_hours_limit_met_at_its_end_is_not_taken_for_a_warning),
		cmocka_unit_test(the_pace_of_an_hour_follows_the_mean_not_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
