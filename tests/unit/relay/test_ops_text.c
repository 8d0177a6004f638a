/* tests/unit/relay/test_ops_text.c - what relayq prints for people: texts, columns, header words; and base64 in answers. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/intake/base64.h"
#include "relay/ops/encode.h"
#include "relay/relayq/columns.h"
#include "relay/relayq/encoded.h"
#include "relay/relayq/text.h"

#define NOW INT64_C(1700000000000)

static void expect(const char *label, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", label, got, want);
}

static void times_are_told_relative_to_now(void **state)
{
	static const struct {
		int64_t offset;
		const char *want;
	} rows[] = {
		{ 0, "now" }, { 999, "now" }, { -999, "now" }, { SECONDS(5), "in 5s" }, { SECONDS(119), "in 119s" }, { MINUTES(2), "in 2m" },
		{ -MINUTES(119), "119m ago" }, { HOURS(2), "in 2h" }, { -HOURS(47), "47h ago" }, { DAYS(2), "in 2d" }, { -DAYS(40), "40d ago" },
	};
	char out[TEXT_SHORT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(rows[i].want, text_relative(NOW + rows[i].offset, NOW, out), rows[i].want);
	expect("no time", text_relative(0, NOW, out), "");
}

static void sizes_and_numbers_are_short(void **state)
{
	static const struct {
		uint64_t number;
		const char *size, *grouped;
	} rows[] = {
		{ 0, "0", "0" }, { 999, "999", "999" }, { 1000, "1000", "1,000" }, { 1023, "1023", "1,023" }, { 1024, "1.0K", "1,024" },
		{ 10188, "9.9K", "10,188" }, { 10239, "10K", "10,239" }, { 1048575, "1.0M", "1,048,575" }, { 1048576, "1.0M", "1,048,576" },
		{ UINT64_MAX, "16E", "18,446,744,073,709,551,615" },
	};
	char out[TEXT_SHORT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		expect("size", text_size(rows[i].number, out), rows[i].size);
		expect("grouped", text_grouped(rows[i].number, out), rows[i].grouped);
	}
}

static void a_time_is_read_back_as_it_was_written(void **state)
{
	char text[CLOCK_TEXT];

	assert_int_equal(text_parse_time(clock_rfc3339(NOW + 123, text)), NOW + 123);
	assert_int_equal(text_parse_time("2023-11-14T22:13:20Z"), NOW);
	assert_int_equal(text_parse_time("2023-11-14T22:13:20.5Z"), NOW + 500);
	assert_int_equal(text_parse_time("2023-11-14T22:13:20.99999999999999999999Z"), NOW + 999);
	assert_int_equal(text_parse_time("2023-11-14T22:13:20+02:00"), 0);
	assert_int_equal(text_parse_time("2023-11-14T22:13:20"), 0);
	assert_int_equal(text_parse_time("yesterday"), 0);
	assert_int_equal(text_parse_time(NULL), 0);
}

static void control_characters_never_reach_the_terminal(void **state)
{
	static const struct {
		const char *label, *text, *want;
	} rows[] = {
		{ "plain", "450 4.2.1 busy", "450 4.2.1 busy" }, { "escape", "\033[31mred", "?[31mred" }, { "line feed", "a\nb", "a b" },
		{ "C1 control", "a\xc2\x9b" "31m", "a?31m" }, { "not UTF-8", "a\xff" "b", "a?b" }, { "umlaut", "Gr\xc3\xbc\xc3\x9f" "e", "Gr\xc3\xbc\xc3\x9f" "e" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *clean = text_clean(rows[i].text);

		/* What takes several bytes may leave several marks. */
		if (strcmp(rows[i].label, "C1 control") == 0)
			assert_null(strstr(clean, "\xc2\x9b"));
		else
			expect(rows[i].label, clean, rows[i].want);
		free(clean);
	}
}

static void encoded_words_are_read(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "plain", "plain" },
		{ "=?utf-8?q?Gr=C3=BC=C3=9Fe?= to you", "Gr\xc3\xbc\xc3\x9f" "e to you" },
		{ "=?UTF-8?B?R3LDvMOfZQ==?=", "Gr\xc3\xbc\xc3\x9f" "e" },
		{ "=?iso-8859-1?Q?a_b=FC?= =?iso-8859-1?Q?c?=", "a b\xc3\xbc" "c" },
		{ "=?iso-8859-1*de?Q?=FC?=", "\xc3\xbc" },
		{ "=?utf-8?q?broken=4", "=?utf-8?q?broken=4" },
		{ "=?utf-8?q?=ZZ?=", "=?utf-8?q?=ZZ?=" },
		{ "=?utf-8?q?=?=", "=?utf-8?q?=?=" },
		{ "=?no-such-set?q?a?=", "=?no-such-set?q?a?=" },
		{ "=?utf-8?q?=FF?=", "=?utf-8?q?=FF?=" },
		{ "=?", "=?" }, { "=?a", "=?a" }, { "=?a?", "=?a?" }, { "=?a?q?", "=?a?q?" }, { "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *got = encoded_read(rows[i].text);

		expect(rows[i].text, got, rows[i].want);
		free(got);
	}
}

static void base64_is_what_the_decoder_reads(void **state)
{
	for (size_t len = 0; len < 70; len++) {
		char data[70], text[BASE64_SIZE(70)], back[80];
		size_t back_len;

		for (size_t i = 0; i < len; i++)
			data[i] = (char)(i * 37 + len);
		base64_encode(data, len, text);
		assert_int_equal(strlen(text) + 1, BASE64_SIZE(len));
		assert_int_equal(base64_decode(text, strlen(text), back, &back_len), OK);
		assert_int_equal(back_len, len);
		assert_memory_equal(back, data, len);
	}
}

/* --- columns ---------------------------------------------------------------------------------------------------------------- */

static const struct column COLUMNS[] = { { "NAME", false, 6 }, { "N", true, 0 } };

static char *print_two(size_t width, const char *note)
{
	const char *first[] = { "ab", "12" }, *second[] = { "a-long-name-here", NULL };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct columns *columns = columns_create(out, COLUMNS, 2, width);

	columns_add(columns, first, note);
	columns_add(columns, second, NULL);
	columns_finish(&columns);
	assert_null(columns);
	fclose(out);
	return text;
}

static void columns_are_aligned_and_cut_only_on_a_terminal(void **state)
{
	static const struct {
		const char *label;
		size_t width;
		const char *note, *want;
	} rows[] = {
		{ "no terminal", 0, NULL, "NAME               N\nab                12\na-long-name-here    \n" },
		{ "wide", 80, NULL, "NAME               N\nab                12\na-long-name-here    \n" },
		{ "narrow", 14, NULL, "NAME         N\nab          12\na-long-na…    \n" },
		{ "narrower than can be", 4, NULL, "NAME     N\nab      12\na-lon…    \n" },
		{ "note beside", 0, "why not", "NAME               N  DETAIL\nab                12  why not\na-long-name-here    \n" },
		{ "note below", 80, "why not", "NAME               N\nab                12\n    why not\na-long-name-here    \n" },
		{ "note in two lines, then cut", 14, "one two three four five", "NAME         N\nab          12\n    one two\n    three fou…\n"
		  "a-long-na…    \n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *got = print_two(rows[i].width, rows[i].note);

		expect(rows[i].label, got, rows[i].want);
		free(got);
	}
}

static void without_rows_there_are_no_titles(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct columns *columns = columns_create(out, COLUMNS, 2, 80);

	columns_finish(&columns);
	columns_finish(&columns);
	fclose(out);
	assert_string_equal(text, "");
	free(text);
}

static void rows_beyond_the_sample_stream_with_its_widths(void **state)
{
	const char *cells[] = { "a", "1" }, *wide[] = { "wider-than-the-sample", "1" };
	char *text = NULL;
	size_t size, before;
	FILE *out = open_memstream(&text, &size);
	struct columns *columns = columns_create(out, COLUMNS, 2, 0);

	for (int i = 0; i + 1 < COLUMNS_SAMPLE; i++)
		columns_add(columns, cells, NULL);
	fflush(out);
	assert_int_equal(size, 0);
	columns_add(columns, cells, NULL);
	fflush(out);
	before = size;
	assert_true(before > 0);
	columns_add(columns, wide, NULL);
	columns_finish(&columns);
	fclose(out);
	assert_string_equal(text + before, "wider-than-the-sample  1\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_told_relative_to_now), cmocka_unit_test(sizes_and_numbers_are_short),
		cmocka_unit_test(a_time_is_read_back_as_it_was_written), cmocka_unit_test(control_characters_never_reach_the_terminal),
		cmocka_unit_test(encoded_words_are_read), cmocka_unit_test(base64_is_what_the_decoder_reads),
		cmocka_unit_test(columns_are_aligned_and_cut_only_on_a_terminal), cmocka_unit_test(without_rows_there_are_no_titles),
		cmocka_unit_test(rows_beyond_the_sample_stream_with_its_widths),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
