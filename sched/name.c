/* sched/name.c - tenants, pools and sources by name. Names that the configuration no longer has stay known: stored mail may bear them. */
#include "sched/parts.h"

#include <stdlib.h>
#include <string.h>

static void load_tenant(const struct sched *sched, struct tenant *tenant)
{
	const struct conf_tenant *conf = conf_tenant_find(sched->conf, tenant->name);

	tenant->present = conf != NULL || strcmp(tenant->name, SCHED_TENANT_INTERNAL) == 0;
	tenant->priority = conf != NULL ? conf->priority : PRIORITY_NORMAL;
	tenant->weight = conf != NULL ? conf->weight : 1;
	tenant->rate_count = conf != NULL ? conf->destination_rate_count : 0;
	tenant->rate_period_ms = conf != NULL ? conf->destination_rate_period_ms : 0;
}

struct tenant *name_tenant(struct sched *sched, const char *name)
{
	struct tenant *tenant = sched->last_tenant;

	if (tenant != NULL && strcmp(tenant->name, name) == 0)
		return tenant;
	HASH_FIND_STR(sched->tenant_names, name, tenant);
	if (tenant != NULL)
		return sched->last_tenant = tenant;
	tenant = model_alloc(sched, sizeof(*tenant));
	tenant->name = xstrdup(name);
	load_tenant(sched, tenant);
	tenant->handle = slots_add(&sched->tenants, tenant);
	HASH_ADD_KEYPTR(hh, sched->tenant_names, tenant->name, strlen(tenant->name), tenant);
	return tenant;
}

struct source *name_source(struct sched *sched, const char *name)
{
	struct source *source;

	HASH_FIND_STR(sched->source_names, name, source);
	if (source != NULL)
		return source;
	source = model_alloc(sched, sizeof(*source));
	source->name = xstrdup(name);
	source->handle = slots_add(&sched->sources, source);
	must(source->handle < SOURCE_NONE);
	HASH_ADD_KEYPTR(hh, sched->source_names, source->name, strlen(source->name), source);
	return source;
}

struct pool *name_pool(struct sched *sched, const char *name)
{
	struct pool *pool = sched->last_pool;

	if (pool != NULL && strcmp(pool->name, name) == 0)
		return pool;
	HASH_FIND_STR(sched->pool_names, name, pool);
	if (pool != NULL)
		return sched->last_pool = pool;
	pool = model_alloc(sched, sizeof(*pool));
	pool->name = xstrdup(name);
	pool->handle = slots_add(&sched->pools, pool);
	must(pool->handle <= UINT16_MAX);
	HASH_ADD_KEYPTR(hh, sched->pool_names, pool->name, strlen(pool->name), pool);
	return pool;
}

bool name_pool_has(const struct pool *pool, const struct source *source, uint32_t *place_out)
{
	if (source->handle >= pool->place_count || pool->places[source->handle] == UINT32_MAX)
		return false;
	if (place_out != NULL)
		*place_out = pool->places[source->handle];
	return true;
}

static unsigned families_of(const struct conf_source *from)
{
	return from->ip.family == AF_INET ? FAMILY_V4 : from->ip.family == AF_INET6 ? FAMILY_V6 : FAMILY_ANY;
}

static void load_sources(struct sched *sched)
{
	const struct conf *conf = sched->conf;

	for (struct source *source = sched->source_names; source != NULL; source = source->hh.next) {
		source->present = false;
		source->conf = NULL;
	}
	for (size_t i = 0; i < conf->source_count; i++) {
		struct source *source = name_source(sched, conf->sources[i].name);

		source->present = true;
		source->families = families_of(&conf->sources[i]);
		source->conf = &conf->sources[i];
	}
}

static void load_turns(struct pool *pool, const struct conf *conf, const struct conf_pool *from)
{
	uint32_t *weights = xcalloc(from->source_count + 1, sizeof(*weights));

	for (size_t i = 0; i < from->source_count; i++) {
		uint32_t weight = conf->sources[from->sources[i]].weight;

		weights[i] = weight > 0 ? weight : 1;
		pool->weight += weights[i];
	}
	free(pool->turns);
	pool->turns = turns_make(weights, (uint32_t)from->source_count, &pool->turn_count);
	free(weights);
}

static void load_pools(struct sched *sched)
{
	const struct conf *conf = sched->conf;

	for (struct pool *pool = sched->pool_names; pool != NULL; pool = pool->hh.next) {
		pool->present = false;
		pool->source_count = pool->place_count = pool->cold_count = pool->turn_count = 0;
		pool->weight = 0;
		pool->overflow_ms = 0;
	}
	for (size_t i = 0; i < conf->pool_count; i++) {
		const struct conf_pool *from = &conf->pools[i];
		struct pool *pool = name_pool(sched, from->name);

		pool->present = true;
		pool->source_count = (uint32_t)from->source_count;
		pool->overflow_ms = from->overflow == OVERFLOW_WAIT ? from->overflow_after_ms : 0;
		load_turns(pool, conf, from);
		pool->sources = xrealloc(pool->sources, from->source_count * sizeof(*pool->sources));
		pool->cold_places = xrealloc(pool->cold_places, from->source_count * sizeof(*pool->cold_places));
		pool->place_count = sched->sources.count;
		pool->places = xrealloc(pool->places, pool->place_count * sizeof(*pool->places));
		memset(pool->places, 0xff, pool->place_count * sizeof(*pool->places));
		for (uint32_t n = 0; n < pool->source_count; n++) {
			pool->sources[n] = name_source(sched, conf->sources[from->sources[n]].name)->handle;
			pool->places[pool->sources[n]] = n;
			if (conf->sources[from->sources[n]].plan != NULL)
				pool->cold_places[pool->cold_count++] = n;
		}
	}
}

void name_load(struct sched *sched)
{
	load_sources(sched);
	load_pools(sched);
	for (struct tenant *tenant = sched->tenant_names; tenant != NULL; tenant = tenant->hh.next)
		load_tenant(sched, tenant);
}

void name_fini(struct sched *sched)
{
	struct tenant *tenant, *next_tenant;
	struct source *source, *next_source;
	struct pool *pool, *next_pool;

	HASH_ITER (hh, sched->tenant_names, tenant, next_tenant) {
		HASH_DEL(sched->tenant_names, tenant);
		free(tenant->name);
		free(tenant->key);
		if (tenant->ledger != NULL)
			model_free(sched, tenant->ledger, sizeof(*tenant->ledger));
		model_free(sched, tenant, sizeof(*tenant));
	}
	HASH_ITER (hh, sched->source_names, source, next_source) {
		HASH_DEL(sched->source_names, source);
		free(source->name);
		free(source->park_why);
		free(source->retire);
		model_free(sched, source, sizeof(*source));
	}
	HASH_ITER (hh, sched->pool_names, pool, next_pool) {
		HASH_DEL(sched->pool_names, pool);
		free(pool->name);
		free(pool->sources);
		free(pool->turns);
		free(pool->places);
		free(pool->cold_places);
		model_free(sched, pool, sizeof(*pool));
	}
}
