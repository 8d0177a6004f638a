/* tests/unit/relay/test_service.c - the stored record of a source out of service or on its way there: both versions, and what is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/deliver/dispatch.h"

#define SINCE 0x0000019acafe0000 /* ms since 1970 */
#define UNTIL 0x0000019b12340000
#define TIMES 0, 0, 0x01, 0x9a, 0xca, 0xfe, 0, 0, 0, 0, 0x01, 0x9b, 0x12, 0x34, 0, 0

/* The bytes as docs/ON_DISK.md has them. */
static void the_first_version_says_whether_it_is_out_of_service(void **state)
{
	static const struct {
		const char *label;
		uint8_t bytes[3];
		size_t len;
		bool drained;
	} rows[] = {
		{ "out of service", { 1, 1 }, 2, true },
		{ "in service", { 1, 0 }, 2, false },
		{ "neither", { 1, 2 }, 2, false },
		{ "cut", { 1 }, 1, false },
		{ "too long", { 1, 1, 0 }, 3, false },
		{ "nothing", { 0 }, 0, false },
		{ "another version", { 3, 1 }, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sched_retire retire;

		if (service_memo_read(rows[i].bytes, rows[i].len) != rows[i].drained)
			fail_msg("%s", rows[i].label);
		if (service_memo_retires(rows[i].bytes, rows[i].len, &retire))
			fail_msg("%s: retires", rows[i].label);
	}
}

static void the_second_version_says_since_when_until_when_and_into_what(void **state)
{
	static const uint8_t bytes[] = { 2, TIMES, 'n', 'e', 'w' };
	struct sched_retire retire;

	(void)state;
	assert_true(service_memo_retires(bytes, sizeof(bytes), &retire));
	assert_true(retire.since == SINCE && retire.until == UNTIL);
	assert_string_equal(retire.into, "new");
	assert_false(service_memo_read(bytes, sizeof(bytes)));
	/* Without a successor. */
	assert_true(service_memo_retires(bytes, 17, &retire));
	assert_true(retire.since == SINCE && retire.until == UNTIL);
	assert_string_equal(retire.into, "");
}

static void a_retirement_that_makes_no_sense_is_none(void **state)
{
	static const uint8_t good[] = { 2, TIMES, 'n' };
	uint8_t bytes[400] = { 0 };
	struct sched_retire retire;

	(void)state;
	for (size_t len = 0; len < 17; len++)
		assert_false(service_memo_retires(good, len, &retire));
	/* It ends when it begins, before that, or never; and a name that no source has. */
	memcpy(bytes, good, sizeof(good));
	memcpy(bytes + 9, bytes + 1, 8);
	assert_false(service_memo_retires(bytes, sizeof(good), &retire));
	bytes[13]--;
	assert_false(service_memo_retires(bytes, sizeof(good), &retire));
	memcpy(bytes, good, sizeof(good));
	memset(bytes + 9, 0xff, 8);
	assert_false(service_memo_retires(bytes, sizeof(good), &retire));
	memcpy(bytes, good, sizeof(good));
	memset(bytes + 17, 'x', sizeof(bytes) - 17);
	assert_false(service_memo_retires(bytes, sizeof(bytes), &retire));
	assert_true(service_memo_retires(bytes, 17 + 255, &retire));
	assert_int_equal(strlen(retire.into), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_version_says_whether_it_is_out_of_service),
		cmocka_unit_test(the_second_version_says_since_when_until_when_and_into_what),
		cmocka_unit_test(a_retirement_that_makes_no_sense_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
