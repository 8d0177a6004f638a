/* bench/warmup/model.c - read the model of a provider: numbers, ranges and choices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/memory.h"
#include "conf/yaml_tree.h"
#include "sim.h"

/* clang-format off */
static const struct {
	const char *name, *dflt; /* "a", "u a b" uniform, "c a b ..." choice */
} known[KEYS] = {
	[KEY_DEMAND] = { "demand", "50000" },            [KEY_SOURCES] = { "sources", "1" },
	[KEY_WARM_SOURCES] = { "warm_sources", "0" },    [KEY_WEEKEND] = { "weekend", "1" },
	[KEY_TOLERANCE] = { "tolerance", "c 100 200 500 1000" },
	[KEY_GROWTH] = { "growth", "u 0.25 0.9" },       [KEY_BURST] = { "burst", "u 1.6 2.6" },
	[KEY_NOISE] = { "noise", "0.07" },               [KEY_DEFERRAL] = { "deferral", "u 0 0.01" },
	[KEY_WARN] = { "warn", "0.8" },                  [KEY_HOURLY] = { "hourly", "0" },
	[KEY_BLOCK_AFTER] = { "block_after", "0.5" },    [KEY_BLOCK_DAYS] = { "block_days", "2" },
	[KEY_BLOCK_CUT] = { "block_cut", "0.4" },        [KEY_CROSS_CUT] = { "cross_cut", "0.3" },
	[KEY_DIRTY_SHARE] = { "dirty_share", "0" },
	[KEY_UNKNOWN_CLEAN] = { "unknown.clean", "0.003" }, [KEY_UNKNOWN_DIRTY] = { "unknown.dirty", "0.08" },
	[KEY_UNKNOWN_LIMIT] = { "unknown_limit", "0.05" },
	[KEY_COMPLAINT_CLEAN] = { "complaint.clean", "0.0002" }, [KEY_COMPLAINT_DIRTY] = { "complaint.dirty", "0.004" },
	[KEY_COMPLAINT_LIMIT] = { "complaint_limit", "0.003" },
	[KEY_IDLE_GRACE] = { "idle_grace", "3" },        [KEY_IDLE_DECAY] = { "idle_decay", "0.07" },
	[KEY_IDLE_RESET] = { "idle_reset", "30" },       [KEY_LISTED] = { "listed", "0" },
	[KEY_MISLEADING] = { "misleading", "0.05" },     [KEY_SILENT] = { "silent", "0" },
	[KEY_OFFICE] = { "office", "0" },
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

static bool number(const struct yaml_node *node, double *out)
{
	char *end;

	if (!node || node->kind != YAML_TEXT || node->empty)
		return false;
	if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0) {
		*out = node->text[0] == 't';
		return true;
	}
	*out = strtod(node->text, &end);
	return *end == '\0' && end != node->text;
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
	if (!list || list->kind != YAML_LIST || list->count == 0 || list->count > CHOICES_MAX)
		return false;
	for (const struct yaml_node *item = list->first; item; item = item->next)
		if (!number(item, &out->values[out->count++]))
			return false;
	return !out->uniform || out->count == 2;
}

static bool bad(const struct yaml_node *node, const char *what)
{
	fprintf(stderr, "%s:%u: %s is %s, expected a number, {uniform: [a, b]} or {choose: [a, b, ...]}\n", node->at.file, node->at.line,
	    node->key->text, what);
	return false;
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

/* `unknown` and `complaint` are maps of clean and dirty. */
static bool read_key(const struct yaml_node *node, struct model *out)
{
	enum key key = key_find("", node->key->text);
	double value;

	if (strcmp(node->key->text, "name") == 0) {
		snprintf(out->name, sizeof(out->name), "%s", node->text);
		return true;
	}
	if (strcmp(node->key->text, "seeds") == 0 || strcmp(node->key->text, "days") == 0) {
		if (!number(node, &value) || value < 1 || value > (node->key->text[0] == 'd' ? DAYS_MAX : 1000000))
			return bad(node, "out of range");
		*(node->key->text[0] == 's' ? &out->seeds : &out->days) = (unsigned)value;
		return true;
	}
	if (key != KEYS)
		return read_draw(node, &out->keys[key]) || bad(node, "of another form");
	for (const struct yaml_node *part = node->first; part && part->key; part = part->next) {
		key = key_find(node->key->text, part->key->text);
		if (key == KEYS || !read_draw(part, &out->keys[key]))
			return bad(part, "unknown or of another form");
	}
	return node->kind == YAML_MAP || bad(node, "not a known key");
}

static char *slurp(const char *file, size_t *len_out)
{
	FILE *in = fopen(file, "r");
	char *text = xcalloc(1, 65536);

	*len_out = in ? fread(text, 1, 65535, in) : 0;
	if (!in)
		perror(file);
	else
		fclose(in);
	return text;
}

bool model_load(const char *file, struct model *out)
{
	struct memory memory = { NULL };
	struct fault_list faults = { 0 };
	struct conf_faults told = { 0 };
	size_t len;
	char *text = slurp(file, &len);
	bool complete, ok = true;
	struct yaml_node *root = yaml_tree_parse(&memory, file, text, len, &faults, &complete);

	*out = (struct model){ .seeds = 300, .days = 120, .name = "unnamed" };
	for (unsigned i = 0; i < KEYS; i++)
		set_default(&out->keys[i], known[i].dflt);
	for (const struct yaml_node *node = root ? root->first : NULL; node && node->key; node = node->next)
		ok = read_key(node, out) && ok;
	if (!root || root->kind != YAML_MAP || !complete || faults.count > 0)
		ok = false;
	fault_export(&faults, &told);
	if (told.text)
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
