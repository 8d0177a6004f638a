/* sched/ledger.h - what became of the recipients of a source or tenant in the last hour and day, for the operator. Plain data, pure functions.
 *
 * Kept in memory alone: after a restart it begins anew. Lanes are forgotten when they have nothing to remember, so a sum over them would miss
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
	struct ledger_bucket buckets[LEDGER_BUCKETS]; /* by number % LEDGER_BUCKETS */
};

/* Count recipients; a clock that was set back counts into the newest bucket. */
void ledger_note(struct ledger *ledger, const struct ledger_bucket *answer, wall_ms now);

/* Of the newest bucket and those before it, as far as they begin within `period_ms` before its end; at most LEDGER_BUCKETS of them count. */
struct ledger_sum ledger_of(const struct ledger *ledger, int64_t period_ms, wall_ms now);

#endif
