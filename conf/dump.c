/* conf/dump.c - the effective configuration as YAML, with the origin of each value. */
#include <string.h>

#include "base/ascii.h"
#include "conf/origin.h"
#include "conf/schema.h"

struct dump {
	const struct conf *conf;
	FILE *out;
};

/* One element of a section: its struct, and how deep its lines are indented. */
struct level {
	const void *base;
	int indent;
	bool dash;            /* the next line begins a list entry */
	char map[64];         /* the map that the last line stood in */
};

/* What needs no quotes; a superset of what YAML takes would be wrong, a subset is only less pretty. */
static bool is_plain(const char *text)
{
	if (!ascii_is_alpha(text[0]) && !ascii_is_digit(text[0]) && text[0] != '/')
		return false;
	for (const char *p = text; *p; p++)
		if (!ascii_is_alpha(*p) && !ascii_is_digit(*p) && !strchr("-_./@", *p))
			return false;
	return true;
}

static void put_text(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			putc('\\', out);
		putc(*p, out);
	}
	putc('"', out);
}

static void put_origin(const struct dump *d, const struct place *at)
{
	if (!at)
		fputs("  # default\n", d->out);
	else if (at->file == origin_shipped)
		fputs("  # shipped\n", d->out);
	else
		fprintf(d->out, "  # %s:%u\n", at->file, at->line);
}

static void put_indent(const struct dump *d, struct level *level, int deeper)
{
	fprintf(d->out, "%*s", level->indent - (level->dash ? 2 : 0) + deeper, "");
	if (level->dash)
		fputs("- ", d->out);
	level->dash = false;
}

/* Write the maps that `key` stands in and that are not open yet, then its last word. */
static void put_key(const struct dump *d, struct level *level, const char *key)
{
	const char *last = strrchr(key, '.');
	size_t len = last ? (size_t)(last - key) : 0, shared = 0;
	int depth = 0;

	/* Whole words that the open map and the new one have in common. */
	for (size_t i = 0; i <= len && i <= strlen(level->map); i++) {
		bool ends = (i == len || key[i] == '.') && (level->map[i] == '\0' || level->map[i] == '.');

		if (ends)
			shared = i;
		if (i == len || level->map[i] != key[i])
			break;
	}
	for (size_t start = 0; start < len;) {
		size_t word = strcspn(key + start, ".");

		word = word < len - start ? word : len - start;
		if (start + word > shared) {
			put_indent(d, level, 2 * depth);
			fprintf(d->out, "%.*s:\n", (int)word, key + start);
		}
		start += word + 1;
		depth++;
	}
	snprintf(level->map, sizeof(level->map), "%.*s", (int)len, key);
	put_indent(d, level, 2 * depth);
	fprintf(d->out, "%s:", last ? last + 1 : key);
}

static void put_value(const struct dump *d, enum value_type type, const void *field, const void *extra)
{
	char text[VALUE_TEXT_MAX];
	struct value value;

	if (value_load(type, field, extra, &value))
		put_text(d->out, value_format(type, &value, text));
}

static void dump_value(const struct dump *d, const struct schema_row *row, struct level *level)
{
	const char *field = (const char *)level->base + row->offset;
	const char *extra = (const char *)level->base + row->extra;
	struct value value;

	if (!value_load(row->type, field, extra, &value))
		return;
	put_key(d, level, row->key);
	putc(' ', d->out);
	put_value(d, row->type, field, extra);
	put_origin(d, origin_find(d->conf, field, false));
}

static void dump_list(const struct dump *d, const struct schema_row *row, struct level *level)
{
	const void *field = (const char *)level->base + row->offset;
	const char *items = *(const void *const *)field;
	size_t count = *(const size_t *)((const char *)level->base + row->extra);
	const struct place *at = origin_find(d->conf, field, false);

	if (count == 0 && !at)
		return;
	put_key(d, level, row->key);
	fputs(" [", d->out);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : "", d->out);
		put_value(d, row->type, items + i * value_size(row->type), NULL);
	}
	putc(']', d->out);
	put_origin(d, at);
}

static void dump_section(const struct dump *d, enum schema_section section, struct level *level);

/* The implied source has no address, so it cannot be written; without it the next load implies it again. */
static bool is_implied(enum schema_section section, const void *element)
{
	const struct conf_source *source = element;

	return section == SECTION_SOURCE && source->ip.family == 0;
}

static void dump_list_of_maps(const struct dump *d, const struct schema_row *row, struct level *level)
{
	const void *field = (const char *)level->base + row->offset;
	const char *items = *(const void *const *)field;
	size_t size = schema_struct_size(row->element);
	size_t count = *(const size_t *)((const char *)level->base + row->extra);

	if (count == 0 || is_implied(row->element, items))
		return;
	put_key(d, level, row->key);
	putc('\n', d->out);
	for (size_t i = 0; i < count; i++) {
		struct level element = { .base = items + i * size, .indent = level->indent + 4, .dash = true };

		dump_section(d, row->element, &element);
	}
}

static void dump_section(const struct dump *d, enum schema_section section, struct level *level)
{
	size_t count;
	const struct schema_row *rows = schema_section(section, &count);

	for (size_t i = 0; i < count; i++) {
		switch (rows[i].kind) {
		case SCHEMA_VALUE:
			dump_value(d, &rows[i], level);
			break;
		case SCHEMA_LIST:
			dump_list(d, &rows[i], level);
			break;
		case SCHEMA_LISTOF:
			dump_list_of_maps(d, &rows[i], level);
			break;
		}
	}
}

void conf_dump(const struct conf *conf, FILE *out)
{
	struct dump d = { conf, out };
	struct level top = { .base = conf };
	size_t logins = 0;

	for (size_t i = 0; i < conf->tenant_count; i++)
		logins += conf->tenants[i].login_count;
	if (logins > 0)
		fputs("# This holds the password hashes: keep it private.\n", out);
	dump_section(&d, SECTION_ROOT, &top);
}
