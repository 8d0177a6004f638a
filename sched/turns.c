/* sched/turns.c - the order in which sources of different weight take turns. Pure. */
#include <stdlib.h>

#include "sched/parts.h"

struct turn {
	double at; /* in the round, 0..1 */
	uint32_t place;
};

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static int by_time(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

uint32_t *turns_make(const uint32_t *weights, uint32_t count, uint32_t *turn_count_out)
{
	uint32_t divisor = 0, total = 0, n = 0;
	struct turn *turns;
	uint32_t *out;

	*turn_count_out = 0;
	if (count == 0)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		divisor = common_divisor(divisor, weights[i]);
	must(divisor > 0);
	for (uint32_t i = 0; i < count; i++)
		total += weights[i] / divisor;
	if (total == count)
		return NULL;
	turns = xcalloc(total, sizeof(*turns));
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0, own = weights[i] / divisor; k < own; k++)
			turns[n++] = (struct turn){ .at = (k + 0.5) / own, .place = i };
	qsort(turns, total, sizeof(*turns), by_time);
	out = xcalloc(total, sizeof(*out));
	for (uint32_t i = 0; i < total; i++)
		out[i] = turns[i].place;
	free(turns);
	*turn_count_out = total;
	return out;
}
