/* tests/unit/relay/test_tlsrpt.c - TLS reports over days and restarts: what is counted when, sent when, tried again until when (RFC 8460). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "relay/deliver/tlsrpt.h"
#include "tests/unit/relay/net_world.h"

#define NOON     (WORLD_START)
#define MIDNIGHT (WORLD_START + HOURS(12)) /* that ends the first day */
#define RECORD   "_smtp._tls.example.com"
#define POST_URL "https://reports.example.com/in"
#define DELAY    MINUTES(30)

static struct conf conf = {
	.hostname = (char *)"relay.example", .bounce_pool = (char *)"main", .retry = { .expire_ms = DAYS(5) }, .delivery = { .tls = TLS_LEVEL_DANE },
	.tls_rpt = { .enabled = true, .contact = (char *)"tls@relay.example", .delay_ms = DELAY },
};
static struct tlsrpt *tlsrpt;

/* What the queue took: keys, with the end and the words of each report. */
static struct {
	char key[600];
	char words[200];
	wall_ms when, deadline;
} taken[16];
static size_t taken_count;
static bool queue_fails;
static struct tlsrpt_mail *storing[16];
static size_t storing_count;

msg_id queue_new_id(struct queue *queue)
{
	static msg_id last = 1000;

	return ++last;
}

/* Reports of this kind show no message. */
enum err queue_body_read(struct queue_reader *reader, msg_id id, uint32_t n, void *data, size_t *len_out, struct err_detail *why)
{
	return ERR_NOT_FOUND;
}

static wall_ms now_of_world(void *arg)
{
	return world_wall();
}

static void store(void *arg, struct tlsrpt_mail *mail)
{
	assert_true(storing_count < ARRAY_LEN(storing));
	storing[storing_count++] = mail;
}

static bool is_taken(const char *key)
{
	for (size_t i = 0; i < taken_count; i++)
		if (strcmp(taken[i].key, key) == 0)
			return true;
	return false;
}

/* As the queue does: what has the key of an earlier one is not stored twice. */
static void take(const struct queue_accept *accept)
{
	const char *text = accept->blobs[0].data, *words;

	if (is_taken(accept->key))
		return;
	assert_true(taken_count < ARRAY_LEN(taken));
	words = memmem(text, accept->blobs[0].len, "from 20", 7);
	assert_non_null(words);
	snprintf(taken[taken_count].key, sizeof(taken[0].key), "%s", accept->key);
	snprintf(taken[taken_count].words, sizeof(taken[0].words), "%.*s", (int)strcspn(words, ","), words);
	taken[taken_count].when = world_wall();
	taken[taken_count++].deadline = accept->message.deadline;
}

static void pass(int64_t ms)
{
	/* In steps, so that the queue answers in between. */
	for (int64_t step; ms >= 0; ms -= step) {
		step = ms < MINUTES(1) ? ms : MINUTES(1);
		world_pass(step);
		while (storing_count > 0) {
			struct tlsrpt_mail *mail = storing[--storing_count];

			if (!queue_fails)
				take(tlsrpt_accept(mail));
			tlsrpt_stored(mail, !queue_fails, queue_fails ? "disk full" : "");
		}
		if (step == 0)
			break;
	}
}

static void start(void)
{
	static int handle;
	struct tlsrpt_env env = { .loop = WORLD_LOOP, .reader = (struct queue_reader *)&handle, .now = now_of_world, .store = store };

	tlsrpt = tlsrpt_create(&env, &conf, NULL, 7);
}

static void restart(int64_t away_ms)
{
	tlsrpt_destroy(&tlsrpt);
	world.now += away_ms;
	start();
}

/* kill -9: what the store does not have is gone. */
static void crash(void)
{
	struct world_note notes[WORLD_MAX];

	memcpy(notes, world.notes, sizeof(notes));
	tlsrpt_destroy(&tlsrpt);
	memcpy(world.notes, notes, sizeof(notes));
	start();
}

static int begin(void **state)
{
	memset(&world, 0, sizeof(world));
	taken_count = storing_count = 0;
	queue_fails = false;
	conf.tls_rpt.enabled = true;
	world_txt(RECORD, DNS_FOUND, "v=TLSRPTv1; rua=mailto:tls@example.com");
	world_page(POST_URL, 200, "", "");
	start();
	return 0;
}

static int end(void **state)
{
	tlsrpt_destroy(&tlsrpt);
	return 0;
}

static void to_domain(const char *domain, enum tls_result result)
{
	struct route_host host = { .name = (char *)"mx.example.com" };
	struct route route = { .domain = (char *)domain, .from_mx = true, .hosts = &host, .host_count = 1 };
	struct tls_note note = { .result = result, .host = "mx.example.com" };

	tlsrpt_add(tlsrpt, &route, &note, 1);
}

static void mail(unsigned times)
{
	while (times-- > 0)
		to_domain("example.com", TLS_RESULT_GOOD);
	pass(SECONDS(1));
}

/* All figures that are kept: "GOOD/BAD START-END;" of each, in hours from the first noon, END 0: not over yet. */
static char kept[400];

static void add_kept(void *arg, const struct tls_figures *figures, wall_ms send_at)
{
	size_t len = strlen(kept);

	snprintf(kept + len, sizeof(kept) - len, "%llu/%llu %lld-%lld;", (unsigned long long)tls_figures_good(figures),
	    (unsigned long long)tls_figures_bad(figures), (long long)((figures->start - NOON) / HOURS(1)),
	    (long long)(figures->end ? (figures->end - NOON) / HOURS(1) : 0));
}

static const char *what_is_kept(void)
{
	kept[0] = '\0';
	tlsrpt_walk(tlsrpt, NULL, add_kept, NULL);
	return kept;
}

/* --- the day --------------------------------------------------------------------------------------------------------------------- */

static void a_day_ends_at_midnight_utc_and_is_reported_within_the_delay(void **state)
{
	mail(3);
	assert_string_equal(what_is_kept(), "3/0 -12-0;");
	pass(HOURS(12) - SECONDS(2));
	assert_int_equal(taken_count, 0);
	pass(MINUTES(1) + DELAY);
	assert_int_equal(taken_count, 1);
	assert_in_range(taken[0].when, MIDNIGHT, MIDNIGHT + DELAY + MINUTES(1));
	assert_string_equal(taken[0].words, "from 2026-03-01T00:00:00.000Z to 2026-03-01T23:59:59.999Z");
	assert_in_range(taken[0].deadline - taken[0].when, HOURS(23), DAYS(1)); /* section 5.5 */
	assert_string_equal(what_is_kept(), "");
	assert_int_equal(world_notes(), 0);
}

static void what_comes_after_midnight_belongs_to_the_next_day(void **state)
{
	pass(HOURS(12) - SECONDS(2));
	mail(2);
	pass(SECONDS(1));
	assert_int_equal(world_wall(), MIDNIGHT);
	mail(5);
	assert_string_equal(what_is_kept(), "2/0 -12-12;5/0 12-0;");
	pass(DELAY + MINUTES(2));
	assert_string_equal(what_is_kept(), "5/0 12-0;");
	pass(DAYS(1) + MINUTES(2));
	assert_int_equal(taken_count, 2);
	assert_string_equal(taken[1].words, "from 2026-03-02T00:00:00.000Z to 2026-03-02T23:59:59.999Z");
}

static void who_wants_no_reports_is_not_counted(void **state)
{
	world_txt(RECORD, DNS_NO_NAME, NULL);
	mail(3);
	assert_string_equal(what_is_kept(), "");
	assert_int_equal(world_notes(), 0);
	mail(3);
	assert_int_equal(world.asked, 1); /* asked once a day */
	pass(HOURS(13));
	mail(1);
	assert_int_equal(world.asked, 2);
	pass(DAYS(3));
	assert_int_equal(taken_count, 0);
}

/* An answer that comes after midnight is about the day before; the domain is asked again. */
static void a_denial_counts_for_its_own_day(void **state)
{
	pass(HOURS(12) - SECONDS(2));
	world_txt(RECORD, DNS_NO_NAME, NULL);
	world.deaf = true;
	mail(1);
	pass(SECONDS(5));
	world.deaf = false;
	pass(SECONDS(1));
	assert_int_equal(world.asked, 1);
	mail(1);
	assert_int_equal(world.asked, 2);
	mail(1);
	assert_int_equal(world.asked, 2);
	assert_string_equal(what_is_kept(), "");
}

static void who_cannot_be_asked_is_counted_and_asked_again_at_the_end(void **state)
{
	world_txt(RECORD, DNS_FAILED, NULL);
	mail(3);
	assert_string_equal(what_is_kept(), "3/0 -12-0;");
	pass(HOURS(13));
	assert_int_equal(taken_count, 0);
	world_txt(RECORD, DNS_FOUND, "v=TLSRPTv1; rua=mailto:tls@example.com");
	pass(HOURS(3));
	assert_int_equal(taken_count, 1);
}

static void who_wants_them_no_more_gets_none(void **state)
{
	mail(3);
	world_txt(RECORD, DNS_NO_DATA, NULL);
	pass(HOURS(13));
	assert_int_equal(taken_count, 0);
	assert_int_equal(world_notes(), 0);
}

static void a_domain_in_other_letters_is_reported_in_ascii(void **state)
{
	world_txt("_smtp._tls.xn--bcher-kva.example", DNS_FOUND, "v=TLSRPTv1; rua=mailto:tls@example.com");
	to_domain("b\303\274cher.example", TLS_RESULT_GOOD);
	pass(HOURS(13));
	assert_int_equal(taken_count, 1);
	assert_non_null(strstr(taken[0].key, "xn--bcher-kva.example"));
}

/* --- restarts ---------------------------------------------------------------------------------------------------------------------- */

static void a_day_goes_on_after_a_restart(void **state)
{
	mail(3);
	restart(HOURS(2));
	mail(4);
	assert_string_equal(what_is_kept(), "7/0 -12-0;");
	crash();
	mail(1);
	assert_string_equal(what_is_kept(), "8/0 -12-0;");
	pass(HOURS(12));
	assert_int_equal(taken_count, 1);
	assert_string_equal(taken[0].words, "from 2026-03-01T00:00:00.000Z to 2026-03-01T23:59:59.999Z");
}

static void a_day_that_ended_while_we_were_away_is_reported_soon(void **state)
{
	mail(3);
	restart(HOURS(36));
	mail(2);
	assert_string_equal(what_is_kept(), "3/0 -12-12;2/0 36-0;");
	pass(MINUTES(12));
	assert_int_equal(taken_count, 1);
	assert_string_equal(taken[0].words, "from 2026-03-01T00:00:00.000Z to 2026-03-01T23:59:59.999Z");
	assert_string_equal(what_is_kept(), "2/0 36-0;");
}

static void what_was_sent_before_a_crash_is_not_sent_twice(void **state)
{
	struct world_note notes[WORLD_MAX];

	mail(3);
	pass(HOURS(12) - MINUTES(1));
	memcpy(notes, world.notes, sizeof(notes));
	pass(MINUTES(2) + DELAY);
	assert_int_equal(taken_count, 1);
	/* The queue has it, the note's end was lost. */
	tlsrpt_destroy(&tlsrpt);
	memcpy(world.notes, notes, sizeof(notes));
	start();
	pass(MINUTES(30));
	assert_int_equal(taken_count, 1);
	assert_int_equal(world_notes(), 0);
}

/* --- deliveries that fail ------------------------------------------------------------------------------------------------------------ */

static void a_post_that_fails_is_tried_again_for_a_day(void **state)
{
	unsigned first;

	world_txt(RECORD, DNS_FOUND, "v=TLSRPTv1; rua=" POST_URL);
	world_page(POST_URL, 500, "", "");
	mail(3);
	pass(HOURS(12) + MINUTES(2) + DELAY);
	first = world.posted;
	assert_in_range(first, 1, 2);
	pass(HOURS(1));
	assert_in_range(world.posted, 3, 4); /* after 15 minutes, 30, ... */
	pass(HOURS(22));
	assert_in_range(world.posted, 8, 12);
	assert_int_equal(world_notes(), 1);
	pass(HOURS(2));
	assert_int_equal(world_notes(), 0);
	first = world.posted;
	pass(DAYS(2));
	assert_int_equal(world.posted, first);
}

static void the_day_of_attempts_is_not_begun_anew_by_a_restart(void **state)
{
	world_txt(RECORD, DNS_FOUND, "v=TLSRPTv1; rua=" POST_URL);
	world_page(POST_URL, 0, "", "");
	mail(3);
	pass(HOURS(13));
	for (unsigned i = 0; i < 24; i++) {
		restart(MINUTES(45));
		pass(MINUTES(15));
	}
	assert_int_equal(world_notes(), 0);
	assert_string_equal(what_is_kept(), "");
}

static void a_place_that_has_the_report_does_not_get_it_again(void **state)
{
	world_txt(RECORD, DNS_FOUND, "v=TLSRPTv1; rua=" POST_URL ",mailto:tls@example.com");
	queue_fails = true;
	mail(3);
	pass(HOURS(14));
	assert_int_equal(world.posted, 1);
	assert_int_equal(taken_count, 0);
	crash();
	pass(HOURS(1));
	assert_int_equal(world.posted, 1);
	queue_fails = false;
	pass(HOURS(5));
	assert_int_equal(world.posted, 1);
	assert_int_equal(taken_count, 1);
	assert_int_equal(world_notes(), 0);
}

static void a_silent_name_server_puts_a_report_off(void **state)
{
	mail(3);
	world_txt(RECORD, DNS_TIMEOUT, NULL);
	pass(HOURS(14));
	assert_int_equal(taken_count, 0);
	world_txt(RECORD, DNS_FOUND, "v=TLSRPTv1; rua=mailto:tls@example.com");
	pass(HOURS(4));
	assert_int_equal(taken_count, 1);
}

static void nothing_is_sent_once_reports_are_off(void **state)
{
	mail(3);
	conf.tls_rpt.enabled = false;
	pass(HOURS(14));
	assert_int_equal(taken_count, 0);
	conf.tls_rpt.enabled = true;
	pass(HOURS(5));
	assert_int_equal(taken_count, 1);
}

/* --- by hand ------------------------------------------------------------------------------------------------------------------------- */

static void a_part_sent_by_hand_and_the_rest_of_the_day_do_not_overlap(void **state)
{
	mail(3);
	pass(HOURS(2));
	assert_int_equal(tlsrpt_send(tlsrpt, "example.com"), 1);
	assert_int_equal(tlsrpt_send(tlsrpt, "example.com"), 0);
	pass(MINUTES(1));
	assert_int_equal(taken_count, 1);
	assert_string_equal(taken[0].words, "from 2026-03-01T00:00:00.000Z to 2026-03-01T14:00:00.999Z");
	assert_string_equal(what_is_kept(), "");
	mail(4);
	restart(MINUTES(5));
	mail(1);
	pass(HOURS(11));
	assert_int_equal(taken_count, 2);
	assert_string_equal(taken[1].words, "from 2026-03-01T14:00:01.000Z to 2026-03-01T23:59:59.999Z");
	assert_int_equal(world_notes(), 0);
}

static void the_rest_of_a_day_without_mail_is_not_reported(void **state)
{
	mail(3);
	assert_int_equal(tlsrpt_send(tlsrpt, NULL), 1);
	pass(DAYS(2));
	assert_int_equal(taken_count, 1);
	assert_int_equal(world_notes(), 0);
}

/* Between midnight and the look that finds it: no figures of the new day come into the report. */
static void a_day_sent_by_hand_right_after_its_end_ends_at_midnight(void **state)
{
	pass(HOURS(12) - SECONDS(3));
	mail(3);
	pass(SECONDS(5));
	mail(2);
	assert_in_range(tlsrpt_send(tlsrpt, NULL), 2, 2);
	pass(MINUTES(1));
	assert_int_equal(taken_count, 2);
	assert_string_equal(what_is_kept(), "");
	for (size_t i = 0; i < 2; i++)
		assert_true(strstr(taken[i].words, "to 2026-03-01T23:59:59.999Z") || strstr(taken[i].words, "from 2026-03-02T00:00:00.000Z"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(a_day_ends_at_midnight_utc_and_is_reported_within_the_delay),
		TEST(what_comes_after_midnight_belongs_to_the_next_day),
		TEST(who_wants_no_reports_is_not_counted),
		TEST(a_denial_counts_for_its_own_day),
		TEST(who_cannot_be_asked_is_counted_and_asked_again_at_the_end),
		TEST(who_wants_them_no_more_gets_none),
		TEST(a_domain_in_other_letters_is_reported_in_ascii),
		TEST(a_day_goes_on_after_a_restart),
		TEST(a_day_that_ended_while_we_were_away_is_reported_soon),
		TEST(what_was_sent_before_a_crash_is_not_sent_twice),
		TEST(a_post_that_fails_is_tried_again_for_a_day),
		TEST(the_day_of_attempts_is_not_begun_anew_by_a_restart),
		TEST(a_place_that_has_the_report_does_not_get_it_again),
		TEST(a_silent_name_server_puts_a_report_off),
		TEST(nothing_is_sent_once_reports_are_off),
		TEST(a_part_sent_by_hand_and_the_rest_of_the_day_do_not_overlap),
		TEST(the_rest_of_a_day_without_mail_is_not_reported),
		TEST(a_day_sent_by_hand_right_after_its_end_ends_at_midnight),
	};

	log_set_level(LOG_ERROR); /* failures are told */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
