/* tests/unit/relay/test_transcript.c - what was said in an attempt, within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/deliver/transcript.h"

static void lines_have_their_time_and_direction(void **state)
{
	struct transcript t;
	char *text;

	transcript_init(&t, 4000);
	transcript_begin(&t, 5000);
	transcript_note(&t, 5000, "connecting to %s", "mx");
	transcript_line(&t, 5012, TRANSCRIPT_HEARD, "220 m\x01x\tready\x7f", 14);
	transcript_sent(&t, 6500, "MAIL FROM:<>\r\nDATA\r\n", 20);
	text = transcript_text(&t);
	assert_string_equal(text, "  0.000 * connecting to mx\n  0.012 < 220 m?x?ready?\n  1.500 > MAIL FROM:<>\n  1.500 > DATA\n");
	free(text);
	transcript_begin(&t, 9000);
	text = transcript_text(&t);
	assert_string_equal(text, "");
	free(text);
	transcript_fini(&t);
}

static void beginning_and_end_are_kept_when_it_is_long(void **state)
{
	struct transcript t;
	char *text;

	transcript_init(&t, 2000);
	transcript_begin(&t, 0);
	for (int i = 0; i < 1000; i++)
		transcript_note(&t, i, "line %d", i);
	text = transcript_text(&t);
	assert_true(strlen(text) <= 2000);
	assert_non_null(strstr(text, "* line 0\n"));
	assert_non_null(strstr(text, "* line 999\n"));
	assert_non_null(strstr(text, " lines ...\n"));
	assert_null(strstr(text, "* line 500\n"));
	free(text);
	transcript_fini(&t);
}

static void long_lines_are_cut(void **state)
{
	struct transcript t;
	char line[5000], *text;

	memset(line, 'x', sizeof(line));
	transcript_init(&t, 2000);
	transcript_begin(&t, 0);
	transcript_line(&t, 0, TRANSCRIPT_HEARD, line, sizeof(line));
	text = transcript_text(&t);
	assert_in_range(strlen(text), 512, 620);
	assert_string_equal(text + strlen(text) - 6, "x ...\n");
	free(text);
	/* Not within a character. */
	transcript_begin(&t, 0);
	for (size_t i = 0; i + 1 < sizeof(line); i += 2)
		memcpy(line + i, "\xc3\xa4", 2);
	transcript_line(&t, 0, TRANSCRIPT_HEARD, line + 1, 700);
	transcript_line(&t, 0, TRANSCRIPT_HEARD, line, 700);
	text = transcript_text(&t);
	assert_non_null(strstr(text, "\xc3\xa4 ...\n"));
	assert_null(strstr(text, "\xc3 ...\n"));
	free(text);
	transcript_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_their_time_and_direction),
		cmocka_unit_test(beginning_and_end_are_kept_when_it_is_long),
		cmocka_unit_test(long_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
