/* tests/unit/sched/test_yield.c - who has the tokens of a rate first: a large job of a low class that saves up for them, or what is urgent. */
#include "tests/unit/sched/sched_test.h"

#define TENANTS_OF(news) \
	"tenants:\n" \
	"  - {name: shop, from: [10.1.0.0/16], pool: main" news "}\n"
#define POOL "pools: [{name: main, sources: [a]}]\n"
#define SOURCE(rate) "sources: [{name: a, ip: 127.0.0.2" rate "}]\n"

/* 600 an hour: a burst of 30, and a token every 6 s or a little more. */
static const struct limit {
	const char *label, *yaml;
} limits[] = {
	{ "of a lane", LISTEN TENANTS_OF("") SOURCE("") POOL "lanes: {rate: 600/h}\n" },
	{ "of a destination", LISTEN TENANTS_OF("") SOURCE("") POOL "providers: [{name: big, domains: [one.example], total_rate: 600/h}]\n" },
	{ "of a source", LISTEN TENANTS_OF("") SOURCE(", rate: 600/h") POOL },
	{ "of a tenant", LISTEN TENANTS_OF(", destination_rate: 600/h") SOURCE("") POOL },
};

static uint64_t add(struct world *w, uint32_t rcpts, int priority)
{
	struct sched_job job = world_job(w, "one.example");

	job.rcpts = rcpts;
	job.priority = (int8_t)priority;
	assert_true(sched_add(w->sched, &job, w->now));
	return job.id;
}

/* The burst is gone, and a job of as many recipients waits for the next one. Returns when it may start. */
static wall_ms large_job_waits(struct world *w, int priority, uint64_t *id_out)
{
	struct sched_decision d;

	add(w, 30, priority);
	d = world_start(w);
	world_deliver(w, &d);
	*id_out = add(w, 30, priority);
	d = world_nothing(w);
	assert_true(d.when > w->now + MINUTES(2));
	return d.when;
}

static void an_urgent_job_has_the_tokens_before_a_large_one_of_a_lower_class(void **state)
{
	static const struct {
		const char *label;
		int large, small;
		bool first;
	} classes[] = {
		{ "transactional before bulk", -1, 1, true },
		{ "normal before bulk", -1, 0, true },
		{ "transactional before normal", 0, 1, true },
		{ "not bulk before normal", 0, -1, false },
		{ "not one of the same class", -1, -1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		for (size_t c = 0; c < ARRAY_LEN(classes); c++) {
			struct world w;
			struct sched_decision d;
			uint64_t large, small;
			wall_ms when;

			world_open(&w, limits[i].yaml);
			when = large_job_waits(&w, classes[c].large, &large);
			w.now += MINUTES(1); /* nine tokens */
			small = add(&w, 1, classes[c].small);
			d = world_next(&w);
			if ((d.kind == SCHED_START && d.id == small) != classes[c].first)
				fail_msg("the rate %s, %s", limits[i].label, classes[c].label);
			sched_verify(w.sched);
			if (classes[c].first) {
				world_deliver(&w, &d);
				d = world_nothing(&w);
				assert_in_range(d.when, when + SECONDS(5), when + SECONDS(8)); /* the token that it had */
			}
			w.now = d.when;
			d = world_start(&w);
			assert_true(d.id == large);
			world_deliver(&w, &d);
			world_close(&w);
		}
}

static void an_urgent_job_that_lacks_tokens_waits_for_its_own_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct world w;
		struct sched_decision d;
		uint64_t large, small;

		world_open(&w, limits[i].yaml);
		(void)large_job_waits(&w, -1, &large);
		small = add(&w, 1, 1);
		d = world_nothing(&w);
		if (d.when > w.now + SECONDS(8))
			fail_msg("the rate %s: it waits %lld ms", limits[i].label, (long long)(d.when - w.now));
		w.now = d.when;
		d = world_start(&w);
		assert_true(d.id == small);
		world_deliver(&w, &d);
		world_close(&w);
	}
}

/* One urgent recipient each two seconds is more than there are tokens. */
static void a_large_job_has_its_turn_however_much_urgent_mail_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct world w;
		struct sched_decision d;
		uint64_t large;
		unsigned urgent = 0;
		bool started = false;

		world_open(&w, limits[i].yaml);
		(void)large_job_waits(&w, -1, &large);
		for (wall_ms end = w.now + MINUTES(10), next = w.now; w.now < end && !started;) {
			if (next <= w.now) {
				add(&w, 1, 1);
				next += SECONDS(2);
			}
			d = world_next(&w);
			if (d.kind != SCHED_START) {
				w.now = d.when < next ? d.when : next;
				continue;
			}
			started = d.id == large;
			urgent += !started;
			world_deliver(&w, &d);
		}
		if (!started || urgent < 9)
			fail_msg("the rate %s: %u urgent ones, and the large one %s", limits[i].label, urgent, started ? "went" : "did not");
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_urgent_job_has_the_tokens_before_a_large_one_of_a_lower_class),
		cmocka_unit_test(an_urgent_job_that_lacks_tokens_waits_for_its_own_alone),
		cmocka_unit_test(a_large_job_has_its_turn_however_much_urgent_mail_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
