/* conf/yaml_tree.h - a YAML file as a small tree that keeps lines and columns.
 *
 * Only what settings need: texts, lists, maps. Anchors, aliases, tags and a second document are refused, so a small file
 * cannot grow in memory. */
#ifndef CONF_YAML_TREE_H
#define CONF_YAML_TREE_H

#include "conf/fault.h"
#include "conf/memory.h"

#define YAML_BYTES_MAX (8u << 20) /* of the file */
#define YAML_NODES_MAX 500000u
#define YAML_DEPTH_MAX 16u
#define YAML_KEYS_MAX  1000u      /* of one map */
#define YAML_TEXT_MAX  4096u      /* bytes of one value */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

/* Nodes and texts live in the memory handed to yaml_tree_parse. */
struct yaml_node {
	enum yaml_kind kind;
	struct place at;
	const char *text;       /* of a text, without NUL inside; "" otherwise */
	bool empty;             /* nothing was written: "key:" or "~" */
	bool cut;               /* the file ends inside, with a syntax error */
	struct yaml_node *key;  /* in a map: the text before the colon */
	struct yaml_node *next; /* sibling */
	struct yaml_node *first, *last;
	size_t count;           /* children */
};

/*
 * Parse `len` bytes.
 *
 *   file          named in places; must outlive the tree
 *   complete_out  false: the text ends in a syntax error, the tree holds what stands before it
 *
 * Returns the top map, or NULL when there is none (a fault says why). Everything wrong is added to `faults`.
 */
struct yaml_node *yaml_tree_parse(struct memory *memory, const char *file, const char *text, size_t len,
    struct fault_list *faults, bool *complete_out) MUST_USE;

/* The value of `key` in a map; NULL: absent, or `map` is no map. */
struct yaml_node *yaml_tree_get(const struct yaml_node *map, const char *key);

/* Put `child` (of no list yet) at the end. */
void yaml_tree_append(struct yaml_node *parent, struct yaml_node *child);

/* "a text", "a list", "a map", or "nothing". */
const char *yaml_tree_kind(const struct yaml_node *node);

#endif
