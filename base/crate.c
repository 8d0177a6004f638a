/* base/crate.c - memory for very many small objects, in large pages. */
#include "base/crate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE  ((size_t)2 << 20)
#define BLOCK_FIRST ((size_t)16 << 10) /* doubling to LARGE_PAGE: few objects take little */
#define ARRAY_LEAST (2 * LARGE_PAGE)   /* one that begins anywhere has a whole large page in it */

void *crate_block(size_t size, bool large)
{
	void *block = NULL;

	must(posix_memalign(&block, large ? LARGE_PAGE : 64, size) == 0);
	if (large)
		(void)madvise(block, size, MADV_HUGEPAGE); /* advice: a kernel without them refuses */
	return block;
}

void crate_advise(void *array, size_t size)
{
	uintptr_t from = ((uintptr_t)array + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1), to = ((uintptr_t)array + size) & ~(LARGE_PAGE - 1);

	if (size >= ARRAY_LEAST && from < to)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer sees what is used after its end only when each object is one of its own. */
void *crate_take(struct crate *crate, size_t size)
{
	(void)crate;
	return xcalloc(1, size);
}

void crate_give(struct crate *crate, void *object, size_t size)
{
	(void)crate;
	(void)size;
	free(object);
}
#else
static void keep(struct crate *crate, void *object, size_t steps)
{
	struct crate_gap *gap = object;

	gap->next = crate->gaps[steps];
	crate->gaps[steps] = gap;
}

static void add_block(struct crate *crate)
{
	size_t size = crate->block_count < 7 ? BLOCK_FIRST << crate->block_count : LARGE_PAGE;
	size_t rest = (size_t)(crate->end - crate->at) / CRATE_STEP;

	if (rest > 0)
		keep(crate, crate->at, rest);
	crate->blocks = xrealloc(crate->blocks, (crate->block_count + 1) * sizeof(*crate->blocks));
	crate->at = crate_block(size, size == LARGE_PAGE);
	crate->end = crate->at + size;
	crate->blocks[crate->block_count++] = crate->at;
}

void *crate_take(struct crate *crate, size_t size)
{
	size_t steps = (size + CRATE_STEP - 1) / CRATE_STEP;
	void *object;

	if (steps >= CRATE_SIZES)
		return xcalloc(1, size);
	if (crate->gaps[steps] != NULL) {
		object = crate->gaps[steps];
		crate->gaps[steps] = crate->gaps[steps]->next;
		return memset(object, 0, steps * CRATE_STEP);
	}
	if ((size_t)(crate->end - crate->at) < steps * CRATE_STEP)
		add_block(crate);
	object = crate->at;
	crate->at += steps * CRATE_STEP;
	return memset(object, 0, steps * CRATE_STEP);
}

void crate_give(struct crate *crate, void *object, size_t size)
{
	size_t steps = (size + CRATE_STEP - 1) / CRATE_STEP;

	if (steps >= CRATE_SIZES)
		free(object);
	else
		keep(crate, object, steps);
}
#endif

void crate_fini(struct crate *crate)
{
	for (size_t i = 0; i < crate->block_count; i++)
		free(crate->blocks[i]);
	free(crate->blocks);
	*crate = (struct crate){ 0 };
}
