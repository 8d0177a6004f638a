/* tests/unit/relay/test_quota.c - recipients by the hour and by the day: never more than allowed, refused or put off, and kept over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/rand.h"
#include "relay/intake/quota.h"

#define NOON INT64_C(1795521600000) /* 2026-11-24T12:00:00Z */

static struct quota quota;

static int setup(void **state)
{
	quota = (struct quota){ 0 };
	return 0;
}

/* How many of `count` were taken at `now`. */
static unsigned take(const struct quota_limits *limits, wall_ms now, unsigned count)
{
	wall_ms when;
	unsigned taken = 0;

	for (unsigned i = 0; i < count; i++)
		taken += quota_take(&quota, limits, now, &when) == OK && when == now;
	return taken;
}

static wall_ms refused_until(const struct quota_limits *limits, wall_ms now)
{
	wall_ms when;

	assert_int_equal(quota_take(&quota, limits, now, &when), ERR_LIMIT);
	return when - NOON;
}

static void a_sliding_hour_opens_when_the_oldest_are_an_hour_old(void **state)
{
	struct quota_limits limits = { .hour = 10 };

	assert_int_equal(take(&limits, NOON, 6), 6);
	assert_int_equal(take(&limits, NOON + MINUTES(30), 9), 4);
	assert_int_equal(refused_until(&limits, NOON + MINUTES(59)), MINUTES(65)); /* in slots of five minutes */
	assert_int_equal(take(&limits, NOON + MINUTES(64), 1), 0);
	assert_int_equal(take(&limits, NOON + MINUTES(65), 9), 6);
	assert_int_equal(refused_until(&limits, NOON + MINUTES(66)), MINUTES(95));
}

static void a_calendar_hour_opens_with_the_clock(void **state)
{
	struct quota_limits limits = { .hour = 10, .calendar = true };

	assert_int_equal(take(&limits, NOON + MINUTES(59), 12), 10);
	assert_int_equal(refused_until(&limits, NOON + MINUTES(59)), MINUTES(60));
	assert_int_equal(take(&limits, NOON + MINUTES(60), 12), 10);
}

static void a_calendar_day_opens_at_midnight_of_utc(void **state)
{
	struct quota_limits limits = { .day = 10, .calendar = true };

	assert_int_equal(take(&limits, NOON, 12), 10);
	assert_int_equal(refused_until(&limits, NOON + HOURS(1)), HOURS(12));
	assert_int_equal(take(&limits, NOON + HOURS(12), 12), 10);
}

static void both_limits_hold(void **state)
{
	struct quota_limits limits = { .hour = 10, .day = 15 };

	assert_int_equal(take(&limits, NOON, 12), 10);
	assert_int_equal(take(&limits, NOON + HOURS(2), 12), 5);
	assert_int_equal(refused_until(&limits, NOON + HOURS(4)), HOURS(26));
}

static void what_is_given_back_is_free_again(void **state)
{
	struct quota_limits limits = { .hour = 2, .day = 3 };

	assert_int_equal(take(&limits, NOON, 3), 2);
	quota_give(&quota, NOON);
	assert_int_equal(take(&limits, NOON, 3), 1);
	quota_give(&quota, NOON - HOURS(1)); /* nothing was counted there */
	assert_int_equal(take(&limits, NOON, 1), 0);
}

static void no_limit_counts_nobody_out(void **state)
{
	struct quota_limits limits = { .hour = 0 };
	uint64_t hour, day;

	assert_int_equal(take(&limits, NOON, 1000), 1000);
	quota_used(&quota, false, NOON, &hour, &day);
	assert_int_equal(hour, 1000);
	assert_int_equal(day, 1000);
}

static void what_is_beyond_is_put_off_in_order(void **state)
{
	struct quota_limits limits = { .hour = 10, .calendar = true, .delay = true, .latest = NOON + DAYS(5) };
	wall_ms when, last = 0;

	for (int i = 0; i < 35; i++) {
		assert_int_equal(quota_take(&quota, &limits, NOON + MINUTES(7), &when), OK);
		assert_int_equal(when - NOON, i < 10 ? MINUTES(7) : HOURS(i / 10));
	}
	/* Who comes later waits behind them, even when the hour has begun anew. */
	for (wall_ms now = NOON + HOURS(1); now < NOON + HOURS(2); now += MINUTES(10)) {
		assert_int_equal(quota_take(&quota, &limits, now, &when), OK);
		assert_true(when >= NOON + HOURS(3) && when >= last);
		last = when;
	}
}

static void nothing_is_put_off_beyond_the_horizon(void **state)
{
	struct quota_limits limits = { .hour = 10, .delay = true, .latest = NOON + DAYS(5) };
	wall_ms when = 0;
	unsigned taken = 0;

	while (quota_take(&quota, &limits, NOON, &when) == OK) {
		assert_true(when <= NOON + DAYS(1));
		taken++;
	}
	assert_int_equal(taken, 10 * (QUOTA_HOUR_AHEAD / (QUOTA_PERIOD + 1) + 1));
	assert_true(when > NOON && when <= NOON + HOURS(1) + MINUTES(5));
	assert_int_equal(quota_take(&quota, &limits, when, &when), OK);
	limits.latest = NOON + HOURS(2);
	assert_int_equal(quota_take(&quota, &limits, NOON, &when), ERR_LIMIT);
}

/* No hour, wherever it begins, has more than the limit; what was delayed counts when it is delivered. */
static void no_hour_ever_has_more(void **state)
{
	struct rand rand;

	rand_seed(&rand, 11);
	for (int round = 0; round < 60; round++) {
		struct quota_limits limits = { .hour = 1 + rand_below(&rand, 30), .day = rand_below(&rand, 300), .delay = round % 2 != 0, .latest = WALL_NEVER };
		wall_ms now = NOON, *at = xcalloc(4000, sizeof(*at));
		size_t count = 0, first = 0;

		setup(NULL);
		for (int i = 0; i < 4000; i++) {
			now += rand_below(&rand, 200000);
			if (quota_take(&quota, &limits, now, &at[count]) == OK)
				count++;
		}
		for (size_t i = 0; i < count; i++) {
			assert_true(i == 0 || at[i] >= at[i - 1]);
			while (at[first] <= at[i] - HOURS(1))
				first++;
			assert_true(i - first < limits.hour);
		}
		free(at);
	}
}

static void a_clock_that_was_wrong_for_a_while_locks_nobody_out(void **state)
{
	struct quota_limits limits = { .hour = 10, .delay = true, .latest = WALL_NEVER };

	assert_int_equal(take(&limits, NOON + DAYS(3000), 1), 1);
	assert_true(take(&limits, NOON, 10) >= 9);
}

static void what_was_counted_survives(void **state)
{
	struct quota_limits limits = { .hour = 10, .day = 100, .delay = true, .latest = WALL_NEVER };
	uint8_t record[QUOTA_RECORD_MAX];
	struct err_detail why;
	wall_ms when, again;
	size_t len;

	for (int i = 0; i < 25; i++)
		assert_int_equal(quota_take(&quota, &limits, NOON, &when), OK);
	len = quota_encode(&quota, NOON, record);
	assert_true(len < 100);
	setup(NULL);
	assert_int_equal(quota_decode(&quota, record, len, &why), OK);
	assert_int_equal(quota_take(&quota, &limits, NOON, &again), OK);
	assert_int_equal(again, when);
	/* Cut anywhere, or newer: refused, and nothing is left of it. */
	for (size_t cut = 0; cut < len; cut++) {
		setup(NULL);
		assert_int_not_equal(quota_decode(&quota, record, cut, &why), OK);
		assert_int_equal(quota.hour_last, 0);
	}
	record[0]++;
	assert_int_equal(quota_decode(&quota, record, len, &why), ERR_VERSION);
	/* A week later nothing of it matters. */
	assert_int_equal(quota_encode(&quota, NOON + DAYS(7), record), 9);
}

static _Atomic unsigned together;

static void *take_many(void *arg)
{
	struct quota_limits limits = { .hour = 5000, .day = 8000 };
	wall_ms when;

	for (int i = 0; i < 4000; i++)
		if (quota_take(&quota, &limits, NOON + i, &when) == OK)
			atomic_fetch_add(&together, 1);
	return NULL;
}

static void many_threads_take_no_more_than_allowed(void **state)
{
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_true(together <= 5000);
	assert_true(together >= 4900);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_sliding_hour_opens_when_the_oldest_are_an_hour_old, setup),
		cmocka_unit_test_setup(a_calendar_hour_opens_with_the_clock, setup),
		cmocka_unit_test_setup(a_calendar_day_opens_at_midnight_of_utc, setup),
		cmocka_unit_test_setup(both_limits_hold, setup),
		cmocka_unit_test_setup(what_is_given_back_is_free_again, setup),
		cmocka_unit_test_setup(no_limit_counts_nobody_out, setup),
		cmocka_unit_test_setup(what_is_beyond_is_put_off_in_order, setup),
		cmocka_unit_test_setup(nothing_is_put_off_beyond_the_horizon, setup),
		cmocka_unit_test_setup(no_hour_ever_has_more, setup),
		cmocka_unit_test_setup(a_clock_that_was_wrong_for_a_while_locks_nobody_out, setup),
		cmocka_unit_test_setup(what_was_counted_survives, setup),
		cmocka_unit_test_setup(many_threads_take_no_more_than_allowed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
