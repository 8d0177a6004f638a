/* tests/unit/relay/test_resend.c - news that could not be handed over, on a fake clock: when they are tried again, and when no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "relay/notify/resend.h"

#define T0 ((wall_ms)1700000000000)

/* Tries that all fail, each of which takes `each_ms`: how many there are, and when the last begins. */
static unsigned try_until_given_up(int64_t first_ms, int64_t each_ms, wall_ms *last_out)
{
	wall_ms now = T0;
	unsigned tries = 0;
	int64_t pause;

	do {
		*last_out = now;
		now += each_ms;
		pause = resend_pause(++tries, first_ms);
		now += pause;
	} while (pause >= 0);
	return tries;
}

static void pauses_double_up_to_an_hour(void **state)
{
	static const int64_t MINUTES_OF[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60 };

	assert_int_equal(ARRAY_LEN(MINUTES_OF), RESEND_TRIES - 1);
	for (unsigned i = 0; i < ARRAY_LEN(MINUTES_OF); i++)
		assert_int_equal(resend_pause(i + 1, MINUTES(1)), MINUTES(MINUTES_OF[i]));
	assert_int_equal(resend_pause(RESEND_TRIES, MINUTES(1)), -1);
	assert_int_equal(resend_pause(UINT32_MAX, MINUTES(1)), -1);
	assert_int_equal(resend_pause(3, HOURS(1)), RESEND_PAUSE_MAX);
	assert_int_equal(resend_pause(11, SECONDS(1)), SECONDS(1024));
}

static void it_goes_on_for_six_hours(void **state)
{
	static const struct {
		const char *label;
		int64_t first, each, last;
	} rows[] = {
		{ "refused at once", MINUTES(1), 0, HOURS(6) + MINUTES(3) },
		{ "hangs for half a minute each time", MINUTES(1), SECONDS(30), HOURS(6) + MINUTES(3) + 11 * SECONDS(30) },
		{ "a second at first", SECONDS(1), 0, SECONDS(2047) },
		{ "an hour at first", HOURS(1), 0, HOURS(11) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		wall_ms last;
		unsigned tries = try_until_given_up(rows[i].first, rows[i].each, &last);

		if (tries != RESEND_TRIES || last - T0 != rows[i].last)
			fail_msg("%s: %u tries, the last after %lld ms", rows[i].label, tries, (long long)(last - T0));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_an_hour),
		cmocka_unit_test(it_goes_on_for_six_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
