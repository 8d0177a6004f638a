/* tests/unit/wire/test_unitext.c - unit tests for relay/wire/unitext.h (RFC 6533 section 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/wire/unitext.h"

static void texts_are_valid_or_not(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "jo@example.net", true }, { "j\xc3\xbcrgen@example.net", true }, { "j\\x{FC}rgen@example.net", true }, { "\\x{2B}\\x{3D}\\x{5C}\\x{20}", true },
		{ "\\x{1F600}\\x{10FFFF}", true }, { "a+2Bb", true },
		{ "", false }, { "a b", false }, { "a=b", false }, { "a+b", false }, { "a\\b", false }, { "\\x{fc}", false }, { "\\x{F}", false }, { "\\x{}", false },
		{ "\\x{FC", false }, { "\\x{110000}", false }, { "\\x{D800}", false }, { "\\x{0A}", false }, { "\\x{7F}", false }, { "\\x{0000041}", false },
		{ "\xc3", false }, { "\xff", false }, { "a\x01", false }, { "+0A", false }, { "\\x", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (unitext_is_valid(rows[i].text, strlen(rows[i].text)) != rows[i].want)
			fail_msg("%s", rows[i].text);
}

static void what_is_encoded_comes_back(void **state)
{
	static const struct {
		const char *text, *ascii, *utf8;
	} rows[] = {
		{ "jo@example.net", "jo@example.net", "jo@example.net" },
		{ "j\xc3\xbcrgen@b\xc3\xbcro.example", "j\\x{FC}rgen@b\\x{FC}ro.example", "j\xc3\xbcrgen@b\xc3\xbcro.example" },
		{ "a+b=c\\d e", "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}e", "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}e" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", "\\x{20AC}\\x{1F600}\\x{10FFFF}", "\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned ascii = 0; ascii < 2; ascii++) {
			const char *want = ascii ? rows[i].ascii : rows[i].utf8;
			char out[100], back[100];

			assert_int_equal(unitext_encode(rows[i].text, strlen(rows[i].text), ascii, out, sizeof(out)), strlen(want));
			assert_string_equal(out, want);
			assert_true(unitext_is_valid(out, strlen(out)));
			assert_int_equal(unitext_decode(out, strlen(out), back, sizeof(back)), strlen(rows[i].text));
			assert_string_equal(back, rows[i].text);
		}
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
	char out[9];

	assert_int_equal(unitext_encode("ab\xc3\xbc\xc3\xbcz", 7, true, out, sizeof(out)), 15);
	assert_string_equal(out, "ab\\x{FC}");
	assert_int_equal(unitext_decode("ab\\x{20AC}", 10, out, 5), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(unitext_encode("a\xff\xc3", 3, false, out, sizeof(out)), 3);
	assert_string_equal(out, "a??");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_valid_or_not),
		cmocka_unit_test(what_is_encoded_comes_back),
		cmocka_unit_test(what_does_not_fit_is_left_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
