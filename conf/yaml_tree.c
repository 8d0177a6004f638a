/* conf/yaml_tree.c - a YAML file as a small tree that keeps lines and columns. */
#include "conf/yaml_tree.h"

#include <string.h>
#include <yaml.h>

/* One parse. `path` is the chain of open lists and maps, `key` the key that waits for its value at each depth. */
struct builder {
	yaml_parser_t parser;
	struct memory *memory;
	struct fault_list *faults;
	const char *file, *text;
	size_t len;
	struct yaml_node *path[YAML_DEPTH_MAX];
	struct yaml_node *key[YAML_DEPTH_MAX];
	bool ignore[YAML_DEPTH_MAX]; /* the waiting key is a duplicate: its value is read and forgotten */
	size_t depth;
	size_t nodes;
	struct yaml_node *top;
	bool stop; /* a limit was passed */
};

static struct place place_of(const struct builder *b, const yaml_mark_t *mark)
{
	return (struct place){ b->file, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1 };
}

struct yaml_node *yaml_tree_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (struct yaml_node *node = map->first; node; node = node->next)
		if (strcmp(node->key->text, key) == 0)
			return node;
	return NULL;
}

void yaml_tree_append(struct yaml_node *parent, struct yaml_node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	child->next = NULL;
	parent->count++;
}

const char *yaml_tree_kind(const struct yaml_node *node)
{
	static const char *const words[] = { [YAML_TEXT] = "a text", [YAML_LIST] = "a list", [YAML_MAP] = "a map" };

	return node->empty ? "nothing" : words[node->kind];
}

static void stop(struct builder *b, struct place at, const char *found, unsigned limit)
{
	fault_error(b->faults, at, "%s, expected at most %u", found, limit);
	b->stop = true;
}

/* A map's next text is a key. */
static void take_key(struct builder *b, struct yaml_node *node)
{
	struct yaml_node *map = b->path[b->depth - 1];
	const struct yaml_node *before;
	char quoted[FAULT_QUOTE];

	b->key[b->depth - 1] = node;
	b->ignore[b->depth - 1] = true;
	if (node->kind != YAML_TEXT || node->empty) {
		fault_error(b->faults, node->at, "found %s as a key, expected a name", yaml_tree_kind(node));
		return;
	}
	before = yaml_tree_get(map, node->text);
	if (before) {
		fault_error(b->faults, node->at, "duplicate key %s, expected it once: it stands in line %u",
		    fault_quote(node->text, quoted), before->key->at.line);
		return;
	}
	if (map->count >= YAML_KEYS_MAX) {
		stop(b, node->at, "too many keys in one map", YAML_KEYS_MAX);
		return;
	}
	b->ignore[b->depth - 1] = false;
}

static void attach(struct builder *b, struct yaml_node *node)
{
	struct yaml_node *parent;

	if (b->depth == 0) {
		b->top = node;
		return;
	}
	parent = b->path[b->depth - 1];
	if (parent->kind == YAML_LIST) {
		yaml_tree_append(parent, node);
		return;
	}
	if (!b->key[b->depth - 1]) {
		take_key(b, node);
		return;
	}
	node->key = b->key[b->depth - 1];
	b->key[b->depth - 1] = NULL;
	if (!b->ignore[b->depth - 1])
		yaml_tree_append(parent, node);
}

static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind, const yaml_mark_t *mark)
{
	struct yaml_node *node = memory_alloc(b->memory, sizeof(*node));

	node->kind = kind;
	node->at = place_of(b, mark);
	node->text = "";
	if (++b->nodes > YAML_NODES_MAX)
		stop(b, node->at, "too many values", YAML_NODES_MAX);
	return node;
}

static void open_node(struct builder *b, enum yaml_kind kind, const yaml_mark_t *mark)
{
	struct yaml_node *node = new_node(b, kind, mark);

	if (b->depth == YAML_DEPTH_MAX) {
		stop(b, node->at, "lists and maps are nested too deep", YAML_DEPTH_MAX);
		return;
	}
	attach(b, node);
	b->path[b->depth] = node;
	b->key[b->depth] = NULL;
	b->depth++;
}

static void refuse(struct builder *b, const yaml_event_t *event, const char *what)
{
	fault_error(b->faults, place_of(b, &event->start_mark), "found %s, expected a plain value", what);
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct yaml_node *node = new_node(b, YAML_TEXT, &event->start_mark);

	if (memchr(text, '\0', len))
		refuse(b, event, "a zero byte");
	else if (len > YAML_TEXT_MAX)
		fault_error(b->faults, node->at, "found a text of %zu bytes, expected at most %u", len, YAML_TEXT_MAX);
	else
		node->text = memory_text(b->memory, text);
	node->empty = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (len == 0 || strcmp(text, "~") == 0);
	attach(b, node);
}

static void refuse_extras(struct builder *b, const yaml_event_t *event, const void *anchor, const void *tag)
{
	if (anchor)
		refuse(b, event, "an anchor (&)");
	if (tag)
		refuse(b, event, "a tag (!)");
}

static void on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		refuse_extras(b, event, event->data.scalar.anchor, event->data.scalar.tag);
		on_scalar(b, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_extras(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		open_node(b, YAML_LIST, &event->start_mark);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_extras(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		open_node(b, YAML_MAP, &event->start_mark);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	case YAML_ALIAS_EVENT:
		refuse(b, event, "an alias (*)");
		attach(b, new_node(b, YAML_TEXT, &event->start_mark));
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (b->top) {
			fault_error(b->faults, place_of(b, &event->start_mark), "found a second document, expected one");
			b->stop = true;
		}
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* The byte at a line and column, both counted in characters as libyaml does; 0 past the end. */
static char byte_at(const struct builder *b, const yaml_mark_t *mark)
{
	const char *p = b->text, *end = b->text + b->len;

	for (size_t line = 0; p < end && line < mark->line; p++)
		line += *p == '\n';
	for (size_t column = 0; p < end && column < mark->column; column++)
		do
			p++;
		while (p < end && ((unsigned char)*p & 0xc0) == 0x80);
	return p < end ? *p : '\0';
}

/* libyaml calls every unusable byte "a character that cannot start any token"; the usual one is a tab. */
static void syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const yaml_mark_t *mark = p->error == YAML_READER_ERROR ? &p->mark : &p->problem_mark;
	struct place at = place_of(b, mark);

	if (byte_at(b, mark) == '\t')
		fault_error(b->faults, at, "found a tab, expected spaces");
	else if (p->context && p->context_mark.line != mark->line)
		fault_error(b->faults, at, "%s %s that began in line %zu, expected YAML", p->problem, p->context,
		    p->context_mark.line + 1);
	else
		fault_error(b->faults, at, "%s, expected YAML", p->problem ? p->problem : "unreadable text");
}

/* Length of the UTF-8 sequence at `text`, or 0 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
static size_t utf8_len(const unsigned char *text, size_t len)
{
	static const struct { unsigned char mask, lead; uint32_t least; } forms[] = {
		{ 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 },
	};

	for (size_t n = 0; n < ARRAY_LEN(forms); n++) {
		uint32_t code = text[0] & (unsigned char)~forms[n].mask;

		if ((text[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (n + 1 > len)
			return 0;
		for (size_t i = 1; i <= n; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (text[i] & 0x3f);
		}
		return code < forms[n].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n + 1;
	}
	return 0;
}

/* libyaml tells the byte offset only, and not for all of these. */
static bool bytes_are_text(const char *file, const char *text, size_t len, struct fault_list *faults)
{
	struct place at = { file, 1, 1 };
	size_t used;

	for (size_t i = 0; i < len; i += used) {
		unsigned char c = (unsigned char)text[i];

		used = utf8_len((const unsigned char *)text + i, len - i);
		if (used == 0) {
			fault_error(faults, at, "found the byte 0x%02x, expected UTF-8", c);
			return false;
		}
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
			fault_error(faults, at, "found the control character 0x%02x, expected text", c);
			return false;
		}
		at.column++;
		if (c == '\n') {
			at.line++;
			at.column = 1;
		}
	}
	return true;
}

static bool run(struct builder *b)
{
	yaml_event_t event;
	bool end = false;

	while (!end && !b->stop) {
		if (!yaml_parser_parse(&b->parser, &event)) {
			syntax_error(b);
			return false;
		}
		on_event(b, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	return !b->stop;
}

struct yaml_node *yaml_tree_parse(struct memory *memory, const char *file, const char *text, size_t len,
    struct fault_list *faults, bool *complete_out)
{
	struct builder b = { .memory = memory, .faults = faults, .file = file, .text = text, .len = len };

	*complete_out = false;
	if (len > YAML_BYTES_MAX) {
		fault_error(faults, (struct place){ file, 0, 0 }, "found %zu bytes, expected at most %u", len, YAML_BYTES_MAX);
		return NULL;
	}
	if (!bytes_are_text(file, text, len, faults))
		return NULL;
	must(yaml_parser_initialize(&b.parser));
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
	*complete_out = run(&b);
	for (size_t i = 0; i < b.depth; i++)
		b.path[i]->cut = true;
	yaml_parser_delete(&b.parser);
	if (b.top && !b.top->empty && b.top->kind != YAML_MAP)
		fault_error(faults, b.top->at, "found %s, expected \"key: value\" lines", yaml_tree_kind(b.top));
	else if ((!b.top || b.top->empty) && *complete_out)
		fault_error(faults, (struct place){ file, 1, 1 }, "found no setting, expected at least \"listen:\"");
	return b.top && b.top->kind == YAML_MAP ? b.top : NULL;
}
