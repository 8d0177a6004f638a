/* queue/memo.h - records that other parts of the program keep in the store, written along with the requests of a transaction.
 *
 * Meta table, key "memo/" and the name. */
#ifndef QUEUE_MEMO_H
#define QUEUE_MEMO_H

#include "queue/txn.h"

#define MEMO_PREFIX   "memo/"
#define MEMO_NAME_MAX 255 /* bytes */

/* Those that the requests of one transaction brought. Zero-filled at first. */
struct memos {
	struct queue_memo *first;
};

/* Once in the list however often it comes. */
void memos_add(struct memos *memos, struct queue_memo *memo);
void memos_reset(struct memos *memos);

/* Write them. LMDB's codes. */
int memos_store(const struct memos *memos, struct txn *txn);

/* Call `fn` for each stored one whose name begins with `prefix`. LMDB's codes. */
int memos_each(struct txn *txn, const char *prefix, queue_memo_fn fn, void *arg);

#endif
