/* tests/unit/net/test_conn_input.c - lines and unread bytes of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/conn_input.h"

static char scratch[LOOP_SCRATCH];

static void arrive(struct conn_input *input, const char *data, size_t len)
{
	size_t room;
	char *to = conn_input_begin(input, scratch, &room);

	assert_true(len <= room);
	memcpy(to, data, len);
	conn_input_added(input, len);
}

/* Lines joined by "|"; "!" marks a bare CR, LF or NUL, "#" a line that was too long. */
static void collect(struct conn_input *input, size_t max, bool strict, char *out, const char *limit)
{
	struct conn_line line;

	while (conn_input_line(input, max, strict, &line)) {
		out += snprintf(out, (size_t)(limit - out), "%s%s", line.bare ? "!" : "", line.too_long ? "#" : "");
		for (size_t i = 0; i < line.len; i++)
			*out++ = line.text[i] >= ' ' ? line.text[i] : '~';
		*out++ = '|';
	}
	*out = '\0';
}

static const struct {
	const char *label, *in;
	size_t len, max;
	bool strict;
	const char *want;
} rows[] = {
#define IN(text) text, sizeof(text) - 1
	{ "two lines", IN("one\r\ntwo\r\n"), 100, true, "one|two|" },
	{ "no end yet", IN("one\r\ntw"), 100, true, "one|" },
	{ "empty line", IN("\r\n"), 100, true, "|" },
	{ "strict: a lone LF ends nothing", IN("a\nb\r\n"), 100, true, "!a~b|" },
	{ "strict: only a lone LF", IN("a\n"), 100, true, "" },
	{ "strict: LF first", IN("\nb\r\n"), 100, true, "!~b|" },
	{ "strict: bare CR inside", IN("a\rb\r\n"), 100, true, "!a~b|" },
	{ "strict: two CR before LF", IN("a\r\r\n"), 100, true, "!a~|" },
	{ "NUL inside", IN("a\0b\r\n"), 100, true, "!a~b|" },
	{ "lenient: a lone LF ends it", IN("a\nb\r\n"), 100, false, "a|b|" },
	{ "lenient: bare CR inside", IN("a\rb\n"), 100, false, "!a~b|" },
	{ "as long as allowed", IN("12345678\r\nok\r\n"), 10, true, "12345678|ok|" },
	{ "one byte too long", IN("123456789\r\nok\r\n"), 10, true, "#|ok|" },
	{ "much too long", IN("1234567890123456789012345\r\nok\r\n"), 10, true, "#|ok|" },
	{ "too long with a lone LF inside", IN("1234567890123\n456\r\nok\r\n"), 10, true, "#|ok|" },
#undef IN
};

static void lines_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= rows[i].len; step++) {
			struct conn_input input = { .data = NULL };
			char got[200], *end = got;

			for (size_t at = 0; at < rows[i].len; at += step) {
				arrive(&input, rows[i].in + at, rows[i].len - at < step ? rows[i].len - at : step);
				collect(&input, rows[i].max, rows[i].strict, end, got + sizeof(got));
				end += strlen(end);
				conn_input_settle(&input);
				memset(scratch, '?', 100); /* others read into it */
			}
			if (strcmp(got, rows[i].want) != 0)
				fail_msg("%s, %zu bytes at once: got %s, want %s", rows[i].label, step, got, rows[i].want);
			conn_input_fini(&input);
		}
	}
}

static void no_memory_is_kept_when_all_is_read(void **state)
{
	struct conn_input input = { .data = NULL };

	arrive(&input, "abc", 3);
	conn_input_settle(&input);
	assert_non_null(input.own);
	conn_input_consume(&input, 2);
	conn_input_settle(&input);
	assert_int_equal(input.len, 1);
	assert_int_equal(input.data[0], 'c');
	conn_input_consume(&input, 1);
	conn_input_settle(&input);
	assert_null(input.own);
}

static void input_never_exceeds_the_scratch_memory(void **state)
{
	static char much[CONN_INPUT_MAX];
	struct conn_input input = { .data = NULL };
	size_t room;

	arrive(&input, much, sizeof(much));
	conn_input_settle(&input);
	conn_input_begin(&input, scratch, &room);
	assert_int_equal(room, 0);
	conn_input_fini(&input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_however_they_are_cut),
		cmocka_unit_test(no_memory_is_kept_when_all_is_read),
		cmocka_unit_test(input_never_exceeds_the_scratch_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
