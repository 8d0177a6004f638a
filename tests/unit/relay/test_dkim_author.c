/* tests/unit/relay/test_dkim_author.c - the domain of a From field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/rand.h"
#include "relay/sign/author.h"

static void the_only_address_gives_the_domain(void **state)
{
	static const struct {
		const char *label, *in, *want;
		enum err err;
	} rows[] = {
		{ "bare", " joe@shop.example\r\n", "shop.example", OK },
		{ "with a name", " Joe <joe@Shop.Example>\r\n", "shop.example", OK },
		{ "folded", " Joe\r\n <joe@shop.example\r\n >", "shop.example", OK },
		{ "a quoted name with an address", " \"a@evil.example, b\" <joe@shop.example>", "shop.example", OK },
		{ "an unquoted name with an address", " a@evil.example <joe@shop.example>", "shop.example", OK },
		{ "a comment with an address", " joe@shop.example (a@evil.example)", "shop.example", OK },
		{ "a comment within the domain", " joe@shop.(x(y)\\)z)example", "shop.example", OK },
		{ "a quoted local part", " \"joe@x\"@shop.example", "shop.example", OK },
		{ "text behind", " <joe@shop.example> a@evil.example", "shop.example", OK },
		{ "a source route", " <@evil.example,@x.example:joe@shop.example>", "shop.example", OK },
		{ "a group of one", " Shop: joe@shop.example;", "shop.example", OK },
		{ "empty list elements", " , joe@shop.example,,", "shop.example", OK },
		{ "an internationalised domain", " joe@m\xc3\xbcller.example", "xn--mller-kva.example", OK },
		{ "an A-label", " joe@XN--MLLER-KVA.example", "xn--mller-kva.example", OK },
		{ "two addresses", " a@shop.example, b@shop.example", "", ERR_LIMIT },
		{ "two of a group", " g: a@shop.example, b@x.example;", "", ERR_LIMIT },
		{ "none", " ", "", ERR_NOT_FOUND },
		{ "an empty group", " undisclosed:;", "", ERR_NOT_FOUND },
		{ "no domain", " joe", "", ERR_NOT_FOUND },
		{ "the null address", " <>", "", ERR_NOT_FOUND },
		{ "an empty domain", " joe@", "", ERR_NOT_FOUND },
		{ "an address literal", " joe@[192.0.2.1]", "", ERR_NOT_FOUND },
		{ "an empty label", " joe@shop..example", "", ERR_NOT_FOUND },
		{ "a dot at the end", " joe@shop.example.", "", ERR_NOT_FOUND },
		{ "Latin-1", " joe@m\xfcller.example", "", ERR_NOT_FOUND },
		{ "an open quote", " \"joe@shop.example", "", ERR_NOT_FOUND },
		{ "an open comment", " (joe@shop.example", "", ERR_NOT_FOUND },
	};
	char out[AUTHOR_DOMAIN];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum err err = author_domain(rows[i].in, strlen(rows[i].in), out);

		if (err != rows[i].err || strcmp(out, rows[i].want) != 0)
			fail_msg("%s: got %s \"%s\", want %s \"%s\"", rows[i].label, err_name(err), out,
			    err_name(rows[i].err), rows[i].want);
	}
}

static void overlong_and_strange_values_give_none_and_do_no_harm(void **state)
{
	static const char letters[] = "ab@@..<>,;:\"\\() \t\r\n\xc3\xa4";
	char value[4000], out[AUTHOR_DOMAIN];
	struct rand r;

	memset(value, 'a', sizeof(value));
	value[5] = '@';
	assert_int_equal(author_domain(value, sizeof(value), out), ERR_NOT_FOUND);
	assert_int_equal(author_domain("joe@shop.example\0.evil.example", 30, out), ERR_NOT_FOUND);
	rand_seed(&r, 3);
	for (int round = 0; round < 20000; round++) {
		size_t len = rand_below(&r, round % 100 == 0 ? sizeof(value) : 40);

		for (size_t i = 0; i < len; i++)
			value[i] = letters[rand_below(&r, sizeof(letters) - 1)];
		if (author_domain(value, len, out) != OK)
			assert_string_equal(out, "");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_only_address_gives_the_domain),
		cmocka_unit_test(overlong_and_strange_values_give_none_and_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
