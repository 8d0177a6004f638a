/* relay/intake/chunk_pool.h - the memory of bodies: blocks of one chunk each, counted against limits.memory. One pool a worker. */
#ifndef INTAKE_CHUNK_POOL_H
#define INTAKE_CHUNK_POOL_H

#include "queue/queue.h"

struct transaction;

#define BLOCK_FRONT 4096 /* room for our own fields before the content, so that a short message is one chunk */

/* A block is also the request that stores it. */
struct block {
	struct queue_chunk put;
	struct transaction *owner; /* for the answer to `put` */
	struct block *next;        /* in the pool */
	size_t len;
	char front[BLOCK_FRONT]; /* filled from its end, right before `data` */
	char data[QUEUE_CHUNK];
};

/* Blocks that were given back are kept for the next body: fresh memory costs a page fault for every 4 KiB. */
struct chunk_pool {
	_Atomic uint64_t *used; /* bytes, shared by all workers */
	struct block *spare;
	size_t spare_count;
};

void chunk_pool_init(struct chunk_pool *pool, _Atomic uint64_t *used);
void chunk_pool_fini(struct chunk_pool *pool);

/* Are `limit` bytes in use already, by all workers together? */
bool chunk_pool_is_full(const struct chunk_pool *pool, uint64_t limit);

struct block *chunk_pool_take(struct chunk_pool *pool) MUST_USE; /* empty; never NULL */
void chunk_pool_give(struct chunk_pool *pool, struct block *block);

#endif
