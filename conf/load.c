/* conf/load.c - from the tree of a file to fields, by the schema. */
#include "conf/load.h"

#include <string.h>

static const char *key_of(struct load *load, const char *prefix, const char *key)
{
	return prefix[0] ? memory_format(load->scratch, "%s.%s", prefix, key) : key;
}

/* A hash or password is never repeated in a message: those end up in logs. */
static void bad_text(struct load *load, const struct schema_row *row, const struct yaml_node *node)
{
	char quoted[FAULT_QUOTE], expected[256];

	fault_error(load->faults, node->at, "%s is %s, expected %s", row->key,
	    value_is_secret(row->type) ? "not usable" : fault_quote(node->text, quoted), schema_expected(row, expected));
}

static void bad_kind(struct load *load, const char *key, const struct yaml_node *node, const char *expected)
{
	fault_error(load->faults, node->at, "%s is %s, expected %s", key, yaml_tree_kind(node), expected);
}

static bool read_value(struct load *load, const struct schema_row *row, const struct yaml_node *node, void *field,
    void *extra)
{
	struct value value;
	char expected[256];

	if (node->kind != YAML_TEXT || node->empty) {
		bad_kind(load, row->key, node, schema_expected(row, expected));
		return false;
	}
	if (!value_parse(row->type, node->text, &value) || !schema_in_bounds(row, &value)) {
		bad_text(load, row, node);
		return false;
	}
	value_store(row->type, &value, field, extra, load->base, load->memory);
	origin_add(load->origins, field, false, node->at);
	return true;
}

/* False, with a fault: not a list, or an empty one where that means nothing. The list counts as given even so. */
static bool is_usable_list(struct load *load, const struct schema_row *row, const struct yaml_node *node, void *base)
{
	origin_add(load->origins, schema_field(row, base), false, node->at);
	if (node->kind != YAML_LIST) {
		bad_kind(load, row->key, node, "a list");
		return false;
	}
	if (node->count == 0 && !row->may_be_empty && !node->cut) {
		fault_error(load->faults, node->at, "%s is an empty list, expected at least one entry", row->key);
		return false;
	}
	return true;
}

static void load_list(struct load *load, const struct schema_row *row, const struct yaml_node *node, void *base)
{
	size_t size = value_size(row->type), used = 0;
	char *items;

	if (!is_usable_list(load, row, node, base))
		return;
	items = memory_array(load->memory, node->count, size);
	for (const struct yaml_node *item = node->first; item; item = item->next)
		if (read_value(load, row, item, items + used * size, NULL))
			used++;
	*(void **)schema_field(row, base) = items;
	*(size_t *)schema_extra(row, base) = used;
}

static void load_list_of_maps(struct load *load, const struct schema_row *row, const struct yaml_node *node, void *base)
{
	size_t size = schema_struct_size(row->element), used = 0;
	char *items;

	if (!is_usable_list(load, row, node, base))
		return;
	items = memory_array(load->memory, node->count, size);
	for (const struct yaml_node *item = node->first; item; item = item->next) {
		if (item->kind != YAML_MAP) {
			bad_kind(load, memory_format(load->scratch, "an entry of %s", row->key), item, "a map");
			continue;
		}
		load_section(load, row->element, item, items + used * size);
		origin_add(load->origins, items + used * size, true, item->at);
		used++;
	}
	*(void **)schema_field(row, base) = items;
	*(size_t *)schema_extra(row, base) = used;
}

static void load_row(struct load *load, const struct schema_row *row, const struct yaml_node *node, void *base)
{
	switch (row->kind) {
	case SCHEMA_VALUE:
		(void)read_value(load, row, node, schema_field(row, base), schema_extra(row, base));
		break;
	case SCHEMA_LIST:
		load_list(load, row, node, base);
		break;
	case SCHEMA_LISTOF:
		load_list_of_maps(load, row, node, base);
		break;
	}
}

/* The keys of one level: `name, from, logins`. */
static const char *keys_at(struct load *load, enum schema_section section, const char *prefix)
{
	size_t count, skip = prefix[0] ? strlen(prefix) + 1 : 0;
	const struct schema_row *rows = schema_section(section, &count);
	const char *out = "", *last = "";
	size_t last_len = 0;

	for (size_t i = 0; i < count; i++) {
		const char *key = rows[i].key + skip;
		size_t len;

		if (skip && (strncmp(rows[i].key, prefix, skip - 1) != 0 || rows[i].key[skip - 1] != '.'))
			continue;
		len = strcspn(key, ".");
		if (len == last_len && strncmp(key, last, len) == 0)
			continue;
		out = memory_format(load->scratch, "%s%s%.*s", out, out[0] ? ", " : "", (int)len, key);
		last = key;
		last_len = len;
	}
	return out;
}

static void unknown_key(struct load *load, enum schema_section section, const char *prefix, const struct yaml_node *key)
{
	char quoted[FAULT_QUOTE], near[128];

	if (schema_nearest(section, prefix, key->text, near))
		fault_error(load->faults, key->at, "unknown key %s, did you mean \"%s\"?", fault_quote(key->text, quoted), near);
	else
		fault_error(load->faults, key->at, "unknown key %s, expected one of: %s", fault_quote(key->text, quoted),
		    keys_at(load, section, prefix));
}

/* `prefix` is the map within the section that `map` is the content of. */
static void load_map(struct load *load, enum schema_section section, const char *prefix, const struct yaml_node *map,
    void *base)
{
	for (const struct yaml_node *node = map->first; node; node = node->next) {
		const char *key = key_of(load, prefix, node->key->text);
		const struct schema_row *row = strchr(node->key->text, '.') ? NULL : schema_find(section, key);

		if (row)
			load_row(load, row, node, base);
		else if (strchr(node->key->text, '.') || !schema_is_map(section, key))
			unknown_key(load, section, prefix, node->key);
		else if (node->kind != YAML_MAP)
			bad_kind(load, key, node, memory_format(load->scratch, "a map of: %s", keys_at(load, section, key)));
		else
			load_map(load, section, key, node, base);
	}
}

static void default_list(struct load *load, const struct schema_row *row, void *base)
{
	size_t size = value_size(row->type), used = 0;
	/* An element and its blank take two bytes or more. */
	char *items = memory_array(load->memory, strlen(row->dflt) / 2 + 1, size);

	for (const char *p = row->dflt; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");
		struct value value;

		must(value_parse(row->type, memory_format(load->scratch, "%.*s", (int)len, p), &value));
		value_store(row->type, &value, items + used++ * size, NULL, load->base, load->memory);
		p += len;
	}
	*(void **)schema_field(row, base) = items;
	*(size_t *)schema_extra(row, base) = used;
}

static void load_defaults(struct load *load, enum schema_section section, void *base)
{
	size_t count;
	const struct schema_row *rows = schema_section(section, &count);

	for (size_t i = 0; i < count; i++) {
		struct value value;

		if (!rows[i].dflt)
			continue;
		if (rows[i].kind == SCHEMA_LIST) {
			default_list(load, &rows[i], base);
			continue;
		}
		must(value_parse(rows[i].type, rows[i].dflt, &value) && schema_in_bounds(&rows[i], &value));
		value_store(rows[i].type, &value, schema_field(&rows[i], base), schema_extra(&rows[i], base), load->base,
		    load->memory);
	}
}

void load_section(struct load *load, enum schema_section section, const struct yaml_node *map, void *base)
{
	size_t count;
	const struct schema_row *rows = schema_section(section, &count);
	char expected[256];

	load_defaults(load, section, base);
	load_map(load, section, "", map, base);
	for (size_t i = 0; i < count && !map->cut; i++)
		if (rows[i].required && !yaml_tree_get(map, rows[i].key))
			fault_error(load->faults, map->at, "found no \"%s\", expected %s", rows[i].key,
			    rows[i].kind == SCHEMA_VALUE ? schema_expected(&rows[i], expected) : "a list");
}
