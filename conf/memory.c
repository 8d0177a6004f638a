/* conf/memory.c - what one snapshot or tree owns, freed all at once. */
#include "conf/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One allocation each, not a big chunk: a stray access is then seen by the sanitizers. */
struct memory_block {
	struct memory_block *next;
	alignas(max_align_t) unsigned char data[];
};

void *memory_alloc(struct memory *memory, size_t size)
{
	struct memory_block *block = xcalloc(1, sizeof(*block) + size);

	block->next = memory->blocks;
	memory->blocks = block;
	return block->data;
}

void *memory_array(struct memory *memory, size_t count, size_t size)
{
	must(size == 0 || count <= SIZE_MAX / 2 / size);
	return memory_alloc(memory, count * size);
}

char *memory_text(struct memory *memory, const char *text)
{
	size_t len = strlen(text) + 1;

	return memcpy(memory_alloc(memory, len), text, len);
}

char *memory_format(struct memory *memory, const char *format, ...)
{
	va_list args;
	char *out;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	must(len >= 0);
	out = memory_alloc(memory, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(out, (size_t)len + 1, format, args);
	va_end(args);
	return out;
}

void memory_fini(struct memory *memory)
{
	struct memory_block *next;

	for (struct memory_block *block = memory->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	memory->blocks = NULL;
}
