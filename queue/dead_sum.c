/* queue/dead_sum.c - how many dead letters there are and what they keep: one row of the meta table, kept up with each of them. */
#include "queue/dead_sum.h"

#include "base/log.h"
#include "queue/codec.h"
#include "queue/handle.h"

#define KEY     "@dead" /* beside @last_id: mostly a page that the transaction writes anyway */
#define VERSION 1
#define BYTES   33

int dead_sum_read(struct txn *txn, struct dead_sum *out)
{
	struct dead_sum sum;
	struct codec_in in;
	MDB_val value;
	int rc = txn_meta_get(txn, KEY, &value);

	*out = (struct dead_sum){ 0 };
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (codec_begin(&in, value.mv_data, value.mv_size, VERSION, "dead letters", NULL) == OK) {
		sum.added = codec_get_u64(&in);
		sum.removed = codec_get_u64(&in);
		sum.messages = codec_get_u64(&in);
		sum.bytes = codec_get_u64(&in);
		if (codec_end(&in, "dead letters", NULL) == OK) {
			*out = sum;
			return 0;
		}
	}
	log_text(LOG_WARN, "counter-lost", "record %s does not decode and starts at zero", KEY);
	return 0;
}

int dead_sum_write(struct txn *txn, const struct dead_sum *sum)
{
	uint8_t data[BYTES];
	struct codec_out out = { .at = data, .end = data + sizeof(data) };

	codec_put_u8(&out, VERSION);
	codec_put_u64(&out, sum->added);
	codec_put_u64(&out, sum->removed);
	codec_put_u64(&out, sum->messages);
	codec_put_u64(&out, sum->bytes);
	must(!out.failed && out.at == out.end);
	return txn_meta_put(txn, KEY, data, sizeof(data));
}

void dead_sum_publish(struct queue *queue, const struct dead_sum *sum)
{
	atomic_store_explicit(&queue->dead_letters, dead_sum_letters(sum), memory_order_relaxed);
	atomic_store_explicit(&queue->dead_bytes, sum->bytes, memory_order_relaxed);
	atomic_store_explicit(&queue->room.yields, sum->bytes, memory_order_relaxed);
}
