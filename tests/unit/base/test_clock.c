/* tests/unit/base/test_clock.c - times as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

static void times_are_written_in_both_forms(void **state)
{
	static const struct {
		const char *label;
		wall_ms when;
		const char *rfc3339, *rfc5322;
	} rows[] = {
		{ "the epoch", 0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ "with milliseconds", INT64_C(1795554152123), "2026-11-24T21:02:32.123Z", "Tue, 24 Nov 2026 21:02:32 +0000" },
		{ "leap day", INT64_C(1709164800000), "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 +0000" },
		{ "before the epoch", -1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ "last of the year 9999", INT64_C(253402300799999), "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ "year 10000", INT64_C(253402300800000), "never", "never" },
		{ "never", WALL_NEVER, "never", "never" },
		{ "far past", INT64_MIN, "never", "never" },
	};
	char text[CLOCK_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(clock_rfc3339(rows[i].when, text), rows[i].rfc3339) != 0)
			fail_msg("%s: got %s", rows[i].label, text);
		if (strcmp(clock_rfc5322(rows[i].when, text), rows[i].rfc5322) != 0)
			fail_msg("%s: got %s", rows[i].label, text);
	}
}

/* An independent calendar: the one of the C library. */
static void every_day_of_a_thousand_years_agrees_with_the_c_library(void **state)
{
	char text[CLOCK_TEXT], want[CLOCK_TEXT];

	for (int64_t day = -200000; day < 200000; day += 1) {
		time_t seconds = (time_t)(day * 86400 + 86399);
		struct tm tm;

		assert_non_null(gmtime_r(&seconds, &tm));
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.999Z", &tm);
		if (strcmp(clock_rfc3339(seconds * 1000 + 999, text), want) != 0)
			fail_msg("got %s, want %s", text, want);
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S +0000", &tm);
		if (strcmp(clock_rfc5322(seconds * 1000 + 999, text), want) != 0)
			fail_msg("got %s, want %s", text, want);
	}
}

static void the_monotonic_clock_does_not_step_back(void **state)
{
	mono_ms before = clock_mono();

	for (int i = 0; i < 1000; i++) {
		mono_ms now = clock_mono();

		assert_true(now >= before);
		before = now;
	}
}

static void the_wall_clock_counts_milliseconds_since_1970(void **state)
{
	/* After this was written, before the year 2200: a wrong unit or epoch lies outside. */
	assert_in_range(clock_wall(), UINT64_C(1700000000000), UINT64_C(7258118400000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_in_both_forms),
		cmocka_unit_test(every_day_of_a_thousand_years_agrees_with_the_c_library),
		cmocka_unit_test(the_monotonic_clock_does_not_step_back),
		cmocka_unit_test(the_wall_clock_counts_milliseconds_since_1970),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
