/* tests/unit/base/test_ip.c - addresses, networks and endpoints as text and as values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/ip.h"

static void addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *back; /* back NULL: refused */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "::", "::" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.1 ", NULL },
		{ "192.0.02.1", NULL },
		{ "0x7f.0.0.1", NULL },
		{ "[::1]", NULL },
		{ "fe80::1%lo", NULL },
		{ "1::2::3", NULL },
		{ "localhost", NULL },
	};
	struct ip_addr addr;
	char text[IP_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (ip_parse(rows[i].text, &addr) != (rows[i].back != NULL))
			fail_msg("%s", rows[i].text);
		if (rows[i].back != NULL)
			assert_string_equal(ip_format(&addr, text), rows[i].back);
	}
}

static void networks_need_zero_host_bits_and_a_plain_prefix(void **state)
{
	static const struct {
		const char *text;
		int prefix; /* -1: refused */
	} rows[] = {
		{ "10.1.0.0/16", 16 },
		{ "10.1.2.3", 32 },
		{ "10.1.2.3/32", 32 },
		{ "0.0.0.0/0", 0 },
		{ "2001:db8::/32", 32 },
		{ "::1", 128 },
		{ "::/0", 0 },
		{ "10.1.0.1/16", -1 },
		{ "10.0.0.128/24", -1 },
		{ "2001:db8::1/32", -1 },
		{ "10.1.0.0/33", -1 },
		{ "::/129", -1 },
		{ "10.1.0.0/", -1 },
		{ "10.1.0.0/016", -1 },
		{ "10.1.0.0/+16", -1 },
		{ "10.1.0.0/16/16", -1 },
		{ "10.1.0.0/4294967312", -1 },
		{ "/16", -1 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/8", -1 },
	};
	struct ip_net net;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = ip_net_parse(rows[i].text, &net);

		if (ok != (rows[i].prefix >= 0) || (ok && net.prefix != rows[i].prefix))
			fail_msg("%s", rows[i].text);
	}
}

static void a_network_contains_its_addresses_and_no_others(void **state)
{
	static const struct {
		const char *net, *addr;
		bool inside;
	} rows[] = {
		{ "10.1.0.0/16", "10.1.255.255", true },
		{ "10.1.0.0/16", "10.2.0.0", false },
		{ "10.1.0.0/15", "10.1.0.0", false }, /* refused as a network: host bits */
		{ "10.0.0.0/15", "10.1.2.3", true },
		{ "10.0.0.0/15", "10.2.0.0", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "10.0.0.0/8", "::ffff:10.9.8.7", true },
		{ "10.0.0.0/8", "::ffff:11.9.8.7", false },
		{ "::ffff:10.0.0.0/104", "10.9.8.7", true },
		{ "::ffff:10.0.0.0/104", "::ffff:10.9.8.7", true },
		{ "::ffff:10.0.0.0/104", "11.9.8.7", false },
	};
	struct ip_net net;
	struct ip_addr addr;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool inside = ip_net_parse(rows[i].net, &net) && ip_parse(rows[i].addr, &addr) && ip_net_contains(&net, &addr);

		if (inside != rows[i].inside)
			fail_msg("%s in %s", rows[i].addr, rows[i].net);
	}
}

static void endpoints_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *back; /* back NULL: refused */
	} rows[] = {
		{ "127.0.0.1:25", "127.0.0.1:25" },
		{ "[::]:465", "[::]:465" },
		{ "[2001:DB8::1]:65535", "[2001:db8::1]:65535" },
		{ "127.0.0.1:0", NULL },
		{ "127.0.0.1:65536", NULL },
		{ "127.0.0.1:025", NULL },
		{ "127.0.0.1:", NULL },
		{ "127.0.0.1", NULL },
		{ "[127.0.0.1]:25", NULL },
		{ "::1:25", NULL },
		{ "[::1]", NULL },
		{ "[::1]25", NULL },
		{ "[::1:25", NULL },
		{ "[]:25", NULL },
		{ "[:25", NULL },
		{ ":25", NULL },
		{ ":", NULL },
		{ "", NULL },
	};
	struct ip_port at;
	char text[IP_PORT_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (ip_port_parse(rows[i].text, &at) != (rows[i].back != NULL))
			fail_msg("%s", rows[i].text);
		if (rows[i].back != NULL)
			assert_string_equal(ip_port_format(&at, text), rows[i].back);
	}
}

static void the_longest_texts_fit(void **state)
{
	struct ip_port at = { .port = 65535 };
	char text[IP_PORT_TEXT];

	assert_true(ip_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &at.addr));
	assert_string_equal(ip_port_format(&at, text), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	at.addr.family = 0;
	assert_string_equal(ip_format(&at.addr, text), "none");
}

static void a_mapped_address_becomes_ipv4(void **state)
{
	struct ip_addr a, b;

	assert_true(ip_parse("::ffff:192.0.2.1", &a) && ip_parse("192.0.2.1", &b));
	assert_false(ip_equal(&a, &b));
	ip_unmap(&a);
	assert_true(ip_equal(&a, &b));
	assert_true(ip_parse("::fffe:192.0.2.1", &a));
	b = a;
	ip_unmap(&a);
	assert_true(ip_equal(&a, &b));
}

static void values_survive_the_socket_api(void **state)
{
	static const char *const rows[] = { "192.0.2.1:25", "[2001:db8::1]:465" };
	struct sockaddr_storage ss;
	struct ip_port at, back;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(ip_port_parse(rows[i], &at));
		assert_int_equal(ip_to_sockaddr(&at.addr, at.port, &ss),
		    i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_true(ip_from_sockaddr((struct sockaddr *)&ss, &back));
		assert_true(ip_equal(&at.addr, &back.addr));
		assert_int_equal(back.port, at.port);
	}
	ss.ss_family = AF_UNIX;
	assert_false(ip_from_sockaddr((struct sockaddr *)&ss, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(networks_need_zero_host_bits_and_a_plain_prefix),
		cmocka_unit_test(a_network_contains_its_addresses_and_no_others),
		cmocka_unit_test(endpoints_are_read_and_written),
		cmocka_unit_test(the_longest_texts_fit),
		cmocka_unit_test(a_mapped_address_becomes_ipv4),
		cmocka_unit_test(values_survive_the_socket_api),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
