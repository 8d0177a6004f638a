/* tests/unit/wire/test_mime.c - unit tests for relay/wire/mime.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/wire/mime.h"

#define TEN(x) x x x x x x x x x x

static void the_encoding_fits_the_text(void **state)
{
	static const struct {
		const char *label, *text;
		enum mime_encoding want;
	} rows[] = {
		{ "nothing", "", MIME_7BIT },
		{ "short lines of ASCII", "hello\r\nworld\n\ttab", MIME_7BIT },
		{ "a line of 78", TEN("1234567") "12345678", MIME_7BIT },
		{ "a line of 79", TEN("1234567") "123456789", MIME_QUOTED },
		{ "a lone CR ends a line", TEN("12345678") "\r" TEN("123"), MIME_QUOTED },
		{ "a control", "a\x01z", MIME_BASE64 },
		{ "a control among others", TEN("abc") "\x01", MIME_QUOTED },
		{ "some umlauts", "Gr\xc3\xbc\xc3\x9f" "e aus dem Norden", MIME_QUOTED },
		{ "all foreign", "\xd0\x96\xd0\x96\xd0\x96", MIME_BASE64 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum mime_encoding got = mime_encoding_of(rows[i].text, strlen(rows[i].text));

		if (got != rows[i].want)
			fail_msg("%s: %s", rows[i].label, mime_encoding_name(got));
	}
}

static void texts_are_written_line_by_line(void **state)
{
	static const struct {
		const char *label;
		enum mime_encoding encoding;
		const char *text, *want;
	} rows[] = {
		{ "nothing", MIME_7BIT, "", "\r\n" },
		{ "all line ends are one", MIME_7BIT, "a\nb\rc\r\nd", "a\r\nb\r\nc\r\nd\r\n" },
		{ "an end at the end adds none", MIME_7BIT, "a\n", "a\r\n" },
		{ "CR CR is two", MIME_7BIT, "a\r\rb", "a\r\n\r\nb\r\n" },
		{ "equals signs and others", MIME_QUOTED, "a=\xc3\xbc\x7f\x01", "a=3D=C3=BC=7F=01\r\n" },
		{ "blanks at an end", MIME_QUOTED, "a \nb\t\n c", "a=20\r\nb=09\r\n c\r\n" },
		{ "a line of 75 is whole", MIME_QUOTED, TEN("1234567") "12345", TEN("1234567") "12345\r\n" },
		{ "a longer one is cut", MIME_QUOTED, TEN("1234567") "123456", TEN("1234567") "12345=\r\n6\r\n" },
		{ "never within a triple", MIME_QUOTED, TEN("1234567") "1234=", TEN("1234567") "1234=\r\n=3D\r\n" },
		{ "line ends in base64", MIME_BASE64, "a\nb", "YQ0KYg0K\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out;

		buf_init(&out, 10000);
		assert_int_equal(mime_text(rows[i].text, strlen(rows[i].text), rows[i].encoding, &out), OK);
		if (strcmp(buf_str(&out), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, buf_str(&out));
		buf_fini(&out);
	}
}

static void base64_comes_back_as_it_was(void **state)
{
	unsigned char data[400];
	struct buf text, back;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7);
	for (size_t len = 0; len < sizeof(data); len++) {
		buf_init(&text, 1000);
		buf_init(&back, 1000);
		assert_int_equal(mime_base64(data, len, &text), OK);
		assert_int_equal(mime_base64_decode(buf_str(&text), text.len, &back), OK);
		assert_int_equal(back.len, len);
		assert_memory_equal(buf_str(&back), data, len);
		for (const char *line = buf_str(&text), *end; *line != '\0'; line = end + 2) {
			end = strstr(line, "\r\n");
			assert_non_null(end);
			assert_true(end - line <= 76);
		}
		buf_reset(&text);
		assert_int_equal(mime_base64_flat(data, len, &text), OK);
		assert_int_equal(text.len, (len + 2) / 3 * 4);
		buf_fini(&text);
		buf_fini(&back);
	}
}

static void base64_is_read_strictly(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{ "", "" }, { "YQ==", "a" }, { "YWI=", "ab" }, { "YWJj", "abc" }, { " Y W\r\nJ\tj ", "abc" }, { "YQ==\r\n", "a" },
		{ "YQ", NULL }, { "YQ=", NULL }, { "Y", NULL }, { "Y===", NULL }, { "YQ===", NULL }, { "====", NULL }, { "YQ==YQ==", NULL },
		{ "YWJj=", NULL }, { "YW-j", NULL }, { "YW_j", NULL }, { "YW\x80j", NULL }, { "YQ=a", NULL }, { "=YQ=", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out;
		enum err err;

		buf_init(&out, 1000);
		err = mime_base64_decode(rows[i].text, strlen(rows[i].text), &out);
		if (err != (rows[i].want != NULL ? OK : ERR_INVALID))
			fail_msg("\"%s\": %s", rows[i].text, err_name(err));
		if (err == OK && (out.len != strlen(rows[i].want) || memcmp(buf_str(&out), rows[i].want, out.len) != 0))
			fail_msg("\"%s\": other bytes", rows[i].text);
		buf_fini(&out);
	}
}

static void nul_is_no_base64(void **state)
{
	struct buf out;

	buf_init(&out, 100);
	assert_int_equal(mime_base64_decode("YW\0j", 4, &out), ERR_INVALID);
	buf_fini(&out);
	buf_init(&out, 5);
	assert_int_equal(mime_base64_decode("YWJjZGVm", 8, &out), ERR_LIMIT);
	buf_fini(&out);
}

static void unstructured_text_is_kept_or_encoded(void **state)
{
	static const struct {
		const char *label, *text, *want;
	} rows[] = {
		{ "nothing", "", "X:\r\n" },
		{ "ASCII", "hello world", "X: hello world\r\n" },
		{ "folded between words", TEN("1234567") " 1234567", "X: " TEN("1234567") "\r\n 1234567\r\n" },
		{ "foreign", "Gr\xc3\xbc\xc3\x9f" "e", "X: =?utf-8?B?R3LDvMOfZQ==?=\r\n" },
		{ "what looks encoded", "=?x", "X: =?utf-8?B?PT94?=\r\n" },
		{ "a blank at the front", " a", "X: =?utf-8?B?IGE=?=\r\n" },
		{ "a blank at the end", "a ", "X: =?utf-8?B?YSA=?=\r\n" },
		{ "two blanks", "a  b", "X: =?utf-8?B?YSAgYg==?=\r\n" },
		{ "a tab", "a\tb", "X: =?utf-8?B?YQli?=\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mime_field field;
		struct buf out;

		buf_init(&out, 10000);
		mime_field_begin(&field, &out, "X");
		mime_field_text(&field, rows[i].text);
		assert_int_equal(mime_field_end(&field), OK);
		if (strcmp(buf_str(&out), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, buf_str(&out));
		buf_fini(&out);
	}
}

static void no_encoded_word_cuts_a_character(void **state)
{
	struct mime_field field;
	struct buf out, text;

	buf_init(&text, 10000);
	buf_init(&out, 10000);
	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_add_str(&text, "\xe2\x98\x83"), OK);
	mime_field_begin(&field, &out, "Subject");
	mime_field_text(&field, buf_str(&text));
	assert_int_equal(mime_field_end(&field), OK);
	for (const char *at = buf_str(&out); (at = strstr(at, "=?utf-8?B?")) != NULL;) {
		const char *start = at + 10, *end = strstr(start, "?=");
		struct buf word;

		buf_init(&word, 1000);
		assert_int_equal(mime_base64_decode(start, (size_t)(end - start), &word), OK);
		assert_int_equal(word.len % 3, 0);
		assert_true(end + 2 - at <= 75); /* RFC 2047 section 2 */
		buf_fini(&word);
		at = end;
	}
	for (const char *line = buf_str(&out), *end; *line != '\0'; line = end + 2) {
		end = strstr(line, "\r\n");
		assert_true(end - line <= 76);
	}
	buf_fini(&out);
	buf_fini(&text);
}

static void phrases_and_parameters_are_quoted_as_needed(void **state)
{
	static const struct {
		const char *label, *text, *phrase, *parameter;
	} rows[] = {
		{ "atoms", "Ann Smith", "X: Ann Smith\r\n", "X:; n=\"Ann Smith\"\r\n" },
		{ "a token", "a.txt", "X: \"a.txt\"\r\n", "X:; n=a.txt\r\n" },
		{ "a comma and quotes", "a, \"b\\", "X: \"a, \\\"b\\\\\"\r\n", "X:; n=\"a, \\\"b\\\\\"\r\n" },
		{ "foreign", "J\xc3\xb6rg", "X: =?utf-8?B?SsO2cmc=?=\r\n", "X:; n*=utf-8''J%C3%B6rg\r\n" },
		{ "foreign with a percent", "\xc3\xb6%*'", "X: =?utf-8?B?w7YlKic=?=\r\n", "X:; n*=utf-8''%C3%B6%25%2A%27\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mime_field field;
		struct buf out;

		buf_init(&out, 10000);
		mime_field_begin(&field, &out, "X");
		mime_field_phrase(&field, rows[i].text);
		assert_int_equal(mime_field_end(&field), OK);
		if (strcmp(buf_str(&out), rows[i].phrase) != 0)
			fail_msg("%s: %s", rows[i].label, buf_str(&out));
		buf_reset(&out);
		mime_field_begin(&field, &out, "X");
		mime_field_parameter(&field, "n", rows[i].text);
		assert_int_equal(mime_field_end(&field), OK);
		if (strcmp(buf_str(&out), rows[i].parameter) != 0)
			fail_msg("%s: %s", rows[i].label, buf_str(&out));
		buf_fini(&out);
	}
}

static void a_long_parameter_comes_in_pieces(void **state)
{
	struct mime_field field;
	struct buf out;

	buf_init(&out, 10000);
	mime_field_begin(&field, &out, "X");
	mime_field_parameter(&field, "name", TEN("0123456789"));
	assert_int_equal(mime_field_end(&field), OK);
	assert_string_equal(buf_str(&out), "X:; name*0*=utf-8''0123456789012345678901234567890123456789012345678901;\r\n"
					   " name*1*=234567890123456789012345678901234567890123456789\r\n");
	buf_fini(&out);
}

static void a_full_buffer_is_told(void **state)
{
	struct mime_field field;
	struct buf out;

	buf_init(&out, 20);
	mime_field_begin(&field, &out, "Subject");
	mime_field_text(&field, "more than there is room for");
	assert_int_equal(mime_field_end(&field), ERR_LIMIT);
	buf_reset(&out);
	assert_int_equal(mime_text(TEN("abc"), 30, MIME_7BIT, &out), ERR_LIMIT);
	buf_reset(&out);
	assert_int_equal(mime_text(TEN("abc"), 30, MIME_QUOTED, &out), ERR_LIMIT);
	buf_reset(&out);
	assert_int_equal(mime_text(TEN("abc"), 30, MIME_BASE64, &out), ERR_LIMIT);
	buf_fini(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_encoding_fits_the_text),
		cmocka_unit_test(texts_are_written_line_by_line),
		cmocka_unit_test(base64_comes_back_as_it_was),
		cmocka_unit_test(base64_is_read_strictly),
		cmocka_unit_test(nul_is_no_base64),
		cmocka_unit_test(unstructured_text_is_kept_or_encoded),
		cmocka_unit_test(no_encoded_word_cuts_a_character),
		cmocka_unit_test(phrases_and_parameters_are_quoted_as_needed),
		cmocka_unit_test(a_long_parameter_comes_in_pieces),
		cmocka_unit_test(a_full_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
