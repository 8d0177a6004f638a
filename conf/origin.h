/* conf/origin.h - where each value of a snapshot came from. */
#ifndef CONF_ORIGIN_H
#define CONF_ORIGIN_H

#include "conf/fault.h"
#include "conf/memory.h"

/* A field, or with `whole` the list element that begins at that address. */
struct origin {
	const void *field;
	bool whole;
	struct place at;
};

struct origins {
	struct origin *items;
	size_t count, cap;
};

/* The file name that stands for the list built into the program. Compared by address. */
extern const char *const origin_shipped;

/* Note that the field got its value at that place. */
void origin_add(struct origins *origins, const void *field, bool whole, struct place at);

/* Once, after the last origin_add and before the first origin_find. */
void origin_sort(struct origins *origins);

/* NULL: the value is a default. Borrowed. */
const struct place *origin_find(const struct conf *conf, const void *field, bool whole);

/* The place of a field, else of the element it stands in, else of the file. */
struct place origin_of(const struct conf *conf, const void *field, const void *element);

/* Whether the field got its value from the list built into the program. */
bool origin_is_shipped(const struct conf *conf, const void *field);

void origin_fini(struct origins *origins);

#endif
