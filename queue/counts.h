/* queue/counts.h - counters that survive restarts, in recipients, by destination and in total.
 *
 * A transaction adds up in memory and writes each touched row once (meta table, key "count/" and the destination). */
#ifndef QUEUE_COUNTS_H
#define QUEUE_COUNTS_H

#include "queue/codec.h"
#include "queue/txn.h"

#define COUNTS_PREFIX   "count/"
#define COUNTS_NAME_MAX 400 /* bytes of a destination; LMDB keys end at 511 */
#define COUNTS_RECORD   41  /* bytes */

/* What one transaction counts. Zero-filled at first; counts_reset keeps the memory, counts_fini frees it. */
struct counts {
	struct counts_row *rows;    /* uthash by name, "" is the total; kept between transactions */
	struct counts_row *touched; /* list of those with something to write */
};

/* Add to `destination` (NULL: not by destination) and to the total. A name too long is cut. */
void counts_add(struct counts *counts, const char *destination, const struct queue_counts *add);
void counts_reset(struct counts *counts);
void counts_fini(struct counts *counts);

/* Write what was added on top of what is stored; rows nothing was added to are left alone. LMDB's codes. A stored record that does
 * not decode is begun anew, with a warning: a statistic must not keep mail from moving. */
int counts_store(struct counts *counts, struct txn *txn);

/* Call `fn` for each stored counter, the total ("") first. LMDB's codes. */
int counts_each(struct txn *txn, queue_counts_fn fn, void *arg);

/* The stored form. ERR_CORRUPT, ERR_VERSION; *out is zero then. */
void counts_encode(const struct queue_counts *counts, uint8_t out[COUNTS_RECORD]);
MUST_USE enum err counts_decode(const void *data, size_t len, struct queue_counts *out, struct err_detail *why);

#endif
