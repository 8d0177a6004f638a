/* sched/entry.c - the waiting jobs: slabs of entries and the index that finds them. */
#include "sched/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/crate.h"

#define INDEX_MIN  256u
#define GROUP_SIZE 32u /* slabs that are allocated together: a large page */

/* A place of the index: an entry's number, and above it how far it is from home, FAR for that far or farther. What is not as far as a search has
 * come has another home, so the search need not fetch its entry, which is a miss of the cache each time. */
#define NUMBER_BITS 28u
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)
#define FAR         15u

static uint32_t group_count(uint32_t slabs)
{
	return (slabs + GROUP_SIZE - 1) / GROUP_SIZE;
}

void entries_init(struct entries *entries, uint64_t seed)
{
	*entries = (struct entries){ .roomy = ENTRY_NONE, .vacant = ENTRY_NONE, .mask = INDEX_MIN - 1, .seed = seed };
	entries->index = xrealloc(NULL, INDEX_MIN * sizeof(*entries->index));
	memset(entries->index, 0xff, INDEX_MIN * sizeof(*entries->index));
}

void entries_fini(struct entries *entries)
{
	for (uint32_t i = 0; i < group_count(entries->slab_count); i++)
		free(entries->groups[i].slabs);
	free(entries->groups);
	free(entries->slabs);
	free(entries->vacant_next);
	free(entries->index);
}

/* --- slabs --- */

static void roomy_link(struct entries *entries, uint32_t number)
{
	struct slab *slab = entries->slabs[number];

	slab->roomy_prev = ENTRY_NONE;
	slab->roomy_next = entries->roomy;
	if (entries->roomy != ENTRY_NONE)
		entries->slabs[entries->roomy]->roomy_prev = number;
	entries->roomy = number;
}

static void roomy_unlink(struct entries *entries, uint32_t number)
{
	struct slab *slab = entries->slabs[number];

	if (slab->roomy_prev != ENTRY_NONE)
		entries->slabs[slab->roomy_prev]->roomy_next = slab->roomy_next;
	else
		entries->roomy = slab->roomy_next;
	if (slab->roomy_next != ENTRY_NONE)
		entries->slabs[slab->roomy_next]->roomy_prev = slab->roomy_prev;
}

/* A number for a new slab: one that was given back, else the next. */
static uint32_t slab_number(struct entries *entries)
{
	uint32_t number = entries->vacant;

	if (number != ENTRY_NONE) {
		entries->vacant = entries->vacant_next[number];
		return number;
	}
	if (entries->slab_count == entries->slab_cap) {
		entries->slab_cap = entries->slab_cap > 0 ? entries->slab_cap * 2 : 16;
		entries->slabs = xrealloc(entries->slabs, entries->slab_cap * sizeof(struct slab *));
		entries->vacant_next = xrealloc(entries->vacant_next, entries->slab_cap * sizeof(uint32_t));
		entries->groups = xrealloc(entries->groups, group_count(entries->slab_cap) * sizeof(*entries->groups));
		for (uint32_t i = group_count(entries->slab_count); i < group_count(entries->slab_cap); i++)
			entries->groups[i] = (struct slab_group){ 0 };
	}
	must(entries->slab_count < (NUMBER_MASK >> SLAB_BITS));
	return entries->slab_count++;
}

/* The first ones lie in small pages: a scheduler with few jobs takes little. */
static struct slab *slab_memory(struct entries *entries, uint32_t number)
{
	struct slab_group *group = &entries->groups[number / GROUP_SIZE];

	if (group->live++ == 0)
		group->slabs = crate_block(GROUP_SIZE * sizeof(struct slab), number >= GROUP_SIZE);
	return &group->slabs[number % GROUP_SIZE];
}

static void slab_add(struct entries *entries)
{
	uint32_t number = slab_number(entries);
	struct slab *slab = slab_memory(entries, number);

	memset(slab, 0, sizeof(*slab));
	for (uint32_t i = 0; i < SLAB_SIZE; i++)
		slab->entries[i].next = i + 1 < SLAB_SIZE ? i + 1 : ENTRY_NONE;
	entries->slabs[number] = slab;
	entries->live_slabs++;
	roomy_link(entries, number);
}

static void slab_drop(struct entries *entries, uint32_t number)
{
	struct slab_group *group = &entries->groups[number / GROUP_SIZE];

	roomy_unlink(entries, number);
	if (--group->live == 0) {
		free(group->slabs);
		group->slabs = NULL;
	}
	entries->slabs[number] = NULL;
	entries->vacant_next[number] = entries->vacant;
	entries->vacant = number;
	entries->live_slabs--;
}

static uint32_t slab_take(struct entries *entries)
{
	struct slab *slab;
	uint32_t number, at;

	if (entries->roomy == ENTRY_NONE)
		slab_add(entries);
	number = entries->roomy;
	slab = entries->slabs[number];
	at = slab->free;
	slab->free = slab->entries[at].next;
	slab->live++;
	if (slab->free == ENTRY_NONE)
		roomy_unlink(entries, number);
	return number << SLAB_BITS | at;
}

static void slab_give(struct entries *entries, uint32_t entry)
{
	uint32_t number = entry >> SLAB_BITS, at = entry & (SLAB_SIZE - 1);
	struct slab *slab = entries->slabs[number];

	slab->entries[at] = (struct entry){ .next = slab->free };
	if (slab->free == ENTRY_NONE)
		roomy_link(entries, number);
	slab->free = at;
	/* One empty slab is kept, or a job that comes and goes at the border would allocate each time. */
	if (--slab->live == 0 && (slab->roomy_next != ENTRY_NONE || slab->roomy_prev != ENTRY_NONE))
		slab_drop(entries, number);
}

/* --- index --- */

static uint32_t home(const struct entries *entries, uint64_t id, uint32_t first)
{
	uint64_t x = id ^ entries->seed ^ ((uint64_t)first << 40 | first);

	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t)(x ^ x >> 33) & entries->mask;
}

static uint32_t home_of(const struct entries *entries, uint32_t number)
{
	const struct entry *e = entries_get(entries, number);

	return home(entries, e->id, e->first);
}

static uint32_t place_of(uint32_t number, uint32_t way)
{
	return (way < FAR ? way : FAR) << NUMBER_BITS | number;
}

static void index_put(struct entries *entries, uint32_t number)
{
	uint32_t at = home_of(entries, number), way = 0;

	for (; entries->index[at] != ENTRY_NONE; at = (at + 1) & entries->mask)
		way++;
	entries->index[at] = place_of(number, way);
}

static void index_resize(struct entries *entries, uint32_t size)
{
	free(entries->index);
	entries->index = xrealloc(NULL, size * sizeof(*entries->index));
	crate_advise(entries->index, size * sizeof(*entries->index));
	memset(entries->index, 0xff, size * sizeof(*entries->index));
	entries->mask = size - 1;
	for (uint32_t n = entries_next(entries, ENTRY_NONE); n != ENTRY_NONE; n = entries_next(entries, n))
		index_put(entries, n);
}

/* Where (id, first) is, or the empty place that ends its search. */
static uint32_t index_at(const struct entries *entries, uint64_t id, uint32_t first)
{
	uint32_t at = home(entries, id, first);

	for (uint32_t way = 0; entries->index[at] != ENTRY_NONE; at = (at + 1) & entries->mask) {
		const struct entry *e;

		if (entries->index[at] >> NUMBER_BITS == way) {
			e = entries_get(entries, entries->index[at] & NUMBER_MASK);
			if (e->id == id && e->first == first)
				break;
		}
		way += way < FAR;
	}
	return at;
}

/* Linear probing without tombstones: what follows moves back when the hole lies on its way from home. */
static void index_remove(struct entries *entries, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		uint32_t number, way, gap;

		at = (at + 1) & entries->mask;
		if (entries->index[at] == ENTRY_NONE)
			break;
		number = entries->index[at] & NUMBER_MASK;
		way = entries->index[at] >> NUMBER_BITS;
		if (way == FAR)
			way = (at - home_of(entries, number)) & entries->mask;
		gap = (at - hole) & entries->mask;
		if (way < gap)
			continue;
		entries->index[hole] = place_of(number, way - gap);
		hole = at;
	}
	entries->index[hole] = ENTRY_NONE;
}

uint32_t entries_find(const struct entries *entries, uint64_t id, uint32_t first)
{
	uint32_t place = entries->index[index_at(entries, id, first)];

	return place != ENTRY_NONE ? place & NUMBER_MASK : ENTRY_NONE;
}

uint32_t entries_add(struct entries *entries, uint64_t id, uint32_t first)
{
	uint32_t number, size = entries->mask + 1;
	struct entry *e;

	if (entries->count >= size - size / 4)
		index_resize(entries, size * 2);
	number = slab_take(entries);
	e = entries_get(entries, number);
	*e = (struct entry){ .id = id,
		.first = first,
		.place = PLACE_ACTIVE,
		.next = ENTRY_NONE,
		.prev = ENTRY_NONE,
		.younger = ENTRY_NONE,
		.elder = ENTRY_NONE };
	index_put(entries, number);
	entries->count++;
	return number;
}

void entries_remove(struct entries *entries, uint32_t number)
{
	const struct entry *e = entries_get(entries, number);
	uint32_t at = index_at(entries, e->id, e->first), size = entries->mask + 1;

	must((entries->index[at] & NUMBER_MASK) == number);
	index_remove(entries, at);
	slab_give(entries, number);
	entries->count--;
	if (size > INDEX_MIN && entries->count < size / 8)
		index_resize(entries, size / 2);
}

uint32_t entries_next(const struct entries *entries, uint32_t number)
{
	/* ENTRY_NONE + 1 is 0: the first one. */
	for (number++; number >> SLAB_BITS < entries->slab_count; number++) {
		if (entries->slabs[number >> SLAB_BITS] == NULL)
			number |= SLAB_SIZE - 1;
		else if (entries_get(entries, number)->place != PLACE_FREE)
			return number;
	}
	return ENTRY_NONE;
}

size_t entries_memory(const struct entries *entries)
{
	return entries->live_slabs * sizeof(struct slab) + (entries->mask + 1) * sizeof(*entries->index) +
	    entries->slab_cap * (sizeof(struct slab *) + sizeof(uint32_t));
}

void entries_verify(const struct entries *entries)
{
	uint32_t count = 0;

	for (uint32_t n = entries_next(entries, ENTRY_NONE); n != ENTRY_NONE; n = entries_next(entries, n)) {
		const struct entry *e = entries_get(entries, n);

		must(entries_find(entries, e->id, e->first) == n);
		count++;
	}
	must(count == entries->count);
}
