/* tests/unit/relay/test_outcome.c - what a reply at a stage means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "relay/deliver/outcome.h"

static void reply_and_stage_decide_kind_scope_and_code(void **state)
{
	static const struct {
		const char *label, *line;
		enum stage stage;
		enum outcome_kind kind;
		enum sched_scope scope;
		const char *enhanced, *reply;
	} rows[] = {
		{ "taken", "250 2.6.0 thanks", STAGE_DOT, OUTCOME_DELIVERED, SCOPE_NONE, "2.6.0", "250 2.6.0 thanks" },
		{ "taken, bare", "250", STAGE_DOT, OUTCOME_DELIVERED, SCOPE_NONE, "2.0.0", "250" },
		{ "unknown user", "550 5.1.1 no such user", STAGE_RCPT, OUTCOME_REFUSED, SCOPE_RECIPIENT, "5.1.1", "550 5.1.1 no such user" },
		{ "unknown user, bare", "550 no such user", STAGE_RCPT, OUTCOME_REFUSED, SCOPE_RECIPIENT, "5.1.1", "550 no such user" },
		{ "busy mailbox, bare", "450 busy", STAGE_RCPT, OUTCOME_DEFERRED, SCOPE_RECIPIENT, "4.1.1", "450 busy" },
		{ "sender refused", "550 go away", STAGE_MAIL, OUTCOME_REFUSED, SCOPE_MESSAGE, "5.1.0", "550 go away" },
		{ "content refused", "554 5.7.1 spam", STAGE_DOT, OUTCOME_REFUSED, SCOPE_MESSAGE, "5.7.1", "554 5.7.1 spam" },
		{ "DATA deferred", "451 later", STAGE_DATA, OUTCOME_DEFERRED, SCOPE_MESSAGE, "4.0.0", "451 later" },
		{ "code of another class is text", "550 4.2.2 full", STAGE_RCPT, OUTCOME_REFUSED, SCOPE_RECIPIENT, "5.1.1", "550 4.2.2 full" },
		{ "greeting refused", "554 no", STAGE_GREETING, OUTCOME_REFUSED, SCOPE_LANE, "5.3.2", "554 no" },
		{ "EHLO deferred", "450 4.7.1 listed", STAGE_EHLO, OUTCOME_DEFERRED, SCOPE_LANE, "4.7.1", "450 4.7.1 listed" },
		{ "STARTTLS refused", "454 no", STAGE_STARTTLS, OUTCOME_DEFERRED, SCOPE_HOST, "4.7.0", "454 no" },
		{ "421 to RCPT blames the lane", "421 bye", STAGE_RCPT, OUTCOME_DEFERRED, SCOPE_LANE, "4.3.2", "421 bye" },
		{ "421 after the dot", "421 4.4.5 busy", STAGE_DOT, OUTCOME_DEFERRED, SCOPE_LANE, "4.4.5", "421 4.4.5 busy" },
		{ "3xx where none belongs", "354 go", STAGE_DOT, OUTCOME_DEFERRED, SCOPE_MESSAGE, "4.0.0", "354 go" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outcome outcome;
		struct reply reply;

		reply_init(&reply);
		assert_int_equal(reply_feed(&reply, rows[i].line, strlen(rows[i].line), 10, NULL), REPLY_DONE);
		outcome_from_reply(&outcome, rows[i].stage, &reply, "mx.example.net[192.0.2.1]:25");
		if (outcome.kind != rows[i].kind || outcome.scope != rows[i].scope || strcmp(outcome.enhanced, rows[i].enhanced) != 0 ||
		    strcmp(outcome.reply, rows[i].reply) != 0 || outcome.stage != rows[i].stage || outcome.code != reply.code)
			fail_msg("%s: kind %d scope %d %s \"%s\"", rows[i].label, outcome.kind, outcome.scope, outcome.enhanced, outcome.reply);
		assert_string_equal(outcome.relay, "mx.example.net[192.0.2.1]:25");
		assert_false(outcome.in_doubt);
		reply_fini(&reply);
	}
}

static void own_words_are_cut_between_characters(void **state)
{
	struct outcome outcome;
	char words[600];

	/* An odd byte in front, then two-byte characters: one of them would be cut in two. */
	words[0] = 'x';
	for (size_t i = 1; i < sizeof(words) - 1; i += 2)
		memcpy(words + i, "\xc3\xbc", 2);
	words[599] = '\0';
	outcome_make(&outcome, OUTCOME_DEFERRED, SCOPE_HOST, STAGE_CONNECT, "4.4.1", "", "%s", words);
	assert_in_range(strlen(outcome.reply), sizeof(outcome.reply) - 4, sizeof(outcome.reply) - 1);
	assert_int_equal((uint8_t)outcome.reply[strlen(outcome.reply) - 1], 0xbc);
	assert_int_equal(outcome.kind, OUTCOME_DEFERRED);
	assert_int_equal(outcome.code, 0);
}

static void every_stage_has_a_name(void **state)
{
	for (int stage = 0; stage < STAGES; stage++)
		assert_true(strlen(stage_name((enum stage)stage)) > 0);
	assert_string_equal(stage_name(STAGE_RCPT), "rcpt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reply_and_stage_decide_kind_scope_and_code),
		cmocka_unit_test(own_words_are_cut_between_characters),
		cmocka_unit_test(every_stage_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
