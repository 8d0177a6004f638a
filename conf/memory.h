/* conf/memory.h - what one snapshot or tree owns, freed all at once. */
#ifndef CONF_MEMORY_H
#define CONF_MEMORY_H

#include "base/err.h"

struct memory_block;

/* Zero-initialised is empty. One thread at a time. */
struct memory {
	struct memory_block *blocks;
};

/* Zero-filled, never NULL, suitably aligned for any object; lives until memory_fini. */
void *memory_alloc(struct memory *memory, size_t size) MUST_USE;
void *memory_array(struct memory *memory, size_t count, size_t size) MUST_USE;
char *memory_text(struct memory *memory, const char *text) MUST_USE;
char *memory_format(struct memory *memory, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

void memory_fini(struct memory *memory);

#endif
