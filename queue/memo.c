/* queue/memo.c - records that other parts of the program keep in the store, written along with the requests of a transaction. */
#include "queue/memo.h"

#include <stdio.h>
#include <string.h>

void memos_add(struct memos *memos, struct queue_memo *memo)
{
	if (memo->listed)
		return;
	memo->listed = true;
	memo->next = memos->first;
	memos->first = memo;
}

void memos_reset(struct memos *memos)
{
	for (struct queue_memo *memo = memos->first; memo; memo = memo->next)
		memo->listed = false;
	memos->first = NULL;
}

int memos_store(const struct memos *memos, struct txn *txn)
{
	char key[sizeof(MEMO_PREFIX) + MEMO_NAME_MAX];
	uint8_t data[QUEUE_MEMO_MAX];
	int rc = 0;

	for (const struct queue_memo *memo = memos->first; memo && rc == 0; memo = memo->next) {
		snprintf(key, sizeof(key), MEMO_PREFIX "%s", memo->name);
		rc = txn_meta_put(txn, key, data, memo->write(memo, data));
	}
	return rc;
}

int memos_each(struct txn *txn, const char *prefix, queue_memo_fn fn, void *arg)
{
	return txn_meta_each(txn, MEMO_PREFIX, prefix, MEMO_NAME_MAX, fn, arg);
}
