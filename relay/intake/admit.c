/* relay/intake/admit.c - the tenant that a session acts for: found by login or address, and its connections counted. */
#include "relay/intake/admit.h"

#include "relay/intake/dialog.h"
#include "relay/intake/usage.h"

static void find(struct dialog *d)
{
	if (d->login != NULL)
		d->tenant = login_tenant(d);
	else if (d->listen.auth != AUTH_REQUIRED)
		d->tenant = conf_tenant_by_address(d->conf, &d->client.addr);
	else
		d->tenant = NULL;
}

bool admit_enter(struct dialog *d)
{
	struct usage *usage;

	find(d);
	usage = d->tenant != NULL ? d->tenant->usage : NULL;
	if (usage == d->usage)
		return true;
	admit_leave(d);
	if (!usage_connect(usage, d->tenant != NULL ? d->tenant->connections : 0))
		return false;
	d->usage = usage;
	return true;
}

void admit_again(struct dialog *d)
{
	struct usage *before = d->usage;

	find(d);
	d->usage = d->tenant != NULL ? d->tenant->usage : NULL;
	usage_join(d->usage);
	usage_leave(before);
}

void admit_leave(struct dialog *d)
{
	usage_leave(d->usage);
	d->usage = NULL;
}
