/* queue/txn_env.c - open or create the LMDB environment of the store, durably, and check that it is ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/codec.h"
#include "queue/tail.h"
#include "queue/txn.h"

#define VERSION_KEY "@version"
#define READERS_MAX 512 /* a place for each worker (256 at most), main, the writer and checks */

static const char *const table_names[TXN_TABLES] = {
	[TXN_META] = "meta",
	[TXN_MSG] = "msg",
	[TXN_BODY] = "body",
	[TXN_RCPT] = "rcpt",
	[TXN_CLAIM] = "claim",
	[TXN_TRACE] = "trace",
	[TXN_SUPPRESS] = "suppress",
	[TXN_DEAD] = "dead",
	[TXN_DEADTIME] = "deadtime",
};

/* Address space is all that a map costs, and growing one later is what LMDB does badly: the first size that can be had. */
static const uint64_t map_sizes[] = { 1ull << 40, 1ull << 38, 1ull << 36, 1ull << 34, 1ull << 32, 1ull << 30 };

static enum err sync_directory(const char *path, struct err_detail *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);
	int saved = errno;

	if (fd >= 0)
		close(fd);
	if (rc != 0)
		return err_set(
		    why, saved == ENOSPC ? ERR_FULL : ERR_IO, "sync directory %s: %s", path, strerror(saved));
	return OK;
}

static enum err make_directory(const char *path, struct err_detail *why)
{
	char parent[4096 + 4];

	if (mkdir(path, 0700) == 0) {
		snprintf(parent, sizeof(parent), "%s/..", path);
		return sync_directory(parent, why);
	}
	switch (errno) {
	case EEXIST:
		return OK;
	case ENOSPC:
	case EDQUOT:
		return err_set(why, ERR_FULL, "create %s: %s", path, strerror(errno));
	case EACCES:
	case EPERM:
		return err_set(why, ERR_DENIED, "create %s: %s", path, strerror(errno));
	default:
		return err_set(why, ERR_IO, "create %s: %s", path, strerror(errno));
	}
}

/* The biggest map that this process may have. A failed mdb_env_open leaves an environment that can only be closed. */
static int open_with_largest_map(struct txn_env *env)
{
	unsigned flags = MDB_NOTLS | (env->readonly ? MDB_RDONLY | MDB_NOLOCK : 0);
	int rc = ENOMEM;

	for (size_t i = 0; i < ARRAY_LEN(map_sizes) && (rc == ENOMEM || rc == EINVAL || rc == EFBIG); i++) {
		txn_env_close(env);
		rc = mdb_env_create(&env->env);
		if (rc == 0)
			rc = mdb_env_set_maxdbs(env->env, 16);
		if (rc == 0)
			rc = mdb_env_set_maxreaders(env->env, READERS_MAX);
		if (rc == 0)
			rc = mdb_env_set_mapsize(env->env, map_sizes[i]);
		if (rc == 0)
			rc = mdb_env_open(env->env, env->path, flags, 0600);
	}
	return rc;
}

/* Pages in use beyond the end of a file that was cut short would be SIGBUS later. */
static enum err check_length(struct txn_env *env, struct err_detail *why)
{
	MDB_stat stat;
	struct stat file;
	int fd;

	if (mdb_env_stat(env->env, &stat) != 0 || mdb_env_get_fd(env->env, &fd) != 0 || fstat(fd, &file) != 0)
		return err_set(why, ERR_IO, "examine %s/data.mdb: %s", env->path, strerror(errno));
	env->page_bytes = stat.ms_psize;
	if (txn_env_last(env) == 0 || (uint64_t)file.st_size >= txn_env_file_bytes(env))
		return OK;
	return tail_check(env, (uint64_t)file.st_size, why);
}

/* Is the store one that this program can read? `fresh`: it has no tables yet. */
static enum err check_version(struct txn *txn, bool fresh, struct err_detail *why)
{
	MDB_val value;
	struct codec_in in;
	uint32_t version;
	int rc = fresh ? MDB_NOTFOUND : txn_meta_get(txn, VERSION_KEY, &value);

	if (rc == MDB_NOTFOUND && fresh)
		return OK;
	if (rc != 0)
		return err_set(why, ERR_CORRUPT, "%s holds no store of this program", txn->env->path);
	in = (struct codec_in){ .at = value.mv_data, .end = (uint8_t *)value.mv_data + value.mv_size };
	version = codec_get_u32(&in);
	if (codec_end(&in, "version", why) != OK)
		return ERR_CORRUPT;
	if (version > TXN_FORMAT)
		return err_set(why, ERR_VERSION,
		    "%s was written by a newer program (format %u, this one knows up to %u)", txn->env->path, version,
		    TXN_FORMAT);
	return OK;
}

static int write_version(struct txn *txn)
{
	uint8_t data[4];
	struct codec_out out = { .at = data, .end = data + sizeof(data) };

	codec_put_u32(&out, TXN_FORMAT);
	return txn_meta_put(txn, VERSION_KEY, data, sizeof(data));
}

/* A handle is valid for the environment once the transaction that opened it has committed. */
static enum err open_tables(struct txn_env *env, struct err_detail *why)
{
	struct txn txn;
	unsigned flags = env->readonly ? 0 : MDB_CREATE;
	enum err e;
	bool fresh;
	int rc = txn_begin(&txn, env, !env->readonly);

	if (rc != 0)
		return txn_fold(env, rc, "begin", why);
	rc = mdb_dbi_open(txn.mdb, table_names[TXN_META], 0, &env->dbi[TXN_META]);
	fresh = rc == MDB_NOTFOUND;
	if (fresh && env->readonly) {
		txn_abort(&txn);
		return err_set(why, ERR_NOT_FOUND, "%s: no store there yet", env->path);
	}
	e = rc == 0 || fresh ? check_version(&txn, fresh, why) : txn_fold(env, rc, "open table", why);
	if (e != OK) {
		txn_abort(&txn);
		return e;
	}
	rc = 0;
	for (size_t i = 0; i < TXN_TABLES && rc == 0; i++) {
		rc = mdb_dbi_open(txn.mdb, table_names[i], flags, &env->dbi[i]);
		if (rc == MDB_NOTFOUND && i >= TXN_TRACE)
			rc = 0;
	}
	if (rc == 0 && fresh)
		rc = write_version(&txn);
	if (rc == 0)
		rc = txn_commit(&txn);
	else
		txn_abort(&txn);
	return txn_fold(env, rc, "open tables", why);
}

enum err txn_env_open(struct txn_env *env, const char *state, bool readonly, struct err_detail *why)
{
	char data[4096 + 16];
	enum err e = OK;

	*env = (struct txn_env){ .readonly = readonly };
	if ((size_t)snprintf(env->path, sizeof(env->path), "%s/store", state) >= sizeof(env->path))
		return err_set(why, ERR_LIMIT, "path of the state directory is too long");
	snprintf(data, sizeof(data), "%s/data.mdb", env->path);
	if (readonly && access(data, F_OK) != 0)
		return err_set(why, ERR_NOT_FOUND, "%s: no store there yet", env->path);
	if (!readonly)
		e = make_directory(state, why);
	if (!readonly && e == OK)
		e = make_directory(env->path, why);
	if (e == OK)
		e = txn_fold(env, open_with_largest_map(env), "open store", why);
	if (e == OK)
		e = check_length(env, why);
	if (e == OK)
		e = open_tables(env, why);
	/* The names of data.mdb and of the directories must survive a power cut as the commits do. */
	if (e == OK && !readonly)
		e = sync_directory(env->path, why);
	if (e == OK && !readonly)
		e = sync_directory(state, why);
	if (e != OK)
		txn_env_close(env);
	return e;
}

void txn_env_close(struct txn_env *env)
{
	if (env->env)
		mdb_env_close(env->env);
	env->env = NULL;
}

uint64_t txn_env_last(const struct txn_env *env)
{
	MDB_envinfo info;

	return mdb_env_info(env->env, &info) == 0 ? info.me_last_txnid : 0;
}

uint64_t txn_env_file_bytes(const struct txn_env *env)
{
	MDB_envinfo info;

	return mdb_env_info(env->env, &info) == 0 ? ((uint64_t)info.me_last_pgno + 1) * env->page_bytes : 0;
}

void txn_env_keep_ahead(const struct txn_env *env, uint64_t bytes)
{
	int fd;

	if (mdb_env_get_fd(env->env, &fd) == 0)
		(void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)txn_env_file_bytes(env), (off_t)bytes);
}
