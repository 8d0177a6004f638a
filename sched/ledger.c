/* sched/ledger.c - what became of the recipients of a source or tenant in the last hour and day: a ring of buckets of ten minutes. */
#include "sched/ledger.h"

#include <string.h>

static void move_on(struct ledger *ledger, int64_t number)
{
	int64_t ahead = number - ledger->newest;

	if (ahead <= 0)
		return;
	if (ahead >= LEDGER_BUCKETS)
		memset(ledger->buckets, 0, sizeof(ledger->buckets));
	for (int64_t n = ledger->newest + 1; ahead < LEDGER_BUCKETS && n <= number; n++)
		ledger->buckets[n % LEDGER_BUCKETS] = (struct ledger_bucket){ 0 };
	ledger->newest = number;
}

static void add(uint32_t *sum, uint32_t more)
{
	*sum = more < UINT32_MAX - *sum ? *sum + more : UINT32_MAX;
}

void ledger_note(struct ledger *ledger, const struct ledger_bucket *answer, wall_ms now)
{
	struct ledger_bucket *bucket;

	move_on(ledger, now / LEDGER_BUCKET_MS);
	bucket = &ledger->buckets[ledger->newest % LEDGER_BUCKETS];
	add(&bucket->delivered, answer->delivered);
	add(&bucket->deferred, answer->deferred);
	add(&bucket->blocked, answer->blocked);
	add(&bucket->refused, answer->refused);
}

struct ledger_sum ledger_of(const struct ledger *ledger, int64_t period_ms, wall_ms now)
{
	struct ledger_sum sum = { 0 };
	int64_t number = now / LEDGER_BUCKET_MS, count = period_ms / LEDGER_BUCKET_MS;

	if (number < ledger->newest) /* a clock that was set back */
		number = ledger->newest;
	for (int64_t n = ledger->newest; n > ledger->newest - LEDGER_BUCKETS && n > number - count && n >= 0; n--) {
		const struct ledger_bucket *bucket = &ledger->buckets[n % LEDGER_BUCKETS];

		sum.delivered += bucket->delivered;
		sum.deferred += bucket->deferred;
		sum.blocked += bucket->blocked;
		sum.refused += bucket->refused;
	}
	return sum;
}
