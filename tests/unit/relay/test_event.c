/* tests/unit/relay/test_event.c - which events of the log the operator means, and how they read. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/relayq/event.h"

#define DEFERRED \
	"{\"time\":\"2026-11-24T12:00:00.000Z\",\"level\":\"info\",\"event\":\"deferred\",\"id\":\"AAAAB.2\",\"tenant\":\"shop\"," \
	"\"destination\":\"bigmail\",\"source\":\"a\",\"relay\":\"\",\"reply\":\"451 4.7.1 Try again later\",\"class\":\"greylisting\"," \
	"\"rcpt\":\"Ann@b.example\",\"sender\":\"\",\"size\":812,\"attempt\":1}"
#define ALERT "{\"time\":\"2026-11-24T12:00:00.000Z\",\"level\":\"warn\",\"event\":\"alert\",\"kind\":\"disk\",\"text\":\"it \\\"is\\\" full\"}"

static json_t *parse(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	if (!object)
		fail_msg("no JSON: %s", text);
	return object;
}

static void filters_pass_what_they_name(void **state)
{
	static const struct {
		const char *event, *args;
		bool passes;
	} rows[] = {
		{ DEFERRED, "{}", true },
		{ ALERT, "{}", true },
		{ DEFERRED, "{\"ids\":[\"AAAAB\"]}", true },
		{ DEFERRED, "{\"ids\":[\"AAAAB.2\"]}", true },
		{ DEFERRED, "{\"ids\":[\"AAAAB.1\"]}", false },
		{ DEFERRED, "{\"ids\":[\"AAAA\"]}", false },
		{ DEFERRED, "{\"ids\":[\"x\",\"AAAAB\"]}", true },
		{ DEFERRED, "{\"ids\":[\"AAAA*\"]}", true },
		{ ALERT, "{\"ids\":[\"AAAAB\"]}", false },
		{ DEFERRED, "{\"event\":\"deferred\"}", true },
		{ DEFERRED, "{\"event\":\"def*\"}", true },
		{ DEFERRED, "{\"event\":[\"bounced\",\"DEFERRED\"]}", true },
		{ DEFERRED, "{\"event\":[\"bounced\",\"delivered\"]}", false },
		{ DEFERRED, "{\"destination\":\"bigmail\"}", true },
		{ DEFERRED, "{\"destination\":\"b.example\"}", true },
		{ DEFERRED, "{\"destination\":\"mail\"}", false },
		{ ALERT, "{\"destination\":\"*\"}", false },
		{ DEFERRED, "{\"tenant\":\"shop\",\"source\":\"b\"}", false },
		{ DEFERRED, "{\"tenant\":\"shop\",\"source\":\"a\"}", true },
		{ DEFERRED, "{\"sender\":\"<>\"}", true },
		{ DEFERRED, "{\"rcpt\":\"ann@*\"}", true },
		{ DEFERRED, "{\"reply\":\"try again\"}", true },
		{ DEFERRED, "{\"reply\":\"4?? try again\"}", false },
		{ DEFERRED, "{\"class\":\"grey*\"}", true },
		{ DEFERRED, "{\"level\":\"warn\"}", false },
		{ ALERT, "{\"level\":\"info\"}", true },
		{ ALERT, "{\"level\":\"warn\"}", true },
		{ ALERT, "{\"level\":\"error\"}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *event = parse(rows[i].event), *args = parse(rows[i].args);

		if (event_passes(event, args) != rows[i].passes)
			fail_msg("row %zu: %s %s %s", i, rows[i].args, rows[i].passes ? "must pass" : "must not pass", rows[i].event);
		json_decref(event);
		json_decref(args);
	}
}

static void lines_read_like_the_daemons(void **state)
{
	static const struct {
		const char *event, *line;
	} rows[] = {
		{ DEFERRED, "2026-11-24T12:00:00.000Z deferred id=AAAAB.2 tenant=shop destination=bigmail source=a relay=\"\" "
			    "reply=\"451 4.7.1 Try again later\" class=greylisting rcpt=Ann@b.example sender=\"\" size=812 attempt=1" },
		{ ALERT, "2026-11-24T12:00:00.000Z alert kind=disk text=\"it \\\"is\\\" full\" level=warn" },
		{ "{\"time\":\"T\",\"event\":\"x\",\"a\":\"\\u001b[2J\",\"b\":\"jos\\u00e9@\\u4f8b.example\",\"c\":\"back\\\\slash\"}",
		    "T x a=?[2J b=josé@例.example c=\"back\\\\slash\"" },
		{ "{}", " " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *event = parse(rows[i].event);
		char *line = event_line(event);

		if (strcmp(line, rows[i].line) != 0)
			fail_msg("got  %s\nwant %s", line, rows[i].line);
		free(line);
		json_decref(event);
	}
}

static void levels_are_those_of_the_event_log(void **state)
{
	assert_true(event_has_level("info"));
	assert_true(event_has_level("error"));
	assert_false(event_has_level("debug"));
	assert_false(event_has_level("loud"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_pass_what_they_name),
		cmocka_unit_test(lines_read_like_the_daemons),
		cmocka_unit_test(levels_are_those_of_the_event_log),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
