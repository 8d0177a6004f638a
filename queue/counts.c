/* queue/counts.c - counters that survive restarts, in recipients, by destination and in total. */
#include "queue/counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"

#define VERSION 1

struct counts_row {
	UT_hash_handle hh;
	struct queue_counts add;
	bool touched; /* in this transaction: in the list */
	struct counts_row *next_touched;
	char name[COUNTS_NAME_MAX + 1];
};

/* Rows kept between transactions; beyond them memory is given back. */
#define ROWS_KEPT 4096

static struct counts_row *row_of(struct counts *counts, const char *name)
{
	struct counts_row *row;
	size_t len = strnlen(name, COUNTS_NAME_MAX);

	HASH_FIND(hh, counts->rows, name, len, row);
	if (!row) {
		row = xcalloc(1, sizeof(*row));
		memcpy(row->name, name, len);
		HASH_ADD_KEYPTR(hh, counts->rows, row->name, len, row);
	}
	return row;
}

static void add_to(struct queue_counts *sum, const struct queue_counts *add)
{
	sum->accepted += add->accepted;
	sum->delivered += add->delivered;
	sum->bounced += add->bounced;
	sum->dropped += add->dropped;
	sum->in_doubt += add->in_doubt;
}

static void add_to_row(struct counts *counts, const char *name, const struct queue_counts *add)
{
	struct counts_row *row = row_of(counts, name);

	if (!row->touched) {
		row->touched = true;
		row->next_touched = counts->touched;
		counts->touched = row;
	}
	add_to(&row->add, add);
}

void counts_add(struct counts *counts, const char *destination, const struct queue_counts *add)
{
	add_to_row(counts, "", add);
	if (destination && destination[0])
		add_to_row(counts, destination, add);
}

void counts_reset(struct counts *counts)
{
	if (HASH_COUNT(counts->rows) > ROWS_KEPT)
		counts_fini(counts);
	for (struct counts_row *row = counts->touched; row; row = row->next_touched) {
		row->touched = false;
		row->add = (struct queue_counts){ 0 };
	}
	counts->touched = NULL;
}

void counts_fini(struct counts *counts)
{
	struct counts_row *row, *next;

	HASH_ITER (hh, counts->rows, row, next) {
		HASH_DEL(counts->rows, row);
		free(row);
	}
	counts->touched = NULL;
}

static int store_row(const struct counts_row *row, struct txn *txn)
{
	char key[sizeof(COUNTS_PREFIX) + COUNTS_NAME_MAX];
	uint8_t record[COUNTS_RECORD];
	struct queue_counts sum = { 0 };
	MDB_val value;
	int rc;

	snprintf(key, sizeof(key), COUNTS_PREFIX "%s", row->name);
	rc = txn_meta_get(txn, key, &value);
	if (rc == 0 && counts_decode(value.mv_data, value.mv_size, &sum, NULL) != OK)
		log_text(LOG_WARN, "counter-lost", "record %s does not decode and starts at zero", key);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	add_to(&sum, &row->add);
	counts_encode(&sum, record);
	return txn_meta_put(txn, key, record, sizeof(record));
}

int counts_store(struct counts *counts, struct txn *txn)
{
	int rc = 0;

	for (const struct counts_row *row = counts->touched; row && rc == 0; row = row->next_touched)
		rc = store_row(row, txn);
	return rc;
}

int counts_each(struct txn *txn, queue_counts_fn fn, void *arg)
{
	const size_t prefix = sizeof(COUNTS_PREFIX) - 1;
	MDB_val key, value;
	int rc = txn_meta_seek(txn, COUNTS_PREFIX, &key, &value);

	for (; rc == 0 && key.mv_size >= prefix && memcmp(key.mv_data, COUNTS_PREFIX, prefix) == 0;
	     rc = txn_meta_next(txn, &key, &value)) {
		char name[COUNTS_NAME_MAX + 1];
		struct queue_counts counts;

		if (key.mv_size - prefix > COUNTS_NAME_MAX ||
		    counts_decode(value.mv_data, value.mv_size, &counts, NULL) != OK)
			continue;
		memcpy(name, (const char *)key.mv_data + prefix, key.mv_size - prefix);
		name[key.mv_size - prefix] = '\0';
		fn(arg, name, &counts);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

void counts_encode(const struct queue_counts *counts, uint8_t out[COUNTS_RECORD])
{
	struct codec_out o = { .at = out, .end = out + COUNTS_RECORD };

	codec_put_u8(&o, VERSION);
	codec_put_u64(&o, counts->accepted);
	codec_put_u64(&o, counts->delivered);
	codec_put_u64(&o, counts->bounced);
	codec_put_u64(&o, counts->dropped);
	codec_put_u64(&o, counts->in_doubt);
	must(!o.failed && o.at == o.end);
}

enum err counts_decode(const void *data, size_t len, struct queue_counts *out, struct err_detail *why)
{
	struct codec_in in;
	enum err e = codec_begin(&in, data, len, VERSION, "counter", why);

	*out = (struct queue_counts){ 0 };
	if (e != OK)
		return e;
	out->accepted = codec_get_u64(&in);
	out->delivered = codec_get_u64(&in);
	out->bounced = codec_get_u64(&in);
	out->dropped = codec_get_u64(&in);
	out->in_doubt = codec_get_u64(&in);
	e = codec_end(&in, "counter", why);
	if (e != OK)
		*out = (struct queue_counts){ 0 };
	return e;
}
