/* sched/tally.c - the figures of sources and tenants on their way to the store and back: rows "s PLACE NAME" and "t PLACE NAME". */
#include "sched/parts.h"

#include <stdio.h>
#include <string.h>

#define NAME_AT 6 /* in a key: kind, space, three digits, space */

static void tell(struct ledger *ledger, char kind, const char *name, sched_ledger_fn fn, void *arg)
{
	char key[SCHED_LEDGER_KEY];
	uint8_t row[LEDGER_ROW];
	uint32_t place;

	if (strlen(name) >= sizeof(key) - NAME_AT)
		return;
	while (ledger_take(ledger, &place, row)) {
		(void)snprintf(key, sizeof(key), "%c %03u %s", kind, place, name);
		fn(arg, key, row, sizeof(row));
	}
}

void sched_ledgers_changed(struct sched *sched, sched_ledger_fn fn, void *arg)
{
	for (struct source *source = sched->source_names; source != NULL; source = source->hh.next)
		tell(&source->ledger, 's', source->name, fn, arg);
	for (struct tenant *tenant = sched->tenant_names; tenant != NULL; tenant = tenant->hh.next)
		if (tenant->ledger != NULL)
			tell(tenant->ledger, 't', tenant->name, fn, arg);
}

struct ledger *tally_of_tenant(struct sched *sched, struct tenant *tenant)
{
	if (tenant->ledger == NULL)
		tenant->ledger = model_alloc(sched, sizeof(*tenant->ledger));
	return tenant->ledger;
}

enum err sched_ledger_restore(struct sched *sched, const char *key, const void *data, size_t len, wall_ms now)
{
	struct ledger probe = { 0 };
	enum err e = ledger_give(&probe, data, len, now);

	if (e != OK)
		return e;
	if (strlen(key) <= NAME_AT || (key[0] != 's' && key[0] != 't'))
		return ERR_CORRUPT;
	return ledger_give(key[0] == 's' ? &name_source(sched, key + NAME_AT)->ledger : tally_of_tenant(sched, name_tenant(sched, key + NAME_AT)),
	    data, len, now);
}
