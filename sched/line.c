/* sched/line.c - the due jobs: lines of (domain, tenant, pool), and the shares in which tenants take turns. */
#include "sched/model.h"

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

static struct share *share_get(struct sched *sched, struct bundle *bundle, struct tenant *tenant)
{
	struct share_key key = { .bundle = bundle, .tenant = tenant };
	struct share *share;

	HASH_FIND(hh, sched->share_keys, &key, sizeof(key), share);
	if (share != NULL)
		return share;
	share = model_alloc(sched, sizeof(*share));
	share->key = key;
	share->bundle = bundle;
	share->tenant = tenant;
	HASH_ADD(hh, sched->share_keys, key, sizeof(key), share);
	DL_APPEND2(tenant->shares, share, tenant_prev, tenant_next);
	share->turning = !tenant->paused;
	if (share->turning)
		DL_APPEND2(bundle->shares, share, prev, next);
	return share;
}

static void share_free(struct sched *sched, struct share *share)
{
	if (share->turning)
		DL_DELETE2(share->bundle->shares, share, prev, next);
	DL_DELETE2(share->tenant->shares, share, tenant_prev, tenant_next);
	HASH_DEL(sched->share_keys, share);
	bundle_refresh(sched, share->bundle);
	model_free(sched, share, sizeof(*share));
}

void line_tenant_paused(struct sched *sched, struct tenant *tenant, bool paused)
{
	struct share *share;

	tenant->paused = paused;
	DL_FOREACH2(tenant->shares, share, tenant_next)
	{
		if (share->turning == !paused)
			continue;
		share->turning = !paused;
		if (paused)
			DL_DELETE2(share->bundle->shares, share, prev, next);
		else
			DL_APPEND2(share->bundle->shares, share, prev, next);
		bundle_refresh(sched, share->bundle);
	}
}

void line_attach(struct sched *sched, struct line *line)
{
	struct domain *domain = line->domain;
	struct pool *pool = slots_get(&sched->pools, line->key.pool);
	struct bundle *bundle = bundle_get(sched, domain->dest, pool, domain->families);

	must(line->share == NULL);
	line->share = share_get(sched, bundle, slots_get(&sched->tenants, line->key.tenant));
	DL_APPEND2(line->share->lines, line, prev, next);
	DL_APPEND2(domain->route->lines, line, route_prev, route_next);
	bundle_refresh(sched, bundle);
}

void line_detach(struct sched *sched, struct line *line)
{
	struct share *share = line->share;

	if (share == NULL)
		return;
	DL_DELETE2(share->lines, line, prev, next);
	DL_DELETE2(line->domain->route->lines, line, route_prev, route_next);
	line->share = NULL;
	if (share->lines == NULL)
		share_free(sched, share);
}

void line_turn(struct sched *sched, struct line *line)
{
	struct share *share = line->share;
	struct bundle *bundle = share->bundle;

	DL_DELETE2(share->lines, line, prev, next);
	DL_APPEND2(share->lines, line, prev, next);
	DL_DELETE2(line->domain->route->lines, line, route_prev, route_next);
	DL_APPEND2(line->domain->route->lines, line, route_prev, route_next);
	if (share->turning) {
		DL_DELETE2(bundle->shares, share, prev, next);
		DL_APPEND2(bundle->shares, share, prev, next);
	}
	if (bundle->runnable) {
		DL_DELETE2(sched->runnable, bundle, prev, next);
		DL_APPEND2(sched->runnable, bundle, prev, next);
	}
}

static struct line *line_find(const struct sched *sched, const struct entry *e)
{
	struct line_key key = { .domain = e->domain, .tenant = e->tenant, .pool = e->pool };
	struct line *line;

	HASH_FIND(hh, sched->line_keys, &key, sizeof(key), line);
	return line;
}

static struct line *line_add(struct sched *sched, const struct entry *e)
{
	struct line *line = model_alloc(sched, sizeof(*line));

	line->key = (struct line_key){ .domain = e->domain, .tenant = e->tenant, .pool = e->pool };
	line->domain = domain_of(sched, e);
	line->head = line->tail = ENTRY_NONE;
	HASH_ADD(hh, sched->line_keys, key, sizeof(line->key), line);
	DL_APPEND2(line->domain->lines, line, domain_prev, domain_next);
	return line;
}

void line_push(struct sched *sched, uint32_t number, wall_ms now)
{
	struct entry *e = get(sched, number);
	struct line *line = line_find(sched, e);
	bool fresh = line == NULL;

	if (fresh)
		line = line_add(sched, e);
	e->next = ENTRY_NONE;
	e->prev = line->tail;
	if (line->tail != ENTRY_NONE)
		get(sched, line->tail)->next = number;
	else
		line->head = number;
	line->tail = number;
	if (fresh && line->domain->routed)
		line_attach(sched, line);
	else if (fresh)
		domain_want(sched, line->domain, now);
}

void line_remove(struct sched *sched, uint32_t number)
{
	struct entry *e = get(sched, number);
	struct line *line = line_find(sched, e);

	if (e->prev != ENTRY_NONE)
		get(sched, e->prev)->next = e->next;
	else
		line->head = e->next;
	if (e->next != ENTRY_NONE)
		get(sched, e->next)->prev = e->prev;
	else
		line->tail = e->prev;
	e->next = e->prev = ENTRY_NONE;
	if (line->head != ENTRY_NONE)
		return;
	line_detach(sched, line);
	DL_DELETE2(line->domain->lines, line, domain_prev, domain_next);
	if (line->domain->lines == NULL)
		domain_unwant(sched, line->domain);
	HASH_DEL(sched->line_keys, line);
	model_free(sched, line, sizeof(*line));
}
