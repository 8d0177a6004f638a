/* queue/keys.c - keys that clients give their messages, kept for a day: a message that is handed in again is accepted once. */
#include "queue/keys.h"

#include <stdio.h>
#include <string.h>

#include "queue/codec.h"

#define VERSION     1
#define KEY_PREFIX  "key/"
#define TIME_PREFIX "keytime/"
#define KEY_ROW     511 /* bytes of a key that LMDB takes */
#define RECORD      (1 + 8 + 8)
#define EXPIRED_MAX 2

struct key_record {
	msg_id id;
	uint64_t fingerprint;
};

static void key_of(const struct queue_accept *accept, char out[KEY_ROW + 1])
{
	/* A tenant's name holds no slash. */
	(void)snprintf(out, KEY_ROW + 1, KEY_PREFIX "%.200s/%s", accept->message.tenant, accept->key);
}

static bool record_decode(const MDB_val *value, struct key_record *out)
{
	struct codec_in in;

	if (codec_begin(&in, value->mv_data, value->mv_size, VERSION, "key", NULL) != OK)
		return false;
	out->id = codec_get_u64(&in);
	out->fingerprint = codec_get_u64(&in);
	return codec_end(&in, "key", NULL) == OK;
}

static bool is_expired(msg_id id, wall_ms now)
{
	return msg_id_time(id) + QUEUE_KEY_MS <= now;
}

bool keys_has(const struct queue_accept *accept)
{
	return accept->key != NULL && accept->key[0] != '\0';
}

enum err keys_check(struct txn *txn, struct queue_accept *accept, struct err_detail *why)
{
	char row[KEY_ROW + 1];
	struct key_record record;
	MDB_val value;
	int rc;

	key_of(accept, row);
	rc = txn_meta_get(txn, row, &value);
	if (rc == MDB_NOTFOUND)
		return OK;
	if (rc != 0)
		return txn_fold(txn->env, rc, "get key", why);
	/* One that does not decode counts as not there: it is written anew. */
	if (!record_decode(&value, &record) || is_expired(record.id, accept->message.arrived))
		return OK;
	accept->earlier = record.fingerprint == accept->fingerprint ? record.id : 0;
	return err_set(why, ERR_EXISTS, "the key of the message was used before");
}

static void time_row(msg_id id, char out[sizeof(TIME_PREFIX) + MSG_ID_TEXT])
{
	char text[MSG_ID_TEXT];

	(void)snprintf(out, sizeof(TIME_PREFIX) + MSG_ID_TEXT, TIME_PREFIX "%s", msg_id_format(id, text));
}

/* Delete the record that a row of the time order names, unless the key has been used again since. */
static int delete_record(struct txn *txn, msg_id id, const MDB_val *name)
{
	char row[KEY_ROW + 1];
	struct key_record record;
	MDB_val value;
	int rc;

	if (name->mv_size > KEY_ROW)
		return 0;
	memcpy(row, name->mv_data, name->mv_size);
	row[name->mv_size] = '\0';
	rc = txn_meta_get(txn, row, &value);
	if (rc == 0 && (!record_decode(&value, &record) || record.id == id))
		rc = txn_meta_del(txn, row);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The oldest key, when its day is over. MDB_NOTFOUND: it is not, or there is none. */
static int delete_expired(struct txn *txn, wall_ms now)
{
	const size_t prefix = sizeof(TIME_PREFIX) - 1;
	char row[sizeof(TIME_PREFIX) + MSG_ID_TEXT];
	MDB_val key, name;
	msg_id id;
	int rc = txn_meta_seek(txn, TIME_PREFIX, &key, &name);

	if (rc != 0)
		return rc;
	if (key.mv_size != prefix + MSG_ID_TEXT - 1 || memcmp(key.mv_data, TIME_PREFIX, prefix) != 0 ||
	    !msg_id_parse((const char *)key.mv_data + prefix, MSG_ID_TEXT - 1, &id) || !is_expired(id, now))
		return MDB_NOTFOUND;
	time_row(id, row);
	rc = delete_record(txn, id, &name);
	return rc == 0 ? txn_meta_del(txn, row) : rc;
}

int keys_put(struct txn *txn, const struct queue_accept *accept)
{
	char row[KEY_ROW + 1], when[sizeof(TIME_PREFIX) + MSG_ID_TEXT];
	uint8_t record[RECORD];
	struct codec_out out = { .at = record, .end = record + sizeof(record) };
	int rc = 0;

	for (unsigned i = 0; i < EXPIRED_MAX && rc == 0; i++)
		rc = delete_expired(txn, accept->message.arrived);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	codec_put_u8(&out, VERSION);
	codec_put_u64(&out, accept->message.id);
	codec_put_u64(&out, accept->fingerprint);
	key_of(accept, row);
	time_row(accept->message.id, when);
	rc = txn_meta_put(txn, row, record, sizeof(record));
	return rc == 0 ? txn_meta_put(txn, when, row, strlen(row)) : rc;
}
