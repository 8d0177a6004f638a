/* tests/unit/wire/test_param.c - unit tests for relay/wire/param.h and relay/wire/xtext.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/command.h"
#include "relay/wire/xtext.h"

static struct command parsed(const char *line, int *code_out)
{
	struct command_fault fault = { 0 };
	struct command command;

	*code_out = command_parse(line, strlen(line), &command, &fault) == OK ? 0 : fault.code;
	return command;
}

static void parameters_are_taken_or_refused_whole(void **state)
{
	static const struct {
		const char *line;
		int code;
	} rows[] = {
		{ "MAIL FROM:<a@b.example> RET=HDRS ENVID=job+2B17 BODY=BINARYMIME REQUIRETLS", 0 },
		{ "MAIL FROM:<a@b.example> ret=full", 0 },
		{ "MAIL FROM:<a@b.example> RET=ALL", 501 },
		{ "MAIL FROM:<a@b.example> RET=FULL RET=FULL", 501 },
		{ "MAIL FROM:<a@b.example> ENVID=", 501 },
		{ "MAIL FROM:<a@b.example> ENVID=a+2b", 501 },
		{ "MAIL FROM:<a@b.example> ENVID=a+0A", 501 },
		{ "MAIL FROM:<a@b.example> ENVID=a+", 501 },
		{ "MAIL FROM:<a@b.example> ENVID=a+4", 501 },
		{ "MAIL FROM:<a@b.example> REQUIRETLS=YES", 501 },
		{ "MAIL FROM:<a@b.example> NOTIFY=NEVER", 555 },
		{ "RCPT TO:<a@b.example> NOTIFY=NEVER ORCPT=rfc822;a@b.example", 0 },
		{ "RCPT TO:<a@b.example> NOTIFY=success,Failure,DELAY", 0 },
		{ "RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", 501 },
		{ "RCPT TO:<a@b.example> NOTIFY=SUCCESS,", 501 },
		{ "RCPT TO:<a@b.example> NOTIFY=,SUCCESS", 501 },
		{ "RCPT TO:<a@b.example> NOTIFY=OFTEN", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=a@b.example", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=;a@b.example", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=rfc822;", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=rfc822;a\xc3\xa4@b.example", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=utf-8;a\xc3\xa4@b.example", 0 },
		{ "RCPT TO:<a@b.example> ORCPT=utf-8;a\xc3@b.example", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=utf-8;a\\x{E4}@b.example", 0 },
		{ "RCPT TO:<a@b.example> ORCPT=utf-8;a\\x{0A}@b.example", 501 },
		{ "RCPT TO:<a@b.example> ORCPT=utf-8;a\\@b.example", 501 },
		{ "RCPT TO:<a@b.example> RET=FULL", 555 },
		{ "MAIL FROM:<a@b.example> HOLDFOR=3600", 0 },
		{ "MAIL FROM:<a@b.example> HOLDFOR=0", 501 },
		{ "MAIL FROM:<a@b.example> HOLDFOR=1000000000", 501 },
		{ "MAIL FROM:<a@b.example> HOLDFOR=1 HOLDUNTIL=2026-11-24T21:00:00Z", 501 },
		{ "MAIL FROM:<a@b.example> HOLDUNTIL=tomorrow", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=9", 0 },
		{ "MAIL FROM:<a@b.example> mt-priority=-9", 0 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=0", 0 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=-0", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=+1", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=10", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=-", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY", 501 },
		{ "MAIL FROM:<a@b.example> MT-PRIORITY=1 MT-PRIORITY=1", 501 },
		{ "RCPT TO:<a@b.example> MT-PRIORITY=1", 555 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code;

		(void)parsed(rows[i].line, &code);
		if (code != rows[i].code)
			fail_msg("%s: %d, want %d", rows[i].line, code, rows[i].code);
	}
}

static void values_come_out(void **state)
{
	struct command c;
	int code;

	(void)state;
	c = parsed("MAIL FROM:<a@b.example> RET=HDRS ENVID=job+2B17 BODY=BINARYMIME REQUIRETLS HOLDFOR=60 MT-PRIORITY=-4", &code);
	assert_int_equal(code, 0);
	assert_true(c.ret == RET_HDRS && c.body == BODY_BINARYMIME && c.requiretls && c.hold_for == 60 && c.priority == -4);
	assert_string_equal(c.envid, "job+2B17");
	c = parsed("RCPT TO:<a@b.example> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;a+2Bb@b.example", &code);
	assert_int_equal(code, 0);
	assert_int_equal(c.notify, TELL_SUCCESS | TELL_DELAY);
	assert_string_equal(c.orcpt, "rfc822;a+2Bb@b.example");
}

static void xtext_means_what_it_says(void **state)
{
	char out[32], four[4];

	(void)state;
	assert_int_equal(xtext_decode("a+2Bb+3D+20c", 12, out, sizeof(out)), 6);
	assert_string_equal(out, "a+b= c");
	assert_int_equal(xtext_decode("a+2Bbcd", 7, four, sizeof(four)), 3);
	assert_string_equal(four, "a+b");
	assert_int_equal(xtext_decode("+2", 2, out, sizeof(out)), 2);
}

static void an_original_recipient_beyond_ascii_can_be_written_in_ascii(void **state)
{
	static const struct {
		const char *orcpt, *want; /* NULL: cannot */
	} rows[] = {
		{ "utf-8;j\xc3\xbcrgen@b\xc3\xbcro.example", "utf-8;j\\x{FC}rgen@b\\x{FC}ro.example" },
		{ "UTF-8;j\\x{FC}\xc3\xbc+2B\\x{3D}@b.example", "UTF-8;j\\x{FC}\\x{FC}\\x{2B}\\x{3D}@b.example" },
		{ "rfc822;a@b.example", NULL },
	};
	char out[ORCPT_MAX + 1], orcpt[ORCPT_MAX + 1] = "utf-8;";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool made = param_orcpt_ascii(rows[i].orcpt, out);

		if (made != (rows[i].want != NULL) || (made && strcmp(out, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].orcpt, made ? out : "cannot");
	}
	/* 82 characters become 492: with the type 498. One more does not fit. */
	for (size_t i = 0; i < 83; i++)
		memcpy(orcpt + 6 + 2 * i, "\xc3\xbc", 2);
	assert_false(param_orcpt_ascii(orcpt, out));
	orcpt[6 + 2 * 82] = '\0';
	assert_true(param_orcpt_ascii(orcpt, out));
	assert_int_equal(strlen(out), 498);
}

static void times_are_read_in_any_zone(void **state)
{
	static const struct {
		const char *text;
		wall_ms want; /* 0: refused */
	} rows[] = {
		{ "1970-01-01T00:00:01Z", 1000 },
		{ "2026-11-24T21:02:32Z", 1795554152000 },
		{ "2026-11-24t21:02:32.999z", 1795554152000 },
		{ "2026-11-24T22:02:32+01:00", 1795554152000 },
		{ "2026-11-24T15:32:32-05:30", 1795554152000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2023-02-29T00:00:00Z", 0 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2100-02-29T00:00:00Z", 0 },
		{ "2026-13-01T00:00:00Z", 0 },
		{ "2026-11-24T24:00:00Z", 0 },
		{ "2026-11-24T21:02:32", 0 },
		{ "2026-11-24T21:02:32.Z", 0 },
		{ "2026-11-24T21:02:32+1:00", 0 },
		{ "2026-11-24 21:02:32Z", 0 },
		{ "2026-11-24T21:02:3xZ", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		wall_ms got = 0;
		bool ok = param_hold_until(rows[i].text, strlen(rows[i].text), &got);

		if (ok != (rows[i].want != 0) || got != rows[i].want)
			fail_msg("%s: %d, %lld", rows[i].text, ok, (long long)got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_taken_or_refused_whole),
		cmocka_unit_test(values_come_out),
		cmocka_unit_test(xtext_means_what_it_says),
		cmocka_unit_test(an_original_recipient_beyond_ascii_can_be_written_in_ascii),
		cmocka_unit_test(times_are_read_in_any_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
