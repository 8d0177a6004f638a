/* queue/sweep.c - removes what no message names, in bounded slices on the writer thread. */
#include "queue/sweep.h"

#include <stdlib.h>

#define SLICE_ROWS 128  /* chunks deleted */
#define SLICE_IDS  1000 /* bodies looked at */

void sweep_init(struct sweep *sweep, msg_id first_id)
{
	*sweep = (struct sweep){ .end = first_id };
	must(pthread_mutex_init(&sweep->lock, NULL) == 0);
}

void sweep_fini(struct sweep *sweep)
{
	pthread_mutex_destroy(&sweep->lock);
	free(sweep->left.ids);
}

void sweep_add(struct sweep *sweep, const struct apply_left *left)
{
	if (left->count == 0)
		return;
	pthread_mutex_lock(&sweep->lock);
	for (size_t i = 0; i < left->count; i++)
		apply_leave(&sweep->left, left->ids[i]);
	pthread_mutex_unlock(&sweep->lock);
}

bool sweep_is_done(struct sweep *sweep)
{
	bool done;

	pthread_mutex_lock(&sweep->lock);
	done = sweep->next >= sweep->end && sweep->left.count == 0;
	pthread_mutex_unlock(&sweep->lock);
	return done;
}

bool sweep_expects(struct sweep *sweep, msg_id id)
{
	bool expected;

	pthread_mutex_lock(&sweep->lock);
	expected = id >= sweep->next;
	for (size_t i = 0; i < sweep->left.count && !expected; i++)
		expected = sweep->left.ids[i] == id;
	pthread_mutex_unlock(&sweep->lock);
	return expected;
}

/* Bodies of earlier runs, from sweep->next on. */
static int sweep_old(struct sweep *sweep, struct txn *txn, struct sweep_mark *mark)
{
	size_t deleted = 0;
	struct txn_row row;
	int rc = 0;

	mark->next = sweep->next;
	for (int i = 0; i < SLICE_IDS && deleted < SLICE_ROWS && mark->next < sweep->end; i++) {
		MDB_val message;

		rc = txn_seek(txn, TXN_BODY, mark->next, 0, &row);
		if (rc == MDB_NOTFOUND || (rc == 0 && row.id >= sweep->end)) {
			mark->next = sweep->end;
			return 0;
		}
		if (rc == 0)
			rc = txn_get(txn, TXN_MSG, row.id, 0, &message);
		if (rc == MDB_NOTFOUND)
			rc = txn_has(txn, TXN_DEAD, row.id);
		mark->next = row.id;
		if (rc == MDB_NOTFOUND)
			rc = txn_del_all(txn, TXN_BODY, row.id, SLICE_ROWS - deleted, &deleted);
		if (rc != 0)
			return rc;
		if (deleted < SLICE_ROWS)
			mark->next = row.id + 1;
	}
	return 0;
}

int sweep_slice(struct sweep *sweep, struct txn *txn, struct sweep_mark *mark_out)
{
	size_t deleted = 0;
	int rc;

	*mark_out = (struct sweep_mark){ .next = sweep->next };
	if (sweep->left.count == 0)
		return sweep_old(sweep, txn, mark_out);
	rc = txn_del_all(txn, TXN_BODY, sweep->left.ids[sweep->left.count - 1], SLICE_ROWS, &deleted);
	mark_out->left_done = rc == 0 && deleted < SLICE_ROWS;
	return rc;
}

void sweep_advance(struct sweep *sweep, const struct sweep_mark *mark)
{
	pthread_mutex_lock(&sweep->lock);
	sweep->next = mark->next;
	if (mark->left_done)
		sweep->left.count--;
	pthread_mutex_unlock(&sweep->lock);
}
