/* bench/warmup/main.c - warmup-sim: compare warm-up plans on models of providers, with the scheduler that runs live. */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

#define MODELS_MAX 256
#define PLANS_MAX  32

static const struct run_plan all_plans[] = {
	{ .name = "adaptive" }, { .name = "sendgrid" }, { .name = "sparkpost" }, { .name = "oracle" },
	{ .name = "doubling" }, { .name = "x1.25" }, { .name = "oracle-bound", .bound = true },
};

/* Summaries of the models that share a scheduler, one after the other. */
struct work {
	struct summary *summaries;
	const struct model *models;
	unsigned sites;
	const struct run_plan *plan;
	unsigned restart_hours;
	_Atomic unsigned next;
};

static void *worker(void *arg)
{
	struct work *work = arg;
	struct run_result *results = xcalloc(work->sites, sizeof(*results));
	struct conf *conf = NULL;
	unsigned i;

	while ((i = work->next++) < work->summaries[0].count) {
		run_once(work->models, work->sites, work->plan, i + 1, work->restart_hours, &conf, results);
		for (unsigned site = 0; site < work->sites; site++)
			work->summaries[site].runs[i] = results[site];
	}
	if (conf)
		conf_unref(&conf);
	free(results);
	return NULL;
}

static void run_all(struct work *work)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = cores < 1 ? 1 : cores > 16 ? 16 : (unsigned)cores;
	pthread_t threads[16];

	if (count > work->summaries[0].count)
		count = work->summaries[0].count;
	for (unsigned i = 0; i < count; i++)
		must(pthread_create(&threads[i], NULL, worker, work) == 0);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static int usage(void)
{
	fputs("usage: warmup-sim --model FILE... [--plan NAME...] [--seeds N] [--restart HOURS] [--svg FILE] [--tradeoff FILE] [--together]\n"
	      "--tradeoff: our plan from timid to reckless instead, with a picture of days beside clean runs.\n"
	      "--together: all models are providers of one relay, under one scheduler; the sources are the first one's.\n"
	      "Plans: adaptive sendgrid sparkpost oracle doubling x1.25 oracle-bound; any other is looked up in the "
	      "shipped plans.\n",
	    stderr);
	return 2;
}

struct options {
	struct model *models;
	size_t model_count;
	struct run_plan plans[PLANS_MAX];
	size_t plan_count;
	unsigned seeds, restart_hours;
	bool together, told; /* told: a model cannot be read, and why */
	const char *svg, *tradeoff;
};

static bool add_plan(struct options *o, const char *name)
{
	if (o->plan_count == PLANS_MAX)
		return false;
	o->plans[o->plan_count++] = (struct run_plan){ .name = name, .bound = strcmp(name, "oracle-bound") == 0 };
	return true;
}

static bool add_model(struct options *o, const char *file)
{
	if (o->model_count == MODELS_MAX)
		return false;
	o->told = !model_load(file, &o->models[o->model_count++]);
	return !o->told;
}

/* A list goes on until the next option: --model a b --plan x y. */
static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = { { "model", required_argument, NULL, 'm' },
		{ "plan", required_argument, NULL, 'p' }, { "seeds", required_argument, NULL, 'n' },
		{ "restart", required_argument, NULL, 'r' }, { "svg", required_argument, NULL, 's' },
		{ "tradeoff", required_argument, NULL, 'o' }, { "together", no_argument, NULL, 't' }, { NULL, 0, NULL, 0 } };
	int last = 0, option;
	bool ok = true;

	while (ok && (option = getopt_long(argc, argv, "-", known, NULL)) != -1) {
		if (option != 1)
			last = option;
		if (last == 'm')
			ok = add_model(o, optarg);
		else if (last == 'p')
			ok = add_plan(o, optarg);
		else if (option == 'n')
			o->seeds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'r')
			o->restart_hours = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 's')
			o->svg = optarg;
		else if (option == 'o')
			o->tradeoff = optarg;
		else if (option == 't')
			o->together = true;
		else
			ok = false;
	}
	for (size_t i = 0; o->tradeoff && i < TRADEOFF_PLANS; i++)
		o->plans[i] = tradeoff_plans[i];
	if (o->tradeoff)
		o->plan_count = TRADEOFF_PLANS;
	if (o->plan_count == 0)
		for (size_t i = 0; i < ARRAY_LEN(all_plans); i++)
			(void)add_plan(o, all_plans[i].name);
	return ok && o->model_count > 0;
}

/* `sites` models under one plan. */
static void run_group(const struct options *o, const struct model *models, unsigned sites, const struct run_plan *plan, struct summary *out)
{
	struct work work = { .summaries = out, .models = models, .sites = sites, .plan = plan, .restart_hours = o->restart_hours };

	for (unsigned i = 0; i < sites; i++) {
		out[i] = (struct summary){ .model = &models[i],
			.plan = plan->name,
			.count = o->seeds ? o->seeds : models[0].seeds };
		out[i].runs = xcalloc(out[i].count, sizeof(*out[i].runs));
	}
	run_all(&work);
	for (unsigned i = 0; i < sites; i++)
		report_line(&out[i]);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Plans are compared by model in the picture, by group in a run together. */
static size_t run_options(const struct options *o, struct summary *all)
{
	unsigned sites = o->together ? (unsigned)o->model_count : 1;
	double begin = seconds_now();
	size_t count = 0;

	for (size_t m = 0; m < o->model_count; m += sites)
		for (size_t p = 0; p < o->plan_count; p++, count += sites)
			run_group(o, &o->models[m], sites, &o->plans[p], &all[count]);
	if (o->together)
		report_total(all, count, o->plan_count, seconds_now() - begin);
	return count;
}

int main(int argc, char **argv)
{
	struct options o = { .models = xcalloc(MODELS_MAX, sizeof(struct model)) };
	struct summary *all;
	size_t count;
	int status = 0;

	if (!parse(&o, argc, argv) || (o.together && (o.model_count > SITES_MAX || o.svg || o.tradeoff))) {
		free(o.models);
		return o.told ? 2 : usage();
	}
	texts_load();
	all = xcalloc(o.model_count * o.plan_count, sizeof(*all));
	count = run_options(&o, all);
	if (o.svg && !plot_write(o.svg, all, count))
		status = 1;
	if (o.tradeoff && !tradeoff_write(o.tradeoff, all, count))
		status = 1;
	for (size_t i = 0; i < count; i++)
		free(all[i].runs);
	free(all);
	free(o.models);
	return status;
}
