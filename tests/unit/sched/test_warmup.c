/* tests/unit/sched/test_warmup.c - budgets and signs of a cold lane: sched/warmup.h on its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sched/warmup.h"

#define MIDNIGHT (20000 * WARMUP_DAY_MS)

static const uint32_t days[] = { 10, 20, 40 };
static const struct warmup_plan calendar = {
	.start = 1, .growth = 2, .ceiling = 1000000, .idle_days = 30, .days = days, .day_count = 3
};
static const struct warmup_plan adaptive = {
	.adapt = true, .start = 50, .growth = 3, .explore = 19, .ceiling = 1000000, .idle_days = 30
};
static const struct warmup_plan careful = {
	.adapt = true, .start = 50, .growth = 2, .ceiling = 1000000, .idle_days = 30
};

static const struct warmup_answer taken = { .delivered = 1 };
static const struct warmup_answer throttled = { .throttled = 1 };
static const struct warmup_answer put_off = { .deferred = 1 };
static const struct warmup_answer blocked = { .blocked = 1 };

struct trip {
	struct warmup w;
	const struct warmup_plan *plan;
	wall_ms now;
};

static struct trip start(const struct warmup_plan *plan)
{
	struct trip t = { .plan = plan, .now = MIDNIGHT };

	warmup_init(&t.w, plan);
	return t;
}

static uint32_t may(const struct trip *t, wall_ms *when_out)
{
	return warmup_may(&t->w, t->plan, 1, 0, t->now, when_out);
}

/* One recipient, when the lane next allows it; false: not before `end`. */
static bool send(struct trip *t, const struct warmup_answer *answer, wall_ms end)
{
	wall_ms when;

	while (may(t, &when) == 0) {
		if (when >= end)
			return false;
		assert_true(when > t->now);
		t->now = when;
	}
	warmup_claim(&t->w, t->plan, 1, t->now);
	warmup_answer(&t->w, t->plan, answer, t->now);
	return true;
}

static uint32_t send_all(struct trip *t, const struct warmup_answer *answer, uint32_t most, wall_ms end)
{
	uint32_t count = 0;

	while (count < most && send(t, answer, end))
		count++;
	return count;
}

static void a_calendar_gives_its_days_and_the_last_one_stays(void **state)
{
	struct trip t = start(&calendar);
	static const uint32_t want[] = { 10, 20, 40, 40, 40 };

	(void)state;
	for (unsigned day = 0; day < ARRAY_LEN(want); day++) {
		assert_int_equal(send_all(&t, &taken, 1000, MIDNIGHT + (day + 1) * WARMUP_DAY_MS), want[day]);
		t.now = MIDNIGHT + (day + 1) * WARMUP_DAY_MS;
	}
}

static void only_days_on_which_half_of_the_budget_was_used_are_steps(void **state)
{
	static const struct {
		const char *label;
		uint32_t sent, next;
	} rows[] = {
		{ "nothing", 0, 10 },
		{ "less than half", 4, 10 },
		{ "half", 5, 20 },
		{ "all", 10, 20 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trip t = start(&calendar);

		warmup_tick(&t.w, t.plan, t.now);
		assert_int_equal(send_all(&t, &taken, rows[i].sent, MIDNIGHT + WARMUP_DAY_MS), rows[i].sent);
		warmup_tick(&t.w, t.plan, MIDNIGHT + WARMUP_DAY_MS);
		if (t.w.budget != rows[i].next)
			fail_msg("%s: budget %u, want %u", rows[i].label, t.w.budget, rows[i].next);
	}
}

static void a_day_is_spread_without_a_burst_at_its_beginning(void **state)
{
	struct trip t = start(&careful);
	uint32_t first_hour;

	(void)state;
	warmup_step_to(&t.w, t.plan, 2400, t.now);
	first_hour = send_all(&t, &taken, 2400, MIDNIGHT + HOURS(1));
	if (first_hour < 90 || first_hour > 120)
		fail_msg("%u of 2400 in the first hour", first_hour);
	assert_in_range(first_hour + send_all(&t, &taken, 2400, MIDNIGHT + WARMUP_DAY_MS), 2350, 2400);
}

static void a_claim_takes_a_small_part_of_a_large_job(void **state)
{
	struct trip t = start(&careful);
	wall_ms when;

	(void)state;
	warmup_step_to(&t.w, t.plan, 100000, t.now);
	assert_in_range(warmup_may(&t.w, t.plan, 5000, 0, t.now, &when), 1, 100000 / 256);
}

static void what_comes_back_untried_may_be_claimed_again(void **state)
{
	struct trip t = start(&calendar);

	(void)state;
	warmup_claim(&t.w, t.plan, 10, t.now);
	assert_false(send(&t, &taken, MIDNIGHT + WARMUP_DAY_MS));
	t.now = MIDNIGHT + HOURS(1);
	warmup_give_back(&t.w, 3, t.now);
	assert_int_equal(t.w.used, 7);
	/* A day's pace has been spent on those ten: the three are sent on its last hours, or on the next day. */
	t.now = MIDNIGHT + HOURS(23);
	t.w.next_at = t.now;
	assert_true(send(&t, &taken, MIDNIGHT + WARMUP_DAY_MS));
}

static void a_clock_set_back_gives_no_second_budget(void **state)
{
	static const struct {
		const char *label;
		wall_ms back;
	} rows[] = {
		{ "an hour, over midnight", HOURS(1) },
		{ "a day", DAYS(1) },
		{ "a month", DAYS(30) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trip t = start(&calendar);

		assert_int_equal(send_all(&t, &taken, 100, MIDNIGHT + WARMUP_DAY_MS), 10);
		t.now = MIDNIGHT - rows[i].back + MINUTES(1);
		if (send(&t, &taken, MIDNIGHT - rows[i].back + MINUTES(2)))
			fail_msg("%s: sent again", rows[i].label);
	}
}

static void a_throttle_among_few_stops_the_lane_at_once(void **state)
{
	struct trip t = start(&careful);
	wall_ms when;

	(void)state;
	assert_int_equal(send_all(&t, &taken, 20, MIDNIGHT + WARMUP_DAY_MS), 20);
	assert_true(send(&t, &throttled, MIDNIGHT + WARMUP_DAY_MS));
	assert_int_equal(may(&t, &when), 0);
	assert_true(when >= t.now + MINUTES(2));
}

static void a_limit_costs_no_more_than_three_refusals_a_day(void **state)
{
	static const struct {
		const char *label;
		const struct warmup_answer *words;
	} rows[] = {
		{ "words of a throttle", &throttled },
		{ "misleading words", &put_off },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trip t = start(&adaptive);
		uint32_t refused;

		assert_int_equal(send_all(&t, &taken, 100, MIDNIGHT + WARMUP_DAY_MS), 100);
		refused = send_all(&t, rows[i].words, 100, MIDNIGHT + WARMUP_DAY_MS);
		if (refused < 2 || refused > 3)
			fail_msg("%s: %u refusals", rows[i].label, refused);
	}
}

static void random_deferrals_do_not_end_a_day(void **state)
{
	struct trip t = start(&careful);
	uint32_t sent = 0;

	(void)state;
	warmup_step_to(&t.w, t.plan, 1000, t.now);
	for (uint32_t i = 0; send(&t, i % 50 == 49 ? &put_off : &taken, MIDNIGHT + WARMUP_DAY_MS); i++)
		sent++;
	assert_in_range(sent, 950, 1000);
}

static void after_a_limit_the_next_day_stays_near_it(void **state)
{
	struct trip t = start(&adaptive);

	(void)state;
	(void)send_all(&t, &taken, 200, MIDNIGHT + WARMUP_DAY_MS);
	(void)send_all(&t, &throttled, 100, MIDNIGHT + WARMUP_DAY_MS);
	warmup_tick(&t.w, t.plan, MIDNIGHT + WARMUP_DAY_MS);
	assert_int_equal(t.w.phase, WARMUP_CLIMB);
	assert_in_range(t.w.budget, 190, 320);
}

static void without_a_sign_the_budget_follows_growth_and_never_more(void **state)
{
	struct trip t = start(&careful);
	double last;

	(void)state;
	for (unsigned day = 1; day <= 20; day++) {
		uint32_t sent = send_all(&t, &taken, 1000000, MIDNIGHT + day * WARMUP_DAY_MS);

		assert_true(sent > 0);
		last = t.w.mean > t.w.base ? t.w.mean : t.w.base;
		t.now = MIDNIGHT + day * WARMUP_DAY_MS;
		warmup_tick(&t.w, t.plan, t.now);
		if (t.w.budget > 2 * (last > sent ? last : sent) + 1)
			fail_msg("day %u: budget %u after %u", day, t.w.budget, sent);
	}
	assert_true(t.w.budget > 1000);
}

static void a_block_rests_for_hours_and_grows_slower_afterwards(void **state)
{
	struct trip t = start(&careful);
	double before;
	wall_ms when;

	(void)state;
	warmup_step_to(&t.w, t.plan, 1000, t.now);
	(void)send_all(&t, &taken, 300, MIDNIGHT + WARMUP_DAY_MS);
	before = t.w.factor;
	assert_true(send(&t, &blocked, MIDNIGHT + WARMUP_DAY_MS));
	assert_true(send(&t, &blocked, MIDNIGHT + WARMUP_DAY_MS));
	assert_int_equal(may(&t, &when), 0);
	assert_true(when >= t.now + HOURS(6));
	/* The one that is tried then is blocked as well: longer. */
	t.now = when;
	assert_true(send(&t, &blocked, MIDNIGHT + 9 * WARMUP_DAY_MS));
	assert_int_equal(may(&t, &when), 0);
	assert_true(when >= t.now + HOURS(12));
	assert_true(send(&t, &taken, MIDNIGHT + 9 * WARMUP_DAY_MS));
	assert_int_equal(t.w.halt, WARMUP_GOING);
	assert_true(t.w.factor < before);
}

static void a_month_without_mail_begins_anew(void **state)
{
	struct trip t = start(&careful);

	(void)state;
	warmup_step_to(&t.w, t.plan, 5000, t.now);
	(void)send_all(&t, &taken, 5000, MIDNIGHT + WARMUP_DAY_MS);
	t.now = MIDNIGHT + 10 * WARMUP_DAY_MS;
	warmup_tick(&t.w, t.plan, t.now);
	assert_true(t.w.budget > 50);
	t.now = MIDNIGHT + 40 * WARMUP_DAY_MS;
	warmup_tick(&t.w, t.plan, t.now);
	assert_int_equal(t.w.budget, 50);
	assert_int_equal(t.w.step, 0);
}

static void the_ceiling_ends_the_warm_up(void **state)
{
	struct warmup_plan plan = calendar;
	struct trip t = start(&plan);
	wall_ms when;

	(void)state;
	plan.ceiling = 15;
	(void)send_all(&t, &taken, 100, MIDNIGHT + WARMUP_DAY_MS);
	t.now = MIDNIGHT + WARMUP_DAY_MS;
	warmup_tick(&t.w, t.plan, t.now);
	assert_int_equal(warmup_may(&t.w, t.plan, 5000, 0, t.now, &when), 5000);
	assert_int_equal(warmup_connections(&t.w), UINT32_MAX);
}

static void connections_grow_with_the_budget(void **state)
{
	static const struct {
		uint32_t budget, want;
	} rows[] = { { 50, 1 }, { 500, 1 }, { 501, 2 }, { 5000, 3 }, { 50000, 21 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trip t = start(&careful);

		warmup_step_to(&t.w, t.plan, rows[i].budget, t.now);
		if (warmup_connections(&t.w) != rows[i].want)
			fail_msg("%u: %u connections", rows[i].budget, warmup_connections(&t.w));
	}
}

static void the_stored_form_gives_the_same_state_back(void **state)
{
	struct trip t = start(&adaptive);
	struct warmup read;
	uint8_t data[WARMUP_ENCODED_MAX];
	size_t len;

	(void)state;
	(void)send_all(&t, &taken, 123, MIDNIGHT + WARMUP_DAY_MS);
	(void)send_all(&t, &throttled, 1, MIDNIGHT + WARMUP_DAY_MS);
	len = warmup_encode(&t.w, data);
	assert_int_equal(warmup_decode(data, len, &read), OK);
	assert_memory_equal(&read, &t.w, sizeof(read));
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(warmup_decode(data, cut, &read), ERR_CORRUPT);
	data[0]++;
	assert_int_equal(warmup_decode(data, len, &read), ERR_VERSION);
}

static void bytes_that_make_no_sense_are_refused(void **state)
{
	struct trip t = start(&adaptive);
	struct warmup read;
	uint8_t data[WARMUP_ENCODED_MAX];
	size_t len;

	(void)state;
	t.w.phase = 9;
	len = warmup_encode(&t.w, data);
	assert_int_equal(warmup_decode(data, len, &read), ERR_CORRUPT);
	t.w.phase = WARMUP_CLIMB;
	t.w.mean = -1;
	len = warmup_encode(&t.w, data);
	assert_int_equal(warmup_decode(data, len, &read), ERR_CORRUPT);
}

static void states_of_earlier_versions_open(void **state)
{
	static const struct {
		uint8_t version;
		size_t since; /* bytes that came later: two numbers and a time; before them two; and a byte and three */
		uint32_t mutes;
	} rows[] = { { 1, 37, 0 }, { 2, 24, 3 }, { 3, 16, 3 } };
	struct trip t = start(&adaptive);
	struct warmup read;
	uint8_t data[WARMUP_ENCODED_MAX];
	size_t len;

	(void)state;
	send_all(&t, &taken, 30, MIDNIGHT + WARMUP_DAY_MS);
	t.w.mutes = 3;
	t.w.block_day = 19999;
	len = warmup_encode(&t.w, data);
	assert_int_equal(data[0], 4);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		data[0] = rows[i].version;
		assert_int_equal(warmup_decode(data, len, &read), ERR_CORRUPT);
		assert_int_equal(warmup_decode(data, len - rows[i].since, &read), OK);
		assert_int_equal(read.used, 30);
		assert_int_equal(read.mutes, rows[i].mutes);
		assert_int_equal(read.block_day, rows[i].version < 3 ? 0 : 19999);
		assert_true(read.seen == 0);
		assert_true(read.hour_share == t.w.hour_share);
	}
}

static void connections_that_reach_nobody_are_met_with_growing_rests(void **state)
{
	static const struct warmup_answer unheard = { .unheard = true };
	struct trip t = start(&adaptive);
	wall_ms rests[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		wall_ms when;

		for (unsigned tries = 0; t.w.halt != WARMUP_RESTING; tries++) {
			assert_true(tries < 4);
			while (may(&t, &when) == 0)
				t.now = when;
			warmup_claim(&t.w, t.plan, 1, t.now);
			warmup_give_back(&t.w, 1, t.now);
			warmup_answer(&t.w, t.plan, &unheard, t.now);
		}
		assert_int_equal(may(&t, &when), 0);
		rests[i] = when - t.now;
		t.now = when;
		assert_int_equal(may(&t, &when), 1);
		warmup_claim(&t.w, t.plan, 1, t.now);
		warmup_give_back(&t.w, 1, t.now);
		warmup_answer(&t.w, t.plan, &unheard, t.now);
	}
	assert_true(rests[0] >= MINUTES(15) && rests[1] >= 2 * rests[0] && rests[2] >= 2 * rests[1]);
	t.now = t.w.pause_until;
	assert_true(send(&t, &taken, t.now + HOURS(1)));
	assert_int_equal(t.w.halt, WARMUP_GOING);
}

static void a_probe_that_was_lost_is_tried_again(void **state)
{
	static const struct warmup_answer nothing = { 0 };
	struct trip t = start(&careful);
	wall_ms when;

	(void)state;
	send_all(&t, &taken, 5, MIDNIGHT + WARMUP_DAY_MS);
	assert_true(send(&t, &throttled, MIDNIGHT + WARMUP_DAY_MS));
	assert_int_equal(t.w.halt, WARMUP_RESTING);
	t.now = t.w.pause_until;
	warmup_claim(&t.w, t.plan, 1, t.now);
	warmup_give_back(&t.w, 1, t.now);
	warmup_answer(&t.w, t.plan, &nothing, t.now);
	assert_int_equal(may(&t, &when), 1);
}

static void rounding_never_makes_a_state_that_is_refused(void **state)
{
	struct trip t = start(&adaptive);
	struct warmup read;
	uint8_t data[WARMUP_ENCODED_MAX];

	(void)state;
	for (unsigned i = 1; i < 2000; i++) {
		const struct warmup_answer many = { .delivered = 200 + i, .deferred = i % 7 == 0 };

		warmup_answer(&t.w, t.plan, &many, t.now);
		assert_int_equal(warmup_decode(data, warmup_encode(&t.w, data), &read), OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_calendar_gives_its_days_and_the_last_one_stays),
		cmocka_unit_test(only_days_on_which_half_of_the_budget_was_used_are_steps),
		cmocka_unit_test(a_day_is_spread_without_a_burst_at_its_beginning),
		cmocka_unit_test(a_claim_takes_a_small_part_of_a_large_job),
		cmocka_unit_test(what_comes_back_untried_may_be_claimed_again),
		cmocka_unit_test(a_clock_set_back_gives_no_second_budget),
		cmocka_unit_test(a_throttle_among_few_stops_the_lane_at_once),
		cmocka_unit_test(a_limit_costs_no_more_than_three_refusals_a_day),
		cmocka_unit_test(random_deferrals_do_not_end_a_day),
		cmocka_unit_test(after_a_limit_the_next_day_stays_near_it),
		cmocka_unit_test(without_a_sign_the_budget_follows_growth_and_never_more),
		cmocka_unit_test(a_block_rests_for_hours_and_grows_slower_afterwards),
		cmocka_unit_test(a_month_without_mail_begins_anew),
		cmocka_unit_test(the_ceiling_ends_the_warm_up),
		cmocka_unit_test(connections_grow_with_the_budget),
		cmocka_unit_test(the_stored_form_gives_the_same_state_back),
		cmocka_unit_test(bytes_that_make_no_sense_are_refused),
		cmocka_unit_test(states_of_earlier_versions_open),
		cmocka_unit_test(connections_that_reach_nobody_are_met_with_growing_rests),
		cmocka_unit_test(a_probe_that_was_lost_is_tried_again),
		cmocka_unit_test(rounding_never_makes_a_state_that_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
