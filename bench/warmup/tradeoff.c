/* bench/warmup/tradeoff.c - boldness against clean runs: our plan from timid to reckless, days to full volume beside the share of clean runs, as SVG. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

#define W      520
#define H      300
#define LEFT   60
#define TOP    40
#define DAYS_X 80.0 /* at the right edge */

/* From timid to reckless; the fifth is the shipped one. */
const struct run_plan tradeoff_plans[TRADEOFF_PLANS] = {
	{ .name = "bold-1", .text = "adapt: true, start: 10, growth: 25, explore: 0, ceiling: 10000000" },
	{ .name = "bold-2", .text = "adapt: true, start: 20, growth: 50, explore: 3, ceiling: 10000000" },
	{ .name = "bold-3", .text = "adapt: true, start: 30, growth: 100, explore: 5, ceiling: 10000000" },
	{ .name = "bold-4", .text = "adapt: true, start: 50, growth: 150, explore: 10, ceiling: 10000000" },
	{ .name = "bold-5", .text = "adapt: true, start: 50, growth: 200, explore: 19, ceiling: 10000000" },
	{ .name = "bold-6", .text = "adapt: true, start: 200, growth: 300, explore: 40, ceiling: 10000000" },
	{ .name = "bold-7", .text = "adapt: true, start: 1000, growth: 500, explore: 50, ceiling: 10000000" },
};

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

/* Median days of the runs that reached full volume; 0: none did. */
static double median_days(const struct summary *s, double *clean_out)
{
	unsigned *days = xcalloc(s->count, sizeof(*days)), reached = 0, clean = 0;
	double median;

	for (unsigned i = 0; i < s->count; i++) {
		clean += s->runs[i].crossings == 0;
		if (s->runs[i].reached)
			days[reached++] = s->runs[i].days;
	}
	qsort(days, reached, sizeof(*days), by_number);
	median = reached > 0 ? days[(reached - 1) / 2] : 0;
	*clean_out = (double)clean / s->count;
	free(days);
	return median;
}

static double x_of(double days)
{
	return LEFT + W * fmin(days, DAYS_X) / DAYS_X;
}

static double y_of(double clean)
{
	return TOP + H * (1 - clean);
}

static void curve(FILE *out, const struct summary *first, size_t plans, size_t number, size_t count)
{
	unsigned hue = (unsigned)(360 * number / count);

	fprintf(out, "<g stroke=\"hsl(%u,65%%,40%%)\" fill=\"none\"><polyline points=\"", hue);
	for (size_t i = 0; i < plans; i++) {
		double clean, days = median_days(&first[i], &clean);

		if (days > 0)
			fprintf(out, "%.1f,%.1f ", x_of(days), y_of(clean));
	}
	fputs("\"/>", out);
	for (size_t i = 0; i < plans; i++) {
		double clean, days = median_days(&first[i], &clean);

		if (days > 0)
			fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%u\"><title>%s %s</title></circle>", x_of(days), y_of(clean),
			    (unsigned)i + 1, first->model->name, first[i].plan);
	}
	fprintf(out, "</g><text x=\"%d\" y=\"%zu\" fill=\"hsl(%u,65%%,40%%)\">%s</text>\n", LEFT + W + 16, TOP + 14 * number + 10, hue,
	    first->model->name);
}

bool tradeoff_write(const char *file, const struct summary *all, size_t count)
{
	FILE *out = fopen(file, "w");
	size_t models = count / TRADEOFF_PLANS;

	if (!out) {
		perror(file);
		return false;
	}
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n"
	    "<text x=\"%d\" y=\"18\" font-weight=\"bold\">Clean runs beside days to full volume; the larger the circle, the bolder the plan</text>\n",
	    LEFT + W + 120, TOP + H + 40, LEFT);
	for (unsigned i = 0; i <= 4; i++)
		fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"10\" y=\"%.1f\">%u %%</text>\n", LEFT,
		    LEFT + W, y_of(i / 4.0), y_of(i / 4.0), y_of(i / 4.0) + 4, 25 * i);
	for (unsigned day = 0; day <= DAYS_X; day += 10)
		fprintf(out, "<text x=\"%.1f\" y=\"%d\">%u</text>\n", x_of(day) - 6, TOP + H + 18, day);
	for (size_t i = 0; i < models; i++)
		curve(out, &all[i * TRADEOFF_PLANS], TRADEOFF_PLANS, i, models);
	fputs("</svg>\n", out);
	return fclose(out) == 0;
}
