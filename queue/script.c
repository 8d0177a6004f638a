/* queue/script.c - transcripts of attempts. The number of the row is the job's with a place in a ring behind it, so an attempt overwrites the one
 * QUEUE_TRACES before it. */
#include "queue/script.h"

#include <string.h>

#include "queue/codec.h"

#define VERSION   1
#define HEAD      5 /* bytes before the text: version, attempt */
#define PLACES    8 /* of a job in the numbers; a power of two, QUEUE_TRACES of them are used */

_Static_assert(QUEUE_TRACES <= PLACES, "the ring is too small");

static uint32_t row_number(uint32_t job, uint32_t attempt)
{
	return job * PLACES + attempt % QUEUE_TRACES;
}

int script_put(struct txn *txn, const struct queue_settle *settle)
{
	uint8_t record[HEAD + QUEUE_TRACE_MAX];
	struct codec_out out = { .at = record, .end = record + HEAD };
	size_t len;

	uint32_t job = settle->job & ~QUEUE_APART;

	if (job > UINT32_MAX / PLACES - 1)
		return 0;
	codec_put_u8(&out, VERSION);
	codec_put_u32(&out, settle->attempt);
	len = strnlen(settle->trace, QUEUE_TRACE_MAX);
	memcpy(record + HEAD, settle->trace, len);
	return txn_put(txn, TXN_TRACE, settle->id, row_number(job, settle->attempt), record, HEAD + len, false);
}

int script_del_all(struct txn *txn, msg_id id)
{
	size_t count = 0;

	return txn_del_all(txn, TXN_TRACE, id, SIZE_MAX, &count);
}

int script_del_job(struct txn *txn, msg_id id, uint32_t job)
{
	int rc = 0;

	for (uint32_t place = 0; place < QUEUE_TRACES && rc == 0; place++) {
		rc = txn_del(txn, TXN_TRACE, id, row_number(job, place));
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	return rc;
}

/* A record of a later version says what we cannot read; it is passed over. */
int script_each(struct txn *txn, msg_id id, queue_trace_fn fn, void *arg)
{
	struct txn_row row;
	int rc;

	rc = txn_seek(txn, TXN_TRACE, id, 0, &row);
	for (; rc == 0 && row.id == id; rc = txn_next(txn, TXN_TRACE, &row)) {
		struct codec_in in = { .at = row.value.mv_data, .end = (const uint8_t *)row.value.mv_data + row.value.mv_size };
		uint8_t version = codec_get_u8(&in);
		uint32_t attempt = codec_get_u32(&in);

		if (!in.failed && version == VERSION)
			fn(arg, row.n / PLACES, attempt, (const char *)in.at, (size_t)(in.end - in.at));
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}
