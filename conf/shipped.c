/* conf/shipped.c - the providers and plans that the program brings along, put under what the operator says about them. */
#include <string.h>

#include "conf/load.h"

#include "plans.yaml.h"
#include "providers.yaml.h"

static const struct {
	const char *key;
	const unsigned char *text;
	size_t len;
} lists[] = {
	{ "providers", providers_yaml, sizeof(providers_yaml) },
	{ "plans", plans_yaml, sizeof(plans_yaml) },
};

static struct yaml_node *shipped_tree(struct load *load, size_t list)
{
	struct fault_list faults = { 0 };
	bool complete;
	struct yaml_node *root = yaml_tree_parse(load->scratch, origin_shipped, (const char *)lists[list].text, lists[list].len,
	    &faults, &complete);

	must(root && complete && faults.count == 0);
	return yaml_tree_get(root, lists[list].key);
}

static const char *name_of(const struct yaml_node *entry)
{
	const struct yaml_node *name = yaml_tree_get(entry, "name");

	return name ? name->text : "";
}

/* What the operator's entry leaves open comes from the shipped one. */
static void inherit(struct yaml_node *entry, const struct yaml_node *shipped)
{
	struct yaml_node *next;

	for (struct yaml_node *node = shipped->first; node; node = next) {
		next = node->next;
		if (!yaml_tree_get(entry, node->key->text))
			yaml_tree_append(entry, node);
	}
}

/* The slot whose shipped entry has that name and which no other entry of the operator has taken. */
static struct yaml_node **slot_find(struct yaml_node **slots, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (slots[i]->at.file == origin_shipped && strcmp(name_of(slots[i]), name) == 0)
			return &slots[i];
	return NULL;
}

/* The shipped entries keep their order, the operator's own follow: so a dump, loaded again, is in the same order. */
static void merge(struct load *load, struct yaml_node *own, const struct yaml_node *shipped)
{
	struct yaml_node **slots = memory_array(load->scratch, shipped->count, sizeof(struct yaml_node *));
	struct yaml_node *first = own->first, *next;
	struct yaml_node rest = { .kind = YAML_LIST };
	size_t count = 0;

	for (struct yaml_node *node = shipped->first; node; node = node->next)
		slots[count++] = node;
	own->first = own->last = NULL;
	own->count = 0;
	for (struct yaml_node *node = first; node; node = next) {
		struct yaml_node **slot = slot_find(slots, count, name_of(node));

		next = node->next;
		if (slot) {
			inherit(node, *slot);
			*slot = node;
		} else {
			yaml_tree_append(&rest, node);
		}
	}
	for (size_t i = 0; i < count; i++)
		yaml_tree_append(own, slots[i]);
	for (struct yaml_node *node = rest.first; node; node = next) {
		next = node->next;
		yaml_tree_append(own, node);
	}
}

void load_shipped(struct load *load, struct yaml_node *root)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct yaml_node *own = yaml_tree_get(root, lists[i].key), *shipped = shipped_tree(load, i);

		if (!own)
			yaml_tree_append(root, shipped);
		else if (own->kind == YAML_LIST)
			merge(load, own, shipped);
	}
}
