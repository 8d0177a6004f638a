/* tests/unit/relay/test_guard.c - failed logins under a clock of our own: delays, bans, locks, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/intake/guard.h"

#define ENTRIES 100

static struct ip_net exempt[1];
static struct conf_bruteforce limits;
static struct guard *guard;
static char told[4000];
static mono_ms now;

static void notice(void *arg, enum guard_change change, const struct guard_ban *ban, mono_ms when)
{
	static const char *const changes[] = { "begins", "ends", "lifted" };

	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s %s;", ban->name, changes[change]);
}

static int setup(void **state)
{
	limits = (struct conf_bruteforce){ .failures = 5, .network = 8, .login = 6, .window_ms = MINUTES(10), .delay_ms = SECONDS(1),
		.delay_max_ms = SECONDS(15), .ban_ms = MINUTES(15), .ban_max_ms = HOURS(1), .lock_ms = MINUTES(5), .exempt = exempt,
		.exempt_count = 1 };
	assert_true(ip_net_parse("127.0.0.0/8", &exempt[0]));
	told[0] = '\0';
	now = 1000;
	guard = guard_create(ENTRIES, notice, NULL);
	guard_configure(guard, &limits);
	return 0;
}

static int teardown(void **state)
{
	guard_destroy(&guard);
	return 0;
}

static struct ip_addr at(const char *text)
{
	struct ip_addr addr;

	assert_true(ip_parse(text, &addr));
	return addr;
}

static int64_t fail_from(const char *address, const char *user)
{
	struct ip_addr addr = at(address);

	return guard_fail(guard, &addr, user, now);
}

static bool is_banned(const char *address)
{
	struct ip_addr addr = at(address);

	return guard_is_banned(guard, &addr, now);
}

static bool is_locked(const char *address, const char *user)
{
	struct ip_addr addr = at(address);

	return guard_is_locked(guard, &addr, user, now);
}

static void fail_times(const char *address, const char *user, int times)
{
	for (int i = 0; i < times; i++)
		(void)fail_from(address, user);
}

static void delays_double_up_to_their_limit(void **state)
{
	static const int64_t want[] = { 1000, 2000, 4000, 8000, 15000, 15000 };

	limits.failures = 100;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(fail_from("192.0.2.1", "shop"), want[i]);
	assert_int_equal(fail_from("192.0.2.2", "shop"), 1000); /* another address */
	limits.delay_ms = 0;
	assert_int_equal(fail_from("192.0.2.1", "shop"), 0);
}

static void enough_failures_ban_an_address_for_its_time(void **state)
{
	fail_times("192.0.2.1", "a", 4);
	assert_false(is_banned("192.0.2.1"));
	(void)fail_from("192.0.2.1", "b");
	assert_true(is_banned("192.0.2.1"));
	assert_true(is_banned("::ffff:192.0.2.1"));
	assert_false(is_banned("192.0.2.2"));
	now += MINUTES(15) - 1;
	assert_true(is_banned("192.0.2.1"));
	now++;
	assert_false(is_banned("192.0.2.1"));
	assert_string_equal(told, "192.0.2.1 begins;192.0.2.1 ends;");
}

static void failures_are_forgotten_with_time(void **state)
{
	fail_times("192.0.2.1", "a", 4);
	now += MINUTES(4); /* two of five leak away */
	fail_times("192.0.2.1", "b", 2);
	assert_false(is_banned("192.0.2.1"));
	(void)fail_from("192.0.2.1", "c");
	assert_true(is_banned("192.0.2.1"));
}

static void one_failure_in_three_minutes_never_bans(void **state)
{
	for (int i = 0; i < 500; i++) {
		(void)fail_from("192.0.2.1", "a");
		now += MINUTES(3);
	}
	assert_false(is_banned("192.0.2.1"));
}

static void a_ban_of_an_earlier_run_is_in_force_again_and_counts_for_the_next(void **state)
{
	struct guard_ban ban = { .kind = GUARD_ADDRESS, .name = "192.0.2.1", .until = now + MINUTES(3), .failures = 7, .times = 1 };
	struct guard_ban over = { .kind = GUARD_NETWORK, .name = "2001:db8::/64", .until = now - 1, .failures = 9, .times = 2 };
	struct guard_figures figures;

	guard_restore(guard, &ban, now);
	guard_restore(guard, &over, now);
	guard_figures_read(guard, &figures);
	assert_int_equal(figures.banned, 1);
	assert_true(is_banned("192.0.2.1"));
	assert_false(is_banned("2001:db8::1"));
	assert_string_equal(told, "");
	now += MINUTES(3);
	assert_false(is_banned("192.0.2.1"));
	fail_times("192.0.2.1", "a", 5);
	now += MINUTES(30) - 1;
	assert_true(is_banned("192.0.2.1"));
	now++;
	assert_false(is_banned("192.0.2.1"));
}

static void each_ban_in_a_row_is_longer(void **state)
{
	static const int64_t want[] = { MINUTES(15), MINUTES(30), HOURS(1), HOURS(1) };

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		fail_times("192.0.2.1", "a", 5);
		now += want[i] - 1;
		if (!is_banned("192.0.2.1"))
			fail_msg("ban %zu is too short", i);
		now += 1;
		if (is_banned("192.0.2.1"))
			fail_msg("ban %zu is too long", i);
	}
	now += HOURS(1) + 1; /* good conduct */
	fail_times("192.0.2.1", "a", 5);
	now += MINUTES(15);
	assert_false(is_banned("192.0.2.1"));
}

static void addresses_of_one_ipv6_network_are_counted_together(void **state)
{
	char address[60];

	for (int i = 0; i < 8; i++) {
		assert_false(is_banned("2001:db8:0:1::ffff"));
		snprintf(address, sizeof(address), "2001:db8:0:1::%d", i + 1);
		(void)fail_from(address, "a");
	}
	assert_true(is_banned("2001:db8:0:1::ffff"));
	assert_false(is_banned("2001:db8:0:2::1"));
	assert_non_null(strstr(told, "2001:db8:0:1::/64 begins;"));
}

static void an_exempt_network_is_delayed_and_never_banned(void **state)
{
	fail_times("127.0.0.1", "a", 50);
	assert_false(is_banned("127.0.0.1"));
	assert_int_equal(fail_from("127.0.0.1", "a"), SECONDS(15));
	assert_true(is_locked("192.0.2.9", "a"));
}

static void a_login_under_attack_is_locked_but_not_where_it_is_at_home(void **state)
{
	struct ip_addr home = at("198.51.100.7"), other = at("2001:db8:1:1::5");
	char address[40];

	guard_succeed(guard, &home, "shop", now);
	guard_succeed(guard, &other, "shop", now);
	for (int i = 0; i < 6; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i + 1);
		(void)fail_from(address, "shop");
	}
	assert_true(is_locked("192.0.2.1", "shop"));
	assert_true(is_locked("203.0.113.5", "shop"));
	assert_false(is_locked("198.51.100.7", "shop"));
	assert_false(is_locked("2001:db8:1:1:abcd::1", "shop")); /* the same network */
	assert_false(is_locked("203.0.113.5", "other"));
	now += MINUTES(5);
	assert_false(is_locked("203.0.113.5", "shop"));
	assert_string_equal(told, "shop begins;shop ends;");
}

static void an_old_success_counts_no_longer(void **state)
{
	struct ip_addr home = at("198.51.100.7");

	guard_succeed(guard, &home, "shop", now);
	now += DAYS(31);
	fail_times("127.0.0.1", "shop", 6);
	assert_true(is_locked("198.51.100.7", "shop"));
}

static void what_is_lifted_starts_anew(void **state)
{
	struct guard_figures figures;

	fail_times("192.0.2.1", "shop", 6);
	assert_true(is_banned("192.0.2.1"));
	assert_true(is_locked("192.0.2.2", "shop"));
	assert_true(guard_lift(guard, "192.0.2.1", now));
	assert_false(is_banned("192.0.2.1"));
	assert_true(guard_lift(guard, "shop", now));
	assert_false(is_locked("192.0.2.2", "shop"));
	assert_false(guard_lift(guard, "shop", now));
	assert_false(guard_lift(guard, "192.0.2.3", now));
	fail_times("192.0.2.1", "x", 4);
	assert_false(is_banned("192.0.2.1"));
	assert_string_equal(told, "192.0.2.1 begins;shop begins;192.0.2.1 lifted;shop lifted;");
	guard_figures_read(guard, &figures);
	assert_int_equal(figures.failures, 10);
	assert_int_equal(figures.bans, 1);
	assert_int_equal(figures.locks, 1);
	assert_int_equal(figures.banned + figures.locked, 0);
}

static void collect(void *arg, const struct guard_ban *ban)
{
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "[%s %u %lld]", ban->name, ban->times, (long long)(ban->until - now));
}

static void what_is_in_force_is_listed_and_ends_by_itself(void **state)
{
	struct guard_figures figures;

	fail_times("192.0.2.1", "a", 5);
	fail_times("192.0.2.2", "b", 4);
	told[0] = '\0';
	guard_walk(guard, now, collect, NULL);
	assert_string_equal(told, "[192.0.2.1 1 900000]");
	now += MINUTES(20);
	told[0] = '\0';
	guard_expire(guard, now);
	assert_string_equal(told, "192.0.2.1 ends;");
	guard_figures_read(guard, &figures);
	assert_int_equal(figures.banned, 0);
}

static void memory_is_bounded_and_bans_outlive_a_flood(void **state)
{
	struct guard_figures figures;
	char address[40], user[40];

	fail_times("192.0.2.1", "a", 5);
	for (int i = 0; i < 20000; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.1", i / 250, i % 250);
		snprintf(user, sizeof(user), "user%d", i);
		(void)fail_from(address, user);
	}
	guard_figures_read(guard, &figures);
	assert_true(figures.entries <= 4 * ENTRIES);
	assert_true(is_banned("192.0.2.1"));
	assert_int_equal(figures.banned, 1);
}

static void more_bans_than_records_are_survived(void **state)
{
	struct guard_figures figures;
	char address[40];

	for (int i = 0; i < 3 * ENTRIES; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.1", i / 250, i % 250);
		fail_times(address, "a", 5);
	}
	guard_figures_read(guard, &figures);
	assert_true(figures.banned <= ENTRIES);
	assert_true(is_banned(address));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(delays_double_up_to_their_limit),
		TEST(enough_failures_ban_an_address_for_its_time),
		TEST(failures_are_forgotten_with_time),
		TEST(one_failure_in_three_minutes_never_bans),
		TEST(a_ban_of_an_earlier_run_is_in_force_again_and_counts_for_the_next),
		TEST(each_ban_in_a_row_is_longer),
		TEST(addresses_of_one_ipv6_network_are_counted_together),
		TEST(an_exempt_network_is_delayed_and_never_banned),
		TEST(a_login_under_attack_is_locked_but_not_where_it_is_at_home),
		TEST(an_old_success_counts_no_longer),
		TEST(what_is_lifted_starts_anew),
		TEST(what_is_in_force_is_listed_and_ends_by_itself),
		TEST(memory_is_bounded_and_bans_outlive_a_flood),
		TEST(more_bans_than_records_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
