/* sched/line.c - the due jobs: lines of (domain, tenant, pool, urgency). */
#include "sched/parts.h"

static struct entry *get(const struct sched *sched, uint32_t number)
{
	return entries_get(&sched->entries, number);
}

enum conf_priority line_priority(const struct tenant *tenant, enum urgency urgency)
{
	return urgency == URGENCY_HIGH ? PRIORITY_TRANSACTIONAL : urgency == URGENCY_LOW ? PRIORITY_BULK : tenant->priority;
}

void line_attach(struct sched *sched, struct line *line)
{
	struct domain *domain = line->domain;
	struct pool *pool = slots_get(&sched->pools, line->key.pool);

	must(line->share == NULL);
	line->priority = line_priority(slots_get(&sched->tenants, line->key.tenant), (enum urgency)line->key.urgency);
	DL_APPEND2(domain->route->lines[line->priority], line, route_prev, route_next);
	share_add_line(sched, bundle_get(sched, domain->dest, pool, domain->families), line);
}

void line_detach(struct sched *sched, struct line *line)
{
	if (line->share == NULL)
		return;
	DL_DELETE2(line->domain->route->lines[line->priority], line, route_prev, route_next);
	share_remove_line(sched, line);
}

void line_turn(struct sched *sched, struct line *line, uint32_t rcpts)
{
	struct share *share = line->share;
	struct bundle *bundle = share->bundle;
	struct route *route = line->domain->route;

	DL_DELETE2(share->lines, line, prev, next);
	DL_APPEND2(share->lines, line, prev, next);
	DL_DELETE2(route->lines[line->priority], line, route_prev, route_next);
	DL_APPEND2(route->lines[line->priority], line, route_prev, route_next);
	share_served(share, rcpts);
	share_class_served(bundle->passed, share_waiting(bundle), line->priority);
	bundle->served = ++sched->turns;
	if (bundle->runnable) {
		DL_DELETE2(sched->runnable[bundle->ring], bundle, prev, next);
		DL_APPEND2(sched->runnable[bundle->ring], bundle, prev, next);
	}
}

static struct line_key key_of(const struct entry *e)
{
	return (struct line_key){ .domain = e->domain, .tenant = e->tenant, .pool = e->pool, .urgency = e->urgency };
}

static bool is_key(const struct line *line, const struct line_key *key)
{
	return line->key.domain == key->domain && line->key.tenant == key->tenant && line->key.pool == key->pool &&
	    line->key.urgency == key->urgency;
}

static struct line *line_find(const struct sched *sched, const struct domain *domain, struct line_key key)
{
	struct line *line;

	for (line = domain->lines; line != NULL && !line->far; line = line->domain_next)
		if (is_key(line, &key))
			return line;
	if (domain->far_lines > 0)
		HASH_FIND(hh, sched->line_keys, &key, sizeof(key), line);
	return line;
}

static void line_link(struct sched *sched, struct line *line)
{
	struct domain *domain = line->domain;

	line->far = domain->near_lines >= NEAR_MAX;
	if (!line->far) {
		domain->near_lines++;
		DL_PREPEND2(domain->lines, line, domain_prev, domain_next);
		return;
	}
	domain->far_lines++;
	HASH_ADD(hh, sched->line_keys, key, sizeof(line->key), line);
	DL_APPEND2(domain->lines, line, domain_prev, domain_next);
}

static void line_unlink(struct sched *sched, struct line *line)
{
	struct domain *domain = line->domain;

	DL_DELETE2(domain->lines, line, domain_prev, domain_next);
	if (line->far) {
		HASH_DEL(sched->line_keys, line);
		domain->far_lines--;
	} else {
		domain->near_lines--;
	}
}

static struct line *line_add(struct sched *sched, const struct entry *e)
{
	struct line *line = model_alloc(sched, sizeof(*line));

	line->key = key_of(e);
	line->domain = domain_of(sched, e);
	line->head = line->tail = ENTRY_NONE;
	line_link(sched, line);
	return line;
}

void line_push(struct sched *sched, uint32_t number, wall_ms now)
{
	struct entry *e = get(sched, number);
	struct line *line = line_find(sched, domain_of(sched, e), key_of(e));
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
	struct line *line = line_find(sched, domain_of(sched, e), key_of(e));

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
	line_unlink(sched, line);
	if (line->domain->lines == NULL)
		domain_unwant(sched, line->domain);
	model_free(sched, line, sizeof(*line));
}

#define LINES_TRIED 16

struct line *line_on_route(const struct sched *sched, const struct share *share, const struct domain *domain)
{
	struct line_key key = { .domain = domain->handle, .tenant = share->tenant->handle, .pool = share->bundle->pool->handle };
	struct line *line = share->lines;

	for (key.urgency = 0; key.urgency < URGENCIES; key.urgency++) {
		struct line *own;

		if (line_priority(share->tenant, (enum urgency)key.urgency) != share->priority)
			continue;
		own = line_find(sched, domain, key);
		if (own != NULL && own->share == share)
			return own;
	}
	for (unsigned i = 0; i < LINES_TRIED && line != NULL; i++, line = line->next)
		if (line->domain->route == domain->route)
			return line;
	return NULL;
}
