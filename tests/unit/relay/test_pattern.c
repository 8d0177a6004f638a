/* tests/unit/relay/test_pattern.c - unit tests for relay/deliver/pattern.h and needle.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/replies.h"
#include "relay/deliver/pattern.h"

static bool found(const char *text, const char *in)
{
	struct pattern_subject subject;
	struct err_detail why;
	struct pattern *pattern = pattern_create(text, &why);
	bool yes;

	assert_non_null(pattern);
	pattern_subject_init(&subject, in, strlen(in));
	yes = pattern_found(pattern, &subject);
	pattern_destroy(&pattern);
	return yes;
}

static void patterns_are_found_where_they_are(void **state)
{
	static const struct {
		const char *label, *pattern, *text;
		bool want;
	} rows[] = {
		{ "a word", "mailbox", "the MAILBOX is", true },
		{ "not there", "mailbox", "the mail box is", false },
		{ "its letters apart", "abcd", "abc bcd", false },
		{ "one of two", "user|mailbox", "no mailbox", true },
		{ "a group", "(?:user|mailbox) (?:unknown|full)", "mailbox full", true },
		{ "half of it", "(?:user|mailbox) (?:unknown|full)", "mailbox empty", false },
		{ "a group that may be missing", "mail(?:box)? full", "mail full", true },
		{ "a group that may come more than once", "a(?:bcd)*e", "ae", true },
		{ "a letter that may be missing", "mailx?box", "mailbox", true },
		{ "a letter that comes more than once", "abbb+c", "abbbbbc", true },
		{ "a count that may be nothing", "abc{0,2}d", "abd", true },
		{ "a class in a set", "[[:digit:]]x", "12x", true },
		{ "a bracket by control", "[a\\c]b]cd", "bcd", true },
		{ "braces that are no count", "(?:a{x|b) 1}|c", "b 1}", true },
		{ "an empty choice", "mail(?:box|)full", "mailfull", true },
		{ "a choice too short to be looked for", "(?:ip|address) blocked", "ip blocked", true },
		{ "behind a look ahead", "(?!never)abc", "abc", true },
		{ "a look ahead for what comes later", "(?=.*full)mailbox", "mailbox full", true },
		{ "a look behind", "(?<!no )mailbox", "no mailbox", false },
		{ "a set", "[a-c]xyz[^]q]", "bxyzr", true },
		{ "an escape", "a\\.b\\d{2}c\\)", "a.b12c)", true },
		{ "quoted", "\\Qa.b|c\\E", "a.b|c", true },
		{ "a byte by number", "\\x41bc", "abc", true },
		{ "options inside", "(?x) a b c # abc", "abc", true },
		{ "nested deeply", "((((((((((abc))))))))))", "abc", true },
		{ "capitals beyond ASCII", "ЯЩИК", "ящик", true },
		{ "a letter that folds to ASCII", "ke(?:lvin|я)", "\xe2\x84\xaa" "elvin", true },
		{ "any character beyond ASCII", "é.x", "éяx", true },
		{ "an empty pattern", "", "x", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (found(rows[i].pattern, rows[i].text) != rows[i].want)
			fail_msg("%s: %s in %s", rows[i].label, rows[i].pattern, rows[i].text);
}

static void groups_tell_where_they_matched(void **state)
{
	struct pattern_subject subject;
	struct pattern_match match;
	struct err_detail why;
	struct pattern *pattern = pattern_create("in (\\d+) (?:(s)|(m))", &why);
	const char *text = "again in 15 m";

	pattern_subject_init(&subject, text, strlen(text));
	assert_true(pattern_find(pattern, &subject, &match));
	assert_ptr_equal(match.at[1], text + 9);
	assert_int_equal(match.len[1], 2);
	assert_null(match.at[2]);
	assert_ptr_equal(match.at[3], text + 12);
	pattern_subject_init(&subject, "later", 5);
	assert_false(pattern_find(pattern, &subject, &match));
	pattern_destroy(&pattern);
}

/* The same pattern in a form that no words are concluded from must find the same. */
static void check_same(const char *text, const char *in)
{
	char *plain = xasprintf("(?#any)(?:%s)", text);

	if (found(plain, in) != found(text, in))
		fail_msg("%s in %s", text, in);
	free(plain);
}

static void check_list(const struct replies_list *list, const struct replies *replies)
{
	for (size_t i = 0; i < list->count; i++)
		for (size_t r = 0; r < replies->count; r += 3)
			for (size_t e = 0; e < replies->rules[r].examples.count; e++)
				check_same(list->items[i].text, replies->rules[r].examples.items[e].text);
}

static void what_is_asked_before_a_pattern_never_hides_a_match(void **state)
{
	struct fault_list faults = { 0 };
	struct memory memory = { 0 };
	const struct replies *replies = replies_load(&memory, NULL, &faults);

	for (size_t i = 0; i < replies->count; i++) {
		check_list(&replies->rules[i].text, replies);
		check_list(&replies->rules[i].unless, replies);
	}
	memory_fini(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_are_found_where_they_are),
		cmocka_unit_test(groups_tell_where_they_matched),
		cmocka_unit_test(what_is_asked_before_a_pattern_never_hides_a_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
