/* tests/unit/relay/test_sts_policy.c - MTA-STS as text: records, policies, patterns (RFC 8461 section 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/deliver/sts_policy.h"

static void a_record_names_its_id_or_counts_for_nothing(void **state)
{
	static const struct {
		const char *label;
		const char *txt[3];
		const char *want; /* NULL: no policy */
	} rows[] = {
		{ "as in the RFC", { "v=STSv1; id=20160831085700Z;" }, "20160831085700Z" },
		{ "without the last semicolon", { "v=STSv1; id=a1" }, "a1" },
		{ "blanks around semicolons", { "v=STSv1 ;\tid=a1 ; " }, "a1" },
		{ "no blanks", { "v=STSv1;id=a1;" }, "a1" },
		{ "extensions", { "v=STSv1; x-y.z_1=v:a/lue; id=a1; b=c" }, "a1" },
		{ "others beside it", { "v=spf1 -all", "v=STSv1; id=a1;", "v=STSv11; id=b" }, "a1" },
		{ "two of them", { "v=STSv1; id=a1;", "v=STSv1; id=a2;" }, NULL },
		{ "32 characters", { "v=STSv1; id=12345678901234567890123456789012" }, "12345678901234567890123456789012" },
		{ "33 characters", { "v=STSv1; id=123456789012345678901234567890123" }, NULL },
		{ "no id", { "v=STSv1; x=y;" }, NULL },
		{ "no fields", { "v=STSv1;" }, NULL },
		{ "version alone", { "v=STSv1" }, NULL },
		{ "empty id", { "v=STSv1; id=;" }, NULL },
		{ "id with a hyphen", { "v=STSv1; id=a-1;" }, NULL },
		{ "two ids", { "v=STSv1; id=a; id=b;" }, NULL },
		{ "version in small letters", { "v=stsv1; id=a1;" }, NULL },
		{ "blank before the version", { " v=STSv1; id=a1;" }, NULL },
		{ "version not first", { "id=a1; v=STSv1;" }, NULL },
		{ "an empty field", { "v=STSv1;; id=a1;" }, NULL },
		{ "an extension without a value", { "v=STSv1; x=; id=a1;" }, NULL },
		{ "an extension with a blank", { "v=STSv1; x=a b; id=a1;" }, NULL },
		{ "a control character", { "v=STSv1; id=a1\1;" }, NULL },
		{ "nothing", { "" }, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[STS_ID_MAX + 1] = "";
		size_t count = 0;
		bool found;

		while (count < 3 && rows[i].txt[count])
			count++;
		found = sts_record_id((char *const *)rows[i].txt, count, id);
		if (found != (rows[i].want != NULL) || (found && strcmp(id, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].label, found ? id : "no policy");
	}
	assert_false(sts_record_id(NULL, 0, (char[STS_ID_MAX + 1]){ 0 }));
}

#define HEAD "version: STSv1\nmode: enforce\n"
#define TAIL "max_age: 86400\n"

static void a_policy_is_read_or_refused_with_the_reason(void **state)
{
	static const struct {
		const char *label, *text, *want; /* "mode age mx,mx", or a part of the reason behind "!" */
	} rows[] = {
		{ "as in the RFC", "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n",
		  "enforce 604800 mail.example.com,*.example.net,backupmx.example.com" },
		{ "no last line end", HEAD "mx: a.example\nmax_age: 1", "enforce 1 a.example" },
		{ "any order, no blanks, extensions", "max_age:5\nmx:A.Example\nfoo-bar: x y z \nmode:testing\nversion:STSv1\n", "testing 5 a.example" },
		{ "none needs no mx", "version: STSv1\nmode: none\nmax_age: 60\n", "none 60 " },
		{ "the first of a field twice counts", HEAD "mode: none\nmx: a.example\n" TAIL "max_age: 5\n", "enforce 86400 a.example" },
		{ "a larger age is the largest", HEAD "mx: a.example\nmax_age: 9999999999\n", "enforce 31557600 a.example" },
		{ "empty lines", "\n" HEAD "\r\nmx: a.example\n" TAIL "\n", "enforce 86400 a.example" },
		{ "blanks at the end", "version: STSv1 \nmode: enforce\t\nmx: a.example \nmax_age: 1 \n", "enforce 1 a.example" },
		{ "nothing", "", "!no version" },
		{ "no version", "mode: enforce\nmx: a.example\n" TAIL, "!no version" },
		{ "another version", "version: STSv2\nmode: enforce\nmx: a.example\n" TAIL, "!not STSv1" },
		{ "no mode", "version: STSv1\nmx: a.example\n" TAIL, "!no mode" },
		{ "another mode", "version: STSv1\nmode: Enforce\nmx: a.example\n" TAIL, "!none of" },
		{ "no age", HEAD "mx: a.example\n", "!no max_age" },
		{ "negative age", HEAD "mx: a.example\nmax_age: -1\n", "!no number" },
		{ "age of eleven digits", HEAD "mx: a.example\nmax_age: 00000000001\n", "!digits" },
		{ "empty age", HEAD "mx: a.example\nmax_age:\n", "!digits" },
		{ "no mx", HEAD TAIL, "!no mx" },
		{ "a star inside", HEAD "mx: a.*.example\n" TAIL, "!no host name" },
		{ "a star alone", HEAD "mx: *\n" TAIL, "!no host name" },
		{ "a star with nothing behind", HEAD "mx: *.\n" TAIL, "!no host name" },
		{ "an empty label", HEAD "mx: a..example\n" TAIL, "!no host name" },
		{ "a hyphen at the border", HEAD "mx: -a.example\n" TAIL, "!no host name" },
		{ "an address in brackets", HEAD "mx: [192.0.2.1]\n" TAIL, "!no host name" },
		{ "no colon", HEAD "mx a.example\n" TAIL, "!no field" },
		{ "a page", "<html>\n<body>: x\n", "!no field" },
		{ "a control character", HEAD "x: a\001b\nmx: a.example\n" TAIL, "!control" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sts_policy policy;
		struct err_detail why = { 0 };
		char got[400];

		if (sts_policy_parse(rows[i].text, strlen(rows[i].text), &policy, &why) == OK) {
			int len = snprintf(got, sizeof(got), "%s %u ", sts_mode_name(policy.mode), policy.max_age);

			for (size_t k = 0; k < policy.mx_count; k++)
				len += snprintf(got + len, sizeof(got) - (size_t)len, "%s%s", k > 0 ? "," : "", policy.mx[k]);
		} else {
			snprintf(got, sizeof(got), "!%.300s", why.text);
		}
		sts_policy_fini(&policy);
		if (rows[i].want[0] == '!' ? got[0] != '!' || !strstr(got, rows[i].want + 1) : strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, expected %s", rows[i].label, got, rows[i].want);
	}
}

static void a_policy_has_bounds(void **state)
{
	struct sts_policy policy;
	struct err_detail why;
	struct buf text;

	buf_init(&text, 1 << 20);
	assert_int_equal(buf_add_str(&text, HEAD TAIL), OK);
	for (int i = 0; i < STS_MX_MAX; i++)
		assert_int_equal(buf_printf(&text, "mx: a%d.example\n", i), OK);
	assert_int_equal(sts_policy_parse(text.data, text.len, &policy, &why), OK);
	assert_int_equal(policy.mx_count, STS_MX_MAX);
	sts_policy_fini(&policy);
	assert_int_equal(buf_add_str(&text, "mx: one.more.example\n"), OK);
	assert_int_equal(sts_policy_parse(text.data, text.len, &policy, &why), ERR_INVALID);
	assert_null(policy.mx);
	buf_reset(&text);
	assert_int_equal(buf_add_str(&text, HEAD TAIL "mx: a.example\n"), OK);
	memset(buf_extend(&text, STS_TEXT_MAX), '\n', STS_TEXT_MAX);
	assert_int_equal(sts_policy_parse(text.data, text.len, &policy, &why), ERR_INVALID);
	buf_fini(&text);
}

static void patterns_match_hosts(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool want;
	} rows[] = {
		{ "mx.example", "mx.example", true }, { "mx.example", "MX.Example", true }, { "mx.example", "a.mx.example", false },
		{ "*.example", "mx.example", true }, { "*.example", "example", false }, { "*.example", "a.mx.example", false },
		{ "*.example", ".example", false }, { "*.example", "mx.example.net", false }, { "mx.example", "mx.example.net", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *mx[] = { (char *)rows[i].pattern };
		struct sts_policy policy = { .mode = STS_ENFORCE, .mx = mx, .mx_count = 1 };

		if (sts_policy_allows(&policy, rows[i].host) != rows[i].want)
			fail_msg("%s %s", rows[i].pattern, rows[i].host);
	}
}

static void the_media_type_is_plain_text(void **state)
{
	assert_true(sts_type_is_right("text/plain"));
	assert_true(sts_type_is_right("Text/Plain ; charset=utf-8"));
	assert_false(sts_type_is_right("text/html"));
	assert_false(sts_type_is_right("text/plainer"));
	assert_false(sts_type_is_right(""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_names_its_id_or_counts_for_nothing),
		cmocka_unit_test(a_policy_is_read_or_refused_with_the_reason),
		cmocka_unit_test(a_policy_has_bounds),
		cmocka_unit_test(patterns_match_hosts),
		cmocka_unit_test(the_media_type_is_plain_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
