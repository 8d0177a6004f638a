/* tests/unit/sched/test_late.c - mail that cold addresses alone cannot send in time is told of, and other mail is not. */
#include "sched_test.h"

#define HEAD LISTEN TENANTS "plans: [{name: ten, start: 10, growth: 100}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define ALONE "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: ten}}]\npools: [{name: main, sources: [a]}]\n"
#define BESIDE "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: ten}}, {name: b, ip: 127.0.0.3}]\npools: [{name: main, sources: [a, b]}]\n"

static void take(void *arg, const struct sched_late *late)
{
	*(struct sched_late *)arg = *late;
}

static void what_cannot_leave_in_time_is_late(void **state)
{
	static const struct {
		const char *label, *conf;
		uint32_t waiting;
		bool late;
	} rows[] = {
		{ "today's budget is enough", HEAD ALONE, 8, false },
		{ "tomorrow, within the day that is allowed", HEAD ALONE "warmup: {late: 2d}\n", 15, false },
		{ "tomorrow is too late", HEAD ALONE "warmup: {late: 1h}\n", 15, true },
		{ "eight days", HEAD ALONE "warmup: {late: 30d}\n", 90, true },
		{ "a warm source beside", HEAD BESIDE "warmup: {late: 1h}\n", 90, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sched_late late = { 0 };
		struct world w;

		world_open(&w, rows[i].conf);
		world_add(&w, "one.example");
		world_deliver(&w, &(struct sched_decision[]){ world_start(&w) }[0]);
		for (uint32_t n = 0; n < rows[i].waiting; n++)
			world_add(&w, "one.example");
		sched_late_each(w.sched, w.now, take, &late);
		if ((late.waiting > 0) != rows[i].late)
			fail_msg("%s: %llu wait", rows[i].label, (unsigned long long)late.waiting);
		if (rows[i].late && (late.waiting != rows[i].waiting || late.daily != 10 || late.gone_at <= w.now))
			fail_msg("%s: wrong figures", rows[i].label);
		world_close(&w);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_cannot_leave_in_time_is_late) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
