/* tests/unit/wire/test_trace.c - unit tests for relay/wire/trace.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/trace.h"

static struct trace sample(void)
{
	struct trace trace = {
		.helo = "web.example", .hostname = "relay.example.net", .id = "0195f3a2", .esmtp = true, .when = 0,
	};

	assert_true(ip_parse("192.0.2.1", &trace.client));
	return trace;
}

static void check(const struct trace *trace, const char *want)
{
	struct buf buf;

	buf_init(&buf, 4096);
	assert_int_equal(trace_received(trace, &buf), OK);
	assert_string_equal(buf_str(&buf), want);
	buf_fini(&buf);
}

static void a_received_field_says_who_how_and_for_whom(void **state)
{
	struct trace trace = sample();

	(void)state;
	check(&trace, "Received: from web.example ([192.0.2.1])\r\n"
	    "\tby relay.example.net with ESMTP id 0195f3a2;\r\n"
	    "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
	trace.rcpt = "jo@example.org";
	trace.tls = true;
	trace.tls_text = "TLSv1.3 TLS_AES_256_GCM_SHA384";
	assert_true(ip_parse("2001:db8::1", &trace.client));
	check(&trace, "Received: from web.example ([IPv6:2001:db8::1])\r\n"
	    "\tby relay.example.net with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
	    "\tid 0195f3a2\r\n"
	    "\tfor <jo@example.org>; Thu, 01 Jan 1970 00:00:00 +0000\r\n");
}

static void protocol_words_of_rfc_3848_and_rfc_6531(void **state)
{
	static const struct {
		bool esmtp, tls, auth, utf8;
		const char *want;
	} rows[] = {
		{ false, false, false, false, " with SMTP id" },     { true, false, false, false, " with ESMTP id" },
		{ true, true, false, false, " with ESMTPS id" },     { true, false, true, false, " with ESMTPA id" },
		{ true, true, true, false, " with ESMTPSA id" },     { true, false, false, true, " with UTF8SMTP id" },
		{ true, true, false, true, " with UTF8SMTPS id" },   { true, false, true, true, " with UTF8SMTPA id" },
		{ true, true, true, true, " with UTF8SMTPSA id" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trace trace = sample();
		struct buf buf;

		trace.esmtp = rows[i].esmtp;
		trace.tls = rows[i].tls;
		trace.auth = rows[i].auth;
		trace.utf8 = rows[i].utf8;
		buf_init(&buf, 4096);
		assert_int_equal(trace_received(&trace, &buf), OK);
		if (strstr(buf_str(&buf), rows[i].want) == NULL)
			fail_msg("no \"%s\" in \"%s\"", rows[i].want, buf_str(&buf));
		buf_fini(&buf);
	}
}

static void a_client_name_cannot_break_the_field(void **state)
{
	static const struct {
		const char *helo;
		bool utf8;
		const char *want;
	} rows[] = {
		{ "[127.0.0.1]", false, "from [127.0.0.1] (" },
		{ "a)b(c;d", false, "from a?b?c?d (" },
		{ "a\r\nX: y", false, "from a??X:?y (" },
		{ "b\xC3\xBC", false, "from b? (" },
		{ "b\xC3\xBC", true, "from b\xC3\xBC (" },
		{ "b\xC3", true, "from b? (" },
		{ "", false, "from unknown (" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trace trace = sample();
		struct buf buf;

		trace.helo = rows[i].helo;
		trace.utf8 = rows[i].utf8;
		buf_init(&buf, 4096);
		assert_int_equal(trace_received(&trace, &buf), OK);
		if (strstr(buf_str(&buf), rows[i].want) == NULL)
			fail_msg("no \"%s\" in \"%s\"", rows[i].want, buf_str(&buf));
		buf_fini(&buf);
	}
}

static void every_line_stays_below_78_columns_and_a_full_buffer_is_left_as_it_was(void **state)
{
	struct trace trace = sample();
	struct buf buf;

	(void)state;
	trace.helo = "a-rather-long-host-name-of-some-container.eu-central-1.compute.internal";
	trace.hostname = "another-rather-long-host-name.of-the-relay.example.net";
	trace.rcpt = "somebody-with-a-long-name-of-her-own@a-long-domain-too.example.org";
	trace.tls_text = "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384";
	buf_init(&buf, 4096);
	assert_int_equal(trace_received(&trace, &buf), OK);
	for (const char *line = buf_str(&buf), *end; *line != '\0'; line = end + 2) {
		end = strstr(line, "\r\n");
		assert_non_null(end);
		if (end - line + (*line == '\t' ? 7 : 0) > 77 && memchr(line + 1, ' ', (size_t)(end - line - 1)) != NULL)
			fail_msg("a line could have been folded: %.*s", (int)(end - line), line);
	}
	buf_fini(&buf);
	buf_init(&buf, 60);
	assert_int_equal(buf_add_str(&buf, "before"), OK);
	assert_int_equal(trace_received(&trace, &buf), ERR_LIMIT);
	assert_string_equal(buf_str(&buf), "before");
	buf_fini(&buf);
}

static void received_fields_are_counted_in_the_header_alone_however_it_is_split(void **state)
{
	static const struct {
		const char *label, *in;
		uint32_t received;
		bool in_body;
		uint64_t header_bytes;
	} rows[] = {
		{ "none", "Subject: x\r\n\r\n", 0, true, 12 },
		{ "two", "Received: a\r\nReceived: b\r\n\r\nReceived: c\r\n", 2, true, 26 },
		{ "any case, blanks before the colon", "RECEIVED \t: a\r\nreceived:b\r\n\r\n", 2, true, 27 },
		{ "folded lines do not count", "Subject: x\r\n Received: y\r\n\r\n", 0, true, 26 },
		{ "longer names", "Received-SPF: x\r\nX-Received: y\r\nReceive: z\r\n\r\n", 0, true, 44 },
		{ "name without a colon", "Received\r\nReceived x: y\r\n\r\n", 0, true, 25 },
		{ "no header", "\r\nReceived: x\r\n", 0, true, 0 },
		{ "header only", "Received: x\r\n", 1, false, 13 },
		{ "cut line", "Received: x\r\nSub", 1, false, 16 },
		{ "lone CR is no empty line", "\rReceived: x\r\n\r\n", 0, true, 14 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].in);

		for (size_t split = 0; split <= len; split++) {
			struct header_scan scan;

			header_scan_init(&scan);
			header_scan_feed(&scan, rows[i].in, split);
			header_scan_feed(&scan, rows[i].in + split, len - split);
			if (scan.received != rows[i].received || scan.in_body != rows[i].in_body ||
			    scan.header_bytes != rows[i].header_bytes)
				fail_msg("%s, split at %zu: %u fields, in_body %d, %llu bytes", rows[i].label, split, scan.received,
				    scan.in_body, (unsigned long long)scan.header_bytes);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_received_field_says_who_how_and_for_whom),
		cmocka_unit_test(protocol_words_of_rfc_3848_and_rfc_6531),
		cmocka_unit_test(a_client_name_cannot_break_the_field),
		cmocka_unit_test(every_line_stays_below_78_columns_and_a_full_buffer_is_left_as_it_was),
		cmocka_unit_test(received_fields_are_counted_in_the_header_alone_however_it_is_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
