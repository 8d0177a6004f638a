/* tests/unit/sched/test_random.c - properties on random runs: limits are kept, no job is forgotten or at two places, counts equal a
 * recount, nothing idles that may work, and every job ends. The seeds are printed. */
#include "base/rand.h"
#include "tests/unit/sched/sched_test.h"

#define JOBS_MAX    3000
#define OUT_MAX     256
#define DOMAINS     40
#define SOURCE_SETS 3

enum fate { FATE_UNUSED, FATE_QUEUED, FATE_OUT, FATE_ENDED };

struct run {
	struct world w;
	struct rand rand;
	const char *yaml;
	enum fate fates[JOBS_MAX];
	uint64_t ids[JOBS_MAX];
	bool held[JOBS_MAX];
	unsigned jobs, queued;
	struct sched_decision out[OUT_MAX]; /* being delivered */
	unsigned out_count;
	uint32_t lanes[4096]; /* connections by lane, counted by the test */
	unsigned connections, starts, expired, retired, ended; /* retirements: begun, come to their end */
	unsigned big, of_source[3]; /* connections to that provider, and from a, b and six */
	bool drained[2]; /* a, b */
	bool quiet; /* no more mishaps: everything must end */
};

/* clang-format off */
static const char *const configurations[] = {
	BASICS "lanes: {connections: 3, messages: 5}\ndelivery: {connections: 40}\n"
	    "providers: [{name: big, domains: [d0.example, d1.example], mx: [big.net], connections: 2, rate: 60/m}]\n",
	BASICS "lanes: {connections: 1}\ndelivery: {connections: 7}\n",
	BASICS "lanes: {connections: 4, rate: 100/h}\ndelivery: {connections: 100}\n",
	"hostname: relay.example.net\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\nslow_start: {idle: 1m}\n"
	    "tenants:\n  - {name: shop, from: [10.1.0.0/16], destination_rate: 30/h, pool: main}\n"
	    "  - {name: news, from: [10.2.0.0/16], destination_rate: 100/h, pool: main}\n"
	    "sources:\n  - {name: a, ip: 127.0.0.2, connections: 5}\n  - {name: b, ip: 127.0.0.3, rate: 200/h}\n"
	    "  - {name: six, ip: \"::1\", connections: 2, rate: 50/m}\n" POOLS "retry: {first: 5m, max: 4h, expire: 5d}\n"
	    "lanes: {connections: 4}\ndelivery: {connections: 60}\nproviders:\n"
	    "  - {name: big, domains: [d0.example, d1.example], mx: [big.net], total_connections: 4, total_rate: 90/h}\n",
	LISTEN TENANTS "plans: [{name: some, adapt: true, start: 200, growth: 100, explore: 5}, {name: few, days: [40]}]\n"
	    "sources:\n  - {name: a, ip: 127.0.0.2, warmup: {plan: some}}\n  - {name: b, ip: 127.0.0.3, weight: 2}\n"
	    "  - {name: six, ip: \"::1\", warmup: {plan: few}}\n"
	    "pools:\n  - {name: main, sources: [a, b], overflow: wait, overflow_after: 2h}\n  - {name: mixed, sources: [a, six]}\n"
	    "retry: {first: 5m, max: 4h, expire: 5d}\nlanes: {connections: 4}\ndelivery: {connections: 100}\n",
};
/* clang-format on */

static uint32_t limit_of(const struct run *r, const char *destination)
{
	return r->yaml == configurations[0] ? strcmp(destination, "big") == 0 ? 2 : 3
	    : r->yaml == configurations[1]  ? 1
					    : 4;
}

static unsigned total_limit(const struct run *r)
{
	return r->yaml == configurations[0] ? 40 : r->yaml == configurations[1] ? 7 : r->yaml == configurations[3] ? 60 : 100;
}

static unsigned job_of(const struct run *r, uint64_t id)
{
	unsigned job = (unsigned)(id & 0xfffff) - 1;

	assert_true(job < r->jobs && r->ids[job] == id);
	return job;
}

static void add_job(struct run *r)
{
	static const char *const tenants[] = { "shop", "news", "gone" };
	static const char *const pools[] = { "main", "main", "mixed", "lost" };
	struct sched_job job;
	char domain[32];

	if (r->jobs == JOBS_MAX)
		return;
	snprintf(domain, sizeof(domain), "d%u.example", rand_below(&r->rand, DOMAINS));
	job = world_job(&r->w, domain);
	job.tenant = tenants[rand_below(&r->rand, r->quiet ? 2 : 3)];
	job.pool = pools[rand_below(&r->rand, 4)];
	job.rcpts = 1 + rand_below(&r->rand, 8);
	job.due += (int64_t)rand_below(&r->rand, 3) * MINUTES(rand_below(&r->rand, 60));
	job.deadline = r->w.now + MINUTES(rand_below(&r->rand, 3000));
	job.priority = (int8_t)(rand_below(&r->rand, 3) == 0 ? (int)rand_below(&r->rand, 19) - 9 : 0);
	job.held = rand_below(&r->rand, 20) == 0;
	job.attempts = rand_below(&r->rand, 3);
	job.source = rand_below(&r->rand, 2) ? "a" : NULL;
	job.blocked = !job.held && rand_below(&r->rand, 6) == 0;
	assert_true(sched_add(r->w.sched, &job, r->w.now));
	assert_false(sched_add(r->w.sched, &job, r->w.now));
	r->ids[r->jobs] = job.id;
	r->held[r->jobs] = job.held;
	r->fates[r->jobs++] = FATE_QUEUED;
	r->queued++;
}

/* Some of what a source gives up goes to the other, some to nobody in particular. */
static void retire(struct run *r)
{
	unsigned which = rand_below(&r->rand, 2);
	struct sched_retire how = { .since = r->w.now - MINUTES(rand_below(&r->rand, 300)),
		.until = r->w.now + MINUTES(1 + rand_below(&r->rand, 600)) };

	snprintf(how.into, sizeof(how.into), "%s", rand_below(&r->rand, 2) ? "" : which == 0 ? "b" : "a");
	assert_true(sched_retire_source(r->w.sched, which == 0 ? "a" : "b", &how, r->w.now));
	r->drained[which] = false;
	r->retired += 1;
}

static unsigned place_of(const char *source)
{
	return source[0] == 'a' ? 0 : source[0] == 'b' ? 1 : 2;
}

static void take(struct run *r, const struct sched_decision *d, bool connected)
{
	unsigned job = job_of(r, d->id);

	assert_int_equal(r->fates[job], FATE_QUEUED);
	assert_true(r->out_count < OUT_MAX);
	r->fates[job] = FATE_OUT;
	r->out[r->out_count++] = *d;
	r->expired += d->kind == SCHED_EXPIRE;
	r->starts += d->kind == SCHED_START;
	if (d->kind != SCHED_START || d->lane == LANE_NONE)
		return;
	assert_false(r->held[job]);
	assert_false(place_of(d->source) < 2 && r->drained[place_of(d->source)]);
	if (connected) {
		r->lanes[d->lane]++;
		r->connections++;
	}
	assert_in_range(r->lanes[d->lane], 1, limit_of(r, d->destination));
	assert_in_range(r->connections, 1, total_limit(r));
	if (connected && strcmp(d->destination, "big") == 0)
		r->big++;
	if (connected)
		r->of_source[place_of(d->source)]++;
	if (r->yaml != configurations[3])
		return;
	assert_in_range(r->big, 0, 4);
	assert_in_range(r->of_source[0], 0, 5);
	assert_in_range(r->of_source[2], 0, 2);
}

static void look_up(struct run *r, const char *name)
{
	char host[64];
	const char *hosts[] = { host };
	struct sched_decision d;
	unsigned n = (unsigned)strtoul(name + 1, NULL, 10);

	if (!r->quiet && rand_below(&r->rand, 6) == 0) {
		while (r->out_count < OUT_MAX) {
			sched_unresolved(r->w.sched, name, r->w.now, &d);
			if (d.kind == SCHED_NOTHING)
				return;
			take(r, &d, false);
		}
	}
	snprintf(host, sizeof(host), n < 2 ? "mx%u.big.net" : "mx%u.host.example", n % 7);
	sched_resolved(
	    r->w.sched, name, n % 7, hosts, 1, 1 + n % 3, r->w.now + MINUTES(rand_below(&r->rand, 90)), r->w.now);
}

static void judge(struct run *r, struct sched_result *result)
{
	result->judged = true;
	result->class = (enum replies_class)rand_below(&r->rand, CLASS_COUNT);
	result->action = (enum replies_action)rand_below(&r->rand, ACTION_COUNT);
	result->barred = rand_below(&r->rand, 2) == 0;
}

static void end_one(struct run *r, unsigned which)
{
	struct sched_decision d = r->out[which], more;
	const char *source = d.source;
	unsigned job = job_of(r, d.id);
	unsigned luck = r->quiet ? 0 : rand_below(&r->rand, 10);
	struct sched_result result = { .attempted = luck != 9 };

	result.rcpts_left = luck < 5 ? 0 : luck == 9 ? d.rcpts : 1 + rand_below(&r->rand, d.rcpts);
	result.scope = luck < 5 || luck == 9 ? SCOPE_NONE : (enum sched_scope)rand_below(&r->rand, SCOPE_SOURCE + 1);
	result.delivered = result.scope <= SCOPE_MESSAGE ? d.rcpts - result.rcpts_left : 0;
	/* One tenant's lists are bad: where there are cold sources it is a risk for them. */
	if (result.delivered > 1 && d.tenant[0] == 'n' && rand_below(&r->rand, 3) == 0) {
		result.unknown = result.delivered / 2;
		result.delivered -= result.unknown;
	}
	if (luck == 8)
		result.not_before = r->w.now + MINUTES(rand_below(&r->rand, 200));
	if (result.rcpts_left > 0 && result.attempted && rand_below(&r->rand, 2) == 0)
		judge(r, &result);
	r->out[which] = r->out[--r->out_count];
	world_settle(&r->w, &d, &result);
	r->fates[job] = result.rcpts_left > 0 ? FATE_QUEUED : FATE_ENDED;
	r->queued -= result.rcpts_left == 0;
	if (d.lane == LANE_NONE)
		return;
	if (rand_below(&r->rand, 2) == 0) {
		sched_next_on(r->w.sched, d.lane, d.domain, r->w.now, &more);
		if (more.kind == SCHED_START) {
			assert_int_equal(more.lane, d.lane);
			take(r, &more, false);
			return;
		}
	}
	sched_release_connection(r->w.sched, d.lane, r->w.now);
	r->lanes[d.lane]--;
	r->connections--;
	r->big -= strcmp(d.destination, "big") == 0;
	r->of_source[place_of(source)]--;
}

/* No lane idles while it may send and mail waits: after NOTHING each job has an obstacle. A lane with a rate may wait for a larger job. */
static void check_nothing_idles(struct run *r)
{
	struct sched_view view;

	for (unsigned job = 0; job < r->jobs; job++) {
		if (r->fates[job] != FATE_QUEUED || !sched_find(r->w.sched, r->ids[job], 0, r->w.now, &view))
			continue;
		if (view.destination != NULL && strcmp(view.destination, "big") == 0)
			continue;
		if (view.reasons == WHY_QUEUED_BEHIND || view.ask_again <= r->w.now)
			fail_msg("job %u waits without a reason: 0x%x", job, view.reasons);
	}
}

/* What NOTHING promises: asked again just before `when`, without an event, the answer is the same. */
static void decide(struct run *r)
{
	struct sched_decision d, again;

	while (r->out_count < OUT_MAX - 1) {
		sched_next(r->w.sched, r->w.now, &d);
		if (d.kind == SCHED_RESOLVE) {
			char name[64];

			snprintf(name, sizeof(name), "%s", d.domain);
			look_up(r, name);
		} else if (d.kind == SCHED_NOTHING) {
			assert_true(d.when > r->w.now);
			sched_next(r->w.sched, r->w.now, &again);
			assert_int_equal(again.kind, SCHED_NOTHING);
			if (r->yaml != configurations[2] && r->yaml != configurations[3] && rand_below(&r->rand, 20) == 0)
				check_nothing_idles(r);
			return;
		} else {
			take(r, &d, true);
		}
	}
}

/* The same, or with another class and weight of its first tenant: both count for what waits. */
static void reload(struct run *r)
{
	static const char from[] = "pool: main", to[] = "pool: main, priority: bulk, weight: 7";
	const char *at = strstr(r->yaml, from);
	char text[4096];

	if (rand_below(&r->rand, 2)) {
		world_reload(&r->w, r->yaml);
		return;
	}
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - r->yaml), r->yaml, to, at + strlen(from));
	world_reload(&r->w, text);
}

static void operator_acts(struct run *r)
{
	static const char *const names[][2] = { { "tenant", "shop" }, { "source", "a" }, { "source", "six" },
		{ "destination", "mx3.host.example" }, { "destination", "big" } };
	uint32_t pick = rand_below(&r->rand, ARRAY_LEN(names));
	unsigned job = rand_below(&r->rand, r->jobs);
	bool queued = r->fates[job] == FATE_QUEUED;
	enum err err;

	while (sched_retired_next(r->w.sched) != NULL)
		r->ended++;
	switch (rand_below(&r->rand, 8)) {
	case 0:
		err = sched_pause(r->w.sched, names[pick][0], names[pick][1], rand_below(&r->rand, 2), r->w.now);
		assert_true(err == OK || err == ERR_NOT_FOUND);
		break;
	case 1:
		err = sched_hold(r->w.sched, r->ids[job], 0);
		r->held[job] |= err == OK;
		break;
	case 2:
		err = sched_release(r->w.sched, r->ids[job], 0, r->w.now);
		r->held[job] = false;
		break;
	case 3:
		err = sched_retry(r->w.sched, r->ids[job], 0, r->w.now);
		assert_int_equal(err, queued ? OK : r->fates[job] == FATE_OUT ? ERR_BUSY : ERR_NOT_FOUND);
		break;
	case 4: {
		unsigned which = rand_below(&r->rand, 2);

		r->drained[which] = rand_below(&r->rand, 3) == 0;
		assert_true(sched_drain_source(r->w.sched, which == 0 ? "a" : "b", r->drained[which], r->w.now));
		break;
	}
	case 5:
		retire(r);
		break;
	case 6:
		sched_park_source(r->w.sched, "b", r->w.now + MINUTES(rand_below(&r->rand, 20)), "test");
		break;
	default:
		if (rand_below(&r->rand, 8) == 0)
			reload(r);
		err = sched_drop(r->w.sched, r->ids[job], 0);
		assert_int_equal(err, queued ? OK : r->fates[job] == FATE_OUT ? ERR_BUSY : ERR_NOT_FOUND);
		if (err == OK) {
			r->fates[job] = FATE_ENDED;
			r->queued--;
		}
	}
}

static void check(struct run *r)
{
	sched_verify(r->w.sched);
	assert_int_equal(sched_job_count(r->w.sched), r->queued);
}

static void resume_all(struct run *r)
{
	static const char *const names[][2] = { { "tenant", "shop" }, { "source", "a" }, { "source", "six" },
		{ "destination", "mx3.host.example" }, { "destination", "big" } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (sched_pause(r->w.sched, names[i][0], names[i][1], false, r->w.now) == ERR_NOT_FOUND)
			continue;
	sched_park_source(r->w.sched, "b", 0, NULL);
	r->drained[0] = r->drained[1] = false;
	assert_true(sched_drain_source(r->w.sched, "a", false, r->w.now));
	assert_true(sched_drain_source(r->w.sched, "b", false, r->w.now));
}

/* Time goes on; in the end every job was delivered or has expired. */
static void finish(struct run *r)
{
	wall_ms last = r->w.now + DAYS(10);

	r->quiet = true;
	resume_all(r);
	while (r->queued > 0 && r->w.now < last) {
		struct sched_decision d;

		decide(r);
		while (r->out_count > 0)
			end_one(r, 0);
		sched_next(r->w.sched, r->w.now, &d);
		if (d.kind == SCHED_NOTHING) {
			/* Else a job would be forgotten. */
			assert_true(r->queued == 0 || (d.when > r->w.now && d.when < WALL_NEVER));
			r->w.now = r->queued > 0 ? d.when : r->w.now;
		}
		if (d.kind == SCHED_RESOLVE)
			world_resolve(&r->w, d.domain, "mx.late.example");
		if (d.kind == SCHED_START || d.kind == SCHED_EXPIRE)
			take(r, &d, true);
	}
	check(r);
	assert_int_equal(r->queued, 0);
}

static void one_run(uint64_t seed)
{
	struct run *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->yaml = configurations[seed % ARRAY_LEN(configurations)];
	rand_seed(&r->rand, seed);
	world_open(&r->w, r->yaml);
	for (int step = 0; step < 6000; step++) {
		uint32_t what = rand_below(&r->rand, 10);

		if (what < 3 || r->jobs == 0)
			add_job(r);
		else if (what < 6 && r->out_count > 0)
			end_one(r, rand_below(&r->rand, r->out_count));
		else if (what == 6)
			r->w.now += rand_below(&r->rand, 4) == 0 ? MINUTES(rand_below(&r->rand, 10))
								 : rand_below(&r->rand, 5000);
		else if (what == 7)
			operator_acts(r);
		else
			decide(r);
		if (step % 50 == 0)
			check(r);
	}
	finish(r);
	printf("seed %llu: %u jobs, %u starts, %u expired, %u retirements, %u ended\n", (unsigned long long)seed, r->jobs, r->starts, r->expired,
	    r->retired, r->ended);
	assert_true(r->retired > 0);
	assert_true(r->starts > r->jobs / 4);
	world_close(&r->w);
	free(r);
}

static void random_runs_keep_every_promise(void **state)
{
	uint64_t base = rand_entropy() % 1000000;

	for (uint64_t seed = 1; seed <= 15; seed++)
		one_run(seed);
	for (uint64_t i = 0; i < 4; i++)
		one_run(base + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_runs_keep_every_promise) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
