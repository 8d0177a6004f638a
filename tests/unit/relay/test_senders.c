/* tests/unit/relay/test_senders.c - a sender's domain under a limit at one destination: pause, one by one, forgotten; and its stored form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/deliver/senders.h"

#define NOW 1700000000000

static void a_throttle_slows_that_domain_at_that_destination_alone(void **state)
{
	struct senders *s = senders_create();

	assert_false(senders_any(s, "gmail"));
	assert_true(senders_throttled(s, "gmail", "shop.example", 0, NOW));
	assert_true(senders_any(s, "gmail"));
	assert_false(senders_any(s, "yahoo"));
	assert_int_equal(senders_turn(s, "gmail", "shop.example", NOW), NOW + MINUTES(1));
	assert_int_equal(senders_turn(s, "gmail", "other.example", NOW), 0);
	assert_int_equal(senders_turn(s, "yahoo", "shop.example", NOW), 0);
	/* Others under way say the same once; a time in the reply counts. */
	assert_false(senders_throttled(s, "gmail", "shop.example", 0, NOW + 1));
	assert_true(senders_throttled(s, "gmail", "shop.example", MINUTES(20), NOW + 1));
	assert_int_equal(senders_turn(s, "gmail", "shop.example", NOW + 2), NOW + 1 + MINUTES(20));
	senders_destroy(&s);
}

static void after_the_pause_it_goes_one_by_one_and_faster_with_each_success(void **state)
{
	struct senders *s = senders_create();
	wall_ms now = NOW, gap = SECONDS(10);

	senders_throttled(s, "gmail", "shop.example", 0, now);
	now += MINUTES(1);
	for (; gap / 2 >= SECONDS(1); gap /= 2) {
		assert_int_equal(senders_turn(s, "gmail", "shop.example", now), 0);
		assert_int_equal(senders_turn(s, "gmail", "shop.example", now), now + gap);
		assert_false(senders_delivered(s, "gmail", "shop.example"));
		now += gap;
	}
	assert_true(senders_delivered(s, "gmail", "shop.example"));
	assert_false(senders_any(s, "gmail"));
	assert_false(senders_delivered(s, "gmail", "shop.example"));
	senders_destroy(&s);
}

static void pauses_grow_and_a_limit_that_nobody_meets_is_forgotten(void **state)
{
	struct senders *s = senders_create();
	wall_ms now = NOW, turn = 0;

	for (int i = 0; i < 10; i++) {
		assert_true(senders_throttled(s, "gmail", "shop.example", 0, now));
		turn = senders_turn(s, "gmail", "shop.example", now);
		assert_in_range(turn - now, MINUTES(1), HOURS(1));
		now = turn;
	}
	assert_int_equal(senders_turn(s, "gmail", "shop.example", turn + DAYS(1) + 1), 0);
	assert_false(senders_any(s, "gmail"));
	senders_destroy(&s);
}

static void it_is_restored_until_it_is_over_and_damage_is_refused(void **state)
{
	struct senders *s = senders_create(), *again = senders_create();
	uint8_t row[SENDERS_ROW];

	assert_int_equal(senders_encode(s, "gmail", "shop.example", row), 0);
	senders_throttled(s, "gmail", "shop.example", 0, NOW);
	assert_int_equal(senders_encode(s, "gmail", "shop.example", row), SENDERS_ROW);
	assert_int_equal(senders_restore(again, "gmail", "shop.example", row, sizeof(row), NOW + DAYS(2)), OK);
	assert_false(senders_any(again, "gmail"));
	assert_int_equal(senders_restore(again, "gmail", "shop.example", row, sizeof(row), NOW), OK);
	assert_int_equal(senders_turn(again, "gmail", "shop.example", NOW), NOW + MINUTES(1));
	for (size_t cut = 0; cut < sizeof(row); cut++)
		assert_int_equal(senders_restore(again, "gmail", "x.example", row, cut, NOW), ERR_CORRUPT);
	row[0] = 9;
	assert_int_equal(senders_restore(again, "gmail", "x.example", row, sizeof(row), NOW), ERR_VERSION);
	senders_destroy(&again);
	senders_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_throttle_slows_that_domain_at_that_destination_alone),
		cmocka_unit_test(after_the_pause_it_goes_one_by_one_and_faster_with_each_success),
		cmocka_unit_test(pauses_grow_and_a_limit_that_nobody_meets_is_forgotten),
		cmocka_unit_test(it_is_restored_until_it_is_over_and_damage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
