/* sched/backoff.c - how long to wait after the n-th failure in a row, by what the last reply meant. */
#include "sched/parts.h"

#define JITTER 0.2

/* Multiples of retry.first. Greylisting is over soon; a full mailbox and what somebody has to set up take their time. max 0: retry.max. */
static const struct {
	uint16_t first, max;
} schedules[CLASS_COUNT] = {
	[CLASS_THROTTLE]         = { 1, 0 },
	[CLASS_GREYLIST]         = { 1, 12 },
	[CLASS_REPUTATION_BLOCK] = { 2, 0 },
	[CLASS_AUTH_POLICY]      = { 6, 0 },
	[CLASS_CONTENT]          = { 3, 0 },
	[CLASS_BAD_MAILBOX]      = { 3, 0 },
	[CLASS_BAD_DOMAIN]       = { 3, 0 },
	[CLASS_MAILBOX_FULL]     = { 6, 96 },
	[CLASS_MAILBOX_INACTIVE] = { 6, 0 },
	[CLASS_TOO_BIG]          = { 3, 0 },
	[CLASS_PROTOCOL]         = { 1, 0 },
	[CLASS_TRANSIENT_SYSTEM] = { 1, 0 },
	[CLASS_COMPLAINT_POLICY] = { 6, 0 },
	[CLASS_OTHER]            = { 1, 0 },
};

struct backoff backoff_of(const struct sched *sched, const struct dest *dest, enum replies_class class)
{
	const struct conf_retry *retry = &sched->conf->retry;
	const struct conf_provider *own = dest->provider;
	int64_t first = own != NULL && own->retry_first_ms > 0 ? own->retry_first_ms : retry->first_ms;
	int64_t max = own != NULL && own->retry_max_ms > 0 ? own->retry_max_ms : retry->max_ms;
	struct backoff out = { .first_ms = first * schedules[class].first, .max_ms = max };

	if (schedules[class].max > 0 && first * schedules[class].max < max)
		out.max_ms = first * schedules[class].max;
	return out;
}

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
