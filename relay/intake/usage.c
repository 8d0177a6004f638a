/* relay/intake/usage.c - what each tenant uses: connections now, recipients in the last hour and day. */
#include "relay/intake/usage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"

#define MEMO_PREFIX "quota/"

/* NOLINTNEXTLINE(misc-redundant-expression): that they are equal today is chance */
_Static_assert((int)QUOTA_RECORD_MAX <= (int)QUEUE_MEMO_MAX, "a quota fits into a memo");

struct usage {
	struct queue_memo memo; /* its name is MEMO_PREFIX and the tenant's */
	_Atomic uint32_t connections;
	struct quota quota;
	UT_hash_handle hh; /* by the tenant's name; main */
	char memo_name[];
};

struct usages {
	struct usage *table;
};

static size_t write_memo(const struct queue_memo *memo, uint8_t out[QUEUE_MEMO_MAX])
{
	const struct usage *usage = CONTAINER_OF(memo, const struct usage, memo);

	return quota_encode(&usage->quota, clock_wall(), out);
}

static struct usage *usage_of(struct usages *usages, const char *tenant)
{
	size_t len = strlen(tenant);
	struct usage *usage;

	HASH_FIND(hh, usages->table, tenant, len, usage);
	if (usage != NULL)
		return usage;
	usage = xcalloc(1, sizeof(*usage) + sizeof(MEMO_PREFIX) + len);
	memcpy(usage->memo_name, MEMO_PREFIX, sizeof(MEMO_PREFIX) - 1);
	memcpy(usage->memo_name + sizeof(MEMO_PREFIX) - 1, tenant, len + 1);
	usage->memo.name = usage->memo_name;
	usage->memo.write = write_memo;
	HASH_ADD_KEYPTR(hh, usages->table, usage->memo_name + sizeof(MEMO_PREFIX) - 1, len, usage);
	return usage;
}

struct usages *usages_create(void)
{
	return xcalloc(1, sizeof(struct usages));
}

static void load_one(void *arg, const char *name, const void *data, size_t len)
{
	struct usage *usage = usage_of(arg, name + sizeof(MEMO_PREFIX) - 1);
	struct err_detail why;

	if (quota_decode(&usage->quota, data, len, &why) != OK)
		log_text(LOG_WARN, "quota-lost", "tenant %s starts with an unused quota: %s", name + sizeof(MEMO_PREFIX) - 1, why.text);
}

enum err usages_load(struct usages *usages, struct queue_reader *reader, struct err_detail *why)
{
	return queue_memos_read(reader, MEMO_PREFIX, load_one, usages, why);
}

void usages_attach(struct usages *usages, struct conf *conf)
{
	for (size_t i = 0; i < conf->tenant_count; i++)
		conf->tenants[i].usage = usage_of(usages, conf->tenants[i].name);
}

void usages_destroy(struct usages **usages_ptr)
{
	struct usages *usages = *usages_ptr;
	struct usage *usage, *next;

	if (usages == NULL)
		return;
	HASH_ITER (hh, usages->table, usage, next) {
		HASH_DEL(usages->table, usage);
		free(usage);
	}
	free(usages);
	*usages_ptr = NULL;
}

bool usage_connect(struct usage *usage, uint32_t limit)
{
	if (usage == NULL)
		return true;
	if (atomic_fetch_add_explicit(&usage->connections, 1, memory_order_relaxed) < limit || limit == 0)
		return true;
	usage_leave(usage);
	return false;
}

void usage_join(struct usage *usage)
{
	if (usage != NULL)
		atomic_fetch_add_explicit(&usage->connections, 1, memory_order_relaxed);
}

void usage_leave(struct usage *usage)
{
	if (usage != NULL)
		atomic_fetch_sub_explicit(&usage->connections, 1, memory_order_relaxed);
}

static bool has_quota(const struct conf_tenant *tenant)
{
	return tenant->usage != NULL && (tenant->quota_hour > 0 || tenant->quota_day > 0);
}

enum err usage_take(const struct conf_tenant *tenant, wall_ms now, int64_t expire_ms, wall_ms *when_out)
{
	struct quota_limits limits = {
		.hour = tenant->quota_hour,
		.day = tenant->quota_day,
		.calendar = tenant->quota_window == WINDOW_CALENDAR,
		.delay = tenant->quota_over == OVER_DELAY,
		.latest = now + expire_ms / 2, /* what is left is for attempts */
	};

	*when_out = now;
	return has_quota(tenant) ? quota_take(&tenant->usage->quota, &limits, now, when_out) : OK;
}

void usage_give(const struct conf_tenant *tenant, wall_ms when)
{
	if (has_quota(tenant))
		quota_give(&tenant->usage->quota, when);
}

struct queue_memo *usage_memo(const struct conf_tenant *tenant)
{
	return has_quota(tenant) ? &tenant->usage->memo : NULL;
}

void usage_read(const struct conf_tenant *tenant, wall_ms now, uint32_t *connections_out, uint64_t *hour_out, uint64_t *day_out)
{
	*connections_out = 0;
	*hour_out = *day_out = 0;
	if (tenant->usage == NULL)
		return;
	*connections_out = atomic_load_explicit(&tenant->usage->connections, memory_order_relaxed);
	quota_used(&tenant->usage->quota, tenant->quota_window == WINDOW_CALENDAR, now, hour_out, day_out);
}
