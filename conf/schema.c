/* conf/schema.c - the table of all settings, and how to find one. */
#include "conf/schema.h"

#include <stdio.h>
#include <string.h>

#define STRUCT_ROOT     struct conf
#define STRUCT_LISTEN   struct conf_listen
#define STRUCT_TENANT   struct conf_tenant
#define STRUCT_LOGIN    struct conf_login
#define STRUCT_CERTIFICATE struct conf_certificate
#define STRUCT_DKIM     struct conf_dkim
#define STRUCT_SOURCE   struct conf_source
#define STRUCT_PLAN     struct conf_plan
#define STRUCT_PLAN_GROUP struct conf_plan_group
#define STRUCT_POOL     struct conf_pool
#define STRUCT_PROVIDER struct conf_provider
#define STRUCT_ROUTE    struct conf_route

#define C_STRING       char *
#define C_PATH         char *
#define C_NAME         char *
#define C_HOST         char *
#define C_ROUTE_DOMAIN char *
#define C_HOST_PORT    char *
#define C_PROXY        char *
#define C_HASH         char *
#define C_ZONE         int64_t
#define C_FINGERPRINT  char *
#define C_MAILBOX      char *
#define C_COUNT        uint32_t
#define C_QUOTA        uint64_t
#define C_DAYS         uint32_t
#define C_PORT         uint16_t
#define C_SIZE         uint64_t
#define C_DURATION     int64_t
#define C_DATE         wall_ms
#define C_FLAG         bool
#define C_ADDRESS      struct ip_addr
#define C_NETWORK      struct ip_net
#define C_ENDPOINT     struct ip_port
#define C_RESOLVER     struct ip_port
#define C_LISTEN_TLS   enum conf_listen_tls
#define C_OVERFLOW     enum conf_overflow
#define C_AUTH         enum conf_auth
#define C_TLS_LEVEL    enum conf_tls_level
#define C_VALIDATE     enum conf_validate
#define C_BOUNCES      enum conf_bounces
#define C_OTHERS       enum conf_others
#define C_OVER         enum conf_over
#define C_WINDOW       enum conf_window
#define C_DUPLICATES   enum conf_duplicates
#define C_PRIORITY     enum conf_priority
#define C_RULE         enum conf_rule
#define C_ANSWER       enum conf_answer
#define C_SCOPE        enum conf_scope
#define C_LISTED       enum conf_listed
#define C_LOG_LEVEL    int

#define IS(section, field, want) _Generic(((STRUCT_##section *)0)->field, want: 1, default: 0)
#define ABSENT       NULL
#define REQUIRED     NULL, .required = true
#define FILLED       false
#define MAY_BE_EMPTY true

/* A row whose field has the wrong C type does not compile. */
#define ROW(section, key, type, field, ...) \
	_Static_assert(IS(section, field, C_##type), key ": wrong C type");
#define RATE(section, key, field, period, ...) \
	_Static_assert(IS(section, field, uint32_t) && IS(section, period, int64_t), key ": wrong C type");
#define LIST(section, key, type, field, count, ...) \
	_Static_assert(IS(section, field, C_##type *) && IS(section, count, size_t), key ": wrong C type");
#define LISTOF(section, key, child, field, count, ...) \
	_Static_assert(IS(section, field, STRUCT_##child *) && IS(section, count, size_t), key ": wrong C type");
#include "conf/schema.def"
#undef ROW
#undef RATE
#undef LIST
#undef LISTOF

/* The static asserts hold for any enum, the store through an int only for enums of its size. */
_Static_assert(sizeof(enum conf_tls_level) == sizeof(int), "enum of another size");

#define AT(section, field) offsetof(STRUCT_##section, field)
#define COMMON(section_, key_, kind_, type_, field_, extra_, reload_, help_) \
	.section = SECTION_##section_, .key = key_, .kind = SCHEMA_##kind_, .type = VALUE_##type_, \
	.offset = AT(section_, field_), .extra = AT(section_, extra_), .reload = RELOAD_##reload_, .help = help_

#define ROW(section_, key_, type_, field_, dflt_, least_, most_, reload_, help_) \
	{ COMMON(section_, key_, VALUE, type_, field_, field_, reload_, help_), .least = least_, .most = most_, \
	  .dflt = dflt_ },
#define RATE(section_, key_, field_, period_, dflt_, least_, most_, reload_, help_) \
	{ COMMON(section_, key_, VALUE, RATE, field_, period_, reload_, help_), .least = least_, .most = most_, \
	  .dflt = dflt_ },
#define LIST(section_, key_, type_, field_, count_, dflt_, empty_, reload_, help_) \
	{ COMMON(section_, key_, LIST, type_, field_, count_, reload_, help_), .may_be_empty = empty_, .dflt = dflt_ },
#define LISTOF(section_, key_, child_, field_, count_, empty_, reload_, help_) \
	{ COMMON(section_, key_, LISTOF, SECTION, field_, count_, reload_, help_), .may_be_empty = empty_, \
	  .element = SECTION_##child_ },
const struct schema_row schema_rows[] = {
#include "conf/schema.def"
};
#undef ROW
#undef RATE
#undef LIST
#undef LISTOF

const size_t schema_row_count = ARRAY_LEN(schema_rows);

static const size_t struct_sizes[SECTION_COUNT] = {
	[SECTION_ROOT] = sizeof(struct conf),         [SECTION_LISTEN] = sizeof(struct conf_listen),
	[SECTION_TENANT] = sizeof(struct conf_tenant), [SECTION_LOGIN] = sizeof(struct conf_login),
	[SECTION_CERTIFICATE] = sizeof(struct conf_certificate),
	[SECTION_DKIM] = sizeof(struct conf_dkim),     [SECTION_SOURCE] = sizeof(struct conf_source),
	[SECTION_POOL] = sizeof(struct conf_pool),     [SECTION_PROVIDER] = sizeof(struct conf_provider),
	[SECTION_ROUTE] = sizeof(struct conf_route),   [SECTION_PLAN] = sizeof(struct conf_plan),
	[SECTION_PLAN_GROUP] = sizeof(struct conf_plan_group),
};

size_t schema_struct_size(enum schema_section section)
{
	return struct_sizes[section];
}

const struct schema_row *schema_section(enum schema_section section, size_t *count_out)
{
	size_t first = 0, count = 0;

	while (schema_rows[first].section != section)
		first++;
	while (first + count < schema_row_count && schema_rows[first + count].section == section)
		count++;
	*count_out = count;
	return &schema_rows[first];
}

static const struct schema_row *owner_of(enum schema_section section)
{
	for (size_t i = 0; i < schema_row_count; i++)
		if (schema_rows[i].kind == SCHEMA_LISTOF && schema_rows[i].element == section)
			return &schema_rows[i];
	return NULL;
}

char *schema_full_key(const struct schema_row *row, char out[128])
{
	const struct schema_row *owner = owner_of(row->section);
	char prefix[128];

	if (owner)
		snprintf(out, 128, "%.60s.%.60s", schema_full_key(owner, prefix), row->key);
	else
		snprintf(out, 128, "%s", row->key);
	return out;
}

const struct schema_row *schema_find(enum schema_section section, const char *key)
{
	size_t count;
	const struct schema_row *rows = schema_section(section, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

bool schema_is_map(enum schema_section section, const char *prefix)
{
	size_t count, len = strlen(prefix);
	const struct schema_row *rows = schema_section(section, &count);

	for (size_t i = 0; i < count; i++)
		if (strncmp(rows[i].key, prefix, len) == 0 && rows[i].key[len] == '.')
			return true;
	return false;
}

#define DISTANCE_LEN 48

/* Optimal string alignment: the three last rows of the matrix are kept. */
unsigned schema_distance(const char *a, const char *b)
{
	unsigned rows[3][DISTANCE_LEN + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > DISTANCE_LEN || b_len > DISTANCE_LEN)
		return 100;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *schema_nearest(enum schema_section section, const char *prefix, const char *word, char out[128])
{
	size_t count, skip = prefix[0] ? strlen(prefix) + 1 : 0;
	const struct schema_row *rows = schema_section(section, &count);
	unsigned best = strlen(word) < 6 ? 2 : 3; /* one letter of a short word may be wrong, else two */
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		char level[128];
		unsigned distance;

		if (skip && (strncmp(rows[i].key, prefix, skip - 1) != 0 || rows[i].key[skip - 1] != '.'))
			continue;
		snprintf(level, sizeof(level), "%.*s", (int)strcspn(rows[i].key + skip, "."), rows[i].key + skip);
		distance = schema_distance(word, level);
		if (distance < best) {
			best = distance;
			found = true;
			snprintf(out, 128, "%s", level);
		}
	}
	return found ? out : NULL;
}

const char *schema_expected(const struct schema_row *row, char out[256])
{
	static const char *const kinds[] = {
		[VALUE_COUNT] = "a whole number", [VALUE_QUOTA] = "a whole number", [VALUE_DAYS] = "a duration in days",
		[VALUE_PORT] = "a port", [VALUE_SIZE] = "a size", [VALUE_DURATION] = "a duration", [VALUE_DATE] = "a date",
		[VALUE_RATE] = "none or a rate",
	};

	if (row->least)
		snprintf(out, 256, "%s from %s to %s", kinds[row->type], row->least, row->most);
	else
		snprintf(out, 256, "%s", value_expected(row->type));
	return out;
}

bool schema_in_bounds(const struct schema_row *row, const struct value *value)
{
	struct value least, most;

	if (!row->least || (row->type == VALUE_RATE && value->period_ms == 0))
		return true;
	must(value_parse(row->type, row->least, &least) && value_parse(row->type, row->most, &most));
	return value->number >= least.number && value->number <= most.number;
}
