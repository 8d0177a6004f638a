/* tests/unit/relay/test_ops_verb.c - the command line of relayq: what is taken, what is refused, and help from the same table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/relayq/verb.h"

#define WORDS_MAX 16

struct said {
	enum ops_exit status;
	bool has_verb;
	char *verb, *args, *out, *err;
	bool json, all;
	char *file;
};

/* Parse a line of words separated by single spaces. */
static struct said parse(const char *line)
{
	char *text = xstrdup(line), *argv[WORDS_MAX] = { (char *)"relayq" }, *rest = text, *word;
	struct said said = { 0 };
	struct verb_call call;
	size_t size;
	FILE *out = open_memstream(&said.out, &size), *err = open_memstream(&said.err, &size);
	int argc = 1;

	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = word;
	said.status = verb_parse(&call, argc, argv, out, err);
	fclose(out);
	fclose(err);
	said.has_verb = call.verb != NULL;
	if (call.verb) {
		said.verb = xstrdup(call.verb->name);
		said.args = json_dumps(call.args, JSON_COMPACT | JSON_SORT_KEYS);
		said.json = call.json;
		said.all = call.all;
		said.file = xstrdup(call.file);
		verb_call_fini(&call);
	}
	free(text);
	return said;
}

static void said_free(struct said *said)
{
	free(said->verb);
	free(said->args);
	free(said->out);
	free(said->err);
	free(said->file);
}

static void requests_are_made_of_words(void **state)
{
	static const struct {
		const char *line, *verb, *args;
	} rows[] = {
		{ "", "stats", "{}" },
		{ "--json", "stats", "{}" },
		{ "list", "list", "{}" },
		{ "list A B.1", "list", "{\"ids\":[\"A\",\"B.1\"]}" },
		{ "list --destination gmail --limit 3", "list", "{\"destination\":\"gmail\",\"limit\":3}" },
		{ "list --destination=gmail --destination yahoo", "list", "{\"destination\":[\"gmail\",\"yahoo\"]}" },
		{ "list --older 4h --state held", "list", "{\"older\":14400000,\"state\":\"held\"}" },
		{ "list -- --destination", "list", "{\"ids\":[\"--destination\"]}" },
		{ "hold * --reason odd --dry-run", "hold", "{\"dry_run\":true,\"ids\":[\"*\"],\"reason\":\"odd\"}" },
		{ "show A", "show", "{\"ids\":[\"A\"]}" },
		{ "why gmail", "why", "{\"name\":\"gmail\"}" },
		{ "pause --tenant shop", "pause", "{\"tenant\":\"shop\"}" },
		{ "source list", "source", "{\"words\":[\"list\"]}" },
		{ "source", "source", "{}" },
		{ "hash", "hash", "{}" },
		{ "hash --scram --min 12", "hash", "{\"min\":12,\"scram\":true}" },
		{ "tail", "tail", "{}" },
		{ "tail A -n 5 --event alert* --event held --level warn", "tail",
		    "{\"event\":[\"alert*\",\"held\"],\"ids\":[\"A\"],\"last\":5,\"level\":\"warn\"}" },
		{ "tail --destination gmail --once", "tail", "{\"destination\":\"gmail\",\"once\":true}" },
		{ "top --every 5s", "top", "{\"every\":5000}" },
		{ "top --once", "top", "{\"once\":true}" },
		{ "ban", "ban", "{}" },
		{ "ban lift 192.0.2.1", "ban", "{\"words\":[\"lift\",\"192.0.2.1\"]}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct said said = parse(rows[i].line);

		if (said.status != OPS_DONE || !said.has_verb || strcmp(said.verb, rows[i].verb) != 0 ||
		    strcmp(said.args, rows[i].args) != 0)
			fail_msg("\"%s\": status %d, verb %s, args %s, %s", rows[i].line, said.status, said.verb, said.args, said.err);
		said_free(&said);
	}
}

static void options_of_every_call_may_stand_anywhere(void **state)
{
	static const char *const LINES[] = { "-c f --json list", "list -c f --json", "-c f list --json" };

	for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
		struct said said = parse(LINES[i]);

		assert_int_equal(said.status, OPS_DONE);
		assert_string_equal(said.file, "f");
		assert_true(said.json);
		said_free(&said);
	}
}

static void what_is_wrong_is_refused_with_its_name(void **state)
{
	static const struct {
		const char *line, *told;
	} rows[] = {
		{ "frob", "\"frob\" is not known; relayq help tells what is" },
		{ "lsit", "\"lsit\" is not known, did you mean list?" },
		{ "sorce", "did you mean source?" },
		{ "help taill", "did you mean tail?" },
		{ "list --tenent x", "no such option, did you mean --tenant?" },
		{ "list --frobnicate", "no such option; relayq help list tells what is" },
		{ "pause --source a --source b", "\"b\": it was given before, and can be given once" },
		{ "list --older 4h --older 5h", "can be given once" },
		{ "top --every 0", "expected a duration" },
		{ "export", "not available in this version" },
		{ "list --frob", "\"--frob\"" },
		{ "list --reason x", "\"--reason\"" },
		{ "stats x", "\"x\"" },
		{ "show", "expected an ID" },
		{ "show A B", "\"B\"" },
		{ "cat", "expected an ID" },
		{ "why", "expected an ID" },
		{ "list --older soon", "expected a duration" },
		{ "list --older", "expects a value" },
		{ "tail --older 4h", "\"--older\"" },
		{ "top gmail", "\"gmail\"" },
		{ "tail -n 0", "expected a number" },
		{ "list -n 3", "\"-n\"" },
		{ "list --limit 0", "expected a number" },
		{ "list --limit -1", "expected a number" },
		{ "hold A --dry-run=yes", "takes no value" },
		{ "list --destination \xff", "not UTF-8" },
		{ "-c", "expects a value" },
		{ "help frob", "\"frob\" is not known" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct said said = parse(rows[i].line);

		if (said.status != OPS_USAGE || !strstr(said.err, rows[i].told))
			fail_msg("\"%s\": status %d, told \"%s\", want \"%s\"", rows[i].line, said.status, said.err, rows[i].told);
		said_free(&said);
	}
}

static void every_verb_explains_itself(void **state)
{
	struct said all = parse("help");

	assert_int_equal(all.status, OPS_DONE);
	assert_false(all.has_verb);
	for (size_t i = 0; task_kinds[i]; i++) {
		char *line = xasprintf("%s --help", task_kinds[i]->verb), *usage = xasprintf("usage: relayq %s", task_kinds[i]->verb);
		struct said said = parse(line);

		if (said.status != OPS_DONE || said.has_verb || strncmp(said.out, usage, strlen(usage)) != 0)
			fail_msg("%s: %s%s", line, said.out, said.err);
		if (!strstr(all.out, task_kinds[i]->verb))
			fail_msg("help leaves out %s", task_kinds[i]->verb);
		free(line);
		free(usage);
		said_free(&said);
	}
	said_free(&all);
}

static void version_needs_no_verb(void **state)
{
	struct said said = parse("--version");

	assert_int_equal(said.status, OPS_DONE);
	assert_false(said.has_verb);
	assert_non_null(strstr(said.out, "warmrelay"));
	said_free(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_made_of_words), cmocka_unit_test(options_of_every_call_may_stand_anywhere),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_name), cmocka_unit_test(every_verb_explains_itself),
		cmocka_unit_test(version_needs_no_verb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
