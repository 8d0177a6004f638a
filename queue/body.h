/* queue/body.h - message bytes in chunks (table `body`, key id|n): every chunk of a body is QUEUE_CHUNK long but the last.
 *
 * 65,520 bytes and LMDB's header fill 16 pages exactly; bigger values fragment the file, smaller ones cost CPU (docs/ON_DISK.md). */
#ifndef QUEUE_BODY_H
#define QUEUE_BODY_H

#include "queue/txn.h"

/* Are the blobs chunks first.. of a body of `size_bytes`, complete to its end? Pure. */
bool body_fits(const struct queue_blob *blobs, size_t count, uint32_t first, uint64_t size_bytes);

/* Are chunks 0..count-1 stored, all full, and none behind them? 0; MDB_NOTFOUND when not; else LMDB's code. */
int body_stored(struct txn *txn, msg_id id, uint32_t count);

/* Bytes and chunks of a stored body, by its keys alone; *whole_out: numbered from 0 without a gap, all but the last full. */
int body_measure(struct txn *txn, msg_id id, uint64_t *bytes_out, uint32_t *chunks_out, bool *whole_out);

/* Store one chunk; MDB_KEYEXIST when it is there already. */
int body_put(struct txn *txn, msg_id id, uint32_t n, const struct queue_blob *blob);

#endif
