/* relay/deliver/dispatch_ledger.c - what became of the recipients of sources and tenants, as notes in the store: a kill loses some seconds of it. */
#include "relay/deliver/dispatch_int.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/keep.h"

#define PREFIX   "ledger/"
#define FLUSH_MS SECONDS(10)
_Static_assert(sizeof(PREFIX) + SCHED_LEDGER_KEY <= QUEUE_NOTE_NAME, "a key fits a note's name");

/* Length 0 removes it. A row that cannot be written is written with the next change of it. */
static void store(void *arg, const char *key, const void *data, size_t len)
{
	struct dispatch *d = arg;
	char name[sizeof(PREFIX) + SCHED_LEDGER_KEY];

	(void)snprintf(name, sizeof(name), PREFIX "%s", key);
	keep_note(d->env.queue, name, data, len);
}

void dispatch_ledger_flush(struct dispatch *d, bool at_once, wall_ms now)
{
	if (!at_once && now < d->ledger_at)
		return;
	d->ledger_at = now + FLUSH_MS;
	sched_ledgers_changed(d->env.sched, store, d);
}

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;
	const char *key = name + strlen(PREFIX);
	enum err e = sched_ledger_restore(d->env.sched, key, data, len, dispatch_now(d));

	if (e == ERR_NOT_FOUND)
		store(d, key, NULL, 0);
	else if (e != OK)
		log_text(LOG_WARN, "learned-lost", "figures \"%s\" cannot be read (%s)", key, err_name(e));
}

void dispatch_ledger_restore(struct dispatch *d)
{
	struct err_detail why;

	if (d->env.reader && queue_notes_read(d->env.reader, PREFIX, restore, d, &why) != OK)
		log_text(LOG_ERROR, "learned-lost", "figures of sources and tenants cannot be read: %s", why.text);
}
