/* conf/schema.h - the table of all settings, and how to find one. Rows come from conf/schema.def. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/conf.h"
#include "conf/value.h"

/* Lists of maps have a section of their own; ROOT is the file itself. */
enum schema_section { SECTION_ROOT, SECTION_LISTEN, SECTION_TENANT, SECTION_LOGIN, SECTION_CERTIFICATE, SECTION_DKIM, SECTION_SOURCE,
	SECTION_PLAN, SECTION_PLAN_GROUP, SECTION_POOL, SECTION_PROVIDER, SECTION_ROUTE, SECTION_COUNT };

enum schema_kind { SCHEMA_VALUE, SCHEMA_LIST, SCHEMA_LISTOF };
enum schema_reload { RELOAD_LIVE, RELOAD_RESTART };

struct schema_row {
	enum schema_section section;
	const char *key;             /* inside its section; a dot is a map */
	enum schema_kind kind;
	enum value_type type;        /* of the value or of an element; VALUE_SECTION for LISTOF */
	enum schema_section element; /* LISTOF */
	size_t offset;               /* of the field in the section's struct */
	size_t extra;                /* of the count (lists) or the period (rates); as offset otherwise */
	bool required;
	bool may_be_empty;           /* lists: [] is a value */
	const char *dflt;            /* NULL: absent */
	const char *least, *most;    /* NULL: no bounds */
	enum schema_reload reload;
	const char *help;
};

extern const struct schema_row schema_rows[];
extern const size_t schema_row_count;

/* Rows of a section: the first, and how many follow each other. */
const struct schema_row *schema_section(enum schema_section section, size_t *count_out);

/* sizeof the struct of a section's element. */
size_t schema_struct_size(enum schema_section section);

/* Key of a row from the top of the file, "tenants.logins.user". Returns `out`. */
char *schema_full_key(const struct schema_row *row, char out[128]);

/* The row with that key in its section; NULL: none. */
const struct schema_row *schema_find(enum schema_section section, const char *key);

/* Whether `prefix` is a map that holds rows of the section. */
bool schema_is_map(enum schema_section section, const char *prefix);

/* The key of the section within map `prefix` ("" for none) that looks most like `word`, one level, NULL when none is near. */
const char *schema_nearest(enum schema_section section, const char *prefix, const char *word, char out[128]);

/* Letters to insert, remove, change or swap to make one of the other; counts up to 100. */
unsigned schema_distance(const char *a, const char *b);

/* `a duration from 1s to 5m`, from type and bounds. Returns `out`. */
const char *schema_expected(const struct schema_row *row, char out[256]);

/* Whether a parsed value lies within the row's bounds. "none" of a rate always does. */
bool schema_in_bounds(const struct schema_row *row, const struct value *value);

/* The field of a row, and its second one, in the struct of its section at `base`. */
static inline void *schema_field(const struct schema_row *row, void *base)
{
	return (char *)base + row->offset;
}

/* See schema_field. */
static inline void *schema_extra(const struct schema_row *row, void *base)
{
	return (char *)base + row->extra;
}

#endif
