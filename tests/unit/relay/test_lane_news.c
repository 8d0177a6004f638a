/* tests/unit/relay/test_lane_news.c - what a refusal's class is for a cold lane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/deliver/lane_news.h"

static void a_class_and_its_code_say_what_a_refusal_is_for_a_cold_lane(void **state)
{
	static const struct {
		const char *class;
		enum lane_news soft, hard;
	} rows[] = {
		{ "throttle", NEWS_THROTTLED, NEWS_THROTTLED },
		{ "reputation-block", NEWS_THROTTLED, NEWS_BLOCKED },
		{ "auth-policy", NEWS_DEFERRED, NEWS_BLOCKED },
		{ "bad-mailbox", NEWS_UNKNOWN, NEWS_UNKNOWN },
		{ "mailbox-inactive", NEWS_DEFERRED, NEWS_UNKNOWN },
		{ "greylist", NEWS_DEFERRED, NEWS_REFUSED },
		{ "content", NEWS_DEFERRED, NEWS_REFUSED },
		{ "no such class", NEWS_DEFERRED, NEWS_REFUSED },
		{ NULL, NEWS_DEFERRED, NEWS_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (lane_news_of(rows[i].class, false) != rows[i].soft || lane_news_of(rows[i].class, true) != rows[i].hard)
			fail_msg("%s: %d and %d", rows[i].class ? rows[i].class : "no class", lane_news_of(rows[i].class, false),
			    lane_news_of(rows[i].class, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_class_and_its_code_say_what_a_refusal_is_for_a_cold_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
