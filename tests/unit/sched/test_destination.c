/* tests/unit/sched/test_destination.c - domains on destinations, counts, fairness among tenants, explanations, other configurations. */
#include "tests/unit/sched/sched_test.h"

struct seen {
	char names[16][128];
	struct sched_counts counts[16];
	unsigned reasons[16];
	size_t count;
};

static void remember(
    void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms again)
{
	struct seen *seen = arg;

	assert_true(seen->count < ARRAY_LEN(seen->names));
	snprintf(seen->names[seen->count], sizeof(seen->names[0]), "%s", destination);
	seen->reasons[seen->count] = reasons;
	seen->counts[seen->count++] = *counts;
}

/* The row of a destination, "" for the total. */
static const struct sched_counts *row(struct world *w, struct seen *seen, const char *name)
{
	*seen = (struct seen){ .count = 0 };
	sched_counts_read(w->sched, w->now, remember, seen);
	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->names[i], name) == 0)
			return &seen->counts[i];
	return NULL;
}

static void counts_are_in_recipients_and_states_are_disjoint(void **state)
{
	struct world w;
	struct seen seen;
	struct sched_decision d;
	struct sched_job job;
	const struct sched_counts *c;
	wall_ms first = 0;

	world_open(&w, BASICS);
	for (int i = 0; i < 4; i++) {
		job = world_job(&w, "one.example");
		first = i == 0 ? w.now : first;
		job.rcpts = 1u << (i * 4);
		job.held = i == 1;
		job.attempts = i == 2;
		job.due = i == 3 ? w.now : w.now + HOURS(1);
		sched_add(w.sched, &job, w.now);
		w.now += SECONDS(1);
	}
	d = world_start(&w);
	assert_int_equal(d.rcpts, 4096);
	c = row(&w, &seen, "mx.one.example");
	assert_non_null(c);
	assert_int_equal(c->waiting, 1);
	assert_int_equal(c->held, 16);
	assert_int_equal(c->deferred, 256);
	assert_int_equal(c->active, 4096);
	assert_int_equal(c->connections, 1);
	assert_int_equal(c->oldest, first);
	assert_memory_equal(c, row(&w, &seen, ""), sizeof(*c));
	world_end(&w, &d, &(struct sched_result){ .attempted = true, .delivered = 4000, .rcpts_left = 96 });
	c = row(&w, &seen, "mx.one.example");
	assert_int_equal(c->deferred, 256 + 96);
	assert_int_equal(c->active, 0);
	world_close(&w);
}

static void the_oldest_job_is_found_when_the_store_is_read_back_meanwhile(void **state)
{
	struct world w;
	struct seen seen;
	uint64_t stored[3], id;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	for (int i = 0; i < 3; i++) {
		struct sched_job job = world_job(&w, "one.example");

		stored[i] = job.id = ((uint64_t)(w.now - HOURS(3 - i)) << 20) + 1;
		sched_add(w.sched, &job, w.now);
		world_add(&w, "one.example");
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(row(&w, &seen, "")->oldest, w.now - HOURS(3 - i));
		assert_int_equal(sched_drop(w.sched, stored[i], 0), OK);
	}
	assert_int_equal(row(&w, &seen, "")->oldest, w.now);
	id = world_add(&w, "one.example");
	assert_int_equal(sched_drop(w.sched, id, 0), OK);
	world_close(&w);
}

static void a_domain_moves_with_its_counts_when_its_hosts_change(void **state)
{
	struct world w;
	struct seen seen;
	struct sched_decision d;
	struct sched_view view;
	uint64_t id;

	world_open(&w, BASICS);
	id = world_add(&w, "one.example");
	assert_true(sched_find(w.sched, id, 0, w.now, &view));
	assert_null(view.destination);
	assert_int_equal(row(&w, &seen, "one.example")->waiting, 1);
	sched_next(w.sched, w.now, &d);
	world_resolve(&w, "one.example", "mx.old.example");
	assert_null(row(&w, &seen, "one.example"));
	assert_int_equal(row(&w, &seen, "mx.old.example")->waiting, 1);
	w.now += HOURS(24);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	assert_int_equal(row(&w, &seen, "mx.old.example")->waiting, 1); /* the last value is kept meanwhile */
	world_resolve(&w, "one.example", "mx.new.example");
	assert_null(row(&w, &seen, "mx.old.example"));
	assert_int_equal(row(&w, &seen, "mx.new.example")->waiting, 1);
	world_close(&w);
}

static void domains_with_the_same_hosts_are_one_destination(void **state)
{
	static const char *const hosts[][2] = { { "mx1.net", "mx2.net" }, { "mx2.net", "mx1.net" },
		{ "mx1.net", "mx3.net" } };
	struct world w;
	struct seen seen;
	struct sched_decision d;

	world_open(&w, BASICS);
	world_add(&w, "x.example");
	world_add(&w, "y.example");
	world_add(&w, "z.example");
	for (int i = 0; i < 3; i++) {
		sched_next(w.sched, w.now, &d);
		sched_resolved(w.sched, d.domain, (uint64_t)i, hosts[i], 2, 1, w.now + HOURS(1), w.now);
	}
	assert_int_equal(row(&w, &seen, "mx1.net")->waiting, 2); /* the order of equals is random */
	assert_int_equal(row(&w, &seen, "mx1.net,mx3.net")->waiting, 1);
	world_close(&w);
}

static void one_tenants_backlog_does_not_starve_another(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_job job;
	unsigned before = 0;

	world_open(&w, BASICS "lanes: {connections: 1}\n");
	for (int i = 0; i < 1000; i++) {
		job = world_job(&w, "one.example");
		job.tenant = "news";
		sched_add(w.sched, &job, w.now);
	}
	d = world_start(&w);
	world_add(&w, "one.example");
	for (; strcmp(d.tenant, "news") == 0; d = world_start(&w)) {
		before++;
		world_deliver(&w, &d);
	}
	assert_in_range(before, 1, 2);
	world_close(&w);
}

static void destinations_take_turns(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned before = 0;

	world_open(&w, BASICS "delivery: {connections: 1}\n");
	for (int i = 0; i < 100; i++)
		world_add(&w, "big.example");
	world_add(&w, "small.example");
	for (d = world_start(&w); strcmp(d.domain, "big.example") == 0; d = world_start(&w)) {
		before++;
		world_deliver(&w, &d);
	}
	assert_in_range(before, 0, 2);
	world_close(&w);
}

static void mail_of_a_vanished_pool_or_tenant_is_held_until_it_is_back(void **state)
{
	static const struct {
		const char *label, *without;
	} rows[] = {
		{ "pool",
		    LISTEN "tenants: [{name: shop, from: [10.1.0.0/16], pool: mixed}]\n" SOURCES
			   "pools: [{name: mixed, sources: [a, six]}]\n" },
		{ "tenant", LISTEN "tenants: [{name: news, from: [10.2.0.0/16], pool: main}]\n" SOURCES POOLS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct seen seen;
		struct sched_decision d;
		uint64_t ready, later;
		struct sched_job job;

		world_open(&w, BASICS);
		job = world_job(&w, "one.example");
		job.due += HOURS(1);
		later = job.id;
		sched_add(w.sched, &job, w.now);
		world_add(&w, "one.example");
		d = world_start(&w);
		ready = world_add(&w, "one.example");
		world_reload(&w, rows[i].without);
		world_nothing(&w);
		if (world_reasons(&w, ready, NULL) != WHY_NO_POOL || world_reasons(&w, later, NULL) != WHY_NO_POOL)
			fail_msg("%s: 0x%x", rows[i].label, world_reasons(&w, ready, NULL));
		assert_int_equal(row(&w, &seen, "")->held, 2);
		world_deliver(&w, &d); /* what was under way goes on */
		world_reload(&w, BASICS);
		assert_int_equal(row(&w, &seen, "")->held, 0);
		assert_true(world_start(&w).id == ready);
		world_close(&w);
	}
}

static void reports_of_our_own_are_not_held(void **state)
{
	struct world w;
	struct sched_job job;

	world_open(&w, BASICS);
	job = world_job(&w, "one.example");
	job.tenant = SCHED_TENANT_INTERNAL;
	sched_add(w.sched, &job, w.now);
	world_start(&w);
	world_close(&w);
}

static void another_configuration_keeps_connections_and_pauses(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_job job;
	uint64_t id;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	d = world_start(&w);
	assert_int_equal(sched_pause(w.sched, "tenant", "news", true, w.now), OK);
	world_reload(&w,
	    LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n"
			   "lanes: {connections: 1}\n");
	job = world_job(&w, "one.example");
	job.tenant = "news";
	sched_add(w.sched, &job, w.now);
	world_nothing(&w);
	assert_true(world_reasons(&w, job.id, NULL) & WHY_OPERATOR);
	id = world_add(&w, "one.example");
	if (d.source[0] == 'a') {
		world_nothing(&w); /* the one connection is still the old one */
		assert_int_equal(world_reasons(&w, id, NULL), WHY_LANE_CONNECTIONS);
	}
	world_deliver(&w, &d);
	assert_string_equal(world_start(&w).source, "a");
	world_close(&w);
}

static void collect(void *arg, const char *line)
{
	char *text = arg;

	snprintf(text + strlen(text), 4096 - strlen(text), "%s\n", line);
}

static void explanations_name_every_reason(void **state)
{
	struct world w;
	struct sched_decision d;
	char text[4096];
	static const struct {
		const char *name, *words;
	} rows[] = {
		{ "mx.one.example", "paused by the operator" },
		{ "mx.one.example", "every connection that its source may have there is busy" },
		{ "one.example", "hangs on destination mx.one.example" },
		{ "a", "source a: in use" },
		{ "b", "parked, no such address" },
		{ "shop", "due normal mail to mx.one.example through pool main" },
	};

	world_open(&w, BASICS "lanes: {connections: 1}\n");
	world_add(&w, "one.example");
	world_add(&w, "one.example");
	world_add(&w, "one.example");
	d = world_start(&w);
	world_start(&w);
	assert_int_equal(sched_pause(w.sched, "destination", d.destination, true, w.now), OK);
	sched_park_source(w.sched, "b", w.now + HOURS(1), "no such address");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text[0] = '\0';
		assert_int_equal(sched_explain(w.sched, rows[i].name, w.now, collect, text), OK);
		if (strstr(text, rows[i].words) == NULL)
			fail_msg("%s: no \"%s\" in\n%s", rows[i].name, rows[i].words, text);
	}
	assert_int_equal(sched_explain(w.sched, "nothing", w.now, collect, text), ERR_NOT_FOUND);
	world_close(&w);
}

static void every_reason_has_words_and_a_name(void **state)
{
	char text[SCHED_WHY_TEXT], all[SCHED_WHY_TEXT];

	for (unsigned bit = WHY_NOT_DUE; bit <= WHY_QUEUED_BEHIND; bit <<= 1) {
		assert_true(sched_why_text(bit, text)[0] != '\0');
		assert_string_not_equal(sched_why_name((enum sched_reason)bit), "unknown");
	}
	/* All of them together fit. */
	assert_non_null(strstr(sched_why_text(UINT32_MAX, all), text));
	assert_string_equal(
	    sched_why_text(WHY_HELD | WHY_OPERATOR, text), "held by the operator; paused by the operator");
}

static void a_hundred_thousand_jobs_in_a_thousand_domains_stay_small(void **state)
{
	struct world w;
	char name[32];
	size_t empty;

	world_open(&w, BASICS);
	empty = sched_memory(w.sched);
	for (int i = 0; i < 100000; i++) {
		struct sched_job job;

		snprintf(name, sizeof(name), "d%d.example", i % 1000);
		job = world_job(&w, name);
		job.id = (uint64_t)TEST_START << 20 | (uint64_t)i;
		job.attempts = 1;
		job.due += HOURS(1);
		sched_add(w.sched, &job, w.now);
	}
	assert_in_range(sched_memory(w.sched), 100000 * 64, 16 << 20);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(sched_drop(w.sched, (uint64_t)TEST_START << 20 | (uint64_t)i, 0), OK);
	/* What is left: the remembered domains and the heap's table of places. */
	assert_in_range(sched_memory(w.sched), empty, 2 << 20);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_in_recipients_and_states_are_disjoint),
		cmocka_unit_test(the_oldest_job_is_found_when_the_store_is_read_back_meanwhile),
		cmocka_unit_test(a_domain_moves_with_its_counts_when_its_hosts_change),
		cmocka_unit_test(domains_with_the_same_hosts_are_one_destination),
		cmocka_unit_test(one_tenants_backlog_does_not_starve_another),
		cmocka_unit_test(destinations_take_turns),
		cmocka_unit_test(mail_of_a_vanished_pool_or_tenant_is_held_until_it_is_back),
		cmocka_unit_test(reports_of_our_own_are_not_held),
		cmocka_unit_test(another_configuration_keeps_connections_and_pauses),
		cmocka_unit_test(explanations_name_every_reason),
		cmocka_unit_test(every_reason_has_words_and_a_name),
		cmocka_unit_test(a_hundred_thousand_jobs_in_a_thousand_domains_stay_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
