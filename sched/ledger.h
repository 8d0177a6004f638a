/* sched/ledger.h - what became of the recipients of a source or tenant in the last hour and day, for the operator. Plain data, pure functions.
 *
 * Changed buckets are stored now and then, so that a restart knows them. Lanes are forgotten when they have nothing to remember, so a sum over them would miss
 * what they sent. */
#ifndef SCHED_LEDGER_H
#define SCHED_LEDGER_H

#include "base/clock.h"
#include "base/err.h"

#define LEDGER_BUCKETS   144
#define LEDGER_BUCKET_MS MINUTES(10)

/* Recipients. deferred: tried again later; blocked: refused for reasons of ours; refused: any other refusal. */
struct ledger_sum {
	uint64_t delivered, deferred, blocked, refused;
};

struct ledger_bucket {
	uint32_t delivered, deferred, blocked, refused;
};

/* All zero is an empty one. */
struct ledger {
	int64_t newest; /* number of the newest bucket: time / LEDGER_BUCKET_MS */
	int64_t unsaved; /* number of the first bucket that has changed since it was stored; 0: none has */
	struct ledger_bucket buckets[LEDGER_BUCKETS]; /* by number % LEDGER_BUCKETS */
};

/* Count recipients; a clock that was set back counts into the newest bucket. */
void ledger_note(struct ledger *ledger, const struct ledger_bucket *answer, wall_ms now);

/* Of the newest bucket and those before it, as far as they begin within `period_ms` before its end; at most LEDGER_BUCKETS of them count. */
struct ledger_sum ledger_of(const struct ledger *ledger, int64_t period_ms, wall_ms now);

/* The stored form of a bucket. */
#define LEDGER_ROW 25 /* bytes: version, number of the bucket, recipients of the four kinds */

/* The next bucket that has changed since it was stored, which counts as stored then; its place in the ring goes to *place_out. False: none. */
bool ledger_take(struct ledger *ledger, uint32_t *place_out, uint8_t out[LEDGER_ROW]);

/* Give a bucket back, before anything is counted. ERR_NOT_FOUND: it is older than what counts, or of a time to come: nobody needs it any more.
 * ERR_VERSION, ERR_CORRUPT. */
MUST_USE enum err ledger_give(struct ledger *ledger, const void *data, size_t len, wall_ms now);

#endif
