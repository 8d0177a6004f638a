/* bench/bench_fair.c - how long a small tenant's mail waits behind a big tenant's newsletters, on a simulated clock.
 *
 * Usage: bench_fair [NEWSLETTERS]. One destination; a delivery takes 0.3 to 1.2 s. The big tenant has 1,000,000 mails waiting, the small one hands in one
 * every 3 s on the mean for two hours. The delay is from acceptance to the start of the delivery. Nothing is asserted. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "sched/sched.h"

#define START       INT64_C(1772352000000)
#define LASTS       HOURS(2)
#define EVERY_MS    3000.0
#define FLIGHTS_MAX 64
#define DELAYS_MAX  8192
#define NEWSLETTERS 1000000u

struct setup {
	const char *label;
	const char *big, *small;   /* settings of the tenants; big NULL: it sends nothing */
	const char *small_domain;  /* news goes to one.example; two.example has other hosts */
	uint32_t connections;
};

struct flight {
	wall_ms ends;
	uint32_t messages_left;
	struct sched_decision d;
	char domain[32];
};

struct sim {
	struct sched *sched;
	struct rand rand;
	wall_ms now, next_arrival;
	uint64_t ids, first_small;
	struct flight flights[FLIGHTS_MAX];
	size_t flight_count, delay_count;
	double delays[DELAYS_MAX];
	uint64_t news;
};

static struct conf *configuration(const struct setup *setup)
{
	struct conf_faults faults = { 0 };
	struct conf *conf;
	char *text = xasprintf(
	    "hostname: bench.example\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\ntenants:\n"
	    "  - {name: big, from: [10.1.0.0/16], pool: main%s}\n  - {name: small, from: [10.2.0.0/16], pool: main%s}\n"
	    "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n"
	    "providers: [{name: p, domains: [one.example, two.example], connections: %" PRIu32 ", messages: 100}]\n",
	    setup->big != NULL ? setup->big : "", setup->small, setup->connections);

	conf = conf_load_text("bench.yaml", text, strlen(text), &faults);
	if (conf == NULL) {
		fputs(faults.text, stderr);
		exit(1);
	}
	conf_faults_free(&faults);
	free(text);
	return conf;
}

static void add(struct sim *s, const char *tenant, const char *domain)
{
	struct sched_job job = { .id = ((uint64_t)s->now << 20) + ++s->ids, .rcpts = 1, .tenant = tenant, .pool = "main", .domain = domain,
		.due = s->now, .deadline = s->now + DAYS(30) };

	sched_add(s->sched, &job, s->now);
}

static double exponential(struct sim *s, double mean)
{
	return -mean * log(1 - rand_unit(&s->rand));
}

static void take_off(struct sim *s, const struct sched_decision *d, uint32_t messages_left)
{
	struct flight *f = &s->flights[s->flight_count++];

	must(s->flight_count <= FLIGHTS_MAX);
	*f = (struct flight){ .ends = s->now + 300 + (int64_t)rand_below(&s->rand, 900), .messages_left = messages_left, .d = *d };
	snprintf(f->domain, sizeof(f->domain), "%s", d->domain);
	if (strcmp(d->tenant, "small") == 0 && s->delay_count < DELAYS_MAX)
		s->delays[s->delay_count++] = (double)(s->now - (wall_ms)(d->id >> 20)) / 1000;
	else
		s->news++;
}

/* As the dispatcher does: the connection goes on while it may, else it ends. */
static void land(struct sim *s, size_t which)
{
	struct flight f = s->flights[which];
	struct sched_decision more = { .kind = SCHED_NOTHING };

	s->flights[which] = s->flights[--s->flight_count];
	sched_done(s->sched,
	    &(struct sched_result){ .id = f.d.id, .first = f.d.first, .lane = f.d.lane, .attempted = true, .delivered = 1 }, s->now);
	sched_settled(s->sched, f.d.id, f.d.first, s->now);
	if (f.messages_left > 1)
		sched_next_on(s->sched, f.d.lane, f.domain, s->now, &more);
	if (more.kind == SCHED_START)
		take_off(s, &more, f.messages_left - 1);
	else
		sched_release_connection(s->sched, f.d.lane, s->now);
}

static wall_ms decide(struct sim *s)
{
	struct sched_decision d;

	for (;;) {
		sched_next(s->sched, s->now, &d);
		if (d.kind == SCHED_NOTHING)
			return d.when;
		if (d.kind == SCHED_START)
			take_off(s, &d, d.messages_left);
		else if (d.kind == SCHED_RESOLVE)
			sched_resolved(s->sched, d.domain, (uint64_t)d.domain[0], &d.domain, 1, 1, s->now + DAYS(30), s->now);
	}
}

/* Up to the next landing, arrival or time that the scheduler has named. */
static void step(struct sim *s, const char *small_domain)
{
	wall_ms next = decide(s);

	for (size_t i = 0; i < s->flight_count; i++)
		next = s->flights[i].ends < next ? s->flights[i].ends : next;
	s->now = s->next_arrival < next ? s->next_arrival : next;
	for (size_t i = 0; i < s->flight_count;)
		if (s->flights[i].ends <= s->now)
			land(s, i);
		else
			i++;
	if (s->now >= s->next_arrival) {
		add(s, "small", small_domain);
		s->next_arrival = s->now + 1 + (wall_ms)exponential(s, EVERY_MS);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct setup *setup, uint32_t newsletters)
{
	struct conf *conf = configuration(setup);
	struct sim *s = xcalloc(1, sizeof(*s));

	s->sched = sched_create(conf, 1);
	s->now = START;
	rand_seed(&s->rand, 11);
	for (uint32_t i = 0; setup->big != NULL && i < newsletters; i++)
		add(s, "big", "one.example");
	s->next_arrival = START + MINUTES(10);
	while (s->now < START + MINUTES(10) + LASTS)
		step(s, setup->small_domain);
	qsort(s->delays, s->delay_count, sizeof(s->delays[0]), by_value);
	printf("%-58s %5u  %6zu  %7.2f %7.2f %7.2f  %8.1f\n", setup->label, setup->connections, s->delay_count,
	    s->delays[s->delay_count / 2], s->delays[s->delay_count * 99 / 100], s->delays[s->delay_count - 1],
	    (double)s->news / ((double)(LASTS + MINUTES(10)) / 60000));
	sched_destroy(&s->sched);
	conf_unref(&conf);
	free(s);
}

int main(int argc, char **argv)
{
	static const struct setup setups[] = {
		{ "alone", NULL, "", "one.example", 1 },
		{ "beside: both normal, same hosts", "", "", "one.example", 1 },
		{ "beside: big is bulk, same hosts", ", priority: bulk", "", "one.example", 1 },
		{ "beside: small is transactional, same hosts", "", ", priority: transactional", "one.example", 1 },
		{ "beside: small is transactional, other hosts", "", ", priority: transactional", "two.example", 1 },
		{ "beside: both normal, other hosts", "", "", "two.example", 1 },
		{ "alone", NULL, "", "one.example", 10 },
		{ "beside: both normal, same hosts", "", "", "one.example", 10 },
		{ "beside: big weighs 10", ", weight: 10", "", "one.example", 10 },
		{ "beside: big weighs 100", ", weight: 100", "", "one.example", 10 },
		{ "beside: small weighs 10", "", ", weight: 10", "one.example", 10 },
		{ "beside: small is transactional, same hosts", "", ", priority: transactional", "one.example", 10 },
		{ "beside: small is transactional, other hosts", "", ", priority: transactional", "two.example", 10 },
		{ "beside: big is bulk, small transactional, other hosts", ", priority: bulk", ", priority: transactional", "two.example", 10 },
	};
	uint32_t newsletters = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : NEWSLETTERS;

	printf("seconds that a small tenant's mail waits beside %" PRIu32 " newsletters\n", newsletters);
	printf("%-58s %5s  %6s  %7s %7s %7s  %8s\n", "", "conns", "mails", "median", "p99", "max", "news/min");
	for (size_t i = 0; i < ARRAY_LEN(setups); i++)
		measure(&setups[i], newsletters);
	return 0;
}
