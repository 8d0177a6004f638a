/* bench/warmup/main.c - warmup-sim: compare warm-up plans on models of providers, with the scheduler that runs live. */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

#define MODELS_MAX 256
#define PLANS_MAX  32

static const struct run_plan all_plans[] = {
	{ "adaptive", false },
	{ "sendgrid", false },
	{ "sparkpost", false },
	{ "oracle", false },
	{ "doubling", false },
	{ "x1.25", false },
	{ "oracle-bound", true },
};

struct work {
	struct summary *summary;
	const struct run_plan *plan;
	unsigned restart_hours;
	_Atomic unsigned next;
};

static void *worker(void *arg)
{
	struct work *work = arg;
	struct conf *conf = NULL;
	unsigned i;

	while ((i = work->next++) < work->summary->count)
		run_once(work->summary->model, work->plan, i + 1, work->restart_hours, &conf, &work->summary->runs[i]);
	if (conf)
		conf_unref(&conf);
	return NULL;
}

static void run_all(struct summary *s, const struct run_plan *plan, unsigned restart_hours)
{
	struct work work = { .summary = s, .plan = plan, .restart_hours = restart_hours };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = cores < 1 ? 1 : cores > 16 ? 16 : (unsigned)cores;
	pthread_t threads[16];

	s->runs = xcalloc(s->count, sizeof(*s->runs));
	for (unsigned i = 0; i < count; i++)
		must(pthread_create(&threads[i], NULL, worker, &work) == 0);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static int usage(void)
{
	fputs("usage: warmup-sim --model FILE... [--plan NAME...] [--seeds N] [--restart HOURS] [--svg FILE]\n"
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
	const char *svg;
};

static bool add_plan(struct options *o, const char *name)
{
	if (o->plan_count == PLANS_MAX)
		return false;
	o->plans[o->plan_count++] = (struct run_plan){ name, strcmp(name, "oracle-bound") == 0 };
	return true;
}

static bool add_model(struct options *o, const char *file)
{
	return o->model_count < MODELS_MAX && model_load(file, &o->models[o->model_count++]);
}

/* A list goes on until the next option: --model a b --plan x y. */
static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = { { "model", required_argument, NULL, 'm' },
		{ "plan", required_argument, NULL, 'p' }, { "seeds", required_argument, NULL, 'n' },
		{ "restart", required_argument, NULL, 'r' }, { "svg", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 } };
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
		else
			ok = false;
	}
	if (o->plan_count == 0)
		for (size_t i = 0; i < ARRAY_LEN(all_plans); i++)
			(void)add_plan(o, all_plans[i].name);
	return ok && o->model_count > 0;
}

int main(int argc, char **argv)
{
	struct options o = { .models = xcalloc(MODELS_MAX, sizeof(struct model)) };
	struct summary *all;
	size_t count = 0;
	int status = 0;

	if (!parse(&o, argc, argv)) {
		free(o.models);
		return usage();
	}
	all = xcalloc(o.model_count * o.plan_count, sizeof(*all));
	for (size_t m = 0; m < o.model_count; m++)
		for (size_t p = 0; p < o.plan_count; p++) {
			struct summary *s = &all[count++];

			*s = (struct summary){ .model = &o.models[m],
				.plan = o.plans[p].name,
				.count = o.seeds ? o.seeds : o.models[m].seeds,
				.sources = (unsigned)o.models[m].keys[KEY_SOURCES].values[0] };
			run_all(s, &o.plans[p], o.restart_hours);
			report_line(s);
		}
	if (o.svg && !plot_write(o.svg, all, count))
		status = 1;
	for (size_t i = 0; i < count; i++)
		free(all[i].runs);
	free(all);
	free(o.models);
	return status;
}
