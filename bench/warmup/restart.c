/* bench/warmup/restart.c - a stop and a start in between: states go through their stored form, waiting mail is put in again. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

struct stored {
	struct sched_warm warm;
	char *key;
};

struct shelf {
	struct stored *states;
	size_t count;
};

static void keep(void *arg, const struct sched_warm *state)
{
	struct shelf *shelf = arg;

	shelf->states = xrealloc(shelf->states, (shelf->count + 1) * sizeof(*shelf->states));
	shelf->states[shelf->count++] = (struct stored){ .warm = *state, .key = xstrdup(state->key) };
}

struct place {
	uint64_t share, turn;
	uint32_t number;
};

static int by_turn(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->share != y->share)
		return x->share < y->share ? -1 : 1;
	return x->turn < y->turn ? -1 : x->turn > y->turn;
}

/* In the order in which they waited: tenants by their turn, then their jobs. */
static void announce_all(struct world *w)
{
	struct place *order = xcalloc(JOBS, sizeof(*order));
	size_t count = 0;

	for (uint32_t i = 0; i < JOBS; i++) {
		const struct job *j = &w->jobs[i];

		if (j->known)
			order[count++] = (struct place){ w->sites[j->site].share_turn[j->kind], j->turn, i };
	}
	qsort(order, count, sizeof(*order), by_turn);
	for (size_t i = 0; i < count; i++)
		run_announce(w, order[i].number);
	free(order);
}

void restart_all(struct world *w)
{
	struct shelf shelf = { 0 };

	sched_warm_each(w->sched, keep, &shelf);
	sched_destroy(&w->sched);
	w->sched = sched_create(w->conf, w->seed + (uint64_t)w->now);
	for (size_t i = 0; i < shelf.count; i++) {
		must(sched_warm_restore(w->sched, shelf.states[i].key, shelf.states[i].warm.data,
			 shelf.states[i].warm.len) == OK);
		free(shelf.states[i].key);
	}
	free(shelf.states);
	announce_all(w);
}
