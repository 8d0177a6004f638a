/* conf/priority.c - the class of a message, and how long it is tried. */
#include "conf/conf.h"

enum conf_priority conf_priority_of(const struct conf_tenant *tenant, int priority)
{
	if (priority != 0)
		return priority > 0 ? PRIORITY_TRANSACTIONAL : PRIORITY_BULK;
	return tenant != NULL ? tenant->priority : PRIORITY_NORMAL;
}

const char *conf_priority_name(enum conf_priority class)
{
	static const char *const names[PRIORITIES] = {
		[PRIORITY_TRANSACTIONAL] = "transactional", [PRIORITY_NORMAL] = "normal", [PRIORITY_BULK] = "bulk",
	};

	return names[class];
}

int64_t conf_expire_ms(const struct conf *conf, const struct conf_tenant *tenant, int priority)
{
	const int64_t by_class[PRIORITIES] = {
		[PRIORITY_TRANSACTIONAL] = conf->retry.expire_transactional_ms, [PRIORITY_BULK] = conf->retry.expire_bulk_ms,
	};
	int64_t own = by_class[conf_priority_of(tenant, priority)];

	if (tenant != NULL && tenant->expire_ms > 0)
		return tenant->expire_ms;
	return own > 0 ? own : conf->retry.expire_ms;
}
