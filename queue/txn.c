/* queue/txn.c - transactions, rows and cursors over LMDB, and the folding of its codes into ours. */
#include "queue/txn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/bigend.h"

/* A short write on a full file system surfaces as EIO (tmpfs). Less than a transaction's worth of room tells it from a broken disk. */
#define FULL_BELOW_BYTES (5u << 20)

static bool is_disk_full(const struct txn_env *env)
{
	struct statvfs fs;

	return statvfs(env->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BELOW_BYTES;
}

enum err txn_fold(const struct txn_env *env, int rc, const char *doing, struct err_detail *why)
{
	static const struct {
		int rc;
		enum err code;
	} known[] = {
		{ MDB_NOTFOUND, ERR_NOT_FOUND },
		{ MDB_KEYEXIST, ERR_EXISTS },
		{ ENOENT, ERR_NOT_FOUND },
		{ MDB_MAP_FULL, ERR_FULL },
		{ ENOSPC, ERR_FULL },
		{ EDQUOT, ERR_FULL },
		{ MDB_TXN_FULL, ERR_LIMIT },
		{ MDB_BAD_VALSIZE, ERR_LIMIT },
		{ MDB_CORRUPTED, ERR_CORRUPT },
		{ MDB_PAGE_NOTFOUND, ERR_CORRUPT },
		{ MDB_INVALID, ERR_CORRUPT },
		{ MDB_VERSION_MISMATCH, ERR_VERSION },
		{ EACCES, ERR_DENIED },
		{ EPERM, ERR_DENIED },
	};
	enum err code = ERR_IO;

	if (rc == 0)
		return OK;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].rc == rc)
			code = known[i].code;
	if (rc == EIO && is_disk_full(env))
		code = ERR_FULL;
	return err_set(
	    why, code, "%s: %s%s", doing, mdb_strerror(rc), rc == EIO && code == ERR_FULL ? " (file system full)" : "");
}

int txn_begin(struct txn *txn, const struct txn_env *env, bool write)
{
	*txn = (struct txn){ .env = env };
	return mdb_txn_begin(env->env, NULL, write ? 0 : MDB_RDONLY, &txn->mdb);
}

void txn_close_cursors(struct txn *txn)
{
	for (size_t i = 0; i < TXN_TABLES; i++) {
		if (txn->cursor[i])
			mdb_cursor_close(txn->cursor[i]);
		txn->cursor[i] = NULL;
	}
}

int txn_commit(struct txn *txn)
{
	MDB_txn *mdb = txn->mdb;

	txn_close_cursors(txn);
	txn->mdb = NULL;
	return mdb_txn_commit(mdb);
}

void txn_abort(struct txn *txn)
{
	txn_close_cursors(txn);
	if (txn->mdb)
		mdb_txn_abort(txn->mdb);
	txn->mdb = NULL;
}

/* --- keys ------------------------------------------------------------------------------------------------------------ */

struct key {
	uint8_t bytes[12];
	MDB_val val;
};

static size_t key_size(enum txn_table table)
{
	return table == TXN_MSG ? 8 : 12;
}

static MDB_val *key_make(struct key *key, enum txn_table table, msg_id id, uint32_t n)
{
	(void)bigend_put(bigend_put(key->bytes, id, 8), n, 4);
	key->val = (MDB_val){ key_size(table), key->bytes };
	return &key->val;
}

static int key_read(enum txn_table table, const MDB_val *key, struct txn_row *row)
{
	const uint8_t *at = key->mv_data;

	if (key->mv_size != key_size(table))
		return MDB_CORRUPTED;
	row->id = bigend_get(&at, 8);
	row->n = (uint32_t)bigend_get(&at, (unsigned)key->mv_size - 8);
	return 0;
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

int txn_get(struct txn *txn, enum txn_table table, msg_id id, uint32_t n, MDB_val *value)
{
	struct key key;

	if (txn->env->dbi[table] == 0)
		return MDB_NOTFOUND;
	return mdb_get(txn->mdb, txn->env->dbi[table], key_make(&key, table, id, n), value);
}

int txn_put(struct txn *txn, enum txn_table table, msg_id id, uint32_t n, const void *data, size_t len, bool fresh)
{
	struct key key;
	MDB_val *k = key_make(&key, table, id, n);
	MDB_val value = { len, (void *)(uintptr_t)data };
	MDB_dbi dbi = txn->env->dbi[table];
	int rc = MDB_KEYEXIST;

	/* Ids grow, so a fresh row is nearly always the last: appending fills pages instead of splitting them in halves. */
	if (fresh)
		rc = mdb_put(txn->mdb, dbi, k, &value, MDB_APPEND);
	if (rc == MDB_KEYEXIST) {
		value = (MDB_val){ len, (void *)(uintptr_t)data };
		rc = mdb_put(txn->mdb, dbi, k, &value, fresh ? MDB_NOOVERWRITE : 0);
	}
	if (rc == 0)
		txn->rows++;
	return rc;
}

int txn_del(struct txn *txn, enum txn_table table, msg_id id, uint32_t n)
{
	struct key key;
	int rc = mdb_del(txn->mdb, txn->env->dbi[table], key_make(&key, table, id, n), NULL);

	if (rc == 0)
		txn->rows++;
	return rc;
}

static int cursor_get(struct txn *txn, enum txn_table table, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
	int rc = 0;

	if (!txn->cursor[table])
		rc = mdb_cursor_open(txn->mdb, txn->env->dbi[table], &txn->cursor[table]);
	return rc ? rc : mdb_cursor_get(txn->cursor[table], key, value, op);
}

static int cursor_row(struct txn *txn, enum txn_table table, MDB_val *key, MDB_cursor_op op, struct txn_row *row)
{
	int rc = cursor_get(txn, table, key, &row->value, op);

	return rc ? rc : key_read(table, key, row);
}

int txn_seek(struct txn *txn, enum txn_table table, msg_id id, uint32_t n, struct txn_row *row)
{
	struct key key;

	if (txn->env->dbi[table] == 0)
		return MDB_NOTFOUND;
	return cursor_row(txn, table, key_make(&key, table, id, n), MDB_SET_RANGE, row);
}

int txn_next(struct txn *txn, enum txn_table table, struct txn_row *row)
{
	MDB_val key;

	return cursor_row(txn, table, &key, MDB_NEXT, row);
}

int txn_del_all(struct txn *txn, enum txn_table table, msg_id id, size_t max, size_t *count)
{
	struct txn_row row;
	uint32_t n = 0;
	int rc;

	/* Deleted by key, found anew each time: a cursor is not trusted across deletions. */
	for (size_t i = 0; i < max; i++) {
		rc = txn_seek(txn, table, id, n, &row);
		if (rc == MDB_NOTFOUND || (rc == 0 && row.id != id))
			return 0;
		if (rc == 0)
			rc = txn_del(txn, table, id, row.n);
		if (rc != 0)
			return rc;
		n = row.n;
		(*count)++;
	}
	return 0;
}

int txn_has(struct txn *txn, enum txn_table table, msg_id id)
{
	struct txn_row row;
	int rc = txn_seek(txn, table, id, 0, &row);

	return rc == 0 && row.id != id ? MDB_NOTFOUND : rc;
}

int txn_last(struct txn *txn, enum txn_table table, msg_id *out)
{
	struct txn_row row = { 0 };
	MDB_val key;
	int rc = cursor_row(txn, table, &key, MDB_LAST, &row);

	*out = rc == 0 ? row.id : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int txn_text_get(struct txn *txn, enum txn_table table, const char *key, MDB_val *value)
{
	MDB_val k = { strlen(key), (void *)(uintptr_t)key };

	if (txn->env->dbi[table] == 0)
		return MDB_NOTFOUND;
	return mdb_get(txn->mdb, txn->env->dbi[table], &k, value);
}

int txn_text_put(struct txn *txn, enum txn_table table, const char *key, const void *data, size_t len)
{
	MDB_val k = { strlen(key), (void *)(uintptr_t)key };
	MDB_val value = { len, (void *)(uintptr_t)data };

	return mdb_put(txn->mdb, txn->env->dbi[table], &k, &value, 0);
}

int txn_text_del(struct txn *txn, enum txn_table table, const char *key)
{
	MDB_val k = { strlen(key), (void *)(uintptr_t)key };

	return mdb_del(txn->mdb, txn->env->dbi[table], &k, NULL);
}

int txn_text_seek(struct txn *txn, enum txn_table table, const char *key, MDB_val *key_out, MDB_val *value)
{
	*key_out = (MDB_val){ strlen(key), (void *)(uintptr_t)key };
	if (txn->env->dbi[table] == 0)
		return MDB_NOTFOUND;
	return cursor_get(txn, table, key_out, value, key[0] ? MDB_SET_RANGE : MDB_FIRST);
}

int txn_text_next(struct txn *txn, enum txn_table table, MDB_val *key_out, MDB_val *value)
{
	return cursor_get(txn, table, key_out, value, MDB_NEXT);
}

int txn_meta_get(struct txn *txn, const char *key, MDB_val *value)
{
	return txn_text_get(txn, TXN_META, key, value);
}

int txn_meta_put(struct txn *txn, const char *key, const void *data, size_t len)
{
	return txn_text_put(txn, TXN_META, key, data, len);
}

int txn_meta_del(struct txn *txn, const char *key)
{
	return txn_text_del(txn, TXN_META, key);
}

int txn_meta_seek(struct txn *txn, const char *key, MDB_val *key_out, MDB_val *value)
{
	return txn_text_seek(txn, TXN_META, key, key_out, value);
}

int txn_meta_next(struct txn *txn, MDB_val *key_out, MDB_val *value)
{
	return txn_text_next(txn, TXN_META, key_out, value);
}

int txn_meta_each(struct txn *txn, const char *kind, const char *prefix, size_t name_max, txn_meta_fn fn, void *arg)
{
	char key[512], name[512];
	const size_t skip = strlen(kind);
	MDB_val at, value;
	int rc;

	must(name_max < sizeof(name));
	snprintf(key, sizeof(key), "%s%s", kind, prefix);
	for (rc = txn_meta_seek(txn, key, &at, &value); rc == 0; rc = txn_meta_next(txn, &at, &value)) {
		if (at.mv_size < strlen(key) || memcmp(at.mv_data, key, strlen(key)) != 0)
			return 0;
		if (at.mv_size - skip > name_max)
			continue;
		memcpy(name, (const char *)at.mv_data + skip, at.mv_size - skip);
		name[at.mv_size - skip] = '\0';
		fn(arg, name, value.mv_data, value.mv_size);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

uint64_t txn_used_bytes(struct txn *txn)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < TXN_TABLES; i++) {
		MDB_stat stat;

		if (txn->env->dbi[i] != 0 && mdb_stat(txn->mdb, txn->env->dbi[i], &stat) == 0)
			pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	}
	return pages * txn->env->page_bytes;
}
