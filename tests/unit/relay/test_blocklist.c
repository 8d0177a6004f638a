/* tests/unit/relay/test_blocklist.c - names of blocklist entries, and which answers are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "relay/deliver/blocklist.h"

static void an_address_is_asked_for_backwards(void **state)
{
	static const struct {
		const char *address, *want;
	} rows[] = {
		{ "192.0.2.10", "10.2.0.192.bl.test" },
		{ "127.0.0.2", "2.0.0.127.bl.test" },
		{ "2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[BLOCKLIST_NAME_MAX];
		struct ip_addr addr;

		assert_true(ip_parse(rows[i].address, &addr));
		assert_string_equal(blocklist_name(&addr, "bl.test", name), rows[i].want);
	}
}

static void only_answers_of_a_list_are_believed(void **state)
{
	static const struct {
		const char *label;
		enum dns_status status;
		const char *addresses[3];
		enum blocklist_verdict want;
		const char *words;
	} rows[] = {
		{ "no such name", DNS_NO_NAME, { NULL }, BLOCKLIST_CLEAN, "" },
		{ "no address there", DNS_NO_DATA, { NULL }, BLOCKLIST_CLEAN, "" },
		{ "listed", DNS_FOUND, { "127.0.0.2", NULL }, BLOCKLIST_LISTED, "127.0.0.2" },
		{ "listed twice", DNS_FOUND, { "127.0.0.2", "127.0.0.10", NULL }, BLOCKLIST_LISTED, "127.0.0.2 127.0.0.10" },
		{ "resolver not served", DNS_FOUND, { "127.255.255.254", NULL }, BLOCKLIST_TROUBLE, "the list does not serve this resolver: 127.255.255.254" },
		{ "domain sold", DNS_FOUND, { "198.51.100.7", NULL }, BLOCKLIST_TROUBLE, "no list answers so: 198.51.100.7" },
		{ "one of two is none", DNS_FOUND, { "127.0.0.2", "198.51.100.7", NULL }, BLOCKLIST_TROUBLE, "no list answers so: 198.51.100.7" },
		{ "time-out", DNS_TIMEOUT, { NULL }, BLOCKLIST_TROUBLE, NULL },
		{ "server failure", DNS_FAILED, { NULL }, BLOCKLIST_TROUBLE, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip_addr addrs[3];
		struct dns_answer answer = { .status = rows[i].status, .addrs = addrs };
		char words[BLOCKLIST_WORDS];

		for (; rows[i].addresses[answer.addr_count]; answer.addr_count++)
			assert_true(ip_parse(rows[i].addresses[answer.addr_count], &addrs[answer.addr_count]));
		if (blocklist_read(&answer, words) != rows[i].want || (rows[i].words && strcmp(words, rows[i].words) != 0))
			fail_msg("%s: \"%s\"", rows[i].label, words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_asked_for_backwards),
		cmocka_unit_test(only_answers_of_a_list_are_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
