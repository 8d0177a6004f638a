/* sched/backoff.c - how long to wait after the n-th failure in a row. */
#include "sched/model.h"

#define JITTER 0.2

int64_t backoff_delay(int64_t first_ms, int64_t max_ms, unsigned failures, struct rand *rand)
{
	int64_t delay = first_ms;

	for (unsigned i = 1; i < failures && delay < max_ms; i++)
		delay *= 2;
	if (delay > max_ms)
		delay = max_ms;
	delay = (int64_t)((double)delay * (1.0 - JITTER + 2.0 * JITTER * rand_unit(rand)));
	/* What would exceed the maximum is mirrored at it: cutting would gather half of all at one moment. */
	if (delay > max_ms)
		delay = 2 * max_ms - delay;
	return delay > 0 ? delay : 1;
}
