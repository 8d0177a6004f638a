/* sched/slots.c - small dense numbers for objects. */
#include "sched/slots.h"

#include <stdlib.h>

void slots_fini(struct slots *slots)
{
	free(slots->items);
	free(slots->free);
	*slots = (struct slots){ 0 };
}

uint32_t slots_add(struct slots *slots, void *item)
{
	uint32_t handle;

	if (slots->free_count > 0) {
		handle = slots->free[--slots->free_count];
	} else {
		if (slots->count == slots->cap) {
			slots->cap = slots->cap > 0 ? slots->cap * 2 : 16;
			slots->items = xrealloc(slots->items, slots->cap * sizeof(*slots->items));
			slots->free = xrealloc(slots->free, slots->cap * sizeof(*slots->free));
		}
		handle = slots->count++;
	}
	slots->items[handle] = item;
	return handle;
}

void slots_remove(struct slots *slots, uint32_t handle)
{
	must(slots_get(slots, handle) != NULL);
	slots->items[handle] = NULL;
	slots->free[slots->free_count++] = handle;
}

size_t slots_memory(const struct slots *slots)
{
	return slots->cap * (sizeof(*slots->items) + sizeof(*slots->free));
}
