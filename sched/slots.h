/* sched/slots.h - small dense numbers for objects: a handle is an index that is reused once its object is gone. */
#ifndef SCHED_SLOTS_H
#define SCHED_SLOTS_H

#include "base/err.h"

#define SLOT_NONE UINT32_MAX

struct slots {
	void **items;        /* by handle; NULL: not in use */
	uint32_t *free;      /* handles to reuse, a stack */
	uint32_t count, cap; /* handles given so far; room */
	uint32_t free_count;
};

/* Free the table, not the items. */
void slots_fini(struct slots *slots);

/* A handle for `item`, which stays the caller's. remove: the handle may be given again at once. */
uint32_t slots_add(struct slots *slots, void *item);
void slots_remove(struct slots *slots, uint32_t handle);

/* NULL: no such handle. */
static inline void *slots_get(const struct slots *slots, uint32_t handle)
{
	return handle < slots->count ? slots->items[handle] : NULL;
}

/* Bytes of the table. */
size_t slots_memory(const struct slots *slots);

#endif
