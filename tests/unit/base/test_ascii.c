/* tests/unit/base/test_ascii.c - comparison without case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/ascii.h"
#include "base/err.h"

static void only_the_letters_of_ascii_have_case(void **state)
{
	char text[] = "AZaz[@`{\xc4\x8c";

	ascii_lower_str(text);
	assert_string_equal(text, "azaz[@`{\xc4\x8c");
	for (int c = -128; c < 128; c++) {
		assert_int_equal(ascii_is_digit((char)c), c >= '0' && c <= '9');
		assert_int_equal(ascii_is_alpha((char)c), (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
	}
}

static void texts_are_compared_without_case(void **state)
{
	static const struct {
		const char *label, *a, *b;
		bool equal;
	} rows[] = {
		{ "both empty", "", "", true },
		{ "case", "MAIL From", "mail fROM", true },
		{ "longer on the left", "abc", "ab", false },
		{ "longer on the right", "ab", "abc", false },
		{ "an empty one on the right", "a", "", false },
		{ "neighbours of the letters", "@[", "`{", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (ascii_equal(rows[i].a, rows[i].b) != rows[i].equal)
			fail_msg("equal, %s", rows[i].label);
	}
}

static void a_counted_text_is_compared_in_full(void **state)
{
	assert_true(ascii_equal_n("RCPT TO", 4, "rcpt"));
	assert_true(ascii_equal_n("", 0, ""));
	assert_false(ascii_equal_n("RCPT", 3, "rcpt"));
	assert_false(ascii_equal_n("RCPT", 4, "rcp"));
	assert_false(ascii_equal_n("rcp\0", 4, "rcp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_letters_of_ascii_have_case),
		cmocka_unit_test(texts_are_compared_without_case),
		cmocka_unit_test(a_counted_text_is_compared_in_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
