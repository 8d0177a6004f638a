/* tests/unit/wire/test_utf8.c - unit tests for relay/wire/utf8.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/wire/utf8.h"

static void characters_are_told_from_noise(void **state)
{
	static const struct {
		const char *label, *text;
		size_t want;
	} rows[] = {
		{ "ASCII", "a", 1 }, { "two bytes", "\xC2\x80", 2 }, { "three", "\xE2\x82\xAC", 3 }, { "four", "\xF0\x9F\x98\x80", 4 },
		{ "last of all", "\xF4\x8F\xBF\xBF", 4 }, { "beyond it", "\xF4\x90\x80\x80", 0 }, { "F5", "\xF5\x80\x80\x80", 0 },
		{ "overlong two", "\xC1\xBF", 0 }, { "overlong three", "\xE0\x9F\xBF", 0 }, { "overlong four", "\xF0\x8F\xBF\xBF", 0 },
		{ "surrogate", "\xED\xA0\x80", 0 }, { "before surrogates", "\xED\x9F\xBF", 3 }, { "continuation first", "\x80", 0 },
		{ "cut short", "\xE2\x82", 0 }, { "bad third", "\xE2\x82" "a", 0 }, { "nothing", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (utf8_char(rows[i].text, strlen(rows[i].text)) != rows[i].want)
			fail_msg("%s: got %zu", rows[i].label, utf8_char(rows[i].text, strlen(rows[i].text)));
}

static void whole_texts(void **state)
{
	(void)state;
	assert_true(utf8_is_valid("", 0));
	assert_true(utf8_is_valid("a\xC3\xBC", 3));
	assert_false(utf8_is_valid("a\xC3\xBC", 2));
	assert_true(utf8_is_ascii("a\x7f", 2));
	assert_false(utf8_is_ascii("a\x80", 2));
}

static void a_cut_falls_between_characters(void **state)
{
	static const char text[] = "a\xF0\x9F\x98\x80z";
	static const size_t want[] = { 0, 1, 1, 1, 1, 5, 6, 6 };

	(void)state;
	for (size_t max = 0; max < ARRAY_LEN(want); max++)
		assert_int_equal(utf8_cut(text, 6, max), want[max]);
	assert_int_equal(utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_are_told_from_noise),
		cmocka_unit_test(whole_texts),
		cmocka_unit_test(a_cut_falls_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
