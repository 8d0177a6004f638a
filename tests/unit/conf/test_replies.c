/* tests/unit/conf/test_replies.c - rules about replies: read, and everything wrong with them told. */
#include "tests/unit/conf/conf_test.h"

#include "conf/replies.h"

struct loaded {
	struct memory memory;
	const struct replies *replies;
	struct conf_faults faults;
};

static struct loaded load(const char *text)
{
	struct loaded l = { 0 };
	struct fault_list list = { 0 };

	l.replies = replies_load_text(&l.memory, "own.yaml", text, strlen(text), &list);
	fault_export(&list, &l.faults);
	return l;
}

static void loaded_free(struct loaded *l)
{
	conf_faults_free(&l->faults);
	memory_fini(&l->memory);
}

static void a_rule_has_what_its_class_says_unless_it_says_more(void **state)
{
	struct loaded l = load("replies:\n- {rule: a, class: bad-mailbox}\n"
	    "- {rule: b, class: bad-mailbox, scope: lane, action: hold, provider: [p, q], code: 421, enhanced: [x.1.x], text: [a, b]}\n");
	const struct replies_rule *a = &l.replies->rules[0], *b = &l.replies->rules[1];

	assert_string_equal(l.faults.text, "");
	assert_int_equal(a->class, CLASS_BAD_MAILBOX);
	assert_int_equal(a->scope, BLAME_RECIPIENT);
	assert_int_equal(a->temporary, ACTION_RETRY);
	assert_int_equal(a->permanent, ACTION_SUPPRESS);
	assert_int_equal(b->scope, BLAME_LANE);
	assert_int_equal(b->temporary, ACTION_HOLD);
	assert_int_equal(b->permanent, ACTION_HOLD);
	assert_int_equal(b->providers.count, 2);
	assert_string_equal(b->codes.items[0].text, "421");
	assert_int_equal(b->text.count, 2);
	assert_int_equal(b->at.line, 3);
	assert_true(l.replies->count > 100); /* the shipped ones follow */
	loaded_free(&l);
}

static void faults_are_named_with_their_places(void **state)
{
	static const struct {
		const char *label, *text, *want;
	} rows[] = {
		{ "no list", "rules: []\n", "own.yaml:1:1: unknown key, expected only \"replies\"\nown.yaml:1:1: found no list \"replies\", expected one\n" },
		{ "no map", "replies: [x]\n", "own.yaml:1:11: a rule is a text, expected a map\n" },
		{ "no name", "replies:\n- class: other\n", "own.yaml:2:3: found no usable \"rule\", expected a name of at most 64 letters, digits, "
		  "\"-\", \"_\" and \".\" that begins with a letter or digit\n" },
		{ "no class", "replies:\n- rule: a\n", "own.yaml:2:3: found no \"class\", expected one, such as reputation-block\n" },
		{ "class", "replies:\n- {rule: a, class: spam}\n", "own.yaml:2:20: class is \"spam\", expected one of throttle, greylist, "
		  "reputation-block, auth-policy, content, bad-mailbox, bad-domain, mailbox-full, mailbox-inactive, too-big, protocol, "
		  "transient-system, complaint-policy, other\n" },
		{ "action", "replies:\n- {rule: a, class: other, action: drop}\n", "own.yaml:2:35: action is \"drop\", expected one of retry, slow, "
		  "close-lane, close-source, other-source, hold, bounce, suppress\n" },
		{ "code", "replies:\n- {rule: a, class: other, code: [250, 4xx, 42]}\n", "own.yaml:2:34: code is \"250\", expected codes such as 421, "
		  "45x or 5xx\nown.yaml:2:44: code is \"42\", expected codes such as 421, 45x or 5xx\n" },
		{ "enhanced", "replies:\n- {rule: a, class: other, enhanced: [5.1, x.1.x, 5.1.1234, 5.1.1.1]}\n", "own.yaml:2:38: enhanced is \"5.1\", "
		  "expected enhanced codes such as 5.1.1 or x.7.x\nown.yaml:2:50: enhanced is \"5.1.1234\", expected enhanced codes such as 5.1.1 or "
		  "x.7.x\nown.yaml:2:60: enhanced is \"5.1.1.1\", expected enhanced codes such as 5.1.1 or x.7.x\n" },
		{ "empty list", "replies:\n- {rule: a, class: other, text: []}\n", "own.yaml:2:33: text is an empty list, expected regular expressions\n" },
		{ "a map for a text", "replies:\n- {rule: a, class: other, text: [{}]}\n", "own.yaml:2:34: text is a map, expected regular expressions\n" },
		{ "unknown key", "replies:\n- {rule: a, class: other, exmaples: x}\n", "own.yaml:2:27: unknown key \"exmaples\", did you mean "
		  "\"examples\"?\n" },
		{ "name twice", "replies:\n- {rule: a, class: other}\n- {rule: a, class: other}\n", "own.yaml:3:10: duplicate rule \"a\", expected "
		  "another name: it stands in line 2\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct loaded l = load(rows[i].text);

		if (strcmp(l.faults.text, rows[i].want) != 0)
			fail_msg("%s:\n%s", rows[i].label, l.faults.text);
		loaded_free(&l);
	}
}

static void a_rule_may_bear_the_name_of_a_shipped_one(void **state)
{
	struct loaded l = load("replies:\n- {rule: greylist, class: greylist}\n");

	assert_string_equal(l.faults.text, "");
	loaded_free(&l);
}

static void codes_fit_with_wildcards(void **state)
{
	struct replies_text four = { .text = "45x" }, exact = { .text = "421" };
	struct replies_list none = { 0 }, fours = { &four, 1 }, exacts = { &exact, 1 };

	assert_true(replies_code_fits(&none, 0));
	assert_true(replies_code_fits(&fours, 452));
	assert_false(replies_code_fits(&fours, 421));
	assert_true(replies_code_fits(&exacts, 421));
	assert_false(replies_code_fits(&exacts, 0));
	four.text = "x.1.x";
	exact.text = "5.7.1";
	assert_true(replies_enhanced_fits(&none, ""));
	assert_true(replies_enhanced_fits(&fours, "4.1.10"));
	assert_false(replies_enhanced_fits(&fours, "4.11.1"));
	assert_false(replies_enhanced_fits(&fours, ""));
	assert_true(replies_enhanced_fits(&exacts, "5.7.1"));
	assert_false(replies_enhanced_fits(&exacts, "5.7.10"));
	assert_false(replies_enhanced_fits(&exacts, "4.7.1"));
}

static void the_file_that_the_configuration_names_comes_before_the_shipped_rules(void **state)
{
	char folder[] = "/tmp/replies.XXXXXX", *file, *rules;
	struct conf_faults faults;
	struct conf *conf;
	FILE *out;

	assert_non_null(mkdtemp(folder));
	file = xasprintf("%s/relay.yaml", folder);
	rules = xasprintf("%s/own.yaml", folder);
	out = fopen(file, "we");
	assert_non_null(out);
	fputs(TEST_HEAD "replies: own.yaml\n", out);
	fclose(out);
	conf = conf_load(file, &faults);
	assert_null(conf);
	assert_non_null(strstr(faults.text, "own.yaml: cannot be opened"));
	conf_faults_free(&faults);

	out = fopen(rules, "we");
	assert_non_null(out);
	fputs("replies: [{rule: mine, class: other}]\n", out);
	fclose(out);
	conf = conf_load(file, &faults);
	assert_non_null(conf);
	assert_string_equal(conf->reply_rules->rules[0].name, "mine");
	conf_faults_free(&faults);
	conf_unref(&conf);
	remove(rules);
	remove(file);
	remove(folder);
	free(rules);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_has_what_its_class_says_unless_it_says_more),
		cmocka_unit_test(faults_are_named_with_their_places),
		cmocka_unit_test(a_rule_may_bear_the_name_of_a_shipped_one),
		cmocka_unit_test(codes_fit_with_wildcards),
		cmocka_unit_test(the_file_that_the_configuration_names_comes_before_the_shipped_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
