/* tests/unit/wire/test_proxy.c - unit tests for relay/wire/proxy.h and relay/wire/xclient.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/proxy.h"
#include "relay/wire/xclient.h"

#define V2   "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *label, *header;
	size_t len;
	const char *client; /* NULL: bad; "": none */
} headers[] = {
	/* clang-format off */
	{ "version 1", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 40000 25\r\n"), "192.0.2.1:40000" },
	{ "version 1, IPv6", BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n"), "[2001:db8::1]:65535" },
	{ "mapped", BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1" },
	{ "unknown", BYTES("PROXY UNKNOWN\r\n"), "" },
	{ "unknown with words", BYTES("PROXY UNKNOWN a b c d e\r\n"), "" },
	{ "an SMTP command", BYTES("EHLO client.example\r\n"), NULL },
	{ "lower case", BYTES("proxy TCP4 192.0.2.1 198.51.100.1 40000 25\r\n"), NULL },
	{ "UDP", BYTES("PROXY UDP4 192.0.2.1 198.51.100.1 40000 25\r\n"), NULL },
	{ "the other family", BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), NULL },
	{ "a name", BYTES("PROXY TCP4 client.example 198.51.100.1 40000 25\r\n"), NULL },
	{ "port too high", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n"), NULL },
	{ "port with a zero", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 040 25\r\n"), NULL },
	{ "port missing", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 40\r\n"), NULL },
	{ "word too many", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 40 25 x\r\n"), NULL },
	{ "two blanks", BYTES("PROXY TCP4  192.0.2.1 198.51.100.1 40 25\r\n"), NULL },
	{ "blank at the end", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 40 25 \r\n"), NULL },
	{ "bare LF", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 40 25\n"), NULL },
	{ "NUL", BYTES("PROXY TCP4 192.0.2.1\0 198.51.100.1 40 25\r\n"), NULL },
	{ "version 2", BYTES(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x19"), "192.0.2.1:40000" },
	{ "version 2, IPv6", BYTES(V2 "\x21\x21\0\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "0123456789abcdef" "\x00\x01\0\x19"), "[2001:db8::1]:1" },
	{ "version 2 with extras", BYTES(V2 "\x21\x11\0\x11\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x19" "extra"), "192.0.2.1:40000" },
	{ "version 2, local", BYTES(V2 "\x20\0\0\0"), "" },
	{ "version 2, local with an address", BYTES(V2 "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x19"), "" },
	{ "version 2, unspecified", BYTES(V2 "\x21\0\0\x03" "abc"), "" },
	{ "version 2, UDP", BYTES(V2 "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x19"), NULL },
	{ "version 2, too short", BYTES(V2 "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0"), NULL },
	{ "version 3", BYTES(V2 "\x31\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x19"), NULL },
	{ "version 2, unknown command", BYTES(V2 "\x22\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\0\x19"), NULL },
	{ "version 2, too long", BYTES(V2 "\x21\x11\xff\xff"), NULL },
	/* clang-format on */
};

/* What follows is not touched, however the bytes come. */
static void headers_are_read_to_their_end_and_no_further(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		for (size_t cut = 0; cut <= headers[i].len; cut++) {
			char bytes[256], text[IP_PORT_TEXT];
			struct proxy_reader reader;
			struct err_detail why;
			size_t used = 0, more = 0;
			enum proxy_status status;

			memcpy(bytes, headers[i].header, headers[i].len);
			memcpy(bytes + headers[i].len, "EHLO", 4);
			proxy_reader_init(&reader);
			status = proxy_read(&reader, bytes, cut, &used, &why);
			if (status == PROXY_MORE)
				status = proxy_read(&reader, bytes + cut, headers[i].len + 4 - cut, &more, &why);
			if (status != (headers[i].client != NULL ? PROXY_DONE : PROXY_BAD))
				fail_msg("%s, cut at %zu: status %d", headers[i].label, cut, status);
			if (headers[i].client == NULL)
				continue;
			if (used + more != headers[i].len)
				fail_msg("%s, cut at %zu: %zu bytes used", headers[i].label, cut, used + more);
			if (reader.has_client != (headers[i].client[0] != '\0'))
				fail_msg("%s: has_client %d", headers[i].label, reader.has_client);
			if (reader.has_client)
				assert_string_equal(ip_port_format(&reader.client, text), headers[i].client);
		}
	}
}

static void a_line_without_end_is_given_up(void **state)
{
	struct proxy_reader reader;
	struct err_detail why;
	char line[200];
	size_t used;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	proxy_reader_init(&reader);
	assert_int_equal(proxy_read(&reader, line, sizeof(line), &used, &why), PROXY_BAD);
	assert_int_equal(used, 107);
}

static void xclient_names_a_client(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* "ADDR PORT HELO LOGIN no-login"; NULL: refused */
	} rows[] = {
		{ "NAME=client.example ADDR=192.0.2.1 PORT=40000 PROTO=ESMTP HELO=client.example LOGIN=shop", "192.0.2.1 40000 client.example shop 0" },
		{ "addr=IPV6:2001:db8::1", "2001:db8::1 - - - 0" },
		{ "ADDR=2001:db8::1", "2001:db8::1 - - - 0" },
		{ "ADDR=::ffff:192.0.2.1", "192.0.2.1 - - - 0" },
		{ "ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL] HELO=[unavailable]", "- - - - 0" },
		{ "LOGIN=[UNAVAILABLE]", "- - - - 1" },
		{ "LOGIN=a+40b.example  PORT=0", "- 0 - a@b.example 0" },
		{ "ADDR=IPV6:192.0.2.1", NULL },
		{ "ADDR=client.example", NULL },
		{ "ADDR=192.0.2.1 ADDR=192.0.2.2", NULL },
		{ "ADDR", NULL },
		{ "ADDR=", NULL },
		{ "PORT=65536", NULL },
		{ "PORT=1x", NULL },
		{ "PROTO=HTTP", NULL },
		{ "HELO=a+20b", NULL },
		{ "LOGIN=a+0Ab", NULL },
		{ "LOGIN=a+4", NULL },
		{ "DESTADDR=192.0.2.1", NULL },
		{ "", NULL },
		{ " ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[800], addr[IP_TEXT], port[8];
		struct err_detail why;
		struct xclient x;
		enum err err = xclient_parse(rows[i].text, strlen(rows[i].text), &x, &why);

		if ((err == OK) != (rows[i].want != NULL))
			fail_msg("\"%s\": %s", rows[i].text, err_name(err));
		if (err != OK)
			continue;
		snprintf(port, sizeof(port), "%u", x.port);
		snprintf(got, sizeof(got), "%s %s %s %s %d", x.has_addr ? ip_format(&x.addr, addr) : "-", x.has_port ? port : "-",
		    x.has_helo ? x.helo : "-", x.has_login ? x.login : "-", x.no_login);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("\"%s\": %s", rows[i].text, got);
	}
}

static void a_value_of_xclient_is_bounded(void **state)
{
	struct err_detail why;
	struct xclient x;
	char text[400] = "LOGIN=";

	(void)state;
	memset(text + 6, 'a', 255);
	assert_int_equal(xclient_parse(text, 261, &x, &why), OK);
	assert_int_equal(strlen(x.login), 255);
	text[261] = 'a';
	assert_int_equal(xclient_parse(text, 262, &x, &why), ERR_INVALID);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read_to_their_end_and_no_further),
		cmocka_unit_test(a_line_without_end_is_given_up),
		cmocka_unit_test(xclient_names_a_client),
		cmocka_unit_test(a_value_of_xclient_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
