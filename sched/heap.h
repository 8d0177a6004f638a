/* sched/heap.h - a 4-ary heap of small numbers ordered by time.
 *
 * Keys lie in an array of their own, so the four children that one step compares share half a cache line: with ten million
 * members the cost is that of the cache misses. Members are dense numbers chosen by the caller (an entry's index, a handle); the heap
 * knows the place of each. 16 bytes a member. */
#ifndef SCHED_HEAP_H
#define SCHED_HEAP_H

#include "base/clock.h"
#include "base/err.h"

#define HEAP_ABSENT UINT32_MAX

struct heap {
	void *room;    /* of the keys, which begin within it */
	wall_ms *keys; /* keys[i] belongs to refs[i] */
	uint32_t *refs;
	uint32_t *places; /* by member: index into refs, or HEAP_ABSENT */
	uint32_t count, cap, place_cap;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);

/* Put `ref` in with `key`, or give it another key. */
void heap_set(struct heap *heap, uint32_t ref, wall_ms key);

/* Take `ref` out; nothing when it is not inside. */
void heap_remove(struct heap *heap, uint32_t ref);

/* Is `ref` inside? */
static inline bool heap_has(const struct heap *heap, uint32_t ref)
{
	return ref < heap->place_cap && heap->places[ref] != HEAP_ABSENT;
}

/* Key of a member. */
wall_ms heap_key(const struct heap *heap, uint32_t ref);

/* The smallest key, WALL_NEVER when empty; the member that has it (the heap must not be empty). */
static inline wall_ms heap_top_key(const struct heap *heap)
{
	return heap->count > 0 ? heap->keys[0] : WALL_NEVER;
}
uint32_t heap_top(const struct heap *heap);

/* Bytes of memory. */
size_t heap_memory(const struct heap *heap);

/* Abort when order or places are broken. */
void heap_verify(const struct heap *heap);

#endif
