/* queue/tail.c - does LMDB's free list name every page that the data file lacks at its end? Read from the file itself: asked in the map,
 * LMDB would touch missing pages of the list, and that is SIGBUS. */
#include "queue/tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Format 1 of LMDB on 64-bit machines, in the machine's byte order. A page has a head; then, of a branch or leaf, offsets of its nodes. */
#define PAGE_FLAGS    10
#define PAGE_LOWER    12 /* end of the offsets */
#define PAGE_HEAD     16
#define PAGE_BRANCH   1
#define PAGE_LEAF     2
#define META_MAGIC    16
#define META_FREE     80 /* root of the free list */
#define META_TXN      144
#define MAGIC         0xbeefc0deu
#define NODE_FLAGS    4
#define NODE_KEY      6 /* its length */
#define NODE_HEAD     8
#define NODE_OVERFLOW 1 /* the row stands in pages of its own */
#define DEPTH_MAX     32

struct tail {
	const struct txn_env *env;
	uint64_t file_bytes;
	uint64_t first; /* page that is missing; all behind it are, too */
	uint64_t found; /* missing pages that the list names */
	uint64_t seen;  /* pages of the list; more than there are: it goes in circles */
	int fd;
};

static uint64_t get(const uint8_t *at, size_t bytes)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (bytes) {
	case 2:
		memcpy(&two, at, 2);
		return two;
	case 4:
		memcpy(&four, at, 4);
		return four;
	default:
		memcpy(&eight, at, 8);
		return eight;
	}
}

/* All of the bytes, or an errno; MDB_CORRUPTED when the file ends before. */
static int read_at(const struct tail *t, uint64_t offset, uint8_t *out, size_t len)
{
	size_t done = 0;

	if (len > t->file_bytes || offset > t->file_bytes - len)
		return MDB_CORRUPTED;
	while (done < len) {
		ssize_t n = pread(t->fd, out + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : MDB_CORRUPTED;
		done += (size_t)n;
	}
	return 0;
}

static int read_page(const struct tail *t, uint64_t page, uint8_t *out)
{
	return page < t->first ? read_at(t, page * t->env->page_bytes, out, t->env->page_bytes) : MDB_CORRUPTED;
}

/* A row of the list: how many pages, and their numbers. */
static void count_row(struct tail *t, const uint8_t *row, size_t len)
{
	uint64_t pages = len < 8 ? 0 : get(row, 8);

	for (size_t i = 1; i <= pages && (i + 1) * 8 <= len; i++)
		t->found += get(row + i * 8, 8) >= t->first;
}

static int count_overflow(struct tail *t, uint64_t page, size_t len)
{
	uint8_t *row;
	int rc;

	if (page >= t->first || len > t->file_bytes)
		return MDB_CORRUPTED;
	row = xcalloc(1, len + 1);
	rc = read_at(t, page * t->env->page_bytes + PAGE_HEAD, row, len);
	if (rc == 0)
		count_row(t, row, len);
	free(row);
	return rc;
}

static int count_node(struct tail *t, const uint8_t *node, const uint8_t *end)
{
	size_t len = get(node, 4);
	const uint8_t *row = node + NODE_HEAD + get(node + NODE_KEY, 2);
	bool overflow = (get(node + NODE_FLAGS, 2) & NODE_OVERFLOW) != 0;

	if (row > end || (size_t)(end - row) < (overflow ? 8 : len))
		return MDB_CORRUPTED;
	if (overflow)
		return count_overflow(t, get(row, 8), len);
	count_row(t, row, len);
	return 0;
}

static int count_tree(struct tail *t, uint64_t root, unsigned depth)
{
	uint32_t size = t->env->page_bytes;
	uint8_t *page = xcalloc(1, size);
	int rc = depth < DEPTH_MAX && t->seen++ < t->first ? read_page(t, root, page) : MDB_CORRUPTED;
	uint64_t flags = rc == 0 ? get(page + PAGE_FLAGS, 2) : 0, lower = rc == 0 ? get(page + PAGE_LOWER, 2) : 0;

	if (rc == 0 && ((flags & (PAGE_BRANCH | PAGE_LEAF)) == 0 || lower > size))
		rc = MDB_CORRUPTED;
	for (size_t at = PAGE_HEAD; rc == 0 && at + 2 <= lower; at += 2) {
		size_t offset = get(page + at, 2);
		const uint8_t *node = page + offset;

		if (offset + NODE_HEAD > size)
			rc = MDB_CORRUPTED;
		else if (flags & PAGE_LEAF)
			rc = count_node(t, node, page + size);
		else
			rc = count_tree(t, get(node, 4) | get(node + NODE_FLAGS, 2) << 32, depth + 1);
	}
	free(page);
	return rc;
}

/* The root of the list that belongs to the last transaction: the two of the file write one of two first pages in turn. */
static int find_root(const struct tail *t, uint64_t *root_out)
{
	uint8_t meta[META_TXN + 8];

	for (uint64_t page = 0; page < 2; page++) {
		int rc = read_at(t, page * t->env->page_bytes, meta, sizeof(meta));

		if (rc != 0)
			return rc;
		*root_out = get(meta + META_FREE, 8);
		if (get(meta + META_MAGIC, 4) == MAGIC && get(meta + META_TXN, 8) == txn_env_last(t->env))
			return 0;
	}
	return MDB_CORRUPTED;
}

enum err tail_check(const struct txn_env *env, uint64_t file_bytes, struct err_detail *why)
{
	struct tail t = { .env = env, .file_bytes = file_bytes, .first = file_bytes / env->page_bytes };
	uint64_t counted = txn_env_file_bytes(env), root;
	int rc = mdb_env_get_fd(env->env, &t.fd);

	if (rc == 0)
		rc = find_root(&t, &root);
	/* An empty list has no root. */
	if (rc == 0 && root != UINT64_MAX)
		rc = count_tree(&t, root, 0);
	if (rc != 0 && rc != MDB_CORRUPTED)
		return txn_fold(env, rc, "read the free list of data.mdb", why);
	if (rc == 0 && t.found == counted / env->page_bytes - t.first)
		return OK;
	return err_set(why, ERR_CORRUPT, "%s/data.mdb is cut short: %llu bytes instead of %llu", env->path,
	    (unsigned long long)file_bytes, (unsigned long long)counted);
}
