/* tests/unit/wire/test_socks.c - unit tests for relay/wire/socks.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/wire/socks.h"

#define V4_REPLY "\x05\0\0\x01\x7f\0\0\x01\x12\x34"

/* What the proxy says, in one stream, and what it hears. */
struct row {
	const char *label;
	const char *user, *password;
	const char *heard[3]; /* NULL: nothing more */
	size_t heard_len[3];
	size_t heard_count;
	const char *says[3];
	size_t says_len[3];
	size_t says_count;
	enum socks_result end;
	const char *why; /* NULL: none */
};

#define CONNECT_V4 "\x05\x01\0\x01\xc0\0\x02\x07\0\x19"

/* clang-format off */
static const struct row rows[] = {
	{ "no login", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", V4_REPLY }, { 2, 10 }, 2, SOCKS_OPEN, NULL },
	{ "a login", "user", "pw", { "\x05\x02\0\x02", "\x01\x04user\x02pw", CONNECT_V4 }, { 4, 9, 10 }, 3,
	  { "\x05\x02", "\x01\0", V4_REPLY }, { 2, 2, 10 }, 3, SOCKS_OPEN, NULL },
	{ "a login that is not wanted", "user", "pw", { "\x05\x02\0\x02", CONNECT_V4 }, { 4, 10 }, 2,
	  { "\x05\0", V4_REPLY }, { 2, 10 }, 2, SOCKS_OPEN, NULL },
	{ "bound to a name", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\0\0\x03\x04name\x12\x34" }, { 2, 11 }, 2, SOCKS_OPEN, NULL },
	{ "bound to IPv6", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\0\0\x04" "0123456789abcdef" "\x12\x34" }, { 2, 22 }, 2, SOCKS_OPEN, NULL },
	{ "a refused login", "user", "pw", { "\x05\x02\0\x02", "\x01\x04user\x02pw" }, { 4, 9 }, 2,
	  { "\x05\x02", "\x01\x01" }, { 2, 2 }, 2, SOCKS_PROXY_FAILS, "it refuses the user name and password" },
	{ "a login is wanted and there is none", NULL, NULL, { "\x05\x01\0" }, { 3 }, 1,
	  { "\x05\xff" }, { 2 }, 1, SOCKS_PROXY_FAILS, "it wants a user name and password" },
	{ "a method that was not offered", "user", "pw", { "\x05\x02\0\x02" }, { 4 }, 1,
	  { "\x05\x01" }, { 2 }, 1, SOCKS_PROXY_FAILS, "it takes no user name and password" },
	{ "another protocol", NULL, NULL, { "\x05\x01\0" }, { 3 }, 1,
	  { "HT" }, { 2 }, 1, SOCKS_PROXY_FAILS, "it does not speak SOCKS 5" },
	{ "the remote refuses", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\x05" }, { 2, 2 }, 2, SOCKS_REMOTE_FAILS, "connection refused" },
	{ "the remote is not reached", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\x04\0\x01\0\0\0\0\0\0" }, { 2, 10 }, 2, SOCKS_REMOTE_FAILS, "host unreachable" },
	{ "rules forbid it", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\x02\0\x01\0\0\0\0\0\0" }, { 2, 10 }, 2, SOCKS_PROXY_FAILS, "connection not allowed by its rules" },
	{ "an unknown code", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\x09" }, { 2, 2 }, 2, SOCKS_PROXY_FAILS, "it answers with an unknown code" },
	{ "an unknown type of address", NULL, NULL, { "\x05\x01\0", CONNECT_V4 }, { 3, 10 }, 2,
	  { "\x05\0", "\x05\0\0\x02\0" }, { 2, 5 }, 2, SOCKS_PROXY_FAILS, "its answer has an unknown type of address" },
};
/* clang-format on */

static void said(const struct row *row, const struct socks *socks, size_t n)
{
	if (n >= row->heard_count || socks->say_len != row->heard_len[n] || memcmp(socks->say, row->heard[n], socks->say_len) != 0)
		fail_msg("%s: words %zu are others, %zu bytes", row->label, n, socks->say_len);
}

static void begin(struct socks *socks, const struct row *row)
{
	struct ip_port to;

	assert_true(ip_port_parse("192.0.2.7:25", &to));
	socks_begin(socks, &to, row->user, row->password);
	said(row, socks, 0);
}

/* Each answer is handed over as a whole, with `step` bytes more each time before. */
static void play(const struct row *row, size_t step)
{
	enum socks_result result = SOCKS_MORE;
	struct socks socks;
	size_t heard = 1;

	begin(&socks, row);
	for (size_t i = 0; i < row->says_count && result == SOCKS_MORE; i++) {
		size_t used = 0;

		for (size_t len = step; result == SOCKS_MORE && used == 0; len += step) {
			result = socks_take(&socks, (const uint8_t *)row->says[i], len < row->says_len[i] ? len : row->says_len[i], &used);
			if (socks.say_len > 0)
				said(row, &socks, heard++);
			if (used == 0 && len >= row->says_len[i])
				break;
		}
	}
	if (result != row->end || heard != row->heard_count)
		fail_msg("%s: ends with %d after %zu words, step %zu", row->label, (int)result, heard, step);
	if (row->why)
		assert_string_equal(socks.why, row->why);
	assert_int_equal(socks.state, SOCKS_OVER);
}

static void each_exchange_ends_as_it_should_however_the_bytes_come(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step < 24; step += 22)
			play(&rows[i], step);
}

static void what_follows_the_last_answer_is_the_remotes(void **state)
{
	static const uint8_t reply[] = V4_REPLY "220 mx ready\r\n";
	struct socks socks;
	size_t used;

	(void)state;
	begin(&socks, &rows[0]);
	assert_int_equal(socks_take(&socks, (const uint8_t *)"\x05\0", 2, &used), SOCKS_MORE);
	assert_int_equal(socks_take(&socks, reply, sizeof(reply) - 1, &used), SOCKS_OPEN);
	assert_int_equal(used, 10);
}

static void an_ipv6_address_is_handed_on_as_such(void **state)
{
	struct ip_port to;
	struct socks socks;
	size_t used;

	(void)state;
	assert_true(ip_port_parse("[2001:db8::5]:2525", &to));
	socks_begin(&socks, &to, NULL, NULL);
	assert_int_equal(socks_take(&socks, (const uint8_t *)"\x05\0", 2, &used), SOCKS_MORE);
	assert_int_equal(socks.say_len, 22);
	assert_memory_equal(socks.say, "\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\x09\xdd", 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_exchange_ends_as_it_should_however_the_bytes_come),
		cmocka_unit_test(what_follows_the_last_answer_is_the_remotes),
		cmocka_unit_test(an_ipv6_address_is_handed_on_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
