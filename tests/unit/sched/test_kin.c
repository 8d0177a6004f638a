/* tests/unit/sched/test_kin.c - what a cold lane learns from other sources at its destination, and from its own source elsewhere. */
#include "sched_test.h"

#define TWO \
	LISTEN \
	"tenants:\n" \
	"  - {name: shop, from: [10.1.0.0/16], pool: old}\n" \
	"  - {name: news, from: [10.2.0.0/16], pool: new}\n" \
	"plans: [{name: bold, adapt: true, start: 50, growth: 200, explore: 19, ceiling: 10000000}]\n" \
	"providers: [{name: big, domains: [big.example]}, {name: other, domains: [other.example]}]\n" \
	"sources: [{name: a, ip: 127.0.0.2, warmup: {plan: bold}}, {name: b, ip: 127.0.0.3, warmup: {plan: bold}}]\n" \
	"pools: [{name: old, sources: [a]}, {name: new, sources: [b]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"

#define MIDNIGHT (TEST_START + HOURS(16) + MINUTES(31)) /* of every lane */

struct answers {
	uint32_t taken; /* of recipients in all, */
	bool blocked;   /* then 5xx for us; else 4xx */
};

static uint64_t backlog(struct world *w, const char *pool, const char *domain, uint32_t rcpts)
{
	struct sched_job job = world_job(w, domain);

	job.pool = pool;
	job.tenant = pool[0] == 'o' ? "shop" : "news";
	job.rcpts = rcpts;
	job.deadline = w->now + DAYS(100);
	assert_true(sched_add(w->sched, &job, w->now));
	return job.id;
}

/* Until `end`; the jobs never run dry. Returns what was taken. */
static uint32_t run(struct world *w, wall_ms end, const struct answers *answers)
{
	uint32_t taken = 0;

	for (;;) {
		struct sched_decision d = world_next(w);
		struct sched_result r = { .attempted = true, .rcpts_left = 100000 };

		if (d.kind != SCHED_START) {
			if (d.kind != SCHED_NOTHING || d.when >= end)
				break;
			w->now = d.when;
			continue;
		}
		if (taken + d.rcpts <= answers->taken) {
			r.delivered = d.rcpts;
			taken += d.rcpts;
		} else if (answers->blocked) {
			r.blocked = d.rcpts;
		} else {
			r.throttled = d.rcpts;
		}
		world_end(w, &d, &r);
	}
	w->now = end;
	return taken;
}

static const struct answers all = { .taken = UINT32_MAX / 2 };

/* What a new source sends in its first hours, when another was taken of `known` recipients there on its first day; 0: there was no other. */
static uint32_t first_hours(uint32_t known, unsigned days_later, unsigned hours)
{
	struct answers first = { .taken = known };
	struct world w;
	uint32_t sent;
	uint64_t id;

	world_open(&w, TWO);
	w.now = MIDNIGHT;
	if (known > 0) {
		id = backlog(&w, "old", "big.example", 100000);
		assert_int_equal(run(&w, MIDNIGHT + DAYS(1), &first), known);
		(void)run(&w, MIDNIGHT + DAYS(2), &all);
		assert_int_equal(sched_drop(w.sched, id, 0), OK);
	}
	w.now = MIDNIGHT + DAYS(2 + (int64_t)days_later);
	(void)backlog(&w, "new", "big.example", 100000);
	sent = run(&w, w.now + HOURS(hours), &all);
	sched_verify(w.sched);
	world_close(&w);
	return sent;
}

static void a_new_source_goes_up_no_faster_than_another_was_let(void **state)
{
	static const struct {
		const char *label;
		uint32_t known;
		unsigned later, hours;
		uint32_t least, most;
	} rows[] = {
		{ "nothing is known", 0, 0, 24, 900, 950 },
		{ "another had a hundred", 100, 0, 12, 45, 75 },
		{ "the same, in a day", 100, 0, 24, 100, 250 },
		{ "another had six hundred", 600, 0, 24, 400, 950 },
		{ "that was two months ago", 100, 60, 24, 900, 950 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t sent = first_hours(rows[i].known, rows[i].later, rows[i].hours);

		if (sent < rows[i].least || sent > rows[i].most)
			fail_msg("%s: %u", rows[i].label, sent);
	}
}

static void view_of(void *arg, const struct sched_warm_view *view)
{
	struct sched_warm_view *out = arg;

	if (strcmp(view->destination, "other") == 0)
		*out = *view;
}

/* What source a sends to `other` on the day that begins so many days after `big` has blocked it; UINT32_MAX: it was not blocked. */
static uint32_t day_after_a_block(unsigned days, bool restart, struct sched_warm_view *view)
{
	struct answers some = { .taken = 60, .blocked = days != UINT32_MAX };
	struct world w;
	uint32_t sent;
	uint64_t id;

	world_open(&w, TWO);
	w.now = MIDNIGHT;
	id = backlog(&w, "old", "big.example", 100000);
	(void)run(&w, MIDNIGHT + HOURS(23), &some);
	assert_int_equal(sched_drop(w.sched, id, 0), OK);
	w.now = MIDNIGHT + DAYS(days != UINT32_MAX ? (int64_t)days : 1);
	if (restart) {
		struct sched_warm warm;
		char key[64];
		struct conf *conf = test_conf(TWO);

		assert_true(sched_warm_state(w.sched, 0, &warm));
		snprintf(key, sizeof(key), "%s", warm.key);
		sched_destroy(&w.sched);
		w.sched = sched_create(conf, 5);
		conf_unref(&conf);
		assert_int_equal(sched_warm_restore(w.sched, key, warm.data, warm.len), OK);
	}
	(void)backlog(&w, "old", "other.example", 100000);
	sent = run(&w, w.now + DAYS(1) - MINUTES(31), &all);
	*view = (struct sched_warm_view){ 0 };
	sched_warm_read(w.sched, w.now, view_of, view);
	world_close(&w);
	return sent;
}

static void a_source_that_was_blocked_is_careful_elsewhere_for_some_days(void **state)
{
	static const struct {
		const char *label;
		unsigned days;
		bool restart;
		uint32_t least, most;
	} rows[] = {
		{ "not blocked", UINT32_MAX, false, 800, 950 },
		{ "on the next day", 1, false, 100, 260 },
		{ "and after a restart", 1, true, 100, 260 },
		{ "on the third", 3, false, 100, 260 },
		{ "in a week", 7, false, 800, 950 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sched_warm_view view;
		uint32_t sent = day_after_a_block(rows[i].days, rows[i].restart, &view);

		if (sent < rows[i].least || sent > rows[i].most)
			fail_msg("%s: %u", rows[i].label, sent);
		if ((strstr(view.obstacle, "blocked elsewhere") != NULL) != (rows[i].most < 800))
			fail_msg("%s: \"%s\"", rows[i].label, view.obstacle);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_source_goes_up_no_faster_than_another_was_let),
		cmocka_unit_test(a_source_that_was_blocked_is_careful_elsewhere_for_some_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
