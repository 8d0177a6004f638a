/* bench/warmup/report.c - the figures of all runs of a model under a plan, as one line. */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

/* The run that so many of those that reached are not slower than; "-": none reached. */
static void put_days(const unsigned *days, unsigned count, unsigned percent, const char *key)
{
	if (count == 0)
		printf(" %s=-", key);
	else
		printf(" %s=%u", key, days[(count - 1) * percent / 100]);
}

void report_line(const struct summary *s)
{
	unsigned *days = xcalloc(s->count, sizeof(*days)), reached = 0, clean = 0;
	struct run_result sum = { 0 };

	for (unsigned i = 0; i < s->count; i++) {
		const struct run_result *r = &s->runs[i];

		if (r->reached)
			days[reached++] = r->days;
		clean += r->crossings == 0;
		sum.sources += r->sources;
		sum.crossings += r->crossings;
		sum.blocks += r->blocks;
		sum.attempts += r->attempts;
		sum.put_off += r->put_off;
		sum.could += r->could;
		sum.unused += r->unused;
		sum.delivered30 += r->delivered30;
		sum.delivered += r->delivered;
		sum.delay_ms += r->delay_ms;
	}
	qsort(days, reached, sizeof(*days), by_number);
	printf("warmup-sim model=%s plan=%s reached=%.0f%%", s->model->name, s->plan, 100.0 * reached / s->count);
	put_days(days, reached, 50, "days_median");
	put_days(days, reached, 90, "days_p90");
	printf(" clean=%.0f%% crossings=%.1f blocks=%.1f deferred=%.1f%% unused=%.0f%% delivered30=%.0f delay_h=%.1f\n",
	    100.0 * clean / s->count, sum.crossings / sum.sources, sum.blocks / sum.sources,
	    sum.attempts > 0 ? 100 * sum.put_off / sum.attempts : 0, sum.could > 0 ? 100 * sum.unused / sum.could : 0,
	    sum.delivered30 / s->count, sum.delivered > 0 ? sum.delay_ms / sum.delivered / 3600000 : 0);
	fflush(stdout);
	free(days);
}

void report_total(const struct summary *all, size_t count, size_t plans, double seconds)
{
	double attempts = 0, delivered = 0;
	unsigned days = 0;

	for (size_t i = 0; i < count; i++)
		for (unsigned run = 0; run < all[i].count; run++) {
			attempts += all[i].runs[run].attempts;
			delivered += all[i].runs[run].delivered;
			days = all[i].runs[run].simulated > days ? all[i].runs[run].simulated : days;
		}
	printf("warmup-sim together providers=%zu sources=%u days=%u runs=%zu attempts=%.0f delivered=%.0f seconds=%.1f\n",
	    count / plans, all[0].runs[0].sources, days, all[0].count * plans, attempts, delivered, seconds);
}
