/* conf/replies.c - rules that say what a reply means: from YAML to structs, with all faults of a file. */
#include "conf/replies.h"

#include <stdio.h>
#include <string.h>

#include "conf/origin.h"
#include "conf/schema.h"
#include "conf/slurp.h"
#include "conf/yaml_tree.h"

#include "replies.yaml.h"

/* What a class means when the rule says no more. */
static const struct class_row {
	const char *name;
	enum replies_scope scope;
	enum replies_action temporary, permanent;
} classes[CLASS_COUNT] = {
	[CLASS_THROTTLE]         = { "throttle",         BLAME_LANE,      ACTION_SLOW,       ACTION_SLOW },
	[CLASS_GREYLIST]         = { "greylist",         BLAME_MESSAGE,   ACTION_RETRY,      ACTION_RETRY },
	[CLASS_REPUTATION_BLOCK] = { "reputation-block", BLAME_LANE,      ACTION_CLOSE_LANE, ACTION_CLOSE_LANE },
	[CLASS_AUTH_POLICY]      = { "auth-policy",      BLAME_SENDER,    ACTION_HOLD,       ACTION_HOLD },
	[CLASS_CONTENT]          = { "content",          BLAME_MESSAGE,   ACTION_RETRY,      ACTION_BOUNCE },
	[CLASS_BAD_MAILBOX]      = { "bad-mailbox",      BLAME_RECIPIENT, ACTION_RETRY,      ACTION_SUPPRESS },
	[CLASS_BAD_DOMAIN]       = { "bad-domain",       BLAME_RECIPIENT, ACTION_RETRY,      ACTION_BOUNCE },
	[CLASS_MAILBOX_FULL]     = { "mailbox-full",     BLAME_RECIPIENT, ACTION_RETRY,      ACTION_BOUNCE },
	[CLASS_MAILBOX_INACTIVE] = { "mailbox-inactive", BLAME_RECIPIENT, ACTION_RETRY,      ACTION_SUPPRESS },
	[CLASS_TOO_BIG]          = { "too-big",          BLAME_MESSAGE,   ACTION_BOUNCE,     ACTION_BOUNCE },
	[CLASS_PROTOCOL]         = { "protocol",         BLAME_MESSAGE,   ACTION_RETRY,      ACTION_BOUNCE },
	[CLASS_TRANSIENT_SYSTEM] = { "transient-system", BLAME_STAGE,     ACTION_RETRY,      ACTION_RETRY },
	[CLASS_COMPLAINT_POLICY] = { "complaint-policy", BLAME_RECIPIENT, ACTION_RETRY,      ACTION_BOUNCE },
	[CLASS_OTHER]            = { "other",            BLAME_STAGE,     ACTION_RETRY,      ACTION_BOUNCE },
};

static const char *const scope_names[BLAME_COUNT] = {
	[BLAME_STAGE] = "stage", [BLAME_RECIPIENT] = "recipient", [BLAME_MESSAGE] = "message", [BLAME_SENDER] = "sender",
	[BLAME_LANE] = "lane", [BLAME_SOURCE] = "source", [BLAME_DESTINATION] = "destination",
};

static const char *const action_names[ACTION_COUNT] = {
	[ACTION_RETRY] = "retry", [ACTION_SLOW] = "slow", [ACTION_CLOSE_LANE] = "close-lane", [ACTION_CLOSE_SOURCE] = "close-source",
	[ACTION_OTHER_SOURCE] = "other-source", [ACTION_HOLD] = "hold", [ACTION_BOUNCE] = "bounce", [ACTION_SUPPRESS] = "suppress",
};

const char *replies_class_name(enum replies_class class)
{
	return classes[class].name;
}

const char *replies_scope_name(enum replies_scope scope)
{
	return scope_names[scope];
}

const char *replies_action_name(enum replies_action action)
{
	return action_names[action];
}

/* --- codes ------------------------------------------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_code(const char *text)
{
	return strlen(text) == 3 && (text[0] == '4' || text[0] == '5') && (is_digit(text[1]) || text[1] == 'x') &&
	    (is_digit(text[2]) || text[2] == 'x');
}

bool replies_code_fits(const struct replies_list *codes, int code)
{
	char text[16];

	snprintf(text, sizeof(text), "%03d", code);
	for (size_t i = 0; i < codes->count; i++) {
		const char *want = codes->items[i].text;
		size_t same = 0;

		while (same < 3 && (want[same] == 'x' || want[same] == text[same]))
			same++;
		if (same == 3)
			return true;
	}
	return codes->count == 0;
}

/* One number of an enhanced code, or "x": its length; 0: neither. */
static size_t part_len(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return text[0] == 'x' ? 1 : digits <= 3 ? digits : 0;
}

static bool is_enhanced(const char *text)
{
	for (int part = 0; part < 3; part++) {
		size_t len = part_len(text);

		if (len == 0 || text[len] != (part < 2 ? '.' : '\0'))
			return false;
		text += len + (part < 2);
	}
	return true;
}

static bool enhanced_fits(const char *want, const char *text)
{
	for (int part = 0; part < 3; part++) {
		size_t want_len = strcspn(want, "."), len = strcspn(text, ".");

		if (want[0] != 'x' && (want_len != len || memcmp(want, text, len) != 0))
			return false;
		want += want_len + (want[want_len] == '.');
		text += len + (text[len] == '.');
	}
	return true;
}

bool replies_enhanced_fits(const struct replies_list *enhanced, const char *text)
{
	for (size_t i = 0; i < enhanced->count; i++)
		if (text[0] && enhanced_fits(enhanced->items[i].text, text))
			return true;
	return enhanced->count == 0;
}

/* --- reading a rule --------------------------------------------------------------------------------------------------------- */

struct reading {
	struct memory *memory;
	struct fault_list *faults;
	const struct replies *replies; /* what has been read so far */
};

static bool is_any(const char *text)
{
	return text[0] != '\0';
}

/* The keys of a rule that hold texts. One text may stand without a list. */
static const struct list_key {
	const char *name;
	size_t offset;
	bool (*is_good)(const char *text);
	const char *expected;
} list_keys[] = {
	{ "provider", offsetof(struct replies_rule, providers), is_any,      "names of providers" },
	{ "code",     offsetof(struct replies_rule, codes),     is_code,     "codes such as 421, 45x or 5xx" },
	{ "enhanced", offsetof(struct replies_rule, enhanced),  is_enhanced, "enhanced codes such as 5.1.1 or x.7.x" },
	{ "text",     offsetof(struct replies_rule, text),      is_any,      "regular expressions" },
	{ "unless",   offsetof(struct replies_rule, unless),    is_any,      "regular expressions" },
	{ "examples", offsetof(struct replies_rule, examples),  is_any,      "replies" },
};

static const char *const word_keys[] = { "rule", "class", "scope", "action" };

static bool list_add(struct reading *r, const struct list_key *key, const struct yaml_node *node, struct replies_list *list)
{
	char quoted[FAULT_QUOTE];

	if (node->kind != YAML_TEXT || !key->is_good(node->text)) {
		fault_error(r->faults, node->at, "%s is %s, expected %s", key->name,
		    node->kind == YAML_TEXT ? fault_quote(node->text, quoted) : yaml_tree_kind(node), key->expected);
		return false;
	}
	list->items[list->count++] = (struct replies_text){ memory_text(r->memory, node->text), node->at };
	return true;
}

static bool read_list(struct reading *r, const struct list_key *key, const struct yaml_node *node, struct replies_rule *rule)
{
	struct replies_list *list = (struct replies_list *)((char *)rule + key->offset);
	bool good = true;

	if (node->kind != YAML_LIST) {
		list->items = memory_array(r->memory, 1, sizeof(*list->items));
		return list_add(r, key, node, list);
	}
	if (node->count == 0)
		fault_error(r->faults, node->at, "%s is an empty list, expected %s", key->name, key->expected);
	list->items = memory_array(r->memory, node->count, sizeof(*list->items));
	for (const struct yaml_node *item = node->first; item; item = item->next)
		good = list_add(r, key, item, list) && good;
	return good && node->count > 0;
}

/* The word's number, or -1 with a fault. */
static int read_word(struct reading *r, const char *key, const struct yaml_node *node, const char *(*name)(int), int count)
{
	char quoted[FAULT_QUOTE];
	const char *all = "";

	for (int i = 0; i < count; i++) {
		if (node->kind == YAML_TEXT && strcmp(node->text, name(i)) == 0)
			return i;
		all = memory_format(r->memory, "%s%s%s", all, i ? ", " : "", name(i));
	}
	fault_error(r->faults, node->at, "%s is %s, expected one of %s", key,
	    node->kind == YAML_TEXT ? fault_quote(node->text, quoted) : yaml_tree_kind(node), all);
	return -1;
}

static const char *class_word(int i)
{
	return classes[i].name;
}

static const char *scope_word(int i)
{
	return scope_names[i];
}

static const char *action_word(int i)
{
	return action_names[i];
}

/* The class comes first: it says what scope and action are when they are not given. */
static bool read_words(struct reading *r, const struct yaml_node *map, struct replies_rule *rule)
{
	const struct yaml_node *class = yaml_tree_get(map, "class"), *scope = yaml_tree_get(map, "scope");
	const struct yaml_node *action = yaml_tree_get(map, "action");
	int number;

	if (!class) {
		fault_error(r->faults, map->at, "found no \"class\", expected one, such as reputation-block");
		return false;
	}
	if ((number = read_word(r, "class", class, class_word, CLASS_COUNT)) < 0)
		return false;
	rule->class = (enum replies_class)number;
	rule->scope = classes[number].scope;
	rule->temporary = classes[number].temporary;
	rule->permanent = classes[number].permanent;
	if (scope && (number = read_word(r, "scope", scope, scope_word, BLAME_COUNT)) < 0)
		return false;
	if (scope)
		rule->scope = (enum replies_scope)number;
	if (action && (number = read_word(r, "action", action, action_word, ACTION_COUNT)) < 0)
		return false;
	if (action)
		rule->temporary = rule->permanent = (enum replies_action)number;
	return true;
}

static bool read_name(struct reading *r, const struct yaml_node *map, struct replies_rule *rule)
{
	const struct yaml_node *name = yaml_tree_get(map, "rule");
	struct value value;
	char quoted[FAULT_QUOTE];

	if (!name || name->kind != YAML_TEXT || !value_parse(VALUE_NAME, name->text, &value)) {
		fault_error(r->faults, name ? name->at : map->at, "found no usable \"rule\", expected %s", value_expected(VALUE_NAME));
		return false;
	}
	for (size_t i = 0; i < r->replies->count; i++) {
		if (strcmp(r->replies->rules[i].name, name->text) != 0)
			continue;
		fault_error(r->faults, name->at, "duplicate rule %s, expected another name: it stands in line %u",
		    fault_quote(name->text, quoted), r->replies->rules[i].at.line);
		return false;
	}
	rule->name = memory_text(r->memory, name->text);
	return true;
}

static const struct list_key *list_key_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(list_keys); i++)
		if (strcmp(list_keys[i].name, name) == 0)
			return &list_keys[i];
	return NULL;
}

static bool is_word_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(word_keys); i++)
		if (strcmp(word_keys[i], name) == 0)
			return true;
	return false;
}

static void unknown_key(struct reading *r, const struct yaml_node *key)
{
	char quoted[FAULT_QUOTE];

	for (size_t i = 0; i < ARRAY_LEN(list_keys) + ARRAY_LEN(word_keys); i++) {
		const char *name = i < ARRAY_LEN(list_keys) ? list_keys[i].name : word_keys[i - ARRAY_LEN(list_keys)];

		if (schema_distance(key->text, name) > 2)
			continue;
		fault_error(r->faults, key->at, "unknown key %s, did you mean \"%s\"?", fault_quote(key->text, quoted), name);
		return;
	}
	fault_error(r->faults, key->at, "unknown key %s, expected one of: rule, class, scope, action, provider, code, enhanced, text, "
	    "unless, examples", fault_quote(key->text, quoted));
}

static bool read_rule(struct reading *r, const struct yaml_node *map, struct replies_rule *rule)
{
	bool good = true;

	if (map->kind != YAML_MAP) {
		fault_error(r->faults, map->at, "a rule is %s, expected a map", yaml_tree_kind(map));
		return false;
	}
	rule->at = map->at;
	for (const struct yaml_node *node = map->first; node; node = node->next) {
		const struct list_key *key = list_key_find(node->key->text);

		if (key)
			good = read_list(r, key, node, rule) && good;
		else if (!is_word_key(node->key->text)) {
			unknown_key(r, node->key);
			good = false;
		}
	}
	good = read_name(r, map, rule) && good;
	return read_words(r, map, rule) && good;
}

/* --- reading files ---------------------------------------------------------------------------------------------------------- */

static void read_tree(struct reading *r, const struct yaml_node *root, struct replies *out)
{
	const struct yaml_node *list = yaml_tree_get(root, "replies");

	for (const struct yaml_node *node = root->first; node; node = node->next)
		if (node != list)
			fault_error(r->faults, node->key->at, "unknown key, expected only \"replies\"");
	if (!list || list->kind != YAML_LIST) {
		fault_error(r->faults, list ? list->at : root->at, "found no list \"replies\", expected one");
		return;
	}
	out->rules = memory_array(r->memory, list->count, sizeof(*out->rules));
	for (const struct yaml_node *node = list->first; node; node = node->next) {
		struct replies_rule rule = { 0 };

		if (read_rule(r, node, &rule))
			out->rules[out->count++] = rule;
	}
}

/* Names are unique within a file: an operator's rule may bear the name of a shipped one, before which it comes. */
static void read_text(struct memory *memory, const char *file, const char *text, size_t len, struct fault_list *faults,
    struct replies *out)
{
	struct memory scratch = { NULL };
	struct replies own = { 0 }, all;
	struct reading r = { .memory = memory, .faults = faults, .replies = &own };
	bool complete;
	const struct yaml_node *root = yaml_tree_parse(&scratch, file, text, len, faults, &complete);

	if (root)
		read_tree(&r, root, &own);
	memory_fini(&scratch);
	all.count = out->count + own.count;
	all.rules = memory_array(memory, all.count, sizeof(*all.rules));
	if (out->count > 0)
		memcpy(all.rules, out->rules, out->count * sizeof(*all.rules));
	if (own.count > 0)
		memcpy(all.rules + out->count, own.rules, own.count * sizeof(*all.rules));
	*out = all;
}

static void add_shipped(struct memory *memory, struct replies *out)
{
	struct fault_list faults = { 0 };

	read_text(memory, origin_shipped, (const char *)replies_yaml, sizeof(replies_yaml), &faults, out);
	must(faults.count == 0);
}

struct replies *replies_load_text(struct memory *memory, const char *file, const char *text, size_t len, struct fault_list *faults)
{
	struct replies *out = memory_alloc(memory, sizeof(*out));

	read_text(memory, file, text, len, faults, out);
	add_shipped(memory, out);
	return out;
}

struct replies *replies_load(struct memory *memory, const char *file, struct fault_list *faults)
{
	struct replies *out = memory_alloc(memory, sizeof(*out));
	struct err_detail why = { 0 };
	struct stat status;
	struct buf text;

	buf_init(&text, YAML_BYTES_MAX);
	if (file && slurp_file(file, &text, &status, &why) != OK)
		fault_error(faults, (struct place){ file, 0, 0 }, "%s", why.text);
	else if (file)
		read_text(memory, file, buf_str(&text), text.len, faults, out);
	buf_fini(&text);
	add_shipped(memory, out);
	return out;
}
