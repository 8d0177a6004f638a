/* tests/unit/wire/test_command.c - unit tests for relay/wire/command.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/command.h"

static void verbs_are_known_in_any_case_and_blanks_at_the_end_do_not_count(void **state)
{
	static const struct {
		const char *line;
		enum verb verb;
	} rows[] = {
		{ "EHLO a.example", VERB_EHLO }, { "helo a", VERB_HELO }, { "Mail From:<a@b>", VERB_MAIL }, { "RCPT TO:<a@b>", VERB_RCPT },
		{ "DATA", VERB_DATA }, { "data  ", VERB_DATA }, { "BDAT 0 LAST", VERB_BDAT }, { "rset", VERB_RSET }, { "NOOP", VERB_NOOP },
		{ "NOOP with words", VERB_NOOP }, { "VRFY someone", VERB_VRFY }, { "EXPN list", VERB_EXPN }, { "HELP", VERB_HELP },
		{ "HELP mail", VERB_HELP }, { "QUIT", VERB_QUIT }, { "STARTTLS", VERB_STARTTLS }, { "AUTH PLAIN", VERB_AUTH },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command;
		struct command_fault fault = { 0 };

		if (command_parse(rows[i].line, strlen(rows[i].line), &command, &fault) != OK || command.verb != rows[i].verb)
			fail_msg("\"%s\": verb %s, fault %d %s", rows[i].line, verb_name(command.verb), fault.code, fault.text);
	}
}

#define LINE(text) text, sizeof(text) - 1

static void faults_have_their_codes(void **state)
{
	static const struct {
		const char *line;
		size_t len;
		enum verb verb;
		int code;
		const char *enhanced;
	} rows[] = {
		{ LINE(""),                                   VERB_UNKNOWN,  500, "5.5.2" },
		{ LINE("FOO"),                                VERB_UNKNOWN,  500, "5.5.2" },
		{ LINE("DATAX"),                              VERB_UNKNOWN,  500, "5.5.2" },
		{ LINE(" DATA"),                              VERB_UNKNOWN,  500, "5.5.2" },
		{ LINE("NOOP a\0b"),                          VERB_NOOP,     500, "5.5.2" },
		{ LINE("NOOP a\rb"),                          VERB_NOOP,     500, "5.5.2" },
		{ LINE("NOOP a\nDATA"),                       VERB_NOOP,     500, "5.5.2" },
		{ LINE("MAIL FROM:<a@b>\rRCPT"),              VERB_MAIL,     500, "5.5.2" },
		{ LINE("DATA now"),                           VERB_DATA,     501, "5.5.4" },
		{ LINE("QUIT please"),                        VERB_QUIT,     501, "5.5.4" },
		{ LINE("STARTTLS x"),                         VERB_STARTTLS, 501, "5.5.4" },
		{ LINE("VRFY"),                               VERB_VRFY,     501, "5.5.4" },
		{ LINE("EHLO"),                               VERB_EHLO,     501, "5.5.4" },
		{ LINE("HELO two words"),                     VERB_HELO,     501, "5.5.4" },
		{ LINE("EHLO \xFF.example"),                  VERB_EHLO,     501, "5.5.4" },
		{ LINE("MAIL"),                               VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL <a@b>"),                         VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:"),                         VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL TO:<a@b>"),                      VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b"),                     VERB_MAIL,     501, "5.1.7" },
		{ LINE("MAIL FROM:<a>"),                      VERB_MAIL,     501, "5.1.7" },
		{ LINE("MAIL FROM:<postmaster>"),             VERB_MAIL,     501, "5.1.7" },
		{ LINE("MAIL FROM:<a@b>SIZE=1"),              VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SIZE"),               VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SIZE="),              VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SIZE=1k"),            VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SIZE=-1"),            VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SIZE=000000000000000000001"), VERB_MAIL, 501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SIZE=1 SIZE=2"),      VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> BODY=9BIT"),          VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> SMTPUTF8=yes"),       VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> =x"),                 VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> RET=SOME"),           VERB_MAIL,     501, "5.5.4" },
		{ LINE("MAIL FROM:<a@b> NOTIFY=NEVER"),       VERB_MAIL,     555, "5.5.4" },
		{ LINE("MAIL FROM:<\xC3\xBC@b>"),             VERB_MAIL,     550, "5.6.7" },
		{ LINE("MAIL FROM:<\xC3@b> SMTPUTF8"),        VERB_MAIL,     501, "5.1.7" },
		{ LINE("RCPT TO:<>"),                         VERB_RCPT,     501, "5.1.3" },
		{ LINE("RCPT TO:<a@b@c>"),                    VERB_RCPT,     501, "5.1.3" },
		{ LINE("RCPT FROM:<a@b>"),                    VERB_RCPT,     501, "5.5.4" },
		{ LINE("RCPT TO:<a@b> SIZE=1"),               VERB_RCPT,     555, "5.5.4" },
		{ LINE("BDAT"),                               VERB_BDAT,     501, "5.5.4" },
		{ LINE("BDAT x"),                             VERB_BDAT,     501, "5.5.4" },
		{ LINE("BDAT 5 FIRST"),                       VERB_BDAT,     501, "5.5.4" },
		{ LINE("BDAT 99999999999999999999"),          VERB_BDAT,     501, "5.5.4" },
		{ LINE("AUTH"),                               VERB_AUTH,     501, "5.5.4" },
		{ LINE("AUTH PL*IN"),                         VERB_AUTH,     501, "5.5.4" },
		{ LINE("AUTH ABCDEFGHIJKLMNOPQRSTU"),         VERB_AUTH,     501, "5.5.4" },
		{ LINE("AUTH PLAIN a b"),                     VERB_AUTH,     501, "5.5.4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command;
		struct command_fault fault = { .enhanced = "" };

		if (command_parse(rows[i].line, rows[i].len, &command, &fault) == OK)
			fail_msg("\"%s\" was taken", rows[i].line);
		if (command.verb != rows[i].verb || fault.code != rows[i].code || strcmp(fault.enhanced, rows[i].enhanced) != 0)
			fail_msg("\"%s\": %s, %d %s %s", rows[i].line, verb_name(command.verb), fault.code, fault.enhanced, fault.text);
		assert_true(fault.text[0] != '\0');
	}
}

static struct command parse(const char *line)
{
	struct command command;
	struct command_fault fault = { 0 };

	if (command_parse(line, strlen(line), &command, &fault) != OK)
		fail_msg("\"%s\": %d %s", line, fault.code, fault.text);
	return command;
}

static void mail_parameters_are_read(void **state)
{
	struct command command = parse("MAIL FROM: <A@B.Example>  SIZE=1234 body=8bitmime SMTPUTF8 AUTH=<>");

	(void)state;
	assert_string_equal(command.path.text, "A@b.example");
	assert_true(command.has_size && command.smtputf8 && command.has_auth);
	assert_int_equal(command.size, 1234);
	assert_int_equal(command.body, BODY_8BITMIME);
	command = parse("MAIL FROM:<> SIZE=18446744073709551616");
	assert_string_equal(command.path.text, "");
	assert_true(command.size == UINT64_MAX);
	command = parse("MAIL FROM:a@b");
	assert_false(command.has_size);
	assert_int_equal(command.body, BODY_UNSET);
	assert_true(parse("MAIL FROM:<\xC3\xBC@b> SMTPUTF8").path.utf8);
	assert_true(parse("RCPT TO:<\xC3\xBC@b>").path.utf8);
	assert_int_equal(parse("MAIL FROM:<a@b> BODY=BINARYMIME").body, BODY_BINARYMIME);
}

static void ehlo_bdat_and_auth_arguments_are_read(void **state)
{
	struct command command = parse("EHLO [127.0.0.1] ");

	(void)state;
	assert_string_equal(command.domain, "[127.0.0.1]");
	command = parse("BDAT 86 last");
	assert_int_equal(command.chunk_size, 86);
	assert_true(command.chunk_last);
	assert_false(parse("BDAT 0").chunk_last);
	command = parse("auth login");
	assert_string_equal(command.mechanism, "LOGIN");
	assert_null(command.initial);
	command = parse("AUTH PLAIN =");
	assert_non_null(command.initial);
	assert_int_equal(command.initial_len, 0);
	command = parse("AUTH SCRAM-SHA-256 bixuPXVzZXI=");
	assert_string_equal(command.mechanism, "SCRAM-SHA-256");
	assert_int_equal(command.initial_len, 12);
	assert_memory_equal(command.initial, "bixuPXVzZXI=", 12);
	command = parse("VRFY  a b ");
	assert_int_equal(command.arg_len, 3);
	assert_memory_equal(command.arg, "a b", 3);
}

static void an_ehlo_name_of_255_bytes_fits_and_one_of_256_does_not(void **state)
{
	struct command command;
	struct command_fault fault;
	char line[5 + DOMAIN_MAX + 2];

	(void)state;
	snprintf(line, sizeof(line), "EHLO %0*d", DOMAIN_MAX + 1, 0);
	assert_int_equal(command_parse(line, strlen(line), &command, &fault), ERR_INVALID);
	assert_int_equal(command_parse(line, strlen(line) - 1, &command, &fault), OK);
	assert_int_equal(strlen(command.domain), DOMAIN_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_are_known_in_any_case_and_blanks_at_the_end_do_not_count),
		cmocka_unit_test(faults_have_their_codes),
		cmocka_unit_test(mail_parameters_are_read),
		cmocka_unit_test(ehlo_bdat_and_auth_arguments_are_read),
		cmocka_unit_test(an_ehlo_name_of_255_bytes_fits_and_one_of_256_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
