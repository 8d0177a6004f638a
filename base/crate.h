/* base/crate.h - memory for very many small objects: taken from large pages, given back for the next of the same size.
 *
 * Among a million objects each step from one to the next would miss the processor's table of pages, which costs more than the miss of the
 * cache. Pages of 2 MB are few enough; where the kernel has none to give, all works as with malloc. What is given back is kept for others and
 * freed with the whole. Not for other threads at the same time. */
#ifndef BASE_CRATE_H
#define BASE_CRATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CRATE_STEP  16u
#define CRATE_SIZES 64u /* objects below CRATE_STEP * CRATE_SIZES bytes; larger ones are malloc'ed one by one */

struct crate_gap {
	struct crate_gap *next;
};

/* All zero: empty. */
struct crate {
	struct crate_gap *gaps[CRATE_SIZES]; /* given back, by size in steps */
	uint8_t *at, *end;                 /* what is left of the newest block */
	void **blocks;
	size_t block_count;
};

/* An object of `size` bytes (above 0), all zero, aligned for any type. Aborts when there is no memory. */
void *crate_take(struct crate *crate, size_t size) MUST_USE;

/* Give it back with the same size. */
void crate_give(struct crate *crate, void *object, size_t size);

/* The end of all its objects. Those above the largest size must have been given back. */
void crate_fini(struct crate *crate);

/* Large pages for an array of malloc'ed memory that is worth it; the contents stay. Call it after each realloc. */
void crate_advise(void *array, size_t size);

/* Aligned for large pages, and advised when `large`; free() ends it. Contents undefined. */
void *crate_block(size_t size, bool large) MUST_USE;

#endif
