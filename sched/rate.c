/* sched/rate.c - a token bucket as one number: the time at which it is full again.
 *
 * The burst is a twentieth of the count, and the refill so much slower than count/period that no window of one period ever
 * sees more than `count` units (plus what a single job exceeds the burst by): providers count in windows. A job larger than the burst starts
 * when the bucket is full and leaves a debt. */
#include "sched/parts.h"

static uint32_t burst(uint32_t count)
{
	return count / 20 > 1 ? count / 20 : 1;
}

/* Microseconds until one unit flows in, rounded up. */
static int64_t unit_us(uint32_t count, int64_t period_ms)
{
	int64_t share = (int64_t)count - burst(count) + 1;

	return (period_ms * 1000 + share - 1) / share;
}

wall_ms rate_next(int64_t full_us, uint32_t count, int64_t period_ms, uint32_t units, wall_ms now)
{
	uint32_t need, size;
	int64_t start_us;

	if (count == 0)
		return now;
	size = burst(count);
	need = units < size ? units : size;
	start_us = full_us - (int64_t)(size - need) * unit_us(count, period_ms);
	return start_us <= now * 1000 ? now : (start_us + 999) / 1000;
}

int64_t rate_take(int64_t full_us, uint32_t count, int64_t period_ms, uint32_t units, wall_ms now)
{
	if (count == 0)
		return full_us;
	if (full_us < now * 1000)
		full_us = now * 1000;
	return full_us + (int64_t)units * unit_us(count, period_ms);
}

int64_t rate_give(int64_t full_us, uint32_t count, int64_t period_ms, uint32_t units)
{
	return count == 0 ? full_us : full_us - (int64_t)units * unit_us(count, period_ms);
}
