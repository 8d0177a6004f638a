/* tests/unit/relay/test_transfer.c - lines of a list of suppressed addresses as `relayq suppress import` reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/relayq/transfer.h"

#define HEAD "{\"address\":\"ann@example.net\",\"reason\":"

static const struct {
	const char *label, *line, *want; /* NULL: refused; "": nothing there */
} rows[] = {
	{ "an address", "ann@example.net\n", HEAD "\"\",\"tenant\":\"\"}" },
	{ "all cells", "ann@example.net,t,1970-01-01T00:00:01Z,1970-01-01T00:00:02.500Z,gone\r\n",
	    HEAD "\"gone\",\"since\":1000,\"tenant\":\"t\",\"until\":2500}" },
	{ "quoted cells", "\"ann@example.net\",\"t\",,never,\"a \"\"b\"\", c\"", HEAD "\"a \\\"b\\\", c\",\"tenant\":\"t\"}" },
	{ "an object", "{\"address\":\"ann@example.net\",\"until\":\"1970-01-01T00:00:02Z\",\"since\":null,\"strikes\":3}",
	    HEAD "\"\",\"tenant\":\"\",\"until\":2000}" },
	{ "an empty line", " \t\r\n", "" },
	{ "no bytes", "", "" },
	{ "no address", ",t", NULL },
	{ "no address in an object", "{\"tenant\":\"t\"}", NULL },
	{ "a cell too many", "ann@example.net,,,,,", NULL },
	{ "an open quote", "\"ann@example.net", NULL },
	{ "text after a quote", "\"ann\"@example.net", NULL },
	{ "a broken object", "{\"address\":\"ann@example.net\"", NULL },
	{ "an end that is a date only", "ann@example.net,,,2030-12-31,", NULL },
	{ "an end in another zone", "ann@example.net,,,2030-12-31T00:00:00+02:00,", NULL },
	{ "a start that is no time", "ann@example.net,,yesterday", NULL },
	{ "an end that is no time in an object", "{\"address\":\"ann@example.net\",\"until\":\"soon\"}", NULL },
	{ "an end that is a number", "{\"address\":\"ann@example.net\",\"until\":1900000000}", NULL },
	{ "another character set", "jos\xe9@example.net", NULL },
};

static void check(const char *label, const char *line, const char *want)
{
	const char *why;
	json_t *entry = transfer_read_line(line, strlen(line), &why);
	char *text = entry ? json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if ((want && !want[0]) != (!entry && !why) || (!want) != (!entry && why != NULL))
		fail_msg("%s: %s", label, entry ? text : why ? why : "taken for empty");
	if (entry && strcmp(text, want) != 0)
		fail_msg("%s: got %s, want %s", label, text, want);
	if (entry && why)
		fail_msg("%s: read, and yet %s", label, why);
	free(text);
	json_decref(entry);
}

static void lines_are_read_or_refused_and_nothing_in_them_is_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].label, rows[i].line, rows[i].want);
}

static void a_line_with_a_nul_is_refused(void **state)
{
	const char *why;

	(void)state;
	assert_null(transfer_read_line("ann@example.net\0,t", 18, &why));
	assert_non_null(why);
	assert_null(transfer_read_line("ann@example.net\0", 16, &why));
	assert_non_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_or_refused_and_nothing_in_them_is_dropped),
		cmocka_unit_test(a_line_with_a_nul_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
