/* queue/body.h - message bytes in chunks (table `body`, key id|n): every chunk of a body is QUEUE_CHUNK long but the first and the last.
 *
 * The first may be short, since it holds what is known only at the end: our own header fields, signatures among them.
 * 65,520 bytes and LMDB's header fill 16 pages exactly; bigger values fragment the file, smaller ones cost CPU (docs/ON_DISK.md). */
#ifndef QUEUE_BODY_H
#define QUEUE_BODY_H

#include "queue/txn.h"

/* Do head, stored chunks and blobs of the request make the body that its message speaks of? Pure. */
bool body_fits(const struct queue_accept *accept);

/* Are the chunks stored that the request does not bring along, all full, and no others? 0; MDB_NOTFOUND when not; else LMDB's code. */
int body_stored(struct txn *txn, const struct queue_accept *accept);

/* Bytes and chunks of a stored body, by its keys alone; *whole_out: numbered from 0 without a gap, all but the first and the last full. */
int body_measure(struct txn *txn, msg_id id, uint64_t *bytes_out, uint32_t *chunks_out, bool *whole_out);

/* Store one chunk; MDB_KEYEXIST when it is there already. */
int body_put(struct txn *txn, msg_id id, uint32_t n, const struct queue_blob *blob);

#endif
