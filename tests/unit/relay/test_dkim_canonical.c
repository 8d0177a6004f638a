/* tests/unit/relay/test_dkim_canonical.c - the relaxed canonical forms, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/rand.h"
#include "relay/sign/canonical.h"

#define TEXT_MAX 300000

static void gather(void *arg, const void *data, size_t len)
{
	assert_int_equal(buf_add(arg, data, len), OK);
}

static void body_in_pieces(const char *data, size_t len, struct rand *r, struct buf *out)
{
	struct canonical_body body;

	canonical_body_init(&body, gather, out);
	for (size_t at = 0, part; at < len; at += part) {
		part = r ? 1 + rand_below(r, 9) : len;
		part = part < len - at ? part : len - at;
		canonical_body_feed(&body, data + at, part);
	}
	canonical_body_end(&body);
}

static void bodies_come_out_relaxed(void **state)
{
	static const struct {
		const char *label, *in, *want;
	} rows[] = {
		{ "example of RFC 6376 section 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" },
		{ "nothing", "", "" },
		{ "an empty line", "\r\n", "" },
		{ "empty lines and blanks", "\r\n \t\r\n\r\n  ", "" },
		{ "no line end", "a", "a\r\n" },
		{ "blanks without line end", "a \t", "a\r\n" },
		{ "empty lines in front stay", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
		{ "a line of blanks in the middle becomes empty", "a\r\n \t \r\nb\r\n", "a\r\n\r\nb\r\n" },
		{ "blanks at the start become one", "\t\t a\r\n", " a\r\n" },
		{ "lone spaces stay", "a b c\r\nd e\r\n", "a b c\r\nd e\r\n" },
		{ "a lone tab becomes a space", "a\tb\r\n", "a b\r\n" },
		{ "bytes above 127 and NUL-free controls stay", "\xc3\xa4\x01 \xff\r\n", "\xc3\xa4\x01 \xff\r\n" },
		{ "a lone CR is a byte", "a\rb \rc\r", "a\rb \rc\r\r\n" },
		{ "a lone LF is a byte", "a\nb \n\r\n", "a\nb \n\r\n" },
		{ "CR CR LF", "a\r\r\n", "a\r\r\n" },
	};
	struct rand r;
	struct buf out;

	rand_seed(&r, 7);
	buf_init(&out, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int times = 0; times < 20; times++) {
			buf_reset(&out);
			body_in_pieces(rows[i].in, strlen(rows[i].in), times ? &r : NULL, &out);
			if (strcmp(buf_str(&out), rows[i].want) != 0)
				fail_msg("%s: got \"%s\", want \"%s\"", rows[i].label, buf_str(&out), rows[i].want);
		}
	}
	buf_fini(&out);
}

/* RFC 6376 section 3.4.4 word by word, on a whole body. */
static void reference(const char *in, size_t len, struct buf *out)
{
	size_t line = 0, kept = 0;

	while (line < len) {
		const char *end = memmem(in + line, len - line, "\r\n", 2);
		size_t stop = end ? (size_t)(end - in) : len, last = stop;

		while (last > line && (in[last - 1] == ' ' || in[last - 1] == '\t'))
			last--;
		for (size_t i = line; i < last; i++) {
			bool blank = in[i] == ' ' || in[i] == '\t';

			if (!blank || i == line || (in[i - 1] != ' ' && in[i - 1] != '\t'))
				gather(out, blank ? " " : in + i, 1);
		}
		gather(out, "\r\n", 2);
		if (last > line)
			kept = out->len;
		line = stop + 2;
	}
	out->len = kept;
}

static void random_bodies_cut_anywhere_agree_with_the_definition(void **state)
{
	static const char *const tokens[] = { "a", "bc", " ", "\t", "\r\n", "\r\n", "  ", " \r\n", "\n", "\r", "xyzxyzxyzxyz", "\xe4" };
	struct rand r;
	struct buf in, want, got;

	rand_seed(&r, 42);
	buf_init(&in, TEXT_MAX);
	buf_init(&want, TEXT_MAX);
	buf_init(&got, TEXT_MAX);
	for (int round = 0; round < 5000; round++) {
		buf_reset(&in);
		buf_reset(&want);
		buf_reset(&got);
		for (uint32_t n = rand_below(&r, round % 50 == 0 ? 2000 : 40); n > 0; n--)
			assert_int_equal(buf_add_str(&in, tokens[rand_below(&r, ARRAY_LEN(tokens))]), OK);
		reference(buf_str(&in), in.len, &want);
		body_in_pieces(buf_str(&in), in.len, &r, &got);
		if (got.len != want.len || memcmp(buf_str(&got), buf_str(&want), got.len) != 0)
			fail_msg("round %d: \"%s\"", round, buf_str(&in));
	}
	buf_fini(&in);
	buf_fini(&want);
	buf_fini(&got);
}

static void fields_come_out_relaxed(void **state)
{
	static const struct {
		const char *label, *in, *want;
		bool crlf;
	} rows[] = {
		{ "first of RFC 6376 section 3.4.5", "A: X\r\n", "a:X\r\n", true },
		{ "second of it", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n", true },
		{ "empty", "Subject:\r\n", "subject:\r\n", true },
		{ "blanks alone", "Subject: \t\r\n  \r\n", "subject:\r\n", true },
		{ "without the last line end", "DKIM-Signature: v=1;\r\n\tb=", "dkim-signature:v=1; b=", false },
		{ "colons in the value", "X:a : b:c\r\n", "x:a : b:c\r\n", true },
		{ "folded between words", "S: one\r\n two\r\n\t three\r\n", "s:one two three\r\n", true },
	};
	struct buf out;

	buf_init(&out, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&out);
		canonical_field(rows[i].in, strlen(rows[i].in), rows[i].crlf, gather, &out);
		if (strcmp(buf_str(&out), rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].label, buf_str(&out), rows[i].want);
	}
	buf_fini(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_come_out_relaxed),
		cmocka_unit_test(random_bodies_cut_anywhere_agree_with_the_definition),
		cmocka_unit_test(fields_come_out_relaxed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
