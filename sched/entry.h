/* sched/entry.h - the waiting jobs: one compact entry each, in slabs, found by (message id, job number).
 *
 * Entries are addressed by numbers below 2^28 and never move. A slab whose entries are all free is given back. */
#ifndef SCHED_ENTRY_H
#define SCHED_ENTRY_H

#include "base/clock.h"
#include "base/err.h"

#define ENTRY_NONE UINT32_MAX

/* Where a job is: in exactly one of these places, moved by sched/job.c alone. */
enum place {
	PLACE_FREE,    /* the entry holds no job */
	PLACE_LATER,   /* not due yet; in the heap by its due time */
	PLACE_READY,   /* due; in a line, and in the heap by its deadline */
	PLACE_HELD,    /* by the operator; in the heap by its deadline */
	PLACE_ORPHAN,  /* its pool or tenant is not in the configuration; in the heap by its deadline */
	PLACE_EXPIRED, /* past its deadline, or its warning is due: waits to be handed out as EXPIRE or WARN */
	PLACE_ACTIVE,  /* handed out, sched_done was not called yet */
	PLACE_DONE,    /* sched_done was called, the settle is not in the store yet */
	PLACES
};
_Static_assert(PLACES <= 8, "entry.place has three bits");

enum entry_flag {
	ENTRY_HOLD = 1 << 0,   /* the operator holds it: it becomes HELD when it comes back */
	ENTRY_EXPIRY = 1 << 1,  /* handed out as EXPIRE, or before its deadline as WARN */
	ENTRY_BLOCKED = 1 << 2, /* refused for reasons of ours, and not tried again yet */
	ENTRY_BOUND = 1 << 3,   /* ...by the lane of its last source, which it waits for */
	ENTRY_HOPPED = 1 << 4,  /* it has had its one other source */
	ENTRY_STAYS = 1 << 5,   /* greylisted: its next attempt should come from the same source */
};

#define ENTRY_FLAGS 0x3fu

/* Why a start was taken back. */
enum put_off { PUT_OFF_NOT, PUT_OFF_SENDER, PUT_OFF_HOSTS };

/* What a message says of its own class. Its tenant's may change, and counts for what waits. */
enum urgency { URGENCY_OWN, URGENCY_HIGH, URGENCY_LOW, URGENCIES };

struct entry {
	uint64_t id;
	wall_ms due, deadline; /* due <= deadline, so that the heap finds the end too */
	uint32_t first;
	uint32_t rcpts : 30;
	uint32_t put_off : 2; /* LATER: enum put_off */
	uint32_t domain, tenant; /* handles */
	uint32_t next, prev; /* READY: its line; EXPIRED: that list; ACTIVE: next is the lane, prev the recipients claimed, due when that was; FREE: next free one */
	uint32_t younger, elder; /* all jobs of the domain in order of arrival */
	uint16_t pool, source;   /* handles; source: of the last attempt */
	uint16_t attempts;       /* stops at its maximum */
	uint8_t flags : 6;       /* enum entry_flag */
	uint8_t urgency : 2;     /* enum urgency */
	uint8_t place : 3;       /* enum place */
	uint8_t warns : 1;       /* its sender is to be told when it is late */
	uint8_t lost : 3;        /* connections lost in a row before the job could be tried, or turns given away for its source */
	uint8_t rebuilt : 1;     /* which of the domain's two lists of arrival it is in */
};
_Static_assert(sizeof(struct entry) <= 64, "a waiting job takes at most 64 bytes");

#define SLAB_BITS 10u
#define SLAB_SIZE (1u << SLAB_BITS)

/* Entries stand first, so that each is one line of the processor's cache. */
struct slab {
	_Alignas(64) struct entry entries[SLAB_SIZE];
	uint32_t free; /* first free entry by place in the slab, ENTRY_NONE: full */
	uint32_t live;
	uint32_t roomy_next, roomy_prev; /* slabs with room, by number */
};

struct slab_group {
	struct slab *slabs;
	uint32_t live;
};

/* All entries and their index. */
struct entries {
	struct slab **slabs;
	struct slab_group *groups;     /* their memory */
	uint32_t slab_count, slab_cap; /* slabs[i] may be NULL: given back */
	uint32_t roomy;                /* a slab with room: head of a list by slab number */
	uint32_t vacant;               /* a number whose slab was given back: head of a list */
	uint32_t live_slabs;
	uint32_t *index; /* open addressing: entry numbers and how far each is from home; ENTRY_NONE is an empty place */
	uint32_t *vacant_next;
	uint32_t mask;
	uint32_t count;
	uint64_t seed;
};

void entries_init(struct entries *entries, uint64_t seed);
void entries_fini(struct entries *entries);

/* A new entry for a job that must not be known; everything else in it is zero. */
uint32_t entries_add(struct entries *entries, uint64_t id, uint32_t first);
void entries_remove(struct entries *entries, uint32_t number);

/* ENTRY_NONE: not known. */
uint32_t entries_find(const struct entries *entries, uint64_t id, uint32_t first);

/* The entry with a number that is in use; valid until it is removed. */
static inline struct entry *entries_get(const struct entries *entries, uint32_t number)
{
	return &entries->slabs[number >> SLAB_BITS]->entries[number & (SLAB_SIZE - 1)];
}

/* Numbers in use, in turn: start with ENTRY_NONE, ends with ENTRY_NONE. The current one may be changed, not removed. */
uint32_t entries_next(const struct entries *entries, uint32_t number);

/* Bytes of slabs and index. */
size_t entries_memory(const struct entries *entries);

/* Abort when the index and the slabs do not agree. */
void entries_verify(const struct entries *entries);

#endif
