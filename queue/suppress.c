/* queue/suppress.c - addresses that nothing is taken for: who was refused as unknown, how often, and until when that counts. */
#include "queue/suppress_row.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "queue/codec.h"
#include "queue/reader.h"

#define VERSION     1
#define ADDRESS_CAP 440 /* bytes; with tenant and slash a key that LMDB takes */
#define RECORD_MAX  (1 + 8 + 8 + 1 + 1 + 8 * SUPPRESS_STRIKES + 2 + SUPPRESS_REASON_MAX)

_Static_assert(SUPPRESS_TENANT_MAX + 1 + ADDRESS_CAP <= SUPPRESS_KEY_MAX, "a key that LMDB does not take");

static const struct codec_field fields[] = { CODEC_FIELD(suppress_entry, reason, SUPPRESS_REASON_MAX, true) };

const char *suppress_origin_name(enum suppress_origin origin)
{
	static const char *const names[SUPPRESS_ORIGINS] = { "bounce", "operator", "import" };

	return names[origin];
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

static void key_of(const char *tenant, const char *address, char out[SUPPRESS_KEY_MAX + 1])
{
	/* A tenant's name holds no slash. */
	size_t at = (size_t)snprintf(out, SUPPRESS_KEY_MAX + 1, "%.64s/", tenant);

	for (; *address && at < SUPPRESS_KEY_MAX; address++)
		out[at++] = ascii_lower(*address);
	out[at] = '\0';
}

static size_t encode(const struct suppress_entry *entry, uint8_t out[RECORD_MAX])
{
	struct codec_out to = { .at = out, .end = out + RECORD_MAX };

	codec_put_u8(&to, VERSION);
	codec_put_u64(&to, (uint64_t)entry->since);
	codec_put_u64(&to, (uint64_t)entry->until);
	codec_put_u8(&to, (uint8_t)entry->origin);
	codec_put_u8(&to, (uint8_t)entry->strikes);
	for (uint32_t i = 0; i < entry->strikes; i++)
		codec_put_u64(&to, (uint64_t)entry->strike_at[i]);
	codec_put_texts(&to, entry, fields, ARRAY_LEN(fields));
	must(!to.failed);
	return (size_t)(to.at - out);
}

static bool decode_key(const void *data, size_t len, char *key, struct suppress_entry *out)
{
	char *slash;

	if (len == 0 || len > SUPPRESS_KEY_MAX || memchr(data, 0, len))
		return false;
	memcpy(key, data, len);
	key[len] = '\0';
	slash = strchr(key, '/');
	if (!slash || slash[1] == '\0')
		return false;
	*slash = '\0';
	out->tenant = key;
	out->address = slash + 1;
	return true;
}

bool suppress_decode(const void *key_data, size_t key_len, const void *data, size_t len, char *key, char reason[SUPPRESS_REASON_MAX + 1],
    struct suppress_entry *out)
{
	struct codec_texts room = { reason, reason + SUPPRESS_REASON_MAX + 1 };
	struct codec_in in;
	uint8_t origin;

	*out = (struct suppress_entry){ 0 };
	if (!decode_key(key_data, key_len, key, out) || codec_begin(&in, data, len, VERSION, "suppression", NULL) != OK)
		return false;
	out->since = codec_get_time(&in);
	out->until = codec_get_time(&in);
	origin = codec_get_u8(&in);
	out->strikes = codec_get_u8(&in);
	if (origin >= SUPPRESS_ORIGINS || out->strikes > SUPPRESS_STRIKES)
		return false;
	out->origin = origin;
	for (uint32_t i = 0; i < out->strikes; i++)
		out->strike_at[i] = codec_get_time(&in);
	codec_get_texts(&in, out, fields, ARRAY_LEN(fields), &room);
	return codec_end(&in, "suppression", NULL) == OK;
}

/* Refusals older than that count no more. */
static void forget_old(struct suppress_entry *entry, wall_ms now, int64_t within_ms)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < entry->strikes; i++)
		if (entry->strike_at[i] > now - within_ms)
			entry->strike_at[kept++] = entry->strike_at[i];
	entry->strikes = kept;
}

bool suppress_counts(const struct suppress_entry *entry, wall_ms now, int64_t within_ms)
{
	if (entry->until > now)
		return true;
	for (uint32_t i = 0; i < entry->strikes; i++)
		if (entry->strike_at[i] > now - within_ms)
			return true;
	return false;
}

/* --- changes --------------------------------------------------------------------------------------------------------- */

enum err suppress_check(const struct queue_suppress *req, struct err_detail *why)
{
	if (req->item_count > SUPPRESS_ITEMS_MAX)
		return err_set(why, ERR_LIMIT, "more than %d addresses in one request", SUPPRESS_ITEMS_MAX);
	for (size_t i = 0; i < req->item_count; i++) {
		const struct queue_suppress_item *item = &req->items[i];
		size_t len = strnlen(item->address, ADDRESS_CAP + 1);

		if (len == 0 || strchr(item->tenant, '/'))
			return err_set(why, ERR_INVALID, "no address, or a tenant that none can be");
		if (len > ADDRESS_CAP || strnlen(item->tenant, SUPPRESS_TENANT_MAX + 1) > SUPPRESS_TENANT_MAX)
			return err_set(why, ERR_LIMIT, "an address or tenant is too long");
	}
	return OK;
}

static int put(struct txn *txn, const char *key, const struct suppress_entry *entry)
{
	uint8_t record[RECORD_MAX];
	int rc = txn_text_put(txn, TXN_SUPPRESS, key, record, encode(entry, record));

	txn->rows += rc == 0;
	return rc;
}

static int strike(struct txn *txn, const char *key, struct suppress_entry *entry, struct queue_suppress_item *item, wall_ms now)
{
	if (entry->until > now) /* it was queued before */
		return 0;
	forget_old(entry, now, item->within_ms);
	if (entry->strikes == SUPPRESS_STRIKES)
		memmove(entry->strike_at, entry->strike_at + 1, --entry->strikes * sizeof(entry->strike_at[0]));
	entry->strike_at[entry->strikes++] = now;
	entry->since = entry->until = 0;
	entry->origin = SUPPRESS_BY_BOUNCE;
	entry->reason = item->reason ? item->reason : "";
	if (entry->strikes >= item->bounces) {
		entry->since = now;
		entry->until = now + item->keep_ms;
		entry->strikes = 0;
		item->changed = true;
	}
	return put(txn, key, entry);
}

static int put_new(struct txn *txn, const char *key, bool known, struct queue_suppress_item *item)
{
	struct suppress_entry entry = {
		.since = item->since, .until = item->until, .origin = item->origin, .reason = item->reason ? item->reason : "",
	};

	item->changed = !known;
	return put(txn, key, &entry);
}

static int delete_row(struct txn *txn, const char *key, struct queue_suppress_item *item)
{
	int rc = txn_text_del(txn, TXN_SUPPRESS, key);

	item->changed = rc == 0;
	txn->rows += rc == 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int apply_item(struct txn *txn, struct queue_suppress_item *item, wall_ms now)
{
	char key[SUPPRESS_KEY_MAX + 1], name[SUPPRESS_KEY_MAX + 1], reason[SUPPRESS_REASON_MAX + 1];
	struct suppress_entry entry = { 0 };
	MDB_val value;
	int rc;

	item->changed = false;
	key_of(item->tenant, item->address, key);
	rc = txn_text_get(txn, TXN_SUPPRESS, key, &value);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	/* One that cannot be read counts as not there: it is written anew. */
	if (rc == 0 && !suppress_decode(key, strlen(key), value.mv_data, value.mv_size, name, reason, &entry))
		entry = (struct suppress_entry){ 0 };
	switch (item->op) {
	case SUPPRESS_STRIKE:
		return strike(txn, key, &entry, item, now);
	case SUPPRESS_PUT:
		return put_new(txn, key, entry.until > now, item);
	case SUPPRESS_DELETE:
		return delete_row(txn, key, item);
	case SUPPRESS_EXPIRE:
		return suppress_counts(&entry, now, item->within_ms) ? 0 : delete_row(txn, key, item);
	}
	return 0;
}

int suppress_apply(struct txn *txn, struct queue_suppress *req)
{
	int rc = 0;

	for (size_t i = 0; i < req->item_count && rc == 0; i++)
		rc = apply_item(txn, &req->items[i], req->now);
	return rc;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool is_empty(struct txn *txn)
{
	MDB_stat stat;

	return txn->env->dbi[TXN_SUPPRESS] == 0 || (mdb_stat(txn->mdb, txn->env->dbi[TXN_SUPPRESS], &stat) == 0 && stat.ms_entries == 0);
}

static int find(struct txn *txn, const char *tenant, const char *address, wall_ms now, struct suppress_found *out)
{
	char key[SUPPRESS_KEY_MAX + 1], name[SUPPRESS_KEY_MAX + 1];
	struct suppress_entry entry;
	MDB_val value;
	int rc;

	key_of(tenant, address, key);
	rc = txn_text_get(txn, TXN_SUPPRESS, key, &value);
	if (rc != 0)
		return rc;
	if (!suppress_decode(key, strlen(key), value.mv_data, value.mv_size, name, out->reason, &entry) || entry.until <= now)
		return MDB_NOTFOUND;
	(void)snprintf(out->tenant, sizeof(out->tenant), "%s", tenant);
	(void)memmove(out->reason, entry.reason, strlen(entry.reason) + 1);
	out->since = entry.since;
	out->until = entry.until;
	out->origin = entry.origin;
	return 0;
}

enum err queue_suppress_find(struct queue_reader *reader, const char *tenant, const char *address, wall_ms now, struct suppress_found *out,
    struct err_detail *why)
{
	struct txn txn;
	enum err e = reader_begin(reader, &txn, why);
	int rc = MDB_NOTFOUND;

	if (e != OK)
		return e;
	if (!is_empty(&txn)) {
		rc = find(&txn, tenant, address, now, out);
		if (rc == MDB_NOTFOUND && tenant[0])
			rc = find(&txn, "", address, now, out);
	}
	e = txn_fold(txn.env, rc, "read suppression", why);
	reader_end(reader, &txn);
	return e;
}

static int walk(struct txn *txn, struct suppress_cursor *cursor, size_t max, suppress_fn fn, void *arg)
{
	MDB_val key, value;
	int rc = txn_text_seek(txn, TXN_SUPPRESS, cursor->key, &key, &value);

	if (rc == 0 && cursor->key[0] && key.mv_size == strlen(cursor->key) && memcmp(key.mv_data, cursor->key, key.mv_size) == 0)
		rc = txn_text_next(txn, TXN_SUPPRESS, &key, &value);
	for (size_t i = 0; i < max && rc == 0; i++) {
		char name[SUPPRESS_KEY_MAX + 1], reason[SUPPRESS_REASON_MAX + 1];
		struct suppress_entry entry;

		if (suppress_decode(key.mv_data, key.mv_size, value.mv_data, value.mv_size, name, reason, &entry))
			fn(arg, &entry);
		memcpy(cursor->key, key.mv_data, key.mv_size);
		cursor->key[key.mv_size] = '\0';
		rc = txn_text_next(txn, TXN_SUPPRESS, &key, &value);
	}
	cursor->end = rc == MDB_NOTFOUND;
	return cursor->end ? 0 : rc;
}

enum err queue_suppress_walk(
    struct queue_reader *reader, struct suppress_cursor *cursor, size_t max, suppress_fn fn, void *arg, struct err_detail *why)
{
	struct txn txn;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	e = txn_fold(txn.env, walk(&txn, cursor, max, fn, arg), "read suppressions", why);
	reader_end(reader, &txn);
	return e;
}
