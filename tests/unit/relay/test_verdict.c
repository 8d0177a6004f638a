/* tests/unit/relay/test_verdict.c - unit tests for relay/deliver/verdict.h and what it is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "relay/deliver/verdict.h"
#include "relay/deliver/wording.h"

/* The shipped rules behind the operator's (NULL: none). */
struct world {
	struct memory memory;
	struct fault_list faults;
	const struct replies *replies;
	struct verdict_rules *rules;
};

static struct world world_create(const char *own)
{
	struct world w = { 0 };

	w.replies = own ? replies_load_text(&w.memory, "own.yaml", own, strlen(own), &w.faults) : replies_load(&w.memory, NULL, &w.faults);
	w.rules = verdict_rules_create(w.replies, &w.faults);
	return w;
}

static void world_destroy(struct world *w)
{
	struct conf_faults out = { 0 };

	verdict_rules_destroy(&w->rules);
	fault_export(&w->faults, &out);
	conf_faults_free(&out);
	memory_fini(&w->memory);
}

static void every_example_of_the_shipped_rules_reaches_its_rule(void **state)
{
	struct world w = world_create(NULL);
	struct conf_faults out = { 0 };
	size_t examples = 0;

	verdict_check_rules(w.replies, true, &w.faults);
	fault_export(&w.faults, &out);
	assert_string_equal(out.text, "");
	conf_faults_free(&out);
	for (size_t i = 0; i < w.replies->count; i++)
		examples += w.replies->rules[i].examples.count;
	assert_true(examples > w.replies->count);
	assert_true(w.replies->count <= 180);
	world_destroy(&w);
}

static void replies_have_class_scope_and_action(void **state)
{
	static const struct {
		const char *label, *provider, *reply, *class, *scope, *action;
	} rows[] = {
		{ "unknown user", "", "550 5.1.1 <u@example.org>: User unknown", "bad-mailbox", "recipient", "suppress" },
		{ "the same for now", "", "450 4.1.1 <u@example.org>: User unknown in virtual alias table", "bad-mailbox", "recipient", "retry" },
		{ "a full mailbox with the code of an unknown one", "", "552 5.1.1 <u@example.org> over quota", "mailbox-full", "recipient", "bounce" },
		{ "a limit with 550", "", "550 This IP has sent too many messages this hour.", "throttle", "lane", "slow" },
		{ "a limit of the sender's domain", "gmail", "421 4.7.28 unusual rate of unsolicited email originating from your DKIM domain "
		  "example.org", "throttle", "sender", "slow" },
		{ "greylisting", "", "451 4.7.1 Greylisting in action, please come back later", "greylist", "message", "retry" },
		{ "a listed address", "", "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", "reputation-block", "lane",
		  "close-source" },
		{ "an address without a name", "", "550 5.7.25 no PTR record for 192.0.2.1", "auth-policy", "lane", "other-source" },
		{ "DMARC", "", "550 5.7.1 rejected by DMARC policy of example.org", "auth-policy", "sender", "hold" },
		{ "spam", "", "554 5.7.1 Message rejected as spam", "content", "message", "bounce" },
		{ "spam, for now", "", "451 Message looks like spam", "content", "message", "retry" },
		{ "the receiver's trouble with 5xx", "", "554 5.3.0 Internal error", "transient-system", "stage", "retry" },
		{ "policy without a reason", "", "550 5.7.1 rejected for policy reasons", "other", "stage", "bounce" },
		{ "an unknown user whose case is told with our address", "", "550 Requested action not taken: mailbox unavailable For explanation "
		  "visit https://postmaster.example/case?c=r1601&i=ip&v=192.0.2.1", "bad-mailbox", "recipient", "suppress" },
		{ "the number at the end decides", "orange", "421 ME Service refuse. Veuillez essayer plus tard. OFR004_104 [104]", "throttle", "lane",
		  "slow" },
		{ "another number", "orange", "421 ME Service refuse. Veuillez essayer plus tard. OFR006_103 [103]", "reputation-block", "lane",
		  "close-lane" },
		{ "a rule of one provider", "yahoo", "554 5.7.9 Message not accepted for policy reasons", "auth-policy", "sender", "hold" },
		{ "not of another", "", "554 5.7.9 Message not accepted for policy reasons", "other", "stage", "bounce" },
		{ "the enhanced code alone", "", "550 5.2.2 sorry", "mailbox-full", "recipient", "bounce" },
		{ "the code alone", "", "451 sorry", "transient-system", "stage", "retry" },
		{ "no words at all", "", "550", "other", "stage", "bounce" },
		{ "nothing", "", "", "other", "stage", "retry" },
		{ "words in Russian, capitals", "", "550 ПОЛЬЗОВАТЕЛЬ НЕ НАЙДЕН", "bad-mailbox", "recipient", "suppress" },
		{ "bytes that are no UTF-8", "", "550 \xff\xfe user unknown \x80", "bad-mailbox", "recipient", "suppress" },
	};
	struct world w = world_create(NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v;

		verdict_of(w.rules, rows[i].provider, rows[i].reply, &v);
		if (strcmp(replies_class_name(v.class), rows[i].class) != 0 || strcmp(replies_scope_name(v.scope), rows[i].scope) != 0 ||
		    strcmp(replies_action_name(v.action), rows[i].action) != 0)
			fail_msg("%s: %s %s %s by %s", rows[i].label, replies_class_name(v.class), replies_scope_name(v.scope),
			    replies_action_name(v.action), v.rule);
	}
	world_destroy(&w);
}

static void a_time_that_the_reply_names_is_understood(void **state)
{
	static const struct {
		const char *reply;
		int64_t want_ms;
	} rows[] = {
		{ "451 try again in 300 seconds", SECONDS(300) },
		{ "450 Recipient address rejected: Greylisted for 5 minutes", MINUTES(5) },
		{ "451 4.7.1 Greylisting in action, please come back in 00:05:30", MINUTES(5) + SECONDS(30) },
		{ "421 too many connections, retry after 1 hour", HOURS(1) },
		{ "450 Wait 180 s and resend", SECONDS(180) },
		{ "450 please wait at least 10 mins before you try again", MINUTES(10) },
		{ "451 Please wait for 2h", HOURS(2) },
		{ "450 bitte versuchen Sie es erneut in 5 Minuten", MINUTES(5) },
		{ "450 Veuillez réessayer dans 15 minutes", MINUTES(15) },
		{ "450 tente novamente em 10 minutos", MINUTES(10) },
		{ "450 повторите через 10 минут", MINUTES(10) },
		{ "451 30 seconds before you may retry", SECONDS(30) },
		{ "450 try again in 99 hours", DAYS(1) },
		{ "450 try again in 0 seconds", 0 },
		{ "450 try again later", 0 },
		{ "450 more than 100 messages in 1 hour", 0 },
		{ "450 limit is 30/minute", 0 },
		{ "421 try again later. 4.7.0 x10si123", 0 },
		{ "450 delayed: 100 mails per hour", 0 },
		{ "450 retry from 192.0.2.10 h", 0 },
	};
	struct world w = world_create(NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v;

		verdict_of(w.rules, "", rows[i].reply, &v);
		if (v.wait_ms != rows[i].want_ms)
			fail_msg("%s: %lld ms", rows[i].reply, (long long)v.wait_ms);
	}
	world_destroy(&w);
}

static void the_operators_rules_come_first(void **state)
{
	static const char own[] = "replies:\n"
	    "- {rule: ours, class: content, action: hold, code: 55x, enhanced: x.1.x, text: \"user unknown\", unless: [really], examples: "
	    "\"550 5.1.1 user unknown\"}\n";
	struct world w = world_create(own);
	struct verdict v;

	assert_int_equal(w.faults.count, 0);
	verdict_of(w.rules, "", "550 5.1.1 User Unknown", &v);
	assert_string_equal(v.rule, "ours");
	assert_int_equal(v.class, CLASS_CONTENT);
	assert_int_equal(v.action, ACTION_HOLD);
	verdict_of(w.rules, "", "550 5.1.1 user unknown, really", &v);
	assert_string_not_equal(v.rule, "ours");
	verdict_of(w.rules, "", "540 5.1.1 user unknown", &v);
	assert_string_not_equal(v.rule, "ours");
	verdict_of(w.rules, "", "550 5.2.1 user unknown", &v);
	assert_string_not_equal(v.rule, "ours");
	/* The shipped rules lose examples to it, which is no fault. */
	verdict_check_rules(w.replies, true, &w.faults);
	assert_int_equal(w.faults.count, 0);
	world_destroy(&w);
}

static void a_rule_that_misses_its_example_or_does_not_compile_is_named_with_its_place(void **state)
{
	static const struct {
		const char *label, *own, *want;
	} rows[] = {
		{ "example of another rule", "replies:\n- rule: a\n  class: other\n  text: x1y2z3\n  examples: ['550 x1y2z3', '550 user unknown']\n",
		  "own.yaml:5:28: the example \"550 user unknown\" reaches the rule \"bad-mailbox\", expected \"a\"\n" },
		{ "example at the rule's provider", "replies:\n- {rule: a, class: other, provider: p, text: x1y2z3}\n"
		  "- {rule: b, class: content, provider: [p, q], text: x1y2z3, examples: [550 x1y2z3]}\n",
		  "own.yaml:3:72: the example \"550 x1y2z3\" reaches the rule \"a\", expected \"b\"\n" },
		{ "pattern", "replies:\n- rule: a\n  class: other\n  text: [fine, '(']\n",
		  "own.yaml:4:16: text is no pattern: missing closing parenthesis at byte 2, expected a regular expression of PCRE2\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault_list faults = { 0 };
		struct memory memory = { 0 };
		struct conf_faults out = { 0 };

		verdict_check_rules(replies_load_text(&memory, "own.yaml", rows[i].own, strlen(rows[i].own), &faults), true, &faults);
		fault_export(&faults, &out);
		if (strcmp(out.text, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, out.text);
		conf_faults_free(&out);
		memory_fini(&memory);
	}
}

static void a_pattern_that_takes_for_ever_finds_nothing(void **state)
{
	struct world w = world_create("replies:\n- {rule: slow, class: content, text: '^(a+)+$'}\n");
	mono_ms begin = clock_mono();
	struct verdict v;

	verdict_of(w.rules, "", "550 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", &v);
	assert_string_not_equal(v.rule, "slow");
	assert_true(clock_mono() - begin < SECONDS(5));
	verdict_of(w.rules, "", "550 aaaaaaaa", &v);
	assert_string_equal(v.rule, "slow");
	world_destroy(&w);
}

static void the_same_reply_twice_has_the_same_verdict(void **state)
{
	struct world w = world_create(NULL);
	struct verdict first, again, other;

	verdict_of(w.rules, "yahoo", "554 5.7.9 Message not accepted for policy reasons", &first);
	verdict_of(w.rules, "yahoo", "554 5.7.9 Message not accepted for policy reasons", &again);
	verdict_of(w.rules, "gmail", "554 5.7.9 Message not accepted for policy reasons", &other);
	assert_string_equal(first.rule, again.rule);
	assert_string_not_equal(first.rule, other.rule);
	verdict_of(w.rules, "gmail", "454 5.7.9 Message not accepted for policy reasons", &again);
	assert_int_not_equal(again.action, other.action);
	world_destroy(&w);
}

static void a_reply_is_taken_apart(void **state)
{
	static const struct {
		const char *label, *reply;
		int code;
		const char *enhanced, *text;
	} rows[] = {
		{ "codes and words", "550 5.1.1 No such user", 550, "5.1.1", "No such user" },
		{ "only words", "go away", 0, "", "go away" },
		{ "lines", "550 5.7.1 first / 5.7.1 second / third", 550, "5.7.1", "first second third" },
		{ "a slash that ends no line", "550 and/or", 550, "", "and/or" },
		{ "code in brackets", "553 sorry (#5.7.1)", 553, "5.7.1", "sorry (#5.7.1)" },
		{ "an address is no code", "550 from 5.6.7.8 and 15.1.1", 550, "", "from 5.6.7.8 and 15.1.1" },
		{ "a code that says otherwise", "421 5.7.32 no", 421, "5.7.32", "no" },
		{ "punctuation of Exchange", "550; 5.7.515 denied", 550, "5.7.515", "denied" },
		{ "mailbox addresses", "550 <Some.Body+tag@example.org>: and (a@b.example). x@y", 550, "", "<@>: and (@). @" },
		{ "blanks", "450   4.2.0 \t a\t\tb", 450, "4.2.0", "a b" },
		{ "a curved apostrophe", "550 doesn\xe2\x80\x99t", 550, "", "doesn't" },
		{ "too many digits", "5500 x", 0, "", "5500 x" },
	};
	struct wording wording;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		wording_read(&wording, rows[i].reply);
		if (wording.code != rows[i].code || strcmp(wording.enhanced, rows[i].enhanced) != 0 ||
		    strcmp(wording.text, rows[i].text) != 0 || wording.len != strlen(rows[i].text))
			fail_msg("%s: %d \"%s\" \"%s\"", rows[i].label, wording.code, wording.enhanced, wording.text);
	}
}

static void a_long_reply_is_cut(void **state)
{
	char *reply = xasprintf("550 %0*d", 3 * WORDING_MAX, 1);
	struct wording wording;

	wording_read(&wording, reply);
	assert_int_equal(wording.len, WORDING_MAX - 1);
	free(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_of_the_shipped_rules_reaches_its_rule),
		cmocka_unit_test(replies_have_class_scope_and_action),
		cmocka_unit_test(a_time_that_the_reply_names_is_understood),
		cmocka_unit_test(the_operators_rules_come_first),
		cmocka_unit_test(a_rule_that_misses_its_example_or_does_not_compile_is_named_with_its_place),
		cmocka_unit_test(a_pattern_that_takes_for_ever_finds_nothing),
		cmocka_unit_test(the_same_reply_twice_has_the_same_verdict),
		cmocka_unit_test(a_reply_is_taken_apart),
		cmocka_unit_test(a_long_reply_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
