/* bench/warmup/plot.c - the curves of the runs as SVG: recipients a day of the median run, one panel a model, one line a plan. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define PANEL_W    460
#define PANEL_H    260
#define LEFT       60
#define TOP        30
#define DAYS_SHOWN 60

static const char *const colours[] = { "#c0392b", "#2980b9", "#8e44ad", "#d35400", "#16a085", "#7f8c8d", "#2c3e50" };

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/* A run that has ended stays at what it had. */
static double median_of(const struct summary *s, unsigned day)
{
	float *values = xcalloc(s->count, sizeof(*values)), median;

	for (unsigned i = 0; i < s->count; i++) {
		const struct run_result *r = &s->runs[i];

		values[i] = r->curve[day < r->simulated ? day : r->simulated - 1];
	}
	qsort(values, s->count, sizeof(*values), by_value);
	median = values[s->count / 2];
	free(values);
	return median;
}

static double y_of(double volume)
{
	double decades = log10(fmax(volume, 10)) - 1;

	return TOP + PANEL_H - PANEL_H * fmin(decades, 6) / 6;
}

static void panel(FILE *out, const struct summary *first, size_t plans, unsigned top)
{
	fprintf(out,
	    "<g transform=\"translate(0,%u)\"><text x=\"%d\" y=\"18\" font-weight=\"bold\">%s: recipients a day, "
	    "median</text>\n",
	    top, LEFT, first->model->name);
	for (int decade = 1; decade <= 7; decade++)
		fprintf(out,
		    "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"4\" "
		    "y=\"%.1f\">1e%d</text>\n",
		    LEFT, LEFT + PANEL_W, y_of(pow(10, decade)), y_of(pow(10, decade)), y_of(pow(10, decade)) + 4,
		    decade);
	for (int day = 0; day <= DAYS_SHOWN; day += 10)
		fprintf(out, "<text x=\"%d\" y=\"%d\">%d</text>\n", LEFT + PANEL_W * day / DAYS_SHOWN,
		    TOP + PANEL_H + 16, day);
	for (size_t p = 0; p < plans; p++) {
		const char *colour = colours[p % ARRAY_LEN(colours)];

		fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour);
		for (unsigned day = 0; day < DAYS_SHOWN; day++)
			fprintf(out, "%.1f,%.1f ", LEFT + PANEL_W * (day + 1.0) / DAYS_SHOWN,
			    y_of(median_of(&first[p], day)));
		fprintf(out, "\"/><text x=\"%d\" y=\"%zu\" fill=\"%s\">%s</text>\n", LEFT + PANEL_W + 12,
		    TOP + 16 * p + 10, colour, first[p].plan);
	}
	fputs("</g>\n", out);
}

bool plot_write(const char *file, const struct summary *all, size_t count)
{
	FILE *out = fopen(file, "w");
	size_t plans = 1, models;

	while (plans < count && all[plans].model == all[0].model)
		plans++;
	models = count / plans;
	if (!out) {
		perror(file);
		return false;
	}
	fprintf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" font-family=\"sans-serif\" "
	    "font-size=\"11\">\n",
	    LEFT + PANEL_W + 130, models * (TOP + PANEL_H + 40));
	for (size_t m = 0; m < models; m++)
		panel(out, &all[m * plans], plans, (unsigned)(m * (TOP + PANEL_H + 40)));
	fputs("</svg>\n", out);
	return fclose(out) == 0;
}
