/* queue/dead_sum.h - how many dead letters there are and what they keep: one row of the meta table, kept up with each of them. */
#ifndef QUEUE_DEAD_SUM_H
#define QUEUE_DEAD_SUM_H

#include "queue/txn.h"

struct dead_sum {
	uint64_t added, removed; /* letters since the store was made */
	uint64_t messages;       /* of which there are letters */
	uint64_t bytes;          /* bodies and records */
};

/* How many there are. */
static inline uint64_t dead_sum_letters(const struct dead_sum *sum)
{
	return sum->added > sum->removed ? sum->added - sum->removed : 0;
}

/* All zero when the store has none yet. A row that does not decode is begun anew, with a warning: a statistic must not keep mail from moving.
 * LMDB's codes. */
int dead_sum_read(struct txn *txn, struct dead_sum *out);
int dead_sum_write(struct txn *txn, const struct dead_sum *sum);

/* What has been committed, for queue_figures and the room. Writer thread, or before it starts. */
void dead_sum_publish(struct queue *queue, const struct dead_sum *sum);

#endif
