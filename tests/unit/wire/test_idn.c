/* tests/unit/wire/test_idn.c - unit tests for relay/wire/idn.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/wire/idn.h"

static void names_and_addresses_get_a_labels_where_that_is_possible(void **state)
{
	static const struct {
		const char *text, *name, *address; /* NULL: no name */
	} rows[] = {
		{ "example.net", "example.net", "example.net" },
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", "b\xc3\xbc" "cher.example" },
		{ "jo@b\xc3\xbc" "cher.example", NULL, "jo@xn--bcher-kva.example" },
		{ "J.O+x@Example.net", "J.O+x@Example.net", "J.O+x@Example.net" },
		{ "j\xc3\xb6@b\xc3\xbc" "cher.example", NULL, "j\xc3\xb6@b\xc3\xbc" "cher.example" },
		{ "\"a@b\"@b\xc3\xbc" "cher.example", NULL, "\"a@b\"@xn--bcher-kva.example" },
		{ "jo@\xff.example", NULL, "jo@\xff.example" },
		{ "", "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *name = idn_ascii(rows[i].text), *address = idn_ascii_address(rows[i].text);

		if (rows[i].name && (!name || strcmp(name, rows[i].name) != 0))
			fail_msg("%s: %s", rows[i].text, name ? name : "no name");
		if (!rows[i].name && name && strchr(name, '@') == NULL)
			fail_msg("%s: %s", rows[i].text, name);
		assert_string_equal(address, rows[i].address);
		free(name);
		free(address);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_get_a_labels_where_that_is_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
