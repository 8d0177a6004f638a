/* tests/unit/wire/test_reply.c - unit tests for relay/wire/reply.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/reply.h"

#define MAX_LINES 10

/* Feed the lines of `text`, which are joined by "\n". */
static enum reply_status feed_all(struct reply *reply, const char *text, struct err_detail *why)
{
	for (;;) {
		const char *lf = strchr(text, '\n');
		size_t len = lf != NULL ? (size_t)(lf - text) : strlen(text);
		enum reply_status status = reply_feed(reply, text, len, MAX_LINES, why);

		if (status != REPLY_MORE || lf == NULL)
			return status;
		text = lf + 1;
	}
}

static void whole_replies(void **state)
{
	static const struct {
		const char *label, *in;
		int code;
		const char *enhanced, *text, *line;
	} rows[] = {
		{ "one line", "250 ok", 250, "", "ok", "250 ok" },
		{ "code alone", "250", 250, "", "", "250" },
		{ "code and blank", "354 ", 354, "", "", "354" },
		{ "enhanced", "550 5.1.1 no such user", 550, "5.1.1", "no such user", "550 5.1.1 no such user" },
		{ "enhanced alone", "250 2.1.5", 250, "2.1.5", "", "250 2.1.5" },
		{ "two lines", "550-5.7.1 blocked\n550 5.7.1 see there", 550, "5.7.1", "blocked\nsee there",
		  "550 5.7.1 blocked / see there" },
		{ "enhanced in the second line", "550-blocked\n550 5.7.1 see there", 550, "5.7.1", "blocked\nsee there",
		  "550 5.7.1 blocked / see there" },
		{ "another enhanced code is text", "550-5.7.1 a\n550 5.7.26 b", 550, "5.7.1", "a\n5.7.26 b", "550 5.7.1 a / 5.7.26 b" },
		{ "wrong class is text", "550 4.2.2 full", 550, "", "4.2.2 full", "550 4.2.2 full" },
		{ "354 has none", "354 3.0.0 go", 354, "", "3.0.0 go", "354 3.0.0 go" },
		{ "four digits are text", "550 5.1234.1 x", 550, "", "5.1234.1 x", "550 5.1234.1 x" },
		{ "a version is text", "220 2.0.1beta ready", 220, "", "2.0.1beta ready", "220 2.0.1beta ready" },
		{ "longest enhanced", "550 5.999.999 x", 550, "5.999.999", "x", "550 5.999.999 x" },
		{ "controls", "250 a\tb\033[31m\177", 250, "", "a?b?[31m?", "250 a?b?[31m?" },
		{ "empty lines", "220-\n220-hello\n220", 220, "", "\nhello\n", "220 hello" },
		{ "UTF-8 stays", "550 b\xC3\xBCro", 550, "", "b\xC3\xBCro", "550 b\xC3\xBCro" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply reply;
		struct err_detail why = { 0 };
		char line[200];

		reply_init(&reply);
		if (feed_all(&reply, rows[i].in, &why) != REPLY_DONE)
			fail_msg("%s: not done: %s", rows[i].label, why.text);
		if (reply.code != rows[i].code || strcmp(reply.enhanced, rows[i].enhanced) != 0 ||
		    strcmp(buf_str(&reply.text), rows[i].text) != 0)
			fail_msg("%s: got %d \"%s\" \"%s\"", rows[i].label, reply.code, reply.enhanced, buf_str(&reply.text));
		if (strcmp(reply_line(&reply, line, sizeof(line)), rows[i].line) != 0)
			fail_msg("%s: line is \"%s\"", rows[i].label, line);
		reply_fini(&reply);
	}
}

static void what_is_no_reply_breaks_the_session(void **state)
{
	static const struct {
		const char *label, *in, *why;
	} rows[] = {
		{ "empty line", "", "not an SMTP reply: \"\"" },
		{ "words", "hello", "not an SMTP reply: \"hello\"" },
		{ "two digits", "25 ok", "not an SMTP reply: \"25 ok\"" },
		{ "four digits", "2500 ok", "not an SMTP reply: \"2500 ok\"" },
		{ "class 1", "150 wait", "not an SMTP reply: \"150 wait\"" },
		{ "class 6", "650 what", "not an SMTP reply: \"650 what\"" },
		{ "HTTP", "HTTP/1.1 400 Bad\x01", "not an SMTP reply: \"HTTP/1.1 400 Bad?\"" },
		{ "tab behind the code", "250\tok", "not an SMTP reply: \"250?ok\"" },
		{ "code changes", "250-a\n550 b", "reply code changes between lines: \"550 b\"" },
		{ "too many lines", "250-1\n250-2\n250-3\n250-4\n250-5\n250-6\n250-7\n250-8\n250-9\n250-10\n250 11",
		  "reply has too many lines: \"250 11\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply reply;
		struct err_detail why = { 0 };

		reply_init(&reply);
		if (feed_all(&reply, rows[i].in, &why) != REPLY_BROKEN || strcmp(why.text, rows[i].why) != 0)
			fail_msg("%s: reason is \"%s\"", rows[i].label, why.text);
		reply_fini(&reply);
	}
}

static void long_lines_and_long_replies_are_cut(void **state)
{
	struct reply reply;
	char *line = malloc(REPLY_LINE_MAX + 100);

	(void)state;
	assert_non_null(line);
	memset(line, 'x', REPLY_LINE_MAX + 100);
	memcpy(line, "250-", 4);
	reply_init(&reply);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(reply_feed(&reply, line, REPLY_LINE_MAX + 100, MAX_LINES, NULL), REPLY_MORE);
	assert_int_equal(reply_feed(&reply, "250 end", 7, MAX_LINES, NULL), REPLY_DONE);
	assert_int_equal(reply.text.len, REPLY_TEXT_MAX);
	assert_int_equal(strchr(buf_str(&reply.text), '\n') - buf_str(&reply.text), REPLY_LINE_MAX);
	reply_reset(&reply);
	assert_int_equal(reply.code, 0);
	assert_int_equal(reply_feed(&reply, "250 2.0.0 again", 15, MAX_LINES, NULL), REPLY_DONE);
	assert_string_equal(buf_str(&reply.text), "again");
	assert_int_equal(reply.lines, 1);
	reply_fini(&reply);
	free(line);
}

static void one_line_never_exceeds_its_size_nor_cuts_a_character(void **state)
{
	static const char want[] = "550 5.1.1 a\xC3\xBC / b\xE2\x82\xAC";
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_int_equal(feed_all(&reply, "550-5.1.1 a\xC3\xBC\n550 b\xE2\x82\xAC", NULL), REPLY_DONE);
	for (size_t size = 1; size <= sizeof(want); size++) {
		char *out = malloc(size);
		size_t len;

		assert_non_null(out);
		len = strlen(reply_line(&reply, out, size));
		assert_true(len < size);
		assert_memory_equal(out, want, len);
		assert_true((want[len] & 0xC0) != 0x80);
		free(out);
	}
	reply_fini(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_replies),
		cmocka_unit_test(what_is_no_reply_breaks_the_session),
		cmocka_unit_test(long_lines_and_long_replies_are_cut),
		cmocka_unit_test(one_line_never_exceeds_its_size_nor_cuts_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
