/* bench/bench_sched.c - what a decision costs: waiting jobs from a thousand to ten million, destinations to 100,000, sources to 1,000.
 *
 * Usage: bench_sched [quick | JOBS DESTINATIONS SOURCES]. A round is what the daemon does for one job: sched_next (START), sched_done, sched_settled,
 * sched_release_connection, sched_add of the job that follows. "decision" is the share of sched_next alone. Times are of the
 * processor, so that others who use it do not count. Nothing is asserted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rand.h"
#include "sched/sched.h"

#ifndef ROUNDS
#define ROUNDS 400000u
#endif
#define START  INT64_C(1772352000000)
#define TEXT   (1u << 17)

struct setup {
	uint32_t jobs, destinations, sources;
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct conf *configuration(uint32_t sources)
{
	struct conf_faults faults = { 0 };
	struct conf *conf;
	char *text = xcalloc(1, TEXT);
	size_t len;

	len = (size_t)snprintf(text, TEXT,
	    "hostname: bench.example\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\n"
	    "tenants: [{name: shop, from: [10.0.0.0/8], pool: main}]\ndelivery: {connections: 10000}\nsources:\n");
	for (uint32_t i = 0; i < sources; i++)
		len += (size_t)snprintf(
		    text + len, TEXT - len, "  - {name: s%u, ip: 127.1.%u.%u}\n", i, i / 250, i % 250 + 1);
	len += (size_t)snprintf(text + len, TEXT - len, "pools:\n  - name: main\n    sources: [s0");
	for (uint32_t i = 1; i < sources; i++)
		len += (size_t)snprintf(text + len, TEXT - len, ", s%u", i);
	len += (size_t)snprintf(text + len, TEXT - len, "]\n");
	conf = conf_load_text("bench.yaml", text, len, &faults);
	if (conf == NULL) {
		fputs(faults.text, stderr);
		exit(1);
	}
	conf_faults_free(&faults);
	free(text);
	return conf;
}

struct bench {
	struct sched *sched;
	struct rand rand;
	uint64_t ids;
	wall_ms now;
	uint32_t destinations;
	double next_s; /* spent in sched_next */
};

/* A quarter is due now, the rest within four hours, as after a bad evening. */
static void add(struct bench *b, bool due)
{
	char domain[32];
	struct sched_job job = { .first = 0, .rcpts = 1, .tenant = "shop", .pool = "main", .domain = domain };

	snprintf(domain, sizeof(domain), "d%u.example", rand_below(&b->rand, b->destinations));
	job.id = ((uint64_t)b->now << 20) + ++b->ids;
	job.due = due ? b->now : b->now + 1 + rand_below(&b->rand, 4 * 3600 * 1000);
	job.deadline = b->now + DAYS(5);
	job.attempts = !due;
	sched_add(b->sched, &job, b->now);
}

static void resolve(struct bench *b, const char *domain)
{
	const char *host = domain;

	sched_resolved(
	    b->sched, domain, (uint64_t)strtoul(domain + 1, NULL, 10), &host, 1, 1, b->now + DAYS(9), b->now);
}

static void finish(struct bench *b, const struct sched_decision *d)
{
	sched_done(b->sched,
	    &(struct sched_result){
		.id = d->id, .first = d->first, .lane = d->lane, .attempted = true, .delivered = 1 },
	    b->now);
	sched_settled(b->sched, d->id, d->first, b->now);
	sched_release_connection(b->sched, d->lane, b->now);
}

/* One job through. False: nothing was due. */
static bool turn(struct bench *b)
{
	struct sched_decision d;
	double before = seconds();

	sched_next(b->sched, b->now, &d);
	b->next_s += seconds() - before;
	if (d.kind == SCHED_RESOLVE)
		resolve(b, d.domain);
	else if (d.kind == SCHED_START)
		finish(b, &d);
	else
		b->now = d.when;
	return d.kind == SCHED_START;
}

static double timer_cost(void)
{
	double start = seconds();

	for (int i = 0; i < 100000; i++)
		(void)seconds();
	return (seconds() - start) / 100000;
}

static void measure(const struct setup *setup)
{
	struct conf *conf = configuration(setup->sources);
	struct bench b = { .sched = sched_create(conf, 1), .now = START, .destinations = setup->destinations };
	double filled, warm, start, clock_s = timer_cost();
	uint32_t started = 0;
	size_t memory;

	rand_seed(&b.rand, 7);
	start = seconds();
	for (uint32_t i = 0; i < setup->jobs; i++)
		add(&b, i % 4 == 0);
	filled = seconds() - start;
	memory = sched_memory(b.sched);
	/* Routes are known and the first burst is over before the clock counts. */
	for (uint32_t i = 0; i < setup->destinations + setup->jobs / 8; i++)
		if (turn(&b))
			add(&b, false);
	b.next_s = 0;
	start = seconds();
	for (uint32_t turns = 0; started < ROUNDS && turns < 4 * ROUNDS; turns++) {
		if (turn(&b)) {
			started++;
			add(&b, false);
		}
	}
	warm = seconds() - start;
	printf("%9u %7u %5u   %7.0f %9.0f %11.0f   %8.0f   %6.1f %8.1f\n", setup->jobs, setup->destinations,
	    setup->sources, filled * 1e9 / setup->jobs, (b.next_s - started * clock_s) * 1e9 / started, started / warm,
	    warm * 1e9 / started, (double)memory / setup->jobs, (double)memory / 1048576);
	sched_destroy(&b.sched);
	conf_unref(&conf);
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	static const struct setup setups[] = {
		{ 1000, 10, 3 },
		{ 100000, 1000, 3 },
		{ 10000000, 1000, 3 },
		{ 100000, 1, 3 },
		{ 100000, 100000, 3 },
		{ 1000000, 100000, 3 },
		{ 100000, 1000, 1 },
		{ 100000, 1000, 30 },
		{ 100000, 1000, 1000 },
		{ 100000, 1, 1000 },
		{ 1000000, 100000, 1000 },
	};
	bool quick = argc == 2 && strcmp(argv[1], "quick") == 0;
	struct setup own = { 0 };

	if (argc == 4)
		own = (struct setup){ number(argv[1]), number(argv[2]), number(argv[3]) };
	if (argc > 1 && !quick && (own.jobs == 0 || own.destinations == 0 || own.sources == 0)) {
		fputs("usage: bench_sched [quick | JOBS DESTINATIONS SOURCES]\n", stderr);
		return 2;
	}
	printf("     jobs  dests  srcs   add ns  decision ns   rounds/s   round ns  bytes/job     MiB\n");
	if (argc == 4)
		measure(&own);
	for (size_t i = 0; argc < 4 && i < ARRAY_LEN(setups); i++)
		if (!quick || setups[i].jobs <= 100000)
			measure(&setups[i]);
	return 0;
}
