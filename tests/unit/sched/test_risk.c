/* tests/unit/sched/test_risk.c - which mail a cold address carries: the cleanest first, that of risky tenants little, and none beside a warm source. */
#include "sched_test.h"

#define PLAN(days) "plans: [{name: day, days: [" days "]}]\n"
#define MIXED \
	LISTEN TENANTS PLAN("72000") \
	    "sources: [{name: cold, ip: 127.0.0.2, warmup: {plan: day}}, {name: warm, ip: 127.0.0.3}]\n" \
	    "pools: [{name: main, sources: [cold, warm]}]\nlanes: {connections: 1}\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define ALONE(days) \
	LISTEN TENANTS PLAN(days) "sources: [{name: cold, ip: 127.0.0.2, warmup: {plan: day}}]\n" \
				  "pools: [{name: main, sources: [cold]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define WEIGHED \
	LISTEN TENANTS PLAN("1") \
	    "sources:\n" \
	    "  - {name: cold, ip: 127.0.0.2, warmup: {plan: day}}\n" \
	    "  - {name: three, ip: 127.0.0.3, weight: 3}\n" \
	    "  - {name: one, ip: 127.0.0.4}\n" \
	    "pools: [{name: main, sources: [cold, three, one]}]\nlanes: {connections: 1000}\n"

static uint64_t add(struct world *w, const char *tenant, uint32_t rcpts)
{
	struct sched_job job = world_job(w, "one.example");

	job.tenant = tenant;
	job.rcpts = rcpts;
	assert_true(sched_add(w->sched, &job, w->now));
	return job.id;
}

/* A record that says so, as a restart would bring it back: a third of two hundred recipients were unknown. */
static void make_risky(struct world *w, const char *tenant)
{
	/* version 1; two numbers as the store has them, 200.0 and 66.0; no turns */
	static const uint8_t record[25] = { 1, 0x40, 0x69, 0, 0, 0, 0, 0, 0, 0x40, 0x50, 0x80 };
	char key[64];

	snprintf(key, sizeof(key), " t %s", tenant);
	assert_int_equal(sched_warm_restore(w->sched, key, record, sizeof(record)), OK);
}

static void risky_mail_takes_no_cold_source_while_a_warm_one_is_in_service(void **state)
{
	struct world w;
	struct sched_decision busy, d;
	uint64_t id;

	(void)state;
	world_open(&w, MIXED);
	make_risky(&w, "news");
	add(&w, "news", 1);
	busy = world_start(&w);
	assert_string_equal(busy.source, "warm");
	/* The warm one's only connection is busy: it waits, says why, and keeps nobody else from the cold one. */
	id = add(&w, "news", 1);
	d = world_nothing(&w);
	assert_true(d.when > w.now);
	assert_true(world_reasons(&w, id, NULL) & WHY_LANE_CONNECTIONS);
	sched_verify(w.sched);
	add(&w, "shop", 1);
	d = world_start(&w);
	assert_string_equal(d.source, "cold");
	assert_string_equal(d.tenant, "shop");
	/* Nor does an open connection of the cold one take it. */
	world_settle(&w, &d, &(struct sched_result){ .attempted = true, .delivered = 1 });
	sched_next_on(w.sched, d.lane, "one.example", w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	world_deliver(&w, &busy);
	d = world_start(&w);
	assert_string_equal(d.source, "warm");
	assert_true(d.id == id);
	world_deliver(&w, &d);
	world_close(&w);
}

static void without_a_warm_source_in_service_it_takes_the_cold_one(void **state)
{
	struct world w;
	struct sched_decision d;

	(void)state;
	world_open(&w, MIXED);
	make_risky(&w, "news");
	assert_true(sched_drain_source(w.sched, "warm", true, w.now));
	add(&w, "news", 1);
	d = world_start(&w);
	assert_string_equal(d.source, "cold");
	world_deliver(&w, &d);
	world_close(&w);
}

/* Recipients of each while both wait, on connections of their own or on one that is used again. */
static void share_of_a_day(bool on_one, uint32_t risky_job, uint32_t *good_out, uint32_t *risky_out)
{
	struct world w;
	uint32_t good = 0, risky = 0;
	struct sched_decision d = { 0 };

	world_open(&w, ALONE("72000"));
	make_risky(&w, "news");
	for (unsigned i = 0; i < 4000; i++)
		add(&w, "shop", 1);
	for (unsigned i = 0; i < 10; i++)
		add(&w, "news", risky_job);
	while (good < 3000) {
		if (d.kind != SCHED_START)
			d = world_next(&w);
		if (d.kind == SCHED_NOTHING) {
			w.now = d.when;
			continue;
		}
		bool bad = strcmp(d.tenant, "news") == 0;

		*(bad ? &risky : &good) += d.rcpts;
		/* A third of them are unknown still. */
		struct sched_result r = { .attempted = true, .unknown = bad ? d.rcpts / 3 : 0, .rcpts_left = bad ? risky_job : 0 };
		uint32_t lane = d.lane;

		r.delivered = d.rcpts - r.unknown;
		world_settle(&w, &d, &r);
		d = (struct sched_decision){ .kind = SCHED_NOTHING };
		if (on_one)
			sched_next_on(w.sched, lane, "one.example", w.now, &d);
		if (d.kind != SCHED_START)
			sched_release_connection(w.sched, lane, w.now);
	}
	*good_out = good;
	*risky_out = risky;
	sched_verify(w.sched);
	world_close(&w);
}

static void beside_good_mail_risky_mail_has_a_twentieth_at_most(void **state)
{
	static const struct {
		const char *label;
		bool on_one;
		uint32_t rcpts;
	} rows[] = {
		{ "one recipient a message", false, 1 },
		{ "a thousand a message", false, 1000 },
		{ "on a connection that is used again", true, 1 },
		{ "the same, a thousand a message", true, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t good, risky;

		share_of_a_day(rows[i].on_one, rows[i].rcpts, &good, &risky);
		if (risky == 0 || risky * 20 > good + risky + 20)
			fail_msg("%s: %u beside %u", rows[i].label, risky, good);
	}
}

static void the_cleanest_mail_goes_first_and_risky_mail_alone_is_not_held_up(void **state)
{
	struct world w;
	struct sched_decision d;
	uint32_t news = 0;

	(void)state;
	world_open(&w, ALONE("72000"));
	make_risky(&w, "news");
	for (unsigned i = 0; i < 30; i++)
		add(&w, "news", 1);
	for (unsigned i = 0; i < 15; i++)
		add(&w, "shop", 1);
	for (unsigned i = 0; i < 45; i++) {
		d = world_next(&w);
		while (d.kind == SCHED_NOTHING) {
			w.now = d.when;
			d = world_next(&w);
		}
		if (i < 15)
			news += d.tenant[0] == 'n';
		world_deliver(&w, &d);
	}
	assert_in_range(news, 0, 1);
	world_nothing(&w);
	world_close(&w);
}

/* What it sent in the other's place is no debt: when both are risks, they have their turns again. */
static void one_whose_record_turns_bad_owes_nothing_for_the_turns_of_others(void **state)
{
	struct world w;
	unsigned shop = 0;

	(void)state;
	world_open(&w, ALONE("72000"));
	make_risky(&w, "news");
	for (unsigned i = 0; i < 600; i++) {
		add(&w, "shop", 1);
		add(&w, "news", 1);
	}
	for (unsigned i = 0; i < 560; i++) {
		struct sched_decision d = world_next(&w);

		while (d.kind == SCHED_NOTHING) {
			w.now = d.when;
			d = world_next(&w);
		}
		/* From the 401st on all of them are unknown: a risk after some twenty, as the other one is. */
		struct sched_result r = { .attempted = true, .unknown = d.tenant[0] == 'n' ? i % 3 == 0 : i > 400 };

		r.delivered = 1 - r.unknown;
		world_settle(&w, &d, &r);
		sched_release_connection(w.sched, d.lane, w.now);
		shop += i >= 460 && d.tenant[0] == 's';
	}
	assert_in_range(shop, 40, 60);
	sched_verify(w.sched);
	world_close(&w);
}

static void what_exceeds_a_budget_goes_to_the_warm_sources_by_their_weight(void **state)
{
	struct world w;
	unsigned sent[3] = { 0 };

	(void)state;
	world_open(&w, WEIGHED);
	for (unsigned i = 0; i < 81; i++)
		add(&w, "shop", 1);
	for (unsigned i = 0; i < 81; i++) {
		struct sched_decision d = world_start(&w);

		sent[d.source[0] == 'c' ? 0 : d.source[0] == 't' ? 1 : 2]++;
		world_deliver(&w, &d);
	}
	assert_int_equal(sent[0], 1);
	assert_in_range(sent[1], 59, 61);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(risky_mail_takes_no_cold_source_while_a_warm_one_is_in_service),
		cmocka_unit_test(without_a_warm_source_in_service_it_takes_the_cold_one),
		cmocka_unit_test(beside_good_mail_risky_mail_has_a_twentieth_at_most),
		cmocka_unit_test(the_cleanest_mail_goes_first_and_risky_mail_alone_is_not_held_up),
		cmocka_unit_test(one_whose_record_turns_bad_owes_nothing_for_the_turns_of_others),
		cmocka_unit_test(what_exceeds_a_budget_goes_to_the_warm_sources_by_their_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
