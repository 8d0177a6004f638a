/* tests/unit/relay/test_sts.c - MTA-STS policies over days and restarts: fetched, kept, refreshed, over (RFC 8461 sections 3.3, 5.1 and 10.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "relay/deliver/sts.h"
#include "tests/unit/relay/net_world.h"

#define NAME "_mta-sts.example.com"
#define URL  "https://mta-sts.example.com/.well-known/mta-sts.txt"

static struct conf conf = { .mta_sts = { .enabled = true, .port = 443 } };
static struct sts *sts;

static void start(void)
{
	static int handle; /* the reader, which the world does not look at */

	sts = sts_create(WORLD_LOOP, NULL, NULL, (struct queue_reader *)&handle, &conf, NULL, world_wall());
}

static void restart(int64_t away_ms)
{
	sts_destroy(&sts);
	for (size_t i = 0; i < WORLD_MAX; i++) {
		assert_null(world.timers[i].timer);
		assert_false(world.queries[i].open || world.fetches[i].open);
	}
	world.now += away_ms;
	start();
}

static int begin(void **state)
{
	memset(&world, 0, sizeof(world));
	conf.mta_sts.enabled = true;
	start();
	return 0;
}

static int end(void **state)
{
	sts_destroy(&sts);
	return 0;
}

static void dns_says(const char *id)
{
	char txt[100];

	snprintf(txt, sizeof(txt), "v=STSv1; id=%s;", id ? id : "");
	world_txt(NAME, id ? DNS_FOUND : DNS_NO_NAME, txt);
}

static void web_says(const char *mode, int64_t max_age)
{
	char body[200];

	snprintf(body, sizeof(body), "version: STSv1\r\nmode: %s\r\nmx: *.example.com\r\nmax_age: %lld\r\n", mode, (long long)max_age);
	world_page(URL, 200, "text/plain", body);
}

/* What a look-up says: "MODE/ID TROUBLE" or "-". */
static char said[100];

static void on_found(void *arg, struct sts_found *found)
{
	static const char *const troubles[] = {
		[STS_TROUBLE_NONE] = "", [STS_TROUBLE_FETCH] = " fetch", [STS_TROUBLE_TRUST] = " trust", [STS_TROUBLE_INVALID] = " invalid",
	};

	if (!found)
		snprintf(said, sizeof(said), "-");
	else if (!found->has_policy)
		snprintf(said, sizeof(said), "-%s", troubles[found->trouble]);
	else
		assert_true(found->until >= world_wall() && found->until <= world_wall() + DAYS(31));
	if (found && found->has_policy)
		snprintf(said, sizeof(said), "%s/%s%s", sts_mode_name(found->policy.mode), found->id, troubles[found->trouble]);
	sts_found_unref(&found);
}

static const char *ask_within(int64_t ms)
{
	said[0] = '\0';
	(void)!sts_lookup(sts, "example.com", world_wall(), on_found, NULL);
	assert_string_equal(said, ""); /* not from inside the call */
	world_pass(ms);
	return said;
}

static const char *ask(void)
{
	return ask_within(0);
}

/* --- discovery ----------------------------------------------------------------------------------------------------------------- */

static void a_policy_is_fetched_once_and_kept_until_its_id_changes(void **state)
{
	dns_says("1");
	web_says("enforce", 604800);
	assert_string_equal(ask(), "enforce/1");
	assert_string_equal(world.fetches[0].url, URL);
	assert_int_equal(world.fetches[0].port, 443);
	assert_int_equal(world.fetches[0].max_bytes, 65536);
	assert_true(world.fetches[0].timeout_ms <= MINUTES(1));
	world_pass(HOURS(2));
	assert_string_equal(ask(), "enforce/1");
	assert_int_equal(world.fetched, 1);
	dns_says("2");
	web_says("testing", 604800);
	assert_string_equal(ask(), "testing/2");
	assert_int_equal(world.fetched, 2);
	dns_says("3");
	web_says("none", 86400);
	assert_string_equal(ask(), "none/3");
	assert_int_equal(world.fetched, 3);
}

static void without_a_record_nothing_is_fetched(void **state)
{
	assert_string_equal(ask(), "-");
	world_txt(NAME, DNS_FOUND, "v=STSv1; id=not-one;");
	assert_string_equal(ask(), "-");
	world_txt(NAME, DNS_FAILED, NULL);
	assert_string_equal(ask(), "-");
	assert_int_equal(world.fetched, 0);
	assert_int_equal(world_notes(), 0);
}

static void a_domain_whose_policy_cannot_be_had_has_none_and_says_why(void **state)
{
	static const struct {
		const char *label;
		int status;
		bool untrusted;
		const char *type, *body, *want;
	} rows[] = {
		{ "no answer", 0, false, "", "", "- fetch" },
		{ "a certificate of another name", 0, true, "", "", "- trust" },
		{ "not there", 404, false, "text/plain", "", "- fetch" },
		{ "a redirect", 302, false, "text/plain", "version: STSv1\nmode: none\nmax_age: 5\n", "- fetch" },
		{ "another status of success", 203, false, "text/plain", "version: STSv1\nmode: none\nmax_age: 5\n", "- fetch" },
		{ "another type", 200, false, "text/html", "version: STSv1\nmode: none\nmax_age: 5\n", "- invalid" },
		{ "no type", 200, false, "", "version: STSv1\nmode: none\nmax_age: 5\n", "- invalid" },
		{ "no policy", 200, false, "text/plain", "hello\n", "- invalid" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world_page *page;

		memset(world.pages, 0, sizeof(world.pages));
		world_page(URL, rows[i].status, rows[i].type, rows[i].body);
		page = WORLD_ROW(world.pages, url, URL);
		page->untrusted = rows[i].untrusted;
		dns_says((char[]){ (char)('a' + i), '\0' });
		if (strcmp(ask(), rows[i].want) != 0)
			fail_msg("%s: %s, expected %s", rows[i].label, said, rows[i].want);
	}
	assert_int_equal(world_notes(), 0);
}

static void mail_that_comes_while_a_policy_is_fetched_waits_for_it(void **state)
{
	dns_says("1");
	web_says("enforce", 86400);
	world.slow = true;
	assert_string_equal(ask(), "");
	(void)!sts_lookup(sts, "example.com", world_wall(), on_found, NULL);
	world_pass(SECONDS(20)); /* longer than DNS is waited for */
	assert_string_equal(said, "");
	assert_int_equal(world.fetched, 1);
	world.slow = false;
	world_pass(0);
	assert_string_equal(said, "enforce/1");
}

static void a_silent_name_server_is_waited_for_five_seconds(void **state)
{
	world.deaf = true;
	assert_string_equal(ask_within(SECONDS(5) - 1), "");
	world_pass(1);
	assert_string_equal(said, "-");
	dns_says("1");
	web_says("enforce", 86400);
	world.deaf = false;
	assert_string_equal(ask(), "enforce/1");
	world.deaf = true;
	assert_string_equal(ask_within(SECONDS(5)), "enforce/1");
}

/* --- failed fetches ------------------------------------------------------------------------------------------------------------------ */

static void a_failed_fetch_is_tried_again_later_and_later(void **state)
{
	/* When the last of the fetches before it failed; none at all in between. */
	static const int64_t waits[] = { MINUTES(5), MINUTES(10), MINUTES(20), MINUTES(40), HOURS(1), HOURS(1) };

	dns_says("1");
	assert_string_equal(ask(), "- fetch");
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		for (int64_t past = 0; past < waits[i]; past += MINUTES(1)) {
			assert_string_equal(ask(), "- fetch");
			if (world.fetched != i + 1)
				fail_msg("wait %zu: fetched again after %lld s", i, (long long)past / 1000);
			world_pass(MINUTES(1));
		}
		assert_string_equal(ask(), "- fetch");
		assert_int_equal(world.fetched, i + 2);
	}
	dns_says("2"); /* section 3.3: the limit is one of each id */
	web_says("enforce", 86400);
	assert_string_equal(ask(), "enforce/2");
}

static void a_good_fetch_forgets_the_failed_ones(void **state)
{
	dns_says("1");
	web_says("enforce", 86400);
	assert_string_equal(ask(), "enforce/1");
	world_page(URL, 500, "text/plain", "");
	dns_says("2");
	assert_string_equal(ask(), "enforce/1 fetch");
	world_pass(MINUTES(5));
	assert_string_equal(ask(), "enforce/1 fetch");
	web_says("testing", 86400);
	world_pass(MINUTES(10));
	assert_string_equal(ask(), "testing/2");
	world_page(URL, 500, "text/plain", "");
	dns_says("3");
	assert_string_equal(ask(), "testing/2 fetch");
	world_pass(MINUTES(5));
	web_says("none", 86400);
	assert_string_equal(ask(), "none/3");
}

static void a_failed_fetch_leaves_the_kept_policy_in_force_until_its_end(void **state)
{
	dns_says("1");
	web_says("enforce", 7200);
	assert_string_equal(ask(), "enforce/1");
	dns_says("2");
	world_page(URL, 0, "", "");
	assert_string_equal(ask(), "enforce/1 fetch");
	world_pass(MINUTES(119));
	assert_string_equal(ask(), "enforce/1 fetch");
	world_pass(MINUTES(1));
	assert_string_equal(ask(), "- fetch");
}

/* --- max_age ------------------------------------------------------------------------------------------------------------------------- */

static void a_policy_outlives_its_record_until_max_age_is_over(void **state)
{
	static const enum dns_status ways[] = { DNS_NO_NAME, DNS_NO_DATA, DNS_FAILED, DNS_BOGUS, DNS_TIMEOUT };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		dns_says("1");
		web_says("enforce", 5 * 86400);
		assert_string_equal(ask(), "enforce/1");
		world_txt(NAME, ways[i], NULL);
		world_page(URL, 404, "text/plain", "");
		for (unsigned hour = 0; hour < 5 * 24; hour++) {
			assert_string_equal(ask(), "enforce/1");
			world_pass(HOURS(1));
		}
		assert_string_equal(ask(), "-");
		world_pass(HOURS(3));
		assert_int_equal(world_notes(), 0);
	}
}

static void a_max_age_of_nothing_is_good_for_the_mail_that_waits(void **state)
{
	dns_says("1");
	web_says("enforce", 0);
	assert_string_equal(ask(), "enforce/1");
	world_pass(1);
	assert_string_equal(ask(), "enforce/1");
	assert_int_equal(world.fetched, 2);
}

/* --- the daily refresh ---------------------------------------------------------------------------------------------------------------- */

/* The page changes without its id: only the refresh can find that out. */
static void a_policy_in_use_is_fetched_again_once_a_day(void **state)
{
	dns_says("1");
	web_says("enforce", 30 * 86400);
	assert_string_equal(ask(), "enforce/1");
	web_says("testing", 30 * 86400);
	for (unsigned hour = 0; hour < 24; hour++) {
		assert_string_equal(ask(), "enforce/1");
		world_pass(HOURS(1));
	}
	world_pass(MINUTES(10));
	assert_int_equal(world.fetched, 2);
	assert_string_equal(ask(), "testing/1");
	for (unsigned hour = 0; hour < 10 * 24; hour++) {
		ask();
		world_pass(HOURS(1));
	}
	assert_in_range(world.fetched, 11, 12);
}

/* A mode that was taken back without a new id: nothing is demanded any more from the refresh on. */
static void a_refresh_takes_enforcement_back(void **state)
{
	dns_says("1");
	web_says("enforce", 30 * 86400);
	assert_string_equal(ask(), "enforce/1");
	assert_string_equal(ask(), "enforce/1");
	web_says("none", 86400);
	world_pass(DAYS(1) + MINUTES(10));
	assert_string_equal(ask(), "none/1");
}

static void a_short_policy_is_fetched_again_before_it_is_over(void **state)
{
	dns_says("1");
	web_says("enforce", 7200);
	for (unsigned minute = 0; minute < 24 * 60; minute += 5) {
		assert_string_equal(ask(), "enforce/1");
		if (minute == 0)
			world_txt(NAME, DNS_FAILED, NULL); /* somebody keeps the record from us */
		world_pass(MINUTES(5));
	}
}

static void a_refresh_that_fails_is_tried_again_within_hours_and_extends_nothing(void **state)
{
	unsigned before;

	dns_says("1");
	web_says("enforce", 3 * 86400);
	ask();
	assert_string_equal(ask(), "enforce/1");
	world_page(URL, 503, "text/plain", "");
	world_pass(DAYS(1) + MINUTES(10));
	assert_int_equal(world.fetched, 2);
	before = world.fetched;
	world_pass(HOURS(5));
	assert_in_range(world.fetched - before, 4, 6);
	assert_string_equal(ask(), "enforce/1 fetch");
	world_txt(NAME, DNS_NO_NAME, NULL);
	world_pass(DAYS(2));
	assert_string_equal(ask(), "-");
}

/* Section 3.3: before it is over, though no mail comes for weeks; not for ever. */
static void what_gets_no_mail_is_fetched_again_for_a_month(void **state)
{
	dns_says("1");
	web_says("enforce", 10 * 86400);
	ask();
	for (unsigned day = 1; day <= 29; day++) {
		world_pass(DAYS(1));
		assert_in_range(world.fetched, day, day + 1);
	}
	world_txt(NAME, DNS_NO_NAME, NULL);
	world_pass(DAYS(9));
	assert_string_equal(ask(), "enforce/1");
	assert_in_range(world.fetched, 29, 31);
	world_pass(DAYS(60));
	assert_int_equal(world_notes(), 0);
}

/* The setting is off: what is kept is left to end by itself. */
static void nothing_is_refreshed_while_policies_are_not_heeded(void **state)
{
	dns_says("1");
	web_says("enforce", 5 * 86400);
	assert_string_equal(ask(), "enforce/1");
	conf.mta_sts.enabled = false;
	world_pass(DAYS(4));
	assert_int_equal(world.fetched, 1);
	world_pass(DAYS(1) + MINUTES(1));
	assert_int_equal(world_notes(), 0);
}

static void domains_have_policies_of_their_own(void **state)
{
	static const char page[] = "version: STSv1\nmode: testing\nmx: mx.example.net\nmax_age: 86400\n";

	dns_says("1");
	web_says("enforce", 86400);
	world_txt("_mta-sts.example.net", DNS_FOUND, "v=STSv1; id=9;");
	world_page("https://mta-sts.example.net/.well-known/mta-sts.txt", 200, "text/plain", page);
	assert_string_equal(ask(), "enforce/1");
	(void)!sts_lookup(sts, "example.net", world_wall(), on_found, NULL);
	world_pass(0);
	assert_string_equal(said, "testing/9");
	assert_string_equal(ask(), "enforce/1");
	assert_int_equal(world_notes(), 2);
	restart(HOURS(1));
	(void)!sts_lookup(sts, "example.net", world_wall(), on_found, NULL);
	world_pass(0);
	assert_string_equal(said, "testing/9");
	assert_int_equal(world.fetched, 2);
}

/* --- restarts --------------------------------------------------------------------------------------------------------------------------- */

static void a_policy_is_remembered_over_a_restart_with_its_age(void **state)
{
	dns_says("1");
	web_says("enforce", 2 * 86400);
	assert_string_equal(ask(), "enforce/1");
	restart(HOURS(40));
	assert_string_equal(ask(), "enforce/1");
	assert_int_equal(world.fetched, 1);
	world_txt(NAME, DNS_NO_NAME, NULL);
	world_page(URL, 404, "text/plain", "");
	world_pass(HOURS(7));
	assert_string_equal(ask(), "enforce/1");
	restart(HOURS(1));
	assert_string_equal(ask(), "-");
	world_pass(MINUTES(10));
	assert_int_equal(world_notes(), 0);
}

static void the_daily_refresh_goes_on_after_a_restart(void **state)
{
	dns_says("1");
	web_says("enforce", 10 * 86400);
	ask();
	restart(HOURS(30));
	assert_string_equal(ask(), "enforce/1");
	world_pass(MINUTES(10));
	assert_int_equal(world.fetched, 2);
	restart(DAYS(9) + HOURS(23)); /* its age counts from the refresh */
	world_txt(NAME, DNS_NO_NAME, NULL);
	assert_string_equal(ask(), "enforce/1");
}

/* The clock was a year ahead when it was fetched: it does not count for a year too long. */
static void a_policy_from_the_future_is_as_old_as_now(void **state)
{
	world.now = DAYS(365);
	dns_says("1");
	web_says("enforce", 86400);
	assert_string_equal(ask(), "enforce/1");
	world.now = 0;
	restart(0);
	world_txt(NAME, DNS_NO_NAME, NULL);
	world_page(URL, 404, "text/plain", "");
	world_pass(HOURS(23));
	assert_string_equal(ask(), "enforce/1");
	world_pass(HOURS(1));
	assert_string_equal(ask(), "-");
}

static void what_is_cancelled_is_not_heard_of_again(void **state)
{
	struct sts_lookup *lookup, *other;

	dns_says("1");
	web_says("enforce", 86400);
	world.slow = true;
	lookup = sts_lookup(sts, "example.com", world_wall(), on_found, NULL);
	other = sts_lookup(sts, "example.com", world_wall(), on_found, NULL);
	world_pass(0);
	said[0] = '\0';
	sts_lookup_cancel(&lookup);
	assert_null(lookup);
	world.slow = false;
	world_pass(0);
	assert_string_equal(said, "enforce/1"); /* the other one's */
	(void)other;
	lookup = sts_lookup(sts, "example.com", world_wall(), on_found, NULL);
	said[0] = '\0';
	sts_lookup_cancel(&lookup);
	world_pass(MINUTES(1));
	assert_string_equal(said, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(a_policy_is_fetched_once_and_kept_until_its_id_changes),
		TEST(without_a_record_nothing_is_fetched),
		TEST(a_domain_whose_policy_cannot_be_had_has_none_and_says_why),
		TEST(mail_that_comes_while_a_policy_is_fetched_waits_for_it),
		TEST(a_silent_name_server_is_waited_for_five_seconds),
		TEST(a_failed_fetch_is_tried_again_later_and_later),
		TEST(a_good_fetch_forgets_the_failed_ones),
		TEST(a_failed_fetch_leaves_the_kept_policy_in_force_until_its_end),
		TEST(a_policy_outlives_its_record_until_max_age_is_over),
		TEST(a_max_age_of_nothing_is_good_for_the_mail_that_waits),
		TEST(a_policy_in_use_is_fetched_again_once_a_day),
		TEST(a_refresh_takes_enforcement_back),
		TEST(a_short_policy_is_fetched_again_before_it_is_over),
		TEST(a_refresh_that_fails_is_tried_again_within_hours_and_extends_nothing),
		TEST(what_gets_no_mail_is_fetched_again_for_a_month),
		TEST(nothing_is_refreshed_while_policies_are_not_heeded),
		TEST(domains_have_policies_of_their_own),
		TEST(a_policy_is_remembered_over_a_restart_with_its_age),
		TEST(the_daily_refresh_goes_on_after_a_restart),
		TEST(a_policy_from_the_future_is_as_old_as_now),
		TEST(what_is_cancelled_is_not_heard_of_again),
	};

	log_set_level(LOG_ERROR); /* failed fetches are told */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
