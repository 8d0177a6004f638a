/* queue/body.c - message bytes in chunks: every chunk of a body is QUEUE_CHUNK long but the first and the last. */
#include "queue/body.h"

static bool is_chunk(const struct queue_blob *blob)
{
	return blob->len > 0 && blob->len <= QUEUE_CHUNK;
}

/* How many of the chunks before first_blob are stored already. */
static uint32_t stored_before(const struct queue_accept *accept)
{
	return accept->first_blob - (accept->head.len > 0);
}

bool body_fits(const struct queue_accept *accept)
{
	uint64_t sum = accept->head.len;

	if (accept->head.len > 0 && (!is_chunk(&accept->head) || accept->first_blob == 0))
		return false;
	sum += (uint64_t)stored_before(accept) * QUEUE_CHUNK;
	for (size_t i = 0; i < accept->blob_count; i++) {
		const struct queue_blob *blob = &accept->blobs[i];
		bool may_be_short = accept->first_blob + i == 0 || i + 1 == accept->blob_count;

		if (!is_chunk(blob) || (!may_be_short && blob->len != QUEUE_CHUNK))
			return false;
		sum += blob->len;
	}
	return sum == accept->message.size_bytes;
}

int body_measure(struct txn *txn, msg_id id, uint64_t *bytes_out, uint32_t *chunks_out, bool *whole_out)
{
	struct txn_row row;
	size_t last = QUEUE_CHUNK;
	int rc = txn_seek(txn, TXN_BODY, id, 0, &row);

	*bytes_out = 0;
	*chunks_out = 0;
	*whole_out = true;
	for (; rc == 0 && row.id == id; rc = txn_next(txn, TXN_BODY, &row)) {
		bool may_be_short = *chunks_out <= 1;

		if (row.n != *chunks_out || (last != QUEUE_CHUNK && !may_be_short) || row.value.mv_size > QUEUE_CHUNK)
			*whole_out = false;
		last = row.value.mv_size;
		*bytes_out += last;
		++*chunks_out;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int body_stored(struct txn *txn, const struct queue_accept *accept)
{
	struct txn_row row;
	uint32_t next = accept->head.len > 0 ? 1 : 0;
	int rc = txn_seek(txn, TXN_BODY, accept->message.id, 0, &row);

	for (; rc == 0 && row.id == accept->message.id; rc = txn_next(txn, TXN_BODY, &row)) {
		if (row.n != next || row.value.mv_size != QUEUE_CHUNK)
			return MDB_NOTFOUND;
		next++;
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	return next == accept->first_blob ? 0 : MDB_NOTFOUND;
}

int body_put(struct txn *txn, msg_id id, uint32_t n, const struct queue_blob *blob)
{
	return txn_put(txn, TXN_BODY, id, n, blob->data, blob->len, true);
}
