/* tests/unit/sched/test_share.c - classes and tenants share what a destination takes: order, parts, weights, and what open connections do. */
#include "base/rand.h"
#include "tests/unit/sched/sched_test.h"

#define TENANTS_OF(a, b, c) \
	"tenants:\n" \
	"  - {name: shop, from: [10.1.0.0/16], pool: main" a "}\n" \
	"  - {name: news, from: [10.2.0.0/16], pool: main" b "}\n" \
	"  - {name: codes, from: [10.3.0.0/16], pool: main" c "}\n"
#define ONE_SOURCE "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n"
#define ONE_LANE   ONE_SOURCE "lanes: {connections: 1, messages: 1000}\n"
#define PROVIDER   "providers: [{name: big, domains: [one.example, two.example], connections: 1}]\n"

static uint64_t add(struct world *w, const char *tenant, const char *domain, uint32_t rcpts, int priority)
{
	struct sched_job job = world_job(w, domain);

	job.tenant = tenant;
	job.rcpts = rcpts;
	job.priority = (int8_t)priority;
	assert_true(sched_add(w->sched, &job, w->now));
	return job.id;
}

static void fill(struct world *w, const char *tenant, const char *domain, unsigned jobs, uint32_t rcpts)
{
	for (unsigned i = 0; i < jobs; i++)
		add(w, tenant, domain, rcpts, 0);
}

static struct sched_decision onward(struct world *w, const struct sched_decision *d)
{
	struct sched_decision more;

	world_settle(w, d, &(struct sched_result){ .attempted = true, .delivered = d->rcpts });
	sched_next_on(w->sched, d->lane, d->domain, w->now, &more);
	return more;
}

static bool is_of(const struct sched_decision *d, const char *tenant)
{
	return d->kind == SCHED_START && strcmp(d->tenant, tenant) == 0;
}

/* Starts one job after the other, by new connections or an open one, and counts the recipients of three tenants. */
static void count_parts(struct world *w, unsigned jobs, bool reuse, unsigned parts[3])
{
	static const char *const names[] = { "shop", "news", "codes" };
	struct sched_decision d = world_start(w);

	memset(parts, 0, 3 * sizeof(*parts));
	for (unsigned i = 0; i < jobs; i++) {
		for (unsigned t = 0; t < 3; t++)
			parts[t] += is_of(&d, names[t]) ? d.rcpts : 0;
		w->now += 10;
		if (reuse) {
			d = onward(w, &d);
			assert_int_equal(d.kind, SCHED_START);
		} else {
			world_deliver(w, &d);
			d = world_start(w);
		}
	}
	world_deliver(w, &d);
}

static void tenants_of_a_class_share_by_weight_in_recipients(void **state)
{
	static const struct {
		const char *label, *yaml;
		uint32_t rcpts[3];
		unsigned weights[3];
	} rows[] = {
		{ "equal", LISTEN TENANTS_OF("", "", "") ONE_LANE, { 1, 1, 1 }, { 1, 1, 1 } },
		{ "weights", LISTEN TENANTS_OF("", ", weight: 2", ", weight: 5") ONE_LANE, { 1, 1, 1 }, { 1, 2, 5 } },
		{ "large jobs", LISTEN TENANTS_OF("", "", "") ONE_LANE, { 1, 7, 50 }, { 1, 1, 1 } },
		{ "large jobs and weights", LISTEN TENANTS_OF(", weight: 10", "", ", weight: 3") ONE_LANE, { 30, 1, 8 }, { 10, 1, 3 } },
		{ "a hundredfold", LISTEN TENANTS_OF(", weight: 100", "", ", weight: 100") ONE_LANE, { 3, 1, 3 }, { 100, 1, 100 } },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct world w;
		unsigned parts[3];
		double each[3];

		world_open(&w, rows[i / 2].yaml);
		fill(&w, "shop", "one.example", 4000, rows[i / 2].rcpts[0]);
		fill(&w, "news", "one.example", 4000, rows[i / 2].rcpts[1]);
		fill(&w, "codes", "one.example", 4000, rows[i / 2].rcpts[2]);
		count_parts(&w, 3000, i % 2, parts);
		for (unsigned t = 0; t < 3; t++)
			each[t] = (double)parts[t] / rows[i / 2].weights[t];
		/* Rounds differ by one at most, and a job by its size. */
		for (unsigned t = 0; t < 3; t++)
			for (unsigned o = 0; o < 3; o++)
				if (each[t] - each[o] > 1.0 + rows[i / 2].rcpts[t] / (double)rows[i / 2].weights[t] +
					rows[i / 2].rcpts[o] / (double)rows[i / 2].weights[o])
					fail_msg("%s, %s: %u %u %u recipients", rows[i / 2].label,
					    i % 2 ? "one connection" : "new connections", parts[0], parts[1], parts[2]);
		world_close(&w);
	}
}

static void lower_classes_keep_a_part_of_the_turns(void **state)
{
	static const struct {
		const char *label, *yaml;
		unsigned want[3]; /* of 1000 jobs */
	} rows[] = {
		{ "transactional and bulk", LISTEN TENANTS_OF(", priority: transactional", ", priority: bulk", ", priority: transactional") ONE_LANE,
		  { 450, 100, 450 } },
		{ "all three", LISTEN TENANTS_OF(", priority: transactional", ", priority: bulk", "") ONE_LANE, { 714, 96, 190 } },
		{ "normal and bulk", LISTEN TENANTS_OF("", ", priority: bulk", "") ONE_LANE, { 450, 100, 450 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		unsigned parts[3];

		world_open(&w, rows[i].yaml);
		fill(&w, "shop", "one.example", 2000, 1);
		fill(&w, "news", "one.example", 2000, 1);
		fill(&w, "codes", "one.example", 2000, 1);
		count_parts(&w, 1000, false, parts);
		for (unsigned t = 0; t < 3; t++)
			if (abs((int)parts[t] - (int)rows[i].want[t]) > 12)
				fail_msg("%s: %u %u %u", rows[i].label, parts[0], parts[1], parts[2]);
		world_close(&w);
	}
}

static void a_lone_urgent_job_is_the_next_whatever_waits(void **state)
{
	static const struct {
		const char *label, *tenant, *domain;
		int priority;
		bool gives_up; /* the connection's hosts are others */
	} rows[] = {
		{ "by its tenant's class", "codes", "one.example", 0, false },
		{ "by its own", "shop", "one.example", 4, false },
		{ "of the tenant whose bulk waits", "news", "one.example", 1, false },
		{ "on other hosts of the destination", "codes", "two.example", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d;
		uint64_t id;

		world_open(&w, LISTEN TENANTS_OF("", ", priority: bulk", ", priority: transactional") ONE_LANE PROVIDER);
		fill(&w, "news", "one.example", 3000, 1);
		d = world_start(&w);
		for (unsigned n = 0; n < 500 + i; n++) {
			d = onward(&w, &d);
			assert_true(is_of(&d, "news"));
		}
		id = add(&w, rows[i].tenant, rows[i].domain, 1, rows[i].priority);
		world_nothing(&w);
		d = onward(&w, &d);
		if (rows[i].gives_up) {
			assert_int_equal(d.kind, SCHED_NOTHING);
			sched_release_connection(w.sched, 0, w.now);
			d = world_start(&w);
		}
		if (d.kind != SCHED_START || d.id != id)
			fail_msg("%s: it waits", rows[i].label);
		world_close(&w);
	}
}

/* Mail of the same class waits for a few messages at most; with a lane to spare nothing is given up. */
static void a_connection_strays_from_the_turn_only_for_a_while(void **state)
{
	struct world w;
	struct sched_decision d, other;
	unsigned strayed = 0;

	(void)state;
	world_open(&w, LISTEN TENANTS_OF("", "", "") ONE_LANE PROVIDER);
	fill(&w, "news", "one.example", 100, 1);
	d = world_start(&w);
	add(&w, "shop", "two.example", 1, 0);
	world_nothing(&w);
	for (d = onward(&w, &d); d.kind == SCHED_START; d = onward(&w, &d))
		strayed++;
	assert_in_range(strayed, 1, 8);
	sched_release_connection(w.sched, 0, w.now);
	other = world_start(&w);
	assert_true(is_of(&other, "shop"));
	world_close(&w);

	world_open(&w, LISTEN TENANTS_OF("", "", "") "sources: [{name: a, ip: 127.0.0.2}, {name: b, ip: 127.0.0.3}]\n"
	    "pools: [{name: main, sources: [a, b]}]\nlanes: {connections: 1, messages: 1000}\n" PROVIDER);
	fill(&w, "news", "one.example", 100, 1);
	d = world_start(&w);
	add(&w, "shop", "two.example", 1, 0);
	for (unsigned i = 0; i < 20; i++) {
		d = onward(&w, &d);
		assert_true(is_of(&d, "news"));
	}
	world_close(&w);
}

static void a_connection_is_given_up_for_a_higher_class_when_there_are_no_more(void **state)
{
	struct world w;
	struct sched_decision d;

	(void)state;
	world_open(&w, LISTEN TENANTS_OF("", ", priority: bulk", ", priority: transactional") ONE_SOURCE "delivery: {connections: 1}\n");
	fill(&w, "news", "one.example", 100, 1);
	d = world_start(&w);
	d = onward(&w, &d);
	assert_true(is_of(&d, "news"));
	add(&w, "codes", "elsewhere.example", 1, 0);
	world_nothing(&w);
	d = onward(&w, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	sched_release_connection(w.sched, 0, w.now);
	d = world_start(&w);
	assert_true(is_of(&d, "codes"));
	world_close(&w);
}

static void a_reload_changes_class_and_weight_of_what_waits(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned parts[3];
	uint64_t low;

	(void)state;
	world_open(&w, LISTEN TENANTS_OF("", "", "") ONE_LANE);
	fill(&w, "shop", "one.example", 3000, 1);
	fill(&w, "news", "one.example", 3000, 1);
	count_parts(&w, 200, false, parts);
	assert_in_range(parts[0], 99, 101);
	world_reload(&w, LISTEN TENANTS_OF("", ", weight: 9", "") ONE_LANE);
	count_parts(&w, 200, false, parts);
	assert_in_range(parts[0], 18, 22);
	world_reload(&w, LISTEN TENANTS_OF("", ", priority: bulk, weight: 9", "") ONE_LANE);
	count_parts(&w, 200, false, parts);
	assert_in_range(parts[1], 18, 22);
	/* What the message itself says is not the tenant's to change. */
	low = add(&w, "shop", "one.example", 1, -1);
	world_reload(&w, LISTEN TENANTS_OF(", priority: transactional", ", priority: transactional", "") ONE_LANE);
	for (unsigned i = 0; i < 10; i++) {
		d = world_start(&w);
		assert_int_equal(d.id == low, i == 9);
		world_deliver(&w, &d);
	}
	world_close(&w);
}

static void a_debt_is_paid_while_others_wait_and_forgotten_when_nobody_does(void **state)
{
	struct world w;
	struct sched_decision d;

	(void)state;
	world_open(&w, LISTEN TENANTS_OF("", "", "") ONE_LANE);
	fill(&w, "news", "one.example", 10, 1000);
	for (unsigned i = 0; i < 3; i++) {
		d = world_start(&w);
		assert_true(is_of(&d, "news"));
		world_deliver(&w, &d);
	}
	fill(&w, "shop", "one.example", 1500, 1);
	for (unsigned i = 0; i < 998; i++) {
		d = world_start(&w);
		if (!is_of(&d, "shop"))
			fail_msg("a thousand recipients count as one: job %u", i);
		world_deliver(&w, &d);
	}
	for (unsigned i = 0; i < 5 && !is_of(&d, "news"); i++) {
		d = world_start(&w);
		world_deliver(&w, &d);
	}
	assert_string_equal(d.tenant, "news");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tenants_of_a_class_share_by_weight_in_recipients),
		cmocka_unit_test(lower_classes_keep_a_part_of_the_turns),
		cmocka_unit_test(a_lone_urgent_job_is_the_next_whatever_waits),
		cmocka_unit_test(a_connection_strays_from_the_turn_only_for_a_while),
		cmocka_unit_test(a_connection_is_given_up_for_a_higher_class_when_there_are_no_more),
		cmocka_unit_test(a_reload_changes_class_and_weight_of_what_waits),
		cmocka_unit_test(a_debt_is_paid_while_others_wait_and_forgotten_when_nobody_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
