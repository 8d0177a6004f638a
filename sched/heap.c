/* sched/heap.c - a 4-ary heap of small numbers ordered by time. */
#include "sched/heap.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crate.h"

#define ARITY   4u
#define MIN_CAP 64u
#define LINE    64u

void heap_init(struct heap *heap)
{
	*heap = (struct heap){ 0 };
}

void heap_fini(struct heap *heap)
{
	free(heap->room);
	free(heap->refs);
	free(heap->places);
	heap_init(heap);
}

static uint32_t grown(uint32_t cap)
{
	return cap < MIN_CAP ? MIN_CAP : cap + cap / 2;
}

/* keys[1], the first of four children, begins a line of the cache: so none of a step's four is in another. */
static wall_ms *keys_in(void *room)
{
	return (wall_ms *)(((uintptr_t)room + 2 * LINE - 1) / LINE * LINE - sizeof(wall_ms));
}

static void resize(struct heap *heap, uint32_t cap)
{
	ptrdiff_t shift = heap->room != NULL ? (char *)heap->keys - (char *)heap->room : 0;

	heap->room = xrealloc(heap->room, cap * sizeof(*heap->keys) + 2 * LINE);
	heap->keys = keys_in(heap->room);
	if ((char *)heap->room + shift != (char *)heap->keys)
		memmove(heap->keys, (char *)heap->room + shift, heap->count * sizeof(*heap->keys));
	heap->refs = xrealloc(heap->refs, cap * sizeof(*heap->refs));
	heap->cap = cap;
	crate_advise(heap->room, cap * sizeof(*heap->keys));
	crate_advise(heap->refs, cap * sizeof(*heap->refs));
}

static void reserve_place(struct heap *heap, uint32_t ref)
{
	uint32_t cap = heap->place_cap;

	if (ref < cap)
		return;
	while (ref >= cap)
		cap = grown(cap);
	heap->places = xrealloc(heap->places, cap * sizeof(*heap->places));
	memset(heap->places + heap->place_cap, 0xff, (cap - heap->place_cap) * sizeof(*heap->places));
	crate_advise(heap->places, cap * sizeof(*heap->places));
	heap->place_cap = cap;
}

static void put(struct heap *heap, uint32_t at, uint32_t ref, wall_ms key)
{
	heap->keys[at] = key;
	heap->refs[at] = ref;
	heap->places[ref] = at;
}

static uint32_t rise(struct heap *heap, uint32_t at, wall_ms key)
{
	while (at > 0 && heap->keys[(at - 1) / ARITY] > key) {
		uint32_t parent = (at - 1) / ARITY;

		put(heap, at, heap->refs[parent], heap->keys[parent]);
		at = parent;
	}
	return at;
}

/* Where the step after this one looks, whichever of the children at `first` it is: sixteen keys, two lines. */
static void fetch_children(const struct heap *heap, uint32_t first)
{
	uint32_t at = first * ARITY + 1;

	if (at + ARITY * ARITY > heap->count)
		return;
	__builtin_prefetch(&heap->keys[at]);
	__builtin_prefetch(&heap->keys[at + LINE / sizeof(wall_ms)]);
}

static uint32_t sink(struct heap *heap, uint32_t at, wall_ms key)
{
	for (;;) {
		uint32_t first = at * ARITY + 1, best = first;
		uint32_t end = first + ARITY < heap->count ? first + ARITY : heap->count;

		if (first >= heap->count)
			return at;
		fetch_children(heap, first);
		for (uint32_t i = first + 1; i < end; i++)
			if (heap->keys[i] < heap->keys[best])
				best = i;
		if (heap->keys[best] >= key)
			return at;
		put(heap, at, heap->refs[best], heap->keys[best]);
		at = best;
	}
}

static void place(struct heap *heap, uint32_t at, uint32_t ref, wall_ms key)
{
	uint32_t to = rise(heap, at, key);

	if (to == at)
		to = sink(heap, at, key);
	put(heap, to, ref, key);
}

void heap_set(struct heap *heap, uint32_t ref, wall_ms key)
{
	reserve_place(heap, ref);
	if (heap->places[ref] != HEAP_ABSENT) {
		place(heap, heap->places[ref], ref, key);
		return;
	}
	if (heap->count == heap->cap)
		resize(heap, grown(heap->cap));
	heap->count++;
	put(heap, rise(heap, heap->count - 1, key), ref, key);
}

void heap_remove(struct heap *heap, uint32_t ref)
{
	uint32_t at, last;

	if (!heap_has(heap, ref))
		return;
	at = heap->places[ref];
	heap->places[ref] = HEAP_ABSENT;
	last = --heap->count;
	if (at != last)
		place(heap, at, heap->refs[last], heap->keys[last]);
	if (heap->cap > MIN_CAP && heap->count < heap->cap / 4)
		resize(heap, heap->cap / 2);
}

wall_ms heap_key(const struct heap *heap, uint32_t ref)
{
	must(heap_has(heap, ref));
	return heap->keys[heap->places[ref]];
}

uint32_t heap_top(const struct heap *heap)
{
	must(heap->count > 0);
	return heap->refs[0];
}

size_t heap_memory(const struct heap *heap)
{
	return heap->cap * (sizeof(*heap->keys) + sizeof(*heap->refs)) + heap->place_cap * sizeof(*heap->places);
}

void heap_verify(const struct heap *heap)
{
	for (uint32_t i = 0; i < heap->count; i++) {
		must(i == 0 || heap->keys[(i - 1) / ARITY] <= heap->keys[i]);
		must(heap->refs[i] < heap->place_cap && heap->places[heap->refs[i]] == i);
	}
}
