/* relay/deliver/dispatch_dnssec.c - whether DNSSEC is in force: told to the operator, and what was learnt without it is looked up anew with it. */
#include "relay/deliver/dispatch_int.h"

/* Routes that were learnt without DNSSEC know nothing of TLSA records, and connections along them were opened without. What was learnt with it
 * stays good for its time when DNSSEC is lost. */
static void on_change(void *arg, enum dns_validation validation)
{
	struct dispatch *d = arg;

	if (validation != DNS_VALIDATED)
		return;
	dispatch_routes_expire(d);
	dispatch_quit_idle(d);
	dispatch_pump_soon(d);
}

void dispatch_dnssec_listen(struct dispatch *d)
{
	resolver_listen(d->resolver, on_change, d);
}

void dispatch_dnssec_look(struct dispatch *d)
{
	const char *trouble = resolver_trouble(d->resolver);

	if (trouble)
		dispatch_alert_raise(d, ALERT_DNSSEC, 0, "resolver", "%s", trouble);
	else if (resolver_validation(d->resolver) != DNS_UNPROVEN)
		dispatch_alert_clear(d, ALERT_DNSSEC, "resolver");
}

enum dns_validation dispatch_dnssec(const struct dispatch *d)
{
	return resolver_validation(d->resolver);
}

const char *dispatch_dnssec_trouble(const struct dispatch *d)
{
	return resolver_trouble(d->resolver);
}
