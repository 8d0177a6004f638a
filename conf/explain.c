/* conf/explain.c - what a setting means, for --explain and for the reference page. */
#include <stdlib.h>
#include <string.h>

#include "conf/schema.h"

static const char *default_text(const struct schema_row *row)
{
	return row->required ? "must be given" : row->dflt ? row->dflt : "none";
}

static const char *value_text(const struct schema_row *row, char out[256])
{
	if (row->kind == SCHEMA_VALUE)
		return schema_expected(row, out);
	if (row->kind == SCHEMA_LISTOF)
		return "a list of maps";
	snprintf(out, 256, "a list, each %s", value_expected(row->type));
	return out;
}

static void explain_row(const struct schema_row *row, FILE *out)
{
	char key[128], value[256];

	fprintf(out, "%s\n  %s\n", schema_full_key(row, key), row->help);
	fprintf(out, "  value:   %s\n", value_text(row, value));
	if (row->kind != SCHEMA_LISTOF)
		fprintf(out, "  default: %s\n", default_text(row));
	fprintf(out, "  changes: %s\n", row->reload == RELOAD_LIVE ? "with a reload" : "with a restart");
}

/* `tenants[].logins[].user` is a way to write it too. */
static char *without_brackets(const char *key)
{
	char *out = xcalloc(strlen(key) + 1, 1), *end = out;

	for (; *key; key++)
		if (!strchr("[]", *key))
			*end++ = *key;
	return out;
}

static size_t explain_all(const char *key, FILE *out)
{
	size_t shown = 0, len = strlen(key);
	char full[128];

	for (size_t i = 0; i < schema_row_count; i++) {
		schema_full_key(&schema_rows[i], full);
		if (strncmp(full, key, len) != 0 || (full[len] != '\0' && full[len] != '.'))
			continue;
		if (shown++ > 0)
			putc('\n', out);
		explain_row(&schema_rows[i], out);
	}
	return shown;
}

/* Compare `key` with every word of `full` too: "pool" is meant for "tenants.pool", unless something is nearer as a whole. */
static void nearer(const char *key, const char *full, unsigned *least, char best[128])
{
	unsigned distance = schema_distance(key, full);
	const char *end;

	if (distance < *least) {
		*least = distance;
		snprintf(best, 128, "%s", full);
	}
	for (const char *word = full; *word; word = *end ? end + 1 : end) {
		char text[128];

		end = word + strcspn(word, ".");
		snprintf(text, sizeof(text), "%.*s", (int)(end - word), word);
		distance = schema_distance(key, text) + 1;
		if (distance < *least) {
			*least = distance;
			snprintf(best, 128, "%.*s", (int)(end - full), full);
		}
	}
}

static enum err not_found(const char *key, struct err_detail *why)
{
	char full[128], best[128] = "";
	unsigned least = 100;

	for (size_t i = 0; i < schema_row_count; i++)
		nearer(key, schema_full_key(&schema_rows[i], full), &least, best);
	return err_set(why, ERR_NOT_FOUND, "unknown key \"%.64s\", did you mean \"%s\"?", key,
	    best[0] ? best : schema_rows[0].key);
}

enum err conf_explain(const char *key, FILE *out, struct err_detail *why)
{
	char *plain = without_brackets(key);
	enum err err = OK;

	if (!plain[0] || explain_all(plain, out) == 0)
		err = not_found(plain, why);
	free(plain);
	return err;
}

/* A cell of a Markdown table: a bar would end it. */
static void put_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|' || *text == '*')
			putc('\\', out);
		putc(*text, out);
	}
}

static void reference_row(const struct schema_row *row, FILE *out)
{
	char value[256];

	fprintf(out, "| `%s` | ", row->key);
	put_cell(out, value_text(row, value));
	fprintf(out, " | %s%s%s | ", row->dflt ? "`" : "", row->kind == SCHEMA_LISTOF ? "none" : default_text(row),
	    row->dflt ? "`" : "");
	put_cell(out, row->help);
	fputs(row->reload == RELOAD_RESTART ? " *Needs a restart.* |\n" : " |\n", out);
}

void conf_reference(FILE *out)
{
	enum schema_section section = SECTION_COUNT;
	char key[128];

	fputs("# Settings of relay.yaml\n\n"
	    "Made from conf/schema.def by `make docs`; do not edit.\n\n"
	    "Durations are a number and `s`, `m`, `h` or `d`; sizes are bytes, or a number and `K`, `M`, `G` or `T` (powers of\n"
	    "1024); rates are a number, a slash and `s`, `m`, `h` or `d`. A dot in a key is a map in the file. Relative paths\n"
	    "start from the folder of the file. `relayd -n -c FILE` checks a file, `relayd --dump -c FILE` prints every value\n"
	    "with its origin, `relayd --explain KEY` prints what stands here.\n", out);
	for (size_t i = 0; i < schema_row_count; i++) {
		const struct schema_row *row = &schema_rows[i];

		if (row->section != section) {
			const char *dot = strrchr(schema_full_key(row, key), '.');

			section = row->section;
			if (section == SECTION_ROOT)
				fputs("\n## Top level\n\n", out);
			else
				fprintf(out, "\n## Each entry of `%.*s`\n\n", (int)(dot ? dot - key : 0), key);
			fputs("| key | value | default | meaning |\n|---|---|---|---|\n", out);
		}
		reference_row(row, out);
	}
}
