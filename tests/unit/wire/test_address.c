/* tests/unit/wire/test_address.c - unit tests for relay/wire/address.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/address.h"

#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define D255 L63 "." L63 "." L63 "." L63

static void paths_that_are_taken(void **state)
{
	static const struct {
		const char *label, *in;
		size_t used;
		const char *text, *domain;
		bool utf8;
	} rows[] = {
		{ "plain",                    "<a@b.example>",                  13, "a@b.example", "b.example", false },
		{ "null path",                "<> SIZE=1",                       2, "", "", false },
		{ "domain is lower-cased",    "<Jo.Doe@EXAMPLE.Org>",           20, "Jo.Doe@example.org", "example.org", false },
		{ "parameters are left",      "<a@b> BODY=7BIT",                 5, "a@b", "b", false },
		{ "no brackets",              "a@b SIZE=1",                      3, "a@b", "b", false },
		{ "no brackets, to the end",  "a@b.example",                    11, "a@b.example", "b.example", false },
		{ "bare postmaster",          "<Postmaster>",                   12, "Postmaster", "", false },
		{ "source route is dropped",  "<@x.example,@y:a@b>",            19, "a@b", "b", false },
		{ "route through a literal",  "<@[IPv6:::1]:a@b>",              17, "a@b", "b", false },
		{ "quoted local part",        "<\"a b\"@c>",                     9, "\"a b\"@c", "c", false },
		{ "quoted at and bracket",    "<\"x@y>z\"@c>",                  11, "\"x@y>z\"@c", "c", false },
		{ "quoted pair",              "<\"a\\\"b\"@c>",                 10, "\"a\\\"b\"@c", "c", false },
		{ "IPv4 literal",             "<a@[192.0.2.1]>",                15, "a@[192.0.2.1]", "[192.0.2.1]", false },
		{ "IPv6 literal",             "<a@[IPv6:2001:DB8::1]>",         22, "a@[ipv6:2001:db8::1]", "[ipv6:2001:db8::1]", false },
		{ "atext specials",           "<a!#$%&'*+-/=?^_`{|}~@b>",       24, "a!#$%&'*+-/=?^_`{|}~@b", "b", false },
		{ "dots of mobile carriers",  "<a..b.@c>",                       9, "a..b.@c", "c", false },
		{ "underscore in domain",     "<a@_b.c>",                        8, "a@_b.c", "_b.c", false },
		{ "UTF-8 local part",         "<j\xC3\xBCrgen@b>",              11, "j\xC3\xBCrgen@b", "b", true },
		{ "U-label, A-Z lowered",     "<a@B\xC3\x9C.Example>",          15, "a@b\xC3\x9C.example", "b\xC3\x9C.example", true },
		{ "VERP sender beyond 64",    "<" A64 "=x@b>",                  70, A64 "=x@b", "b", false },
		{ "longest of RFC 5321",      "<" A64 "@" D255 ">",            322, A64 "@" D255, D255, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address address;
		struct err_detail why;
		size_t used;

		if (address_parse_path(rows[i].in, strlen(rows[i].in), true, &address, &used, &why) != OK)
			fail_msg("%s: refused: %s", rows[i].label, why.text);
		if (used != rows[i].used || strcmp(address.text, rows[i].text) != 0 ||
		    strcmp(address_domain(&address), rows[i].domain) != 0 || address.utf8 != rows[i].utf8)
			fail_msg("%s: got \"%s\", domain \"%s\", used %zu, utf8 %d", rows[i].label, address.text,
			    address_domain(&address), used, address.utf8);
	}
}

static void paths_that_are_refused(void **state)
{
	static const struct {
		const char *label, *in, *why;
		bool utf8;
	} rows[] = {
		{ "nothing",                 "",                    "bad local part of address", true },
		{ "not closed",              "<a@b",                "no \">\" at the end of path", true },
		{ "no domain",               "<a>",                 "address has no domain", true },
		{ "empty domain",            "<a@>",                "bad domain of address", true },
		{ "empty local part",        "<@b>",                "bad source route in path", true },
		{ "two ats",                 "<a@b@c>",             "bad domain of address", true },
		{ "space inside",            "<a b@c>",             "address has no domain", true },
		{ "empty label",             "<a@b..c>",            "bad domain of address", true },
		{ "trailing dot",            "<a@b.>",              "bad domain of address", true },
		{ "label of 64",             "<a@" L63 "b>",        "bad domain of address", true },
		{ "domain of 256",           "<a@" D255 "b>",       "bad domain of address", true },
		{ "bad IPv4 literal",        "<a@[192.0.2.999]>",   "bad domain of address", true },
		{ "IPv6 without its tag",    "<a@[::1]>",           "bad domain of address", true },
		{ "IPv4 with the IPv6 tag",  "<a@[IPv6:1.2.3.4]>",  "bad domain of address", true },
		{ "open literal",            "<a@[192.0.2.1>",      "bad domain of address", true },
		{ "open quote",              "<\"a@b>",             "bad local part of address", true },
		{ "tab in quotes",           "<\"a\tb\"@c>",        "bad local part of address", true },
		{ "bracket in bare address", "a@b>",                "bad domain of address", true },
		{ "route without a mailbox", "<@a:>",               "bad local part of address", true },
		{ "route without a colon",   "<@a>",                "bad source route in path", true },
		{ "UTF-8 not asked for",     "<\xC3\xBC@b>",        "non-ASCII address needs SMTPUTF8", false },
		{ "U-label not asked for",   "<a@\xC3\xBC>",        "non-ASCII address needs SMTPUTF8", false },
		{ "overlong UTF-8",          "<a\xC0\xAF@b>",       "address is not valid UTF-8", true },
		{ "cut UTF-8",               "<a@b\xC3>",           "address is not valid UTF-8", true },
		{ "too long",                "<" A64 "x@" D255 ">", "address is longer than 320 bytes", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address address;
		struct err_detail why = { 0 };
		size_t used;

		if (address_parse_path(rows[i].in, strlen(rows[i].in), rows[i].utf8, &address, &used, &why) == OK)
			fail_msg("%s: taken as \"%s\"", rows[i].label, address.text);
		if (strcmp(why.text, rows[i].why) != 0)
			fail_msg("%s: the reason is \"%s\"", rows[i].label, why.text);
	}
}

static void nul_bytes_are_no_part_of_any_address(void **state)
{
	static const char in[] = "<a@b.example>";

	(void)state;
	for (size_t at = 0; at < sizeof(in) - 1; at++) {
		char text[sizeof(in)];
		struct address address;
		size_t used;

		memcpy(text, in, sizeof(in));
		text[at] = '\0';
		if (address_parse_path(text, sizeof(in) - 1, true, &address, &used, NULL) == OK)
			fail_msg("NUL at %zu was taken", at);
	}
}

static void a_bare_mailbox_must_be_all_there_is(void **state)
{
	struct address address;

	(void)state;
	assert_int_equal(address_parse("A@B.example", false, &address, NULL), OK);
	assert_string_equal(address.text, "A@b.example");
	assert_int_equal(address.at, 1);
	assert_int_equal(address_parse("a@b.example ", false, &address, NULL), ERR_INVALID);
	assert_int_equal(address_parse("<a@b.example>", false, &address, NULL), ERR_INVALID);
	assert_int_equal(address_parse("a@b.example,c@d", false, &address, NULL), ERR_INVALID);
	assert_int_equal(address_parse("", false, &address, NULL), ERR_INVALID);
}

static void host_names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{ "example.org", true }, { "localhost", true }, { "_dmarc.x", true }, { "a-b.c", true }, { D255, true },
		{ "", false }, { ".", false }, { "a.", false }, { ".a", false }, { "a b", false }, { "[192.0.2.1]", false },
		{ "a..b", false }, { D255 "b", false }, { L63 "b", false }, { "\xC3\xBC.example", false }, { "a/b", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (domain_is_valid(rows[i].name) != rows[i].valid)
			fail_msg("\"%s\" should be %s", rows[i].name, rows[i].valid ? "valid" : "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_that_are_taken),
		cmocka_unit_test(paths_that_are_refused),
		cmocka_unit_test(nul_bytes_are_no_part_of_any_address),
		cmocka_unit_test(a_bare_mailbox_must_be_all_there_is),
		cmocka_unit_test(host_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
