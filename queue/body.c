/* queue/body.c - message bytes in chunks: every chunk of a body is QUEUE_CHUNK long but the last. */
#include "queue/body.h"

bool body_fits(const struct queue_blob *blobs, size_t count, uint32_t first, uint64_t size_bytes)
{
	uint64_t sum = (uint64_t)first * QUEUE_CHUNK;

	for (size_t i = 0; i < count; i++) {
		if (blobs[i].len == 0 || blobs[i].len > QUEUE_CHUNK || (i + 1 < count && blobs[i].len != QUEUE_CHUNK))
			return false;
		sum += blobs[i].len;
	}
	return sum == size_bytes;
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
		if (row.n != *chunks_out || last != QUEUE_CHUNK || row.value.mv_size > QUEUE_CHUNK)
			*whole_out = false;
		last = row.value.mv_size;
		*bytes_out += last;
		++*chunks_out;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int body_stored(struct txn *txn, msg_id id, uint32_t count)
{
	uint64_t bytes;
	uint32_t chunks;
	bool whole;
	int rc = body_measure(txn, id, &bytes, &chunks, &whole);

	if (rc != 0)
		return rc;
	return whole && chunks == count && bytes == (uint64_t)count * QUEUE_CHUNK ? 0 : MDB_NOTFOUND;
}

int body_put(struct txn *txn, msg_id id, uint32_t n, const struct queue_blob *blob)
{
	return txn_put(txn, TXN_BODY, id, n, blob->data, blob->len, true);
}
