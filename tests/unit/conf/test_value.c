/* tests/unit/conf/test_value.c - the notations of single values. */
#include "tests/unit/conf/conf_test.h"

#include "conf/value.h"

/* The verifier of RFC 7677 section 3: "pencil". */
#define SCRAM_KEYS "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SCRAM_HASH "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" SCRAM_KEYS

static void a_value_is_read_and_printed(void **state)
{
	static const struct { enum value_type type; const char *text; int64_t number; const char *printed; } rows[] = {
		{ VALUE_DURATION, "90s", SECONDS(90), "90s" },   { VALUE_DURATION, "15m", MINUTES(15), "15m" },
		{ VALUE_DURATION, "120m", HOURS(2), "2h" },      { VALUE_DURATION, "5d", DAYS(5), "5d" },
		{ VALUE_SIZE, "10M", 10 << 20, "10M" },          { VALUE_SIZE, "1000", 1000, "1000" },
		{ VALUE_SIZE, "2048K", 2 << 20, "2M" },          { VALUE_SIZE, "3T", INT64_C(3) << 40, "3T" },
		{ VALUE_SIZE, "0", 0, "0" },                     { VALUE_RATE, "600/h", 14400, "600/h" },
		{ VALUE_RATE, "1/s", 86400, "1/s" },             { VALUE_RATE, "none", 0, "none" },
		{ VALUE_RATE, "90/m", 129600, "90/m" },          { VALUE_DAYS, "14d", 14, "14d" },
		{ VALUE_DATE, "1970-01-02", DAYS(1), "1970-01-02" },
		{ VALUE_DATE, "2024-02-29", INT64_C(1709164800000), "2024-02-29" },
		{ VALUE_DATE, "2026-11-24", INT64_C(1795478400000), "2026-11-24" },
		{ VALUE_COUNT, "0", 0, "0" },                    { VALUE_FLAG, "true", 1, "true" },
		{ VALUE_AUTH, "required", AUTH_REQUIRED, "required" },
		{ VALUE_NETWORK, "192.0.2.1", 0, "192.0.2.1/32" }, { VALUE_NETWORK, "2001:DB8::/32", 0, "2001:db8::/32" },
		{ VALUE_ENDPOINT, "[::]:465", 0, "[::]:465" },   { VALUE_RESOLVER, "::1", 0, "::1@53" },
		{ VALUE_RESOLVER, "127.0.0.1@5353", 0, "127.0.0.1@5353" },
		{ VALUE_FINGERPRINT, "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F", 0,
		  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
		{ VALUE_HASH, SCRAM_HASH, 0, SCRAM_HASH },
		{ VALUE_PROXY, "socks5://192.0.2.1:1080", 0, "socks5://192.0.2.1:1080" },
		{ VALUE_PROXY, "socks5://u:p%40ss@[2001:db8::1]:1080", 0, "socks5://u:p%40ss@[2001:db8::1]:1080" },
		{ VALUE_HOST, "Mail.Example", 0, "mail.example" }, { VALUE_HOST, "_x.1.example", 0, "_x.1.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[VALUE_TEXT_MAX];
		struct value value;

		if (!value_parse(rows[i].type, rows[i].text, &value) || value.number != rows[i].number)
			fail_msg("%s: number %lld", rows[i].text, (long long)value.number);
		if (strcmp(value_format(rows[i].type, &value, text), rows[i].printed) != 0)
			fail_msg("%s: printed as %s", rows[i].text, value_format(rows[i].type, &value, text));
	}
}

static void a_proxy_falls_into_its_parts(void **state)
{
	struct value_proxy proxy;
	char at[IP_PORT_TEXT];

	(void)state;
	assert_true(value_split_proxy("socks5://us%3Aer:p%40%2fs@[2001:db8::1]:1080", &proxy));
	assert_string_equal(proxy.user, "us:er");
	assert_string_equal(proxy.password, "p@/s");
	assert_string_equal(ip_port_format(&proxy.at, at), "[2001:db8::1]:1080");
	assert_true(value_split_proxy("socks5://127.0.0.1:9", &proxy));
	assert_string_equal(proxy.user, "");
}

static void a_text_of_another_form_is_refused(void **state)
{
	static const struct { enum value_type type; const char *text; } rows[] = {
		{ VALUE_FINGERPRINT, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e" },
		{ VALUE_FINGERPRINT, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20" },
		{ VALUE_FINGERPRINT, "0:00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
		{ VALUE_FINGERPRINT, "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
		{ VALUE_HASH, "SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$" SCRAM_KEYS },
		{ VALUE_HASH, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=$" SCRAM_KEYS },
		{ VALUE_HASH, "SCRAM-SHA-256$4096:W22ZaJ0=$" SCRAM_KEYS }, { VALUE_HASH, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" },
		{ VALUE_HASH, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" SCRAM_KEYS "A" }, { VALUE_HASH, "SCRAM-SHA-256$" },
		{ VALUE_DURATION, "" }, { VALUE_DURATION, "5" }, { VALUE_DURATION, "5w" }, { VALUE_DURATION, "1h30m" },
		{ VALUE_DURATION, " 5s" }, { VALUE_DURATION, "5 s" }, { VALUE_DURATION, "1.5h" }, { VALUE_DURATION, "-1s" },
		{ VALUE_DURATION, "9223372036854775807d" }, { VALUE_DURATION, "5S" }, { VALUE_SIZE, "10m" }, { VALUE_SIZE, "10MB" },
		{ VALUE_SIZE, "9000000000T" }, { VALUE_SIZE, "M" }, { VALUE_RATE, "600" }, { VALUE_RATE, "0/h" }, { VALUE_RATE, "/h" },
		{ VALUE_RATE, "6/hh" }, { VALUE_RATE, "9223372036854775807/s" }, { VALUE_DAYS, "24h" }, { VALUE_DATE, "2026-02-29" },
		{ VALUE_DATE, "2026-13-01" }, { VALUE_DATE, "2026-1-01" }, { VALUE_DATE, "2026-11-24x" }, { VALUE_DATE, "1969-12-31" },
		{ VALUE_DATE, "" }, { VALUE_COUNT, "0x10" }, { VALUE_COUNT, "+1" }, { VALUE_FLAG, "True" }, { VALUE_AUTH, "" },
		{ VALUE_NETWORK, "10.0.0.1/8" }, { VALUE_NETWORK, "10.0.0.0/33" }, { VALUE_ENDPOINT, "127.0.0.1:65536" },
		{ VALUE_ENDPOINT, "::1:25" }, { VALUE_RESOLVER, "127.0.0.1@" }, { VALUE_RESOLVER, "127.0.0.1@0" },
		{ VALUE_RESOLVER, "127.0.0.1:53" }, { VALUE_HOST, "a..b" }, { VALUE_HOST, ".a" }, { VALUE_HOST, "a." },
		{ VALUE_HOST, "-a.b" }, { VALUE_HOST, "a-.b" }, { VALUE_HOST, "a b" }, { VALUE_HOST, "\xc3\xa9.example" },
		{ VALUE_HOST, "1.2.3.4" }, { VALUE_HOST, "" },
		{ VALUE_HOST, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example" },
		{ VALUE_HOST_PORT, "a.example" }, { VALUE_HOST_PORT, ":25" }, { VALUE_HOST_PORT, "::1:25" },
		{ VALUE_HOST_PORT, "[127.0.0.1]:25" }, { VALUE_HOST_PORT, "1.2.3.256:25" }, { VALUE_NAME, "" }, { VALUE_NAME, "-a" },
		{ VALUE_NAME, "a/b" }, { VALUE_NAME, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ VALUE_STRING, "" }, { VALUE_STRING, "a\nb" }, { VALUE_STRING, "a\xc2\x85" }, { VALUE_STRING, "\xef\xbb\xbf" }, { VALUE_HASH, "" }, { VALUE_HASH, "secret" }, { VALUE_HASH, "$y$" },
		{ VALUE_HASH, "$1$abcdefgh$G//4keteveJp0qb8z2DxG/" }, { VALUE_HASH, "abJnggxhB/yWI" },
		{ VALUE_PROXY, "192.0.2.1:1080" }, { VALUE_PROXY, "http://192.0.2.1:1080" }, { VALUE_PROXY, "socks5://192.0.2.1" },
		{ VALUE_PROXY, "socks5://proxy.example:1080" }, { VALUE_PROXY, "socks5://u@192.0.2.1:1080" }, { VALUE_PROXY, "socks5://:p@192.0.2.1:1080" },
		{ VALUE_PROXY, "socks5://u:@192.0.2.1:1080" }, { VALUE_PROXY, "socks5://u:a:b@192.0.2.1:1080" }, { VALUE_PROXY, "socks5://u:%4@192.0.2.1:1080" },
		{ VALUE_PROXY, "socks5://u:%00@192.0.2.1:1080" }, { VALUE_PROXY, "socks5://u:p@192.0.2.1:0" }, { VALUE_PROXY, "socks5://u:p@192.0.2.1:1080/" },
		{ VALUE_MAILBOX, "a" }, { VALUE_MAILBOX, "@b.example" }, { VALUE_MAILBOX, "a@" }, { VALUE_MAILBOX, "a b@c.example" },
		{ VALUE_MAILBOX, "a@[192.0.2.1]" }, { VALUE_MAILBOX, "<a@b.example>" }, { VALUE_OTHERS, "accept" }, { VALUE_RULE, "first" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value value;

		if (value_parse(rows[i].type, rows[i].text, &value))
			fail_msg("\"%s\" is taken for %s", rows[i].text, value_expected(rows[i].type));
	}
}

static void hashes_of_the_strong_schemes_are_accepted(void **state)
{
	static const char *const hashes[] = {
		TEST_HASH,
		"$2b$05$abcdefghijklmnopqrstuuTnM1hT0dQBsUf4jRmV1eQzq1xQbJbiW",
		"$5$rounds=5000$abcdefgh$1xZiHKmpDGAo66pbLQp4zJTRQWzsf6pLw5d7Q6mWt6C",
		"$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		struct value value;

		if (!value_parse(VALUE_HASH, hashes[i], &value))
			fail_msg("%s", hashes[i]);
	}
}

static void a_field_gives_back_what_was_stored(void **state)
{
	static const struct { enum value_type type; const char *text; } rows[] = {
		{ VALUE_RATE, "7/h" }, { VALUE_RATE, "40000/s" }, { VALUE_RATE, "1/d" }, { VALUE_RATE, "none" }, { VALUE_PORT, "65535" },
		{ VALUE_QUOTA, "10000000000" }, { VALUE_FLAG, "true" }, { VALUE_LOG_LEVEL, "warn" }, { VALUE_OTHERS, "rewrite" }, { VALUE_MAILBOX, "a.b+c@d.example" }, { VALUE_ADDRESS, "2001:db8::5" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		union { uint64_t align; unsigned char bytes[32]; } field = { 0 };
		char text[VALUE_TEXT_MAX];
		struct memory memory = { NULL };
		struct value value;
		int64_t extra = 0;

		assert_true(value_parse(rows[i].type, rows[i].text, &value));
		value_store(rows[i].type, &value, &field, &extra, "/", &memory);
		assert_true(value_load(rows[i].type, &field, &extra, &value));
		assert_string_equal(value_format(rows[i].type, &value, text), rows[i].text);
		memory_fini(&memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_read_and_printed),
		cmocka_unit_test(a_proxy_falls_into_its_parts),
		cmocka_unit_test(a_text_of_another_form_is_refused),
		cmocka_unit_test(hashes_of_the_strong_schemes_are_accepted),
		cmocka_unit_test(a_field_gives_back_what_was_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
