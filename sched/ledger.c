/* sched/ledger.c - what became of the recipients of a source or tenant in the last hour and day: a ring of buckets of ten minutes. */
#include "sched/ledger.h"

#include <string.h>

#include "base/bigend.h"

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
	if (ledger->unsaved == 0)
		ledger->unsaved = ledger->newest;
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

/* --- stored --- */

#define VERSION 1

bool ledger_take(struct ledger *ledger, uint32_t *place_out, uint8_t out[LEDGER_ROW])
{
	int64_t number = ledger->unsaved;
	const struct ledger_bucket *bucket;

	if (number == 0)
		return false;
	if (number <= ledger->newest - LEDGER_BUCKETS)
		number = ledger->newest - LEDGER_BUCKETS + 1;
	ledger->unsaved = number < ledger->newest ? number + 1 : 0;
	*place_out = (uint32_t)(number % LEDGER_BUCKETS);
	bucket = &ledger->buckets[*place_out];
	*out++ = VERSION;
	out = bigend_put(out, (uint64_t)number, 8);
	out = bigend_put(out, bucket->delivered, 4);
	out = bigend_put(out, bucket->deferred, 4);
	out = bigend_put(out, bucket->blocked, 4);
	(void)bigend_put(out, bucket->refused, 4);
	return true;
}

enum err ledger_give(struct ledger *ledger, const void *data, size_t len, wall_ms now)
{
	const uint8_t *at = data;
	int64_t today = now / LEDGER_BUCKET_MS;
	struct ledger_bucket bucket;
	uint64_t number;

	if (len == 0 || *at == 0)
		return ERR_CORRUPT;
	if (*at++ > VERSION)
		return ERR_VERSION;
	if (len != LEDGER_ROW)
		return ERR_CORRUPT;
	number = bigend_get(&at, 8);
	bucket.delivered = (uint32_t)bigend_get(&at, 4);
	bucket.deferred = (uint32_t)bigend_get(&at, 4);
	bucket.blocked = (uint32_t)bigend_get(&at, 4);
	bucket.refused = (uint32_t)bigend_get(&at, 4);
	if (number == 0 || number > INT64_MAX)
		return ERR_CORRUPT;
	if ((int64_t)number > today + 1 || (int64_t)number <= today - LEDGER_BUCKETS || (int64_t)number <= ledger->newest - LEDGER_BUCKETS)
		return ERR_NOT_FOUND;
	move_on(ledger, (int64_t)number);
	ledger->buckets[number % LEDGER_BUCKETS] = bucket;
	return OK;
}
