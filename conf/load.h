/* conf/load.h - from the tree of a file to fields, by the schema. Inside conf/ only; the face is conf_load(). */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/origin.h"
#include "conf/schema.h"
#include "conf/yaml_tree.h"

/* One load; all borrowed. */
struct load {
	struct memory *memory;  /* of the snapshot */
	struct memory *scratch; /* gone after the load */
	struct fault_list *faults;
	struct origins *origins;
	const char *base;       /* folder that relative paths start from */
};

/* Fill the struct at `base` from a map: defaults first, then what the map gives. Faults are added to load->faults. */
void load_section(struct load *load, enum schema_section section, const struct yaml_node *map, void *base);

/* Put the shipped providers and plans under the operator's: into root's lists, key by key where the names are equal. */
void load_shipped(struct load *load, struct yaml_node *root);

#endif
