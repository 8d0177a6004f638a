/* tests/unit/relay/test_classify.c - unit tests for relay/relayq/classify.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/relayq/classify.h"

struct said {
	enum ops_exit status;
	char *out, *err;
};

static struct said classify(const char *file, bool json, const char *text, size_t len)
{
	struct said said = { 0 };
	size_t out_len, err_len;
	FILE *in = tmpfile(), *out = open_memstream(&said.out, &out_len), *err = open_memstream(&said.err, &err_len);

	assert_true(in && out && err && fwrite(text, 1, len, in) == len);
	rewind(in);
	said.status = classify_run(file, json, in, out, err);
	fclose(in);
	fclose(out);
	fclose(err);
	return said;
}

static void said_free(struct said *said)
{
	free(said->out);
	free(said->err);
}

static void each_line_has_an_answer(void **state)
{
	static const char text[] = "gmx\t550 5.1.1 user unknown\n\t452 too many recipients\r\n550 5.2.2 mailbox full\n\nx\t550 no such\0user";
	struct said said = classify(NULL, false, text, sizeof(text) - 1);

	assert_int_equal(said.status, OPS_DONE);
	assert_string_equal(said.out, "bad-mailbox\tsuppress\tbad-mailbox\nthrottle\tslow\ttoo-many-recipients\nmailbox-full\tbounce\tmailbox-full\n"
	    "other\tretry\tunknown\nbad-mailbox\tsuppress\tbad-mailbox\n");
	said_free(&said);
}

static void nothing_in_is_nothing_out(void **state)
{
	struct said said = classify(NULL, false, "", 0);

	assert_int_equal(said.status, OPS_DONE);
	assert_string_equal(said.out, "");
	said_free(&said);
}

static void json_tells_scope_and_waiting_time_too(void **state)
{
	static const char text[] = "x\t451 4.7.1 Greylisting in action, please come back in 00:05:00";
	struct said said = classify(NULL, true, text, strlen(text));

	assert_string_equal(said.out, "{\"class\":\"greylist\",\"action\":\"retry\",\"rule\":\"greylist\",\"scope\":\"message\",\"wait\":300}\n");
	said_free(&said);
}

static void a_line_without_end_is_cut(void **state)
{
	size_t len = 100000;
	char *text = xcalloc(len + 1, 1);
	struct said said;

	memset(text, 'x', len);
	memcpy(text, "\t550 user unknown ", 18);
	said = classify(NULL, false, text, len);
	assert_string_equal(said.out, "bad-mailbox\tsuppress\tbad-mailbox\n");
	said_free(&said);
	free(text);
}

static void rules_of_a_configuration_come_first_and_must_compile(void **state)
{
	static const struct {
		const char *rules;
		enum ops_exit status;
		const char *out, *err;
	} rows[] = {
		{ "replies: [{rule: mine, class: content, text: unknown}]\n", OPS_DONE, "content\tbounce\tmine\n", "" },
		{ "replies: [{rule: mine, class: content, text: '('}]\n", OPS_USAGE, "", "rules.yaml:1:46: text is no pattern" },
		{ "replies: [{rule: mine}]\n", OPS_USAGE, "", "rules.yaml:1:11: found no \"class\"" },
	};
	char folder[] = "/tmp/classify.XXXXXX", *file, *rules;
	FILE *out;

	assert_non_null(mkdtemp(folder));
	file = xasprintf("%s/relay.yaml", folder);
	rules = xasprintf("%s/rules.yaml", folder);
	out = fopen(file, "we");
	assert_non_null(out);
	fputs("hostname: a.example\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\nreplies: rules.yaml\n", out);
	fclose(out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static const char text[] = "550 user unknown\n";
		struct said said;

		out = fopen(rules, "we");
		assert_non_null(out);
		fputs(rows[i].rules, out);
		fclose(out);
		said = classify(file, false, text, strlen(text));
		assert_int_equal(said.status, rows[i].status);
		assert_string_equal(said.out, rows[i].out);
		assert_non_null(strstr(said.err, rows[i].err));
		said_free(&said);
	}
	unlink(file);
	unlink(rules);
	rmdir(folder);
	free(file);
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_has_an_answer),
		cmocka_unit_test(nothing_in_is_nothing_out),
		cmocka_unit_test(json_tells_scope_and_waiting_time_too),
		cmocka_unit_test(a_line_without_end_is_cut),
		cmocka_unit_test(rules_of_a_configuration_come_first_and_must_compile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
