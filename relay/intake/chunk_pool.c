/* relay/intake/chunk_pool.c - the memory of bodies: blocks of one chunk each, counted against limits.memory. */
#include "relay/intake/chunk_pool.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SPARE_MAX 64 /* 4 MiB a worker */

void chunk_pool_init(struct chunk_pool *pool, _Atomic uint64_t *used)
{
	*pool = (struct chunk_pool){ .used = used };
}

void chunk_pool_fini(struct chunk_pool *pool)
{
	while (pool->spare != NULL) {
		struct block *block = pool->spare;

		pool->spare = block->next;
		free(block);
	}
	pool->spare_count = 0;
}

bool chunk_pool_is_full(const struct chunk_pool *pool, uint64_t limit)
{
	return atomic_load_explicit(pool->used, memory_order_relaxed) + QUEUE_CHUNK > limit;
}

struct block *chunk_pool_take(struct chunk_pool *pool)
{
	struct block *block = pool->spare;

	if (block != NULL) {
		pool->spare = block->next;
		pool->spare_count--;
	} else {
		block = malloc(sizeof(*block)); /* not zeroed: most bodies need little of it */
		must(block != NULL);
	}
	block->next = NULL;
	block->owner = NULL;
	block->len = 0;
	atomic_fetch_add_explicit(pool->used, QUEUE_CHUNK, memory_order_relaxed);
	return block;
}

void chunk_pool_give(struct chunk_pool *pool, struct block *block)
{
	atomic_fetch_sub_explicit(pool->used, QUEUE_CHUNK, memory_order_relaxed);
	if (pool->spare_count == SPARE_MAX) {
		free(block);
		return;
	}
	block->next = pool->spare;
	pool->spare = block;
	pool->spare_count++;
}
