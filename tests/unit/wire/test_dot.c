/* tests/unit/wire/test_dot.c - unit tests for relay/wire/dot.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "relay/wire/dot.h"

#define SEED     20261124
#define TEXT_MAX 4096

/* What came out of a reader that was fed in pieces. */
struct result {
	struct dot_reader reader;
	size_t used, len;
	char out[TEXT_MAX];
};

static void feed(struct result *result, const char *in, size_t len)
{
	size_t used, out_len;
	char *out = malloc(len + 1); /* exactly as large as promised, so that a sanitizer sees one byte more */

	assert_non_null(out);
	dot_read(&result->reader, in, len, out, &used, &out_len);
	assert_true(used <= len && out_len <= len);
	memcpy(result->out + result->len, out, out_len);
	result->used += used;
	result->len += out_len;
	free(out);
}

static void read_split(struct result *result, const char *in, size_t len, size_t split)
{
	memset(result, 0, sizeof(*result));
	dot_reader_init(&result->reader, 0, true);
	feed(result, in, split);
	if (!result->reader.done)
		feed(result, in + split, len - split);
}

struct stream_row {
	const char *label, *in;
	size_t in_len;
	bool done;
	size_t used;
	const char *out;
	enum dot_fault fault;
};

#define IN(text) text, sizeof(text) - 1

/* A row with a fault does not say what `out` is: nobody keeps it. */
static const struct stream_row streams[] = {
	{ "empty message",              IN(".\r\n"),                         true,   3, "",                      DOT_CLEAN },
	{ "one line",                   IN("a\r\n.\r\n"),                    true,   6, "a\r\n",                 DOT_CLEAN },
	{ "what follows is left alone", IN("a\r\n.\r\nQUIT\r\n"),            true,   6, "a\r\n",                 DOT_CLEAN },
	{ "stuffed dot",                IN("..a\r\n.\r\n"),                  true,   8, ".a\r\n",                DOT_CLEAN },
	{ "line of one dot",            IN("..\r\n.\r\n"),                   true,   7, ".\r\n",                 DOT_CLEAN },
	{ "two dots inside",            IN("a..b\r\n...\r\n.\r\n"),          true,  14, "a..b\r\n..\r\n",        DOT_CLEAN },
	{ "unstuffed dot with text",    IN(".a\r\n.\r\n"),                   true,   7, "a\r\n",                 DOT_CLEAN },
	{ "empty lines",                IN("\r\n\r\n.\r\n"),                 true,   7, "\r\n\r\n",              DOT_CLEAN },
	{ "no end yet",                 IN("a\r\n.\r"),                      false,  5, "a\r\n",                 DOT_CLEAN },
	{ "LF.LF",                      IN("a\n.\nMAIL"),                    false,  8, NULL, DOT_BARE_LF },
	{ "LF.CRLF",                    IN("a\n.\r\nMAIL"),                  false,  9, NULL, DOT_BARE_LF },
	{ "CRLF.LF",                    IN("a\r\n.\nMAIL"),                  false,  9, NULL, DOT_BARE_LF },
	{ "CR.CR",                      IN("a\r.\rMAIL"),                    false,  8, NULL, DOT_BARE_CR },
	{ "CRLF.CR",                    IN("a\r\n.\rMAIL"),                  false,  9, NULL, DOT_BARE_CR },
	{ "CR.CRLF",                    IN("a\r.\r\nMAIL"),                  false,  9, NULL, DOT_BARE_CR },
	{ "CR.LF",                      IN("a\r.\nMAIL"),                    false,  8, NULL, DOT_BARE_CR },
	{ "CRLF.CRCRLF",                IN("a\r\n.\r\r\nMAIL"),              false, 11, NULL, DOT_BARE_CR },
	{ "CRLF.NUL CRLF",              IN("a\r\n.\0\r\nMAIL"),              false, 11, NULL, DOT_NUL },
	{ "CRLF NUL.CRLF",              IN("a\r\n\0.\r\nMAIL"),              false, 11, NULL, DOT_NUL },
	{ "LFCR.LFCR",                  IN("a\n\r.\n\rMAIL"),                false, 10, NULL, DOT_BARE_LF },
	{ "first fault stays",          IN("a\nb\rc"),                       false,  5, NULL, DOT_BARE_LF },
	{ "lone LF.CRLF at the start",  IN("\n.\r\nMAIL"),                   false,  8, NULL, DOT_BARE_LF },
	{ "fault, then the true end",   IN("a\n.\nb\r\n.\r\nQUIT"),          true,  10, NULL, DOT_BARE_LF },
	{ "CRCRLF.CRLF holds CRLF.CRLF", IN("a\r\r\n.\r\nQUIT"),             true,   7, NULL, DOT_BARE_CR },
	{ "NUL",                        IN("a\0b\r\n.\r\n"),                 true,   8, NULL, DOT_NUL },
	{ "faults beyond word size",    IN("0123456789abcdef0123\n.\r\n.\n"), false, 26, NULL, DOT_BARE_LF },
};

static void only_crlf_dot_crlf_ends_a_message_however_it_is_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		const struct stream_row *row = &streams[i];

		for (size_t split = 0; split <= row->in_len; split++) {
			struct result result;

			read_split(&result, row->in, row->in_len, split);
			if (result.reader.done != row->done || result.used != row->used || result.reader.fault != row->fault)
				fail_msg("%s, split at %zu: done %d, used %zu, fault %s", row->label, split, result.reader.done,
				    result.used, dot_fault_text(result.reader.fault));
			if (row->out != NULL &&
			    (result.len != strlen(row->out) || memcmp(result.out, row->out, result.len) != 0))
				fail_msg("%s, split at %zu: got \"%.*s\"", row->label, split, (int)result.len, result.out);
		}
	}
}

/* Every string of up to eight bytes over CR, LF, dot, x: it ends exactly where CRLF.CRLF is, the CRLF of the command being before it. */
static void the_end_is_where_a_search_for_crlf_dot_crlf_finds_it(void **state)
{
	static const char letters[] = "\r\n.x";

	(void)state;
	for (uint32_t number = 0; number < 1u << 16; number++) {
		char with_command[11] = "\r\n";
		struct result result;
		const char *end;

		for (unsigned i = 0; i < 8; i++)
			with_command[2 + i] = letters[(number >> (2 * i)) & 3];
		end = strstr(with_command, "\r\n.\r\n");
		read_split(&result, with_command + 2, 8, number % 9);
		if (result.reader.done != (end != NULL) || (end != NULL && result.used != (size_t)(end - with_command) + 3))
			fail_msg("number %u: done %d, used %zu", number, result.reader.done, result.used);
	}
}

static void a_long_line_is_counted_with_its_crlf_but_without_the_stuffed_dot(void **state)
{
	static const struct {
		const char *label, *in;
		uint32_t line_max;
		enum dot_fault fault;
	} rows[] = {
		{ "as long as allowed",    "12345678\r\n.\r\n",           10, DOT_CLEAN },
		{ "one more",              "123456789\r\n.\r\n",          10, DOT_LONG_LINE },
		{ "stuffed dot is free",   "..2345678\r\n.\r\n",          10, DOT_CLEAN },
		{ "second line",           "1\r\n123456789012\r\n.\r\n",  10, DOT_LONG_LINE },
		{ "no limit",              "123456789012345\r\n.\r\n",     0, DOT_CLEAN },
		{ "lines do not add up",   "12345\r\n12345\r\n12345\r\n", 10, DOT_CLEAN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct result result = { 0 };

		dot_reader_init(&result.reader, rows[i].line_max, true);
		for (const char *c = rows[i].in; *c != '\0'; c++)
			feed(&result, c, 1);
		if (result.reader.fault != rows[i].fault)
			fail_msg("%s: got %s", rows[i].label, dot_fault_text(result.reader.fault));
	}
}

static void nul_and_bytes_above_127_are_noticed(void **state)
{
	struct dot_reader reader;
	char out[32];
	size_t used, len;

	(void)state;
	dot_reader_init(&reader, 0, false);
	dot_read(&reader, "a\0b\r\n.\r\n", 8, out, &used, &len);
	assert_int_equal(reader.fault, DOT_CLEAN);
	assert_memory_equal(out, "a\0b\r\n", 5);
	assert_false(reader.eight_bit);
	for (size_t at = 0; at < 20; at++) {
		char in[] = "01234567890123456789\r\n";

		in[at] = (char)0x80;
		dot_reader_init(&reader, 0, true);
		dot_read(&reader, in, sizeof(in) - 1, out, &used, &len);
		if (!reader.eight_bit)
			fail_msg("byte 128 at %zu went unseen", at);
	}
}

static void bdat_content_is_held_to_the_same_line_discipline(void **state)
{
	static const struct {
		const char *label, *in;
		enum dot_fault fault;
	} rows[] = {
		{ "no line end at the end", "a\r\nb",        DOT_CLEAN },
		{ "dots are content",       ".\r\n.\r\nx",   DOT_CLEAN },
		{ "bare LF",                "a\n.\r\n",      DOT_BARE_LF },
		{ "bare CR",                "a\r.\r\n",      DOT_BARE_CR },
		{ "CR at the very end",     "a\r\nb\r",      DOT_BARE_CR },
		{ "only a CR",              "\r",            DOT_BARE_CR },
		{ "LF first",               "\n",            DOT_BARE_LF },
		{ "nothing",                "",              DOT_CLEAN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].in);

		for (size_t split = 0; split <= len; split++) {
			struct dot_reader reader;

			dot_reader_init(&reader, 0, true);
			dot_check(&reader, rows[i].in, split);
			dot_check(&reader, rows[i].in + split, len - split);
			dot_check_end(&reader);
			if (reader.fault != rows[i].fault)
				fail_msg("%s, split at %zu: got %s", rows[i].label, split, dot_fault_text(reader.fault));
		}
	}
}

/* Stuff `in` in pieces of at most `step` bytes, with its end. Returns the length. */
static size_t stuff(const char *in, size_t len, struct rand *rand, size_t step, char *out)
{
	struct dot_writer writer;
	size_t written = 0;

	dot_writer_init(&writer);
	for (size_t pos = 0; pos < len;) {
		size_t piece = 1 + rand_below(rand, (uint32_t)step);
		size_t n;

		if (piece > len - pos)
			piece = len - pos;
		n = dot_write(&writer, in + pos, piece);
		memcpy(out + written, in + pos, n);
		written += n;
		if (n < piece)
			out[written++] = '.';
		pos += n;
	}
	memcpy(out + written, dot_writer_end(&writer), strlen(dot_writer_end(&writer)) + 1);
	return written + strlen(out + written);
}

static void stuffing_by_example(void **state)
{
	static const struct {
		const char *label, *in, *want;
	} rows[] = {
		{ "empty",                      "",                 ".\r\n" },
		{ "a line",                     "a\r\n",            "a\r\n.\r\n" },
		{ "no line end",                "a",                "a\r\n.\r\n" },
		{ "dot first",                  ".",                "..\r\n.\r\n" },
		{ "dots at line starts",        ".a\r\n.\r\n..\r\n", "..a\r\n..\r\n...\r\n.\r\n" },
		{ "dots elsewhere",             "a.\r\nb.c\r\n",    "a.\r\nb.c\r\n.\r\n" },
		{ "bare LF starts no line",     "a\n.b\r\n",        "a\n.b\r\n.\r\n" },
		{ "CR at the end",              "a\r",              "a\r\r\n.\r\n" },
		{ "empty line before a dot",    "\r\n.",            "\r\n..\r\n.\r\n" },
	};
	struct rand rand;

	(void)state;
	rand_seed(&rand, SEED);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step < 12; step++) {
			char out[64];

			stuff(rows[i].in, strlen(rows[i].in), &rand, step, out);
			if (strcmp(out, rows[i].want) != 0)
				fail_msg("%s, pieces of %zu: got \"%s\"", rows[i].label, step, out);
		}
	}
}

/* Random lines, rich in dots; every byte but CR, LF and NUL. */
static size_t random_message(struct rand *rand, char *out, size_t max)
{
	size_t len = 0, lines = rand_below(rand, 20);

	for (size_t line = 0; line < lines; line++) {
		size_t words = rand_below(rand, 4) == 0 ? 0 : rand_below(rand, 60);

		for (size_t i = 0; i < words && len + 3 < max; i++) {
			int c = (int)rand_below(rand, 256);

			out[len++] = c == '\r' || c == '\n' || c == '\0' || c > 180 ? '.' : (char)c;
		}
		if (len + 3 < max) {
			out[len++] = '\r';
			out[len++] = '\n';
		}
	}
	return len;
}

static void unstuffing_undoes_stuffing_for_random_messages_at_random_splits(void **state)
{
	char in[1300], wire[2800];
	struct rand rand;

	(void)state;
	rand_seed(&rand, SEED);
	for (unsigned round = 0; round < 3000; round++) {
		size_t len = random_message(&rand, in, sizeof(in));
		size_t wire_len = stuff(in, len, &rand, 1 + rand_below(&rand, 200), wire);
		struct result result = { 0 };

		dot_reader_init(&result.reader, 0, true);
		for (size_t pos = 0; pos < wire_len && !result.reader.done;) {
			size_t piece = 1 + rand_below(&rand, 100);

			if (piece > wire_len - pos)
				piece = wire_len - pos;
			feed(&result, wire + pos, piece);
			pos += piece;
		}
		if (!result.reader.done || result.used != wire_len || result.reader.fault != DOT_CLEAN || result.len != len ||
		    memcmp(result.out, in, len) != 0)
			fail_msg("seed %d round %u: %zu bytes became %zu, fault %s", SEED, round, len, result.len,
			    dot_fault_text(result.reader.fault));
	}
}

static void unstuffing_in_place_gives_the_same(void **state)
{
	char text[] = "..a\r\nbb\r\n...\r\n..\r\n.\r\n";
	struct dot_reader reader;
	size_t used, len;

	(void)state;
	dot_reader_init(&reader, 0, true);
	dot_read(&reader, text, sizeof(text) - 1, text, &used, &len);
	assert_true(reader.done);
	assert_int_equal(len, strlen(".a\r\nbb\r\n..\r\n.\r\n"));
	assert_memory_equal(text, ".a\r\nbb\r\n..\r\n.\r\n", len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_dot_crlf_ends_a_message_however_it_is_split),
		cmocka_unit_test(the_end_is_where_a_search_for_crlf_dot_crlf_finds_it),
		cmocka_unit_test(a_long_line_is_counted_with_its_crlf_but_without_the_stuffed_dot),
		cmocka_unit_test(nul_and_bytes_above_127_are_noticed),
		cmocka_unit_test(bdat_content_is_held_to_the_same_line_discipline),
		cmocka_unit_test(stuffing_by_example),
		cmocka_unit_test(unstuffing_undoes_stuffing_for_random_messages_at_random_splits),
		cmocka_unit_test(unstuffing_in_place_gives_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
