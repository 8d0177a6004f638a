/* tests/support/fault_lmdb.c - LD_PRELOAD library that makes LMDB's commits slow, failing or deadly. For tests and bench only.
 *
 * WARMRELAY_FAULT, a comma list:
 *   kill=KIND:WHEN:N        SIGKILL to ourselves before|after the N-th commit (1..) of that kind: chunk (a body that streams in),
 *                           row (an accepted message), claim, settle, any
 *   pad=MS                  every commit takes at least so long: a slow disk
 *   fail=ERRNO:N[:COUNT]    commits N..N+COUNT-1 abort and return EIO, ENOSPC, EDQUOT or a number
 * WARMRELAY_FAULT_COUNT     file that gets "any=N chunk=N row=N claim=N settle=N" at exit
 *
 * Only commits that wrote a row of msg, body, rcpt or claim count. The program has one writer, so that the state below belongs to
 * one transaction at a time. */
#include <dlfcn.h>
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum kind { CHUNK, ROW, CLAIM, SETTLE, ANY, KINDS };
static const char *const kind_names[KINDS] = { "chunk", "row", "claim", "settle", "any" };

enum table { MSG, BODY, RCPT, CLAIMS, TABLES };
static const char *const table_names[TABLES] = { "msg", "body", "rcpt", "claim" };

static struct {
	bool is_set, after;
	enum kind kind;
	unsigned long n;
} to_kill;

static struct {
	int code;
	unsigned long from, count;
} to_fail;

static long pad_ms;

static MDB_dbi dbis[TABLES];
static MDB_txn *current; /* the write transaction, once it wrote something that counts */
static bool wrote[KINDS];
static uint8_t last_msg[8]; /* id of the message row put last: what follows for it belongs to its acceptance */
static _Atomic unsigned long commits[KINDS];

/* --- what is asked for ---------------------------------------------------------------------------------------------------- */

static void complain(const char *item)
{
	fprintf(stderr, "fault_lmdb: cannot understand %s\n", item);
	_exit(99);
}

static int errno_of(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} known[] = { { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].code;
	return (int)strtol(name, NULL, 10);
}

static void read_kill(const char *item)
{
	char kind[16], when[16];

	if (sscanf(item, "kill=%15[^:]:%15[^:]:%lu", kind, when, &to_kill.n) != 3)
		complain(item);
	for (int i = 0; i < KINDS; i++)
		if (strcmp(kind_names[i], kind) == 0) {
			to_kill.kind = (enum kind)i;
			to_kill.is_set = true;
		}
	to_kill.after = strcmp(when, "after") == 0;
	if (!to_kill.is_set || (!to_kill.after && strcmp(when, "before") != 0))
		complain(item);
}

static void read_fail(const char *item)
{
	char code[16];

	to_fail.count = 1;
	if (sscanf(item, "fail=%15[^:]:%lu:%lu", code, &to_fail.from, &to_fail.count) < 2)
		complain(item);
	to_fail.code = errno_of(code);
	if (to_fail.code <= 0)
		complain(item);
}

__attribute__((constructor)) static void read_faults(void)
{
	const char *value = getenv("WARMRELAY_FAULT");
	char *copy = strdup(value ? value : ""), *save = NULL;

	for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		if (strncmp(item, "kill=", 5) == 0)
			read_kill(item);
		else if (strncmp(item, "fail=", 5) == 0)
			read_fail(item);
		else if (sscanf(item, "pad=%ld", &pad_ms) != 1)
			complain(item);
	}
	free(copy);
}

__attribute__((destructor)) static void write_counts(void)
{
	const char *path = getenv("WARMRELAY_FAULT_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	fprintf(file, "any=%lu", commits[ANY]);
	for (int i = 0; i < ANY; i++)
		fprintf(file, " %s=%lu", kind_names[i], commits[i]);
	fputc('\n', file);
	fclose(file);
}

/* --- what a transaction writes ---------------------------------------------------------------------------------------------- */

/* LMDB's own function behind ours. Through a union: ISO C has no cast from an object pointer to a function. */
#define REAL(name) \
	({ \
		static union { \
			void *object; \
			__typeof__(&name) function; \
		} real; \
		if (!real.object) \
			real.object = dlsym(RTLD_NEXT, #name); \
		real.function; \
	})

int mdb_dbi_open(MDB_txn *txn, const char *name, unsigned int flags, MDB_dbi *dbi)
{
	int rc = REAL(mdb_dbi_open)(txn, name, flags, dbi);

	for (int i = 0; rc == 0 && name && i < TABLES; i++)
		if (strcmp(table_names[i], name) == 0)
			dbis[i] = *dbi;
	return rc;
}

static void note(MDB_txn *txn, enum kind kind)
{
	current = txn;
	wrote[kind] = true;
	wrote[ANY] = true;
}

static void note_write(MDB_txn *txn, MDB_dbi dbi, const MDB_val *key, bool is_put)
{
	bool of_last = key->mv_size >= 8 && memcmp(key->mv_data, last_msg, 8) == 0;

	if (dbi == dbis[MSG] && is_put) {
		memcpy(last_msg, key->mv_data, 8);
		note(txn, ROW);
	} else if (dbi == dbis[BODY] && is_put && !of_last) {
		note(txn, CHUNK);
	} else if (dbi == dbis[CLAIMS] && is_put) {
		note(txn, CLAIM);
	} else if (dbi == dbis[RCPT] && !(is_put && of_last)) {
		note(txn, SETTLE);
	} else if (dbi == dbis[BODY]) {
		note(txn, ANY);
	}
}

int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags)
{
	int rc = REAL(mdb_put)(txn, dbi, key, data, flags);

	if (rc == 0)
		note_write(txn, dbi, key, true);
	return rc;
}

int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	int rc = REAL(mdb_del)(txn, dbi, key, data);

	if (rc == 0)
		note_write(txn, dbi, key, false);
	return rc;
}

/* --- commits -------------------------------------------------------------------------------------------------------------- */

static void forget(void)
{
	current = NULL;
	memset(wrote, 0, sizeof(wrote));
	memset(last_msg, 0, sizeof(last_msg));
}

void mdb_txn_abort(MDB_txn *txn)
{
	if (txn == current)
		forget();
	REAL(mdb_txn_abort)(txn);
}

static void die_if(bool after)
{
	if (to_kill.is_set && to_kill.after == after && wrote[to_kill.kind] && commits[to_kill.kind] == to_kill.n)
		kill(getpid(), SIGKILL);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void pad(int64_t begin_us)
{
	int64_t rest = begin_us + pad_ms * 1000 - now_us();

	if (rest > 0)
		usleep((useconds_t)rest);
}

static bool must_fail_now(void)
{
	return to_fail.code && commits[ANY] >= to_fail.from && commits[ANY] < to_fail.from + to_fail.count;
}

int mdb_txn_commit(MDB_txn *txn)
{
	int64_t begin = now_us();
	int rc;

	if (txn != current)
		return REAL(mdb_txn_commit)(txn);
	for (int i = 0; i < KINDS; i++)
		commits[i] += wrote[i];
	die_if(false);
	if (must_fail_now()) {
		REAL(mdb_txn_abort)(txn);
		rc = to_fail.code;
	} else {
		rc = REAL(mdb_txn_commit)(txn);
	}
	pad(begin);
	die_if(true);
	forget();
	return rc;
}
