/* queue/txn.h - the LMDB environment with its tables, and the one way to run a transaction.
 *
 * Functions on rows return LMDB's own codes (0, MDB_NOTFOUND, errno...); txn_fold turns them into `enum err` once, at the
 * border of the layer. Every key but those of the tables meta and suppress, which are texts, is a message id
 * and, but for `msg`, a number, big-endian. */
#ifndef QUEUE_TXN_H
#define QUEUE_TXN_H

#include <lmdb.h>

#include "queue/queue.h"

#define TXN_FORMAT 1 /* of the store as a whole: tables and keys. Records carry versions of their own */

enum txn_table { TXN_META, TXN_MSG, TXN_BODY, TXN_RCPT, TXN_CLAIM, TXN_TRACE, TXN_SUPPRESS, TXN_DEAD, TXN_DEADTIME, TXN_TABLES };

/* An open environment. Opened and closed by one thread while no other uses it. */
struct txn_env {
	MDB_env *env; /* NULL: not open */
	MDB_dbi dbi[TXN_TABLES]; /* 0: a read-only store of an earlier program does not have it (TXN_TRACE and those behind it) */
	uint32_t page_bytes;
	bool readonly;
	char path[4096]; /* of the store directory */
};

/*
 * Open STATE/store, or create it durably (all directories synced). A read-only one creates nothing and takes no lock.
 *
 * ERR_NOT_FOUND: no store (read-only); ERR_VERSION; ERR_CORRUPT: not a store of ours, or cut short; ERR_FULL, ERR_DENIED, ERR_IO.
 */
MUST_USE enum err txn_env_open(struct txn_env *env, const char *state, bool readonly, struct err_detail *why);
/* All transactions have ended. May be called twice. */
void txn_env_close(struct txn_env *env);

/* Id of the last committed transaction; pages that the file has in use or free inside. */
uint64_t txn_env_last(const struct txn_env *env);
uint64_t txn_env_file_bytes(const struct txn_env *env);

/* Have the file system allot `bytes` behind the pages in use, so that what frees space can still be written when others have filled
 * the disk. The file's length stays. A file system that cannot do it is left alone. */
void txn_env_keep_ahead(const struct txn_env *env, uint64_t bytes);

/* Turn an LMDB code into ours, with `doing` and LMDB's words in `why`. OK for 0. */
enum err txn_fold(const struct txn_env *env, int rc, const char *doing, struct err_detail *why);

/* One open transaction. The owner begins and ends it; cursors are opened on demand and closed by it. */
struct txn {
	const struct txn_env *env;
	MDB_txn *mdb;
	MDB_cursor *cursor[TXN_TABLES];
	uint64_t rows; /* put or deleted so far */
};

/* A row that a cursor stands on; `value` is LMDB's, until the next change or the end of the transaction. */
struct txn_row {
	msg_id id;
	uint32_t n;
	MDB_val value;
};

int txn_begin(struct txn *txn, const struct txn_env *env, bool write);
int txn_commit(struct txn *txn);
void txn_abort(struct txn *txn);
/* Close the cursors only: for readers, whose LMDB transaction is kept for the next call. */
void txn_close_cursors(struct txn *txn);

int txn_get(struct txn *txn, enum txn_table table, msg_id id, uint32_t n, MDB_val *value);
/* MDB_KEYEXIST when `fresh` and the row is there already; nothing has been changed then. */
int txn_put(struct txn *txn, enum txn_table table, msg_id id, uint32_t n, const void *data, size_t len, bool fresh);
int txn_del(struct txn *txn, enum txn_table table, msg_id id, uint32_t n);
/* The first row at or after the key; then the one behind it. MDB_NOTFOUND at the end. */
int txn_seek(struct txn *txn, enum txn_table table, msg_id id, uint32_t n, struct txn_row *row);
int txn_next(struct txn *txn, enum txn_table table, struct txn_row *row);
/* Delete rows of `id`, `max` at most; how many is added to *count. */
int txn_del_all(struct txn *txn, enum txn_table table, msg_id id, size_t max, size_t *count);
/* Is there a row of `id`? 0 or MDB_NOTFOUND. */
int txn_has(struct txn *txn, enum txn_table table, msg_id id);
/* The highest id in a table, 0 when it is empty. */
int txn_last(struct txn *txn, enum txn_table table, msg_id *out);

/* Rows of a table whose keys are texts, 511 bytes at most. As the functions for meta below; a table that is not there is empty. */
int txn_text_get(struct txn *txn, enum txn_table table, const char *key, MDB_val *value);
int txn_text_put(struct txn *txn, enum txn_table table, const char *key, const void *data, size_t len);
int txn_text_del(struct txn *txn, enum txn_table table, const char *key);
int txn_text_seek(struct txn *txn, enum txn_table table, const char *key, MDB_val *key_out, MDB_val *value);
int txn_text_next(struct txn *txn, enum txn_table table, MDB_val *key_out, MDB_val *value);

/* Rows of the meta table, by text. */
int txn_meta_get(struct txn *txn, const char *key, MDB_val *value);
int txn_meta_put(struct txn *txn, const char *key, const void *data, size_t len);
int txn_meta_del(struct txn *txn, const char *key);
/* The first row at or after `key`; then the one behind it. Both are LMDB's. */
int txn_meta_seek(struct txn *txn, const char *key, MDB_val *key_out, MDB_val *value);
int txn_meta_next(struct txn *txn, MDB_val *key_out, MDB_val *value);
/* `fn` for each row whose key is `kind`, then a name that begins with `prefix`; it gets that name. Names of more than `name_max` bytes are passed over.
 * Both texts together are shorter than 512 bytes. */
typedef void (*txn_meta_fn)(void *arg, const char *name, const void *data, size_t len);
int txn_meta_each(struct txn *txn, const char *kind, const char *prefix, size_t name_max, txn_meta_fn fn, void *arg);

/* Bytes of all pages that the tables use, as this transaction sees them. */
uint64_t txn_used_bytes(struct txn *txn);

#endif
