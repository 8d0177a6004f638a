/* conf/origin.c - where each value of a snapshot came from. */
#include "conf/origin.h"

#include <stdlib.h>

const char *const origin_shipped = "shipped";

void origin_add(struct origins *origins, const void *field, bool whole, struct place at)
{
	if (origins->count == origins->cap) {
		origins->cap = origins->cap ? 2 * origins->cap : 64;
		origins->items = xrealloc(origins->items, origins->cap * sizeof(*origins->items));
	}
	origins->items[origins->count++] = (struct origin){ field, whole, at };
}

static int by_field(const void *left, const void *right)
{
	const struct origin *a = left, *b = right;

	if (a->field != b->field)
		return (uintptr_t)a->field < (uintptr_t)b->field ? -1 : 1;
	return (int)a->whole - (int)b->whole;
}

void origin_sort(struct origins *origins)
{
	if (origins->count > 0)
		qsort(origins->items, origins->count, sizeof(*origins->items), by_field);
}

const struct place *origin_find(const struct conf *conf, const void *field, bool whole)
{
	const struct origins *origins = conf->origins;
	struct origin key = { .field = field, .whole = whole };
	const struct origin *found;

	if (origins->count == 0)
		return NULL;
	found = bsearch(&key, origins->items, origins->count, sizeof(key), by_field);
	return found ? &found->at : NULL;
}

struct place origin_of(const struct conf *conf, const void *field, const void *element)
{
	const struct place *at = field ? origin_find(conf, field, false) : NULL;

	if (!at && element)
		at = origin_find(conf, element, true);
	return at ? *at : (struct place){ conf->file, 1, 1 };
}

bool origin_is_shipped(const struct conf *conf, const void *field)
{
	const struct place *at = origin_find(conf, field, false);

	return at && at->file == origin_shipped;
}

void origin_fini(struct origins *origins)
{
	free(origins->items);
	*origins = (struct origins){ 0 };
}
