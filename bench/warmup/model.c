/* bench/warmup/model.c - read the model of a provider: numbers, ranges and choices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/memory.h"
#include "conf/yaml_tree.h"
#include "sim.h"

#define FILE_MAX  65536
#define SEEDS_MAX 1000000

/* clang-format off */
static const struct {
	const char *name, *dflt; /* "a", "u a b" uniform, "c a b ..." choice */
	double least, most;
} known[KEYS] = {
	[KEY_DEMAND] = { "demand", "50000", 1, 1e9 },         [KEY_SOURCES] = { "sources", "1", 1, SOURCES_MAX },
	[KEY_WARM_SOURCES] = { "warm_sources", "0", 0, SOURCES_MAX - 1 },
	[KEY_WEEKEND] = { "weekend", "1", 0, 100 },
	[KEY_TOLERANCE] = { "tolerance", "c 100 200 500 1000", 0, 1e9 },
	[KEY_GROWTH] = { "growth", "u 0.25 0.9", 0, 100 },    [KEY_BURST] = { "burst", "u 1.6 2.6", 0, 1000 },
	[KEY_NOISE] = { "noise", "0.07", 0, 1 },              [KEY_DEFERRAL] = { "deferral", "u 0 0.01", 0, 1 },
	[KEY_WARN] = { "warn", "0.8", 0, 1 },                 [KEY_HOURLY] = { "hourly", "0", 0, 1 },
	[KEY_BLOCK_AFTER] = { "block_after", "0.5", 0, 1e9 }, [KEY_BLOCK_DAYS] = { "block_days", "2", 0, DAYS_MAX },
	[KEY_BLOCK_CUT] = { "block_cut", "0.4", 0, 1 },       [KEY_CROSS_CUT] = { "cross_cut", "0.3", 0, 1000 },
	[KEY_DIRTY_SHARE] = { "dirty_share", "0", 0, 1 },
	[KEY_UNKNOWN_CLEAN] = { "unknown.clean", "0.003", 0, 1 }, [KEY_UNKNOWN_DIRTY] = { "unknown.dirty", "0.08", 0, 1 },
	[KEY_UNKNOWN_LIMIT] = { "unknown_limit", "0.05", 0, 1 },
	[KEY_COMPLAINT_CLEAN] = { "complaint.clean", "0.0002", 0, 1 }, [KEY_COMPLAINT_DIRTY] = { "complaint.dirty", "0.004", 0, 1 },
	[KEY_COMPLAINT_LIMIT] = { "complaint_limit", "0.003", 0, 1 },
	[KEY_IDLE_GRACE] = { "idle_grace", "3", 0, DAYS_MAX }, [KEY_IDLE_DECAY] = { "idle_decay", "0.07", 0, 1 },
	[KEY_IDLE_RESET] = { "idle_reset", "30", 0, DAYS_MAX },
	[KEY_LISTED] = { "listed", "0", 0, 1 },
	[KEY_MISLEADING] = { "misleading", "0.05", 0, 1 },    [KEY_SILENT] = { "silent", "0", 0, 1 },
	[KEY_OFFICE] = { "office", "0", 0, 1 },
};
/* clang-format on */

static void set_default(struct draw *draw, const char *text)
{
	char copy[64], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", text);
	draw->uniform = copy[0] == 'u';
	draw->count = 0;
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		if (word[0] != 'u' && word[0] != 'c')
			draw->values[draw->count++] = atof(word);
}

static const char *const truths[] = { "false", "true", "no", "yes", "off", "on" };

static bool number(const struct yaml_node *node, double *out)
{
	char *end;

	if (!node || node->kind != YAML_TEXT || node->empty)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(truths); i++)
		if (strcmp(node->text, truths[i]) == 0) {
			*out = i % 2;
			return true;
		}
	*out = strtod(node->text, &end);
	return *end == '\0' && end != node->text && isfinite(*out);
}

static bool read_draw(const struct yaml_node *node, struct draw *out)
{
	const struct yaml_node *list = yaml_tree_get(node, "uniform");

	out->uniform = list != NULL;
	out->count = 0;
	if (node->kind == YAML_TEXT) {
		out->count = 1;
		return number(node, &out->values[0]);
	}
	if (!list)
		list = yaml_tree_get(node, "choose");
	if (node->kind != YAML_MAP || node->count != 1 || !list || list->kind != YAML_LIST || list->count == 0 || list->count > CHOICES_MAX)
		return false;
	for (const struct yaml_node *item = list->first; item; item = item->next)
		if (!number(item, &out->values[out->count++]))
			return false;
	return !out->uniform || out->count == 2;
}

static void bad_form(const struct yaml_node *node, struct fault_list *faults)
{
	fault_error(faults, node->at, "%s: give a number, {uniform: [a, b]} or {choose: [a, b, ...]} of up to %d", node->key->text, CHOICES_MAX);
}

static void check_range(const struct yaml_node *node, const struct draw *draw, enum key key, struct fault_list *faults)
{
	for (unsigned i = 0; i < draw->count; i++) {
		double value = draw->values[i];

		if (!(value >= known[key].least && value <= known[key].most))
			fault_error(faults, node->at, "%s: %g is out of range, give %g to %g", known[key].name, value,
			    known[key].least, known[key].most);
		else if ((key == KEY_SOURCES || key == KEY_WARM_SOURCES) && value != floor(value))
			fault_error(faults, node->at, "%s: %g is no whole number, give one", known[key].name, value);
	}
}

static enum key key_find(const char *prefix, const char *name)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s%s", prefix, prefix[0] ? "." : "", name);
	for (unsigned i = 0; i < KEYS; i++)
		if (strcmp(known[i].name, full) == 0)
			return (enum key)i;
	return KEYS;
}

static void read_value(const struct yaml_node *node, enum key key, struct model *out, struct fault_list *faults)
{
	if (read_draw(node, &out->keys[key]))
		check_range(node, &out->keys[key], key, faults);
	else
		bad_form(node, faults);
}

/* `unknown` and `complaint` are maps of clean and dirty. */
static void read_parts(const struct yaml_node *node, struct model *out, struct fault_list *faults)
{
	for (const struct yaml_node *part = node->first; part && part->key; part = part->next) {
		enum key key = key_find(node->key->text, part->key->text);

		if (key == KEYS)
			fault_error(faults, part->at, "%s: not a key, give {clean: a, dirty: b}", part->key->text);
		else
			read_value(part, key, out, faults);
	}
}

/* It is one word of the output. */
static void read_name(const struct yaml_node *node, struct model *out, struct fault_list *faults)
{
	if (node->kind != YAML_TEXT || node->empty || node->text[0] == '\0' || strlen(node->text) >= sizeof(out->name))
		fault_error(faults, node->at, "name: give a word of up to %zu bytes", sizeof(out->name) - 1);
	(void)snprintf(out->name, sizeof(out->name), "%s", node->kind == YAML_TEXT ? node->text : "");
	for (char *c = out->name; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == '=')
			*c = '-';
}

static void read_count(const struct yaml_node *node, unsigned most, unsigned *out, struct fault_list *faults)
{
	double value;

	if (!number(node, &value) || !(value >= 1 && value <= most) || value != floor(value))
		fault_error(faults, node->at, "%s: give a whole number from 1 to %u", node->key->text, most);
	else
		*out = (unsigned)value;
}

static void read_key(const struct yaml_node *node, struct model *out, struct fault_list *faults)
{
	const char *name = node->key->text;
	enum key key = key_find("", name);

	if (strcmp(name, "name") == 0)
		read_name(node, out, faults);
	else if (strcmp(name, "seeds") == 0)
		read_count(node, SEEDS_MAX, &out->seeds, faults);
	else if (strcmp(name, "days") == 0)
		read_count(node, DAYS_MAX, &out->days, faults);
	else if (key != KEYS && strchr(name, '.') == NULL)
		read_value(node, key, out, faults);
	else if ((strcmp(name, "unknown") == 0 || strcmp(name, "complaint") == 0) && node->kind == YAML_MAP)
		read_parts(node, out, faults);
	else if (strcmp(name, "unknown") == 0 || strcmp(name, "complaint") == 0)
		fault_error(faults, node->at, "%s: give {clean: a, dirty: b}", name);
	else
		fault_error(faults, node->at, "%s: not a key of a model, mend or drop it (bench/warmup/README.md lists them)", name);
}

static double largest(const struct draw *draw)
{
	double most = 0;

	for (unsigned i = 0; i < draw->count; i++)
		most = fmax(most, draw->values[i]);
	return most;
}

/* NULL: told. */
static char *slurp(const char *file, size_t *len_out)
{
	FILE *in = fopen(file, "r");
	char *text;

	if (in == NULL) {
		perror(file);
		return NULL;
	}
	text = xcalloc(1, FILE_MAX + 1);
	*len_out = fread(text, 1, FILE_MAX + 1, in);
	if (ferror(in) || *len_out > FILE_MAX) {
		fprintf(stderr, "%s: %s\n", file, ferror(in) ? "cannot be read" : "too large for a model, at most 64 KiB");
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

static void read_model(const struct yaml_node *root, struct model *out, struct fault_list *faults)
{
	for (const struct yaml_node *node = root->first; node && node->key; node = node->next)
		read_key(node, out, faults);
	if (faults->count == 0 && largest(&out->keys[KEY_SOURCES]) + largest(&out->keys[KEY_WARM_SOURCES]) > SOURCES_MAX)
		fault_error(faults, root->at, "sources and warm_sources: together at most %d", SOURCES_MAX);
}

bool model_load(const char *file, struct model *out)
{
	struct memory memory = { NULL };
	struct fault_list faults = { 0 };
	struct conf_faults told = { 0 };
	size_t len;
	char *text = slurp(file, &len);
	bool complete, ok;
	struct yaml_node *root;

	if (text == NULL)
		return false;
	root = yaml_tree_parse(&memory, file, text, len, &faults, &complete);
	*out = (struct model){ .seeds = 300, .days = 120, .name = "unnamed" };
	for (unsigned i = 0; i < KEYS; i++)
		set_default(&out->keys[i], known[i].dflt);
	if (root && root->kind == YAML_MAP)
		read_model(root, out, &faults);
	ok = root && root->kind == YAML_MAP && complete && faults.count == 0;
	fault_export(&faults, &told);
	if (!root && complete)
		fprintf(stderr, "%s:1: nothing in it, give at least \"name: WORD\"\n", file);
	else if (told.text)
		fputs(told.text, stderr);
	conf_faults_free(&told);
	memory_fini(&memory);
	free(text);
	return ok;
}

void model_draw(const struct model *model, struct rand *rand, double out[KEYS])
{
	for (unsigned i = 0; i < KEYS; i++) {
		const struct draw *d = &model->keys[i];
		/* The day's shape came later than the others: they keep their luck. */
		double unit = i == KEY_OFFICE ? 0 : rand_unit(rand);

		out[i] = d->uniform ? d->values[0] + unit * (d->values[1] - d->values[0]) : d->values[(unsigned)(unit * d->count)];
	}
}
