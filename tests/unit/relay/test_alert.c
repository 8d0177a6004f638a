/* tests/unit/relay/test_alert.c - alerts on a fake clock: told once when they begin, now and then while they last, once when they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/notify/alert.h"

#define T0     ((wall_ms)1700000000000)
#define GATHER MINUTES(1)
#define EVERY  HOURS(6)

static char told[2000]; /* "begins a, lasts a, " */

static void on_alert(void *arg, const struct alert *alert, enum alert_news news)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof(told) - len, "%s %s, ", alert_news_name(news), alert->object);
}

static const char *take(struct alerts *alerts, wall_ms now)
{
	told[0] = '\0';
	(void)alerts_take(alerts, GATHER, EVERY, now, on_alert, NULL);
	return told;
}

/* What happens to alerts a and b at which time, and what is told then. */
static void news_come_once_and_together(void **state)
{
	static const struct step {
		const char *label;
		int64_t at;
		const char *raise, *clear, *want;
	} steps[] = {
		{ "it begins", 0, "a", NULL, "" },
		{ "another one within the minute", SECONDS(30), "b", NULL, "" },
		{ "both are told together", MINUTES(1), NULL, NULL, "begins a, begins b, " },
		{ "raised a hundred times", MINUTES(2), "a", NULL, "" },
		{ "ends and comes back at once", MINUTES(10), NULL, "a", "" },
		{ "it is back", MINUTES(10) + SECONDS(30), "a", NULL, "" },
		{ "nothing of that is told", MINUTES(20), NULL, NULL, "" },
		{ "it lasts", MINUTES(1) + EVERY, NULL, NULL, "lasts a, lasts b, " },
		{ "one ends", MINUTES(5) + EVERY, NULL, "b", "" },
		{ "its end is told", MINUTES(6) + EVERY, NULL, NULL, "ends b, " },
		{ "one that is short", HOURS(7), "c", NULL, "" },
		{ "and over", HOURS(7) + SECONDS(10), NULL, "c", "" },
		{ "is not told at all", HOURS(7) + MINUTES(5), NULL, NULL, "" },
		{ "the other one ends", HOURS(8), NULL, "a", "" },
		{ "and is told", HOURS(8) + MINUTES(1), NULL, NULL, "ends a, " },
		{ "nothing is left", HOURS(100), NULL, NULL, "" },
	};
	struct alerts *alerts = alerts_create();

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		const struct step *step = &steps[i];

		if (step->raise)
			alerts_raise(alerts, ALERT_BLOCK, step->raise, "words", 0, T0 + step->at);
		if (step->clear)
			alerts_clear(alerts, ALERT_BLOCK, step->clear, T0 + step->at);
		if (strcmp(take(alerts, T0 + step->at), step->want) != 0)
			fail_msg("%s: told \"%s\", wanted \"%s\"", step->label, told, step->want);
	}
	assert_true(alerts_due(alerts, GATHER, EVERY) == WALL_NEVER);
	alerts_destroy(&alerts);
}

static void one_with_an_end_ends_by_itself_unless_it_is_raised_again(void **state)
{
	struct alerts *alerts = alerts_create();

	alerts_raise(alerts, ALERT_SOURCE, "s", "gone", T0 + MINUTES(10), T0);
	assert_string_equal(take(alerts, T0 + MINUTES(1)), "begins s, ");
	alerts_raise(alerts, ALERT_SOURCE, "s", "gone", T0 + MINUTES(20), T0 + MINUTES(9));
	assert_string_equal(take(alerts, T0 + MINUTES(12)), "");
	assert_string_equal(take(alerts, T0 + MINUTES(21)), "ends s, ");
	alerts_destroy(&alerts);
}

static void keep_record(void *arg, const struct alert *alert)
{
	struct {
		uint8_t data[ALERT_RECORD_MAX];
		size_t len;
	} *record = arg;

	record->len = alert_encode(alert, record->data);
}

static void a_restart_does_not_tell_again(void **state)
{
	struct {
		uint8_t data[ALERT_RECORD_MAX];
		size_t len;
	} record;
	struct alerts *alerts = alerts_create();

	alerts_raise(alerts, ALERT_BLOCK, "a to gmail", "550 blocked", 0, T0);
	(void)take(alerts, T0 + MINUTES(1));
	alerts_walk(alerts, keep_record, &record);
	alerts_destroy(&alerts);

	alerts = alerts_create();
	assert_true(alerts_restore(alerts, record.data, record.len, T0 + DAYS(1)));
	assert_false(alerts_restore(alerts, record.data, record.len, T0 + DAYS(1)));
	assert_string_equal(take(alerts, T0 + HOURS(1)), "");
	alerts_raise(alerts, ALERT_BLOCK, "a to gmail", "550 blocked", 0, T0 + HOURS(1));
	assert_string_equal(take(alerts, T0 + HOURS(2)), "");
	alerts_clear(alerts, ALERT_BLOCK, "a to gmail", T0 + HOURS(3));
	assert_string_equal(take(alerts, T0 + HOURS(4)), "ends a to gmail, ");
	for (size_t len = 0; len < record.len; len++)
		assert_false(alerts_restore(alerts, record.data, len, 0));
	alerts_destroy(&alerts);
}

static void there_are_never_more_than_so_many(void **state)
{
	struct alerts *alerts = alerts_create();
	char object[32];

	for (int i = 0; i < 2 * ALERT_OPEN_MAX; i++) {
		snprintf(object, sizeof(object), "o%d", i);
		alerts_raise(alerts, ALERT_BLOCK, object, "words", 0, T0);
	}
	assert_int_equal(alerts_take(alerts, GATHER, EVERY, T0 + MINUTES(1), on_alert, NULL), ALERT_OPEN_MAX);
	alerts_destroy(&alerts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(news_come_once_and_together),
		cmocka_unit_test(one_with_an_end_ends_by_itself_unless_it_is_raised_again),
		cmocka_unit_test(a_restart_does_not_tell_again),
		cmocka_unit_test(there_are_never_more_than_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
