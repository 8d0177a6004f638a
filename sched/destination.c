/* sched/destination.c - destinations: which mail goes to the same place, and the pauses of a place that is down. */
#include "sched/parts.h"

#include <stdlib.h>
#include <string.h>

#define HOSTS_MAX 64 /* of a set; more make no difference between two destinations */

static struct dest *find_key(const struct sched *sched, const char *key)
{
	struct dest *dest;

	HASH_FIND(hh_key, sched->dest_keys, key, strlen(key), dest);
	return dest;
}

static bool name_taken(const struct sched *sched, const char *name)
{
	const struct dest *dest;

	HASH_FIND(hh_name, sched->dest_names, name, strlen(name), dest);
	return dest != NULL;
}

/* Two sets of hosts may share the first one: the second bears its whole set as its name. Takes `key`. */
static struct dest *add(struct sched *sched, char *key, const char *name)
{
	struct dest *dest = model_alloc(sched, sizeof(*dest));

	dest->key = key;
	dest->name = model_text(sched, name_taken(sched, name) ? key + 2 : name);
	dest->probe = ENTRY_NONE;
	dest->handle = slots_add(&sched->dests, dest);
	HASH_ADD_KEYPTR(hh_key, sched->dest_keys, dest->key, strlen(dest->key), dest);
	HASH_ADD_KEYPTR(hh_name, sched->dest_names, dest->name, strlen(dest->name), dest);
	recall_dest(sched, dest);
	return dest;
}

struct dest *dest_of_provider(struct sched *sched, const struct conf_provider *provider)
{
	char *key = xasprintf("p:%s", provider->name);
	struct dest *dest = find_key(sched, key);

	if (dest != NULL)
		free(key);
	else
		dest = add(sched, key, provider->name);
	dest->provider = provider;
	return dest;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "h:" and the names, sorted, once each. */
static char *key_of_hosts(const char *const *hosts, size_t count)
{
	const char *sorted[HOSTS_MAX];
	char *key, *end;
	size_t size = 3;

	if (count > HOSTS_MAX)
		count = HOSTS_MAX;
	for (size_t i = 0; i < count; i++) {
		sorted[i] = hosts[i];
		size += strlen(hosts[i]) + 1;
	}
	qsort(sorted, count, sizeof(*sorted), by_text);
	key = xcalloc(1, size);
	end = stpcpy(key, "h:");
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (i > 0)
			*end++ = ',';
		end = stpcpy(end, sorted[i]);
	}
	return key;
}

struct dest *dest_of_hosts(struct sched *sched, const char *const *hosts, size_t count)
{
	char *key = key_of_hosts(hosts, count);
	struct dest *dest = find_key(sched, key);

	if (dest == NULL)
		return add(sched, key, hosts[0]);
	free(key);
	return dest;
}

void dest_refresh(struct sched *sched, struct dest *dest, wall_ms now)
{
	bool resting = dest->down && dest->probe == ENTRY_NONE && dest->pause_until > now;
	bool crowded = limit_dest_is_crowded(dest), sated = dest->sated_until > now;
	wall_ms when = resting ? dest->pause_until : WALL_NEVER;

	sched->dests_crowded += (uint32_t)crowded - (uint32_t)dest->crowded;
	sched->dests_sated += (uint32_t)sated - (uint32_t)dest->sated;
	dest->crowded = crowded;
	dest->sated = sated;
	timer_set(sched, TIMER_DEST, dest->handle, sated && dest->sated_until < when ? dest->sated_until : when);
	dest->blocked = dest->operator_paused || resting || (dest->down && dest->probe != ENTRY_NONE);
	for (struct bundle *b = dest->bundles; b != NULL; b = b->dest_next)
		bundle_refresh(sched, b);
}

void dest_free(struct sched *sched, struct dest *dest)
{
	must(dest->domains == NULL && dest->lanes == NULL && dest->connections == 0);
	recall_forget_dest(sched, dest);
	bundle_free_all(sched, dest);
	timer_set(sched, TIMER_DEST, dest->handle, WALL_NEVER);
	if (dest->down)
		sched->dests_down--;
	sched->dests_crowded -= dest->crowded;
	sched->dests_sated -= dest->sated;
	HASH_DELETE(hh_key, sched->dest_keys, dest);
	HASH_DELETE(hh_name, sched->dest_names, dest);
	slots_remove(&sched->dests, dest->handle);
	free(dest->key);
	model_text_free(sched, dest->name);
	model_free(sched, dest, sizeof(*dest));
}

void dest_tidy(struct sched *sched, struct dest *dest, wall_ms now)
{
	bool remembers = dest->operator_paused || (dest->down && dest->pause_until > now) || dest->rate_full_us / 1000 > now;

	if (dest->domains == NULL && dest->lanes == NULL && dest->rations == 0 && !remembers)
		dest_free(sched, dest);
}

/* A provider's own limit, else that of lanes. */
static uint32_t own_or(uint32_t own, uint32_t common)
{
	return own != 0 ? own : common != 0 ? common : UINT32_MAX;
}

uint32_t dest_connection_limit(const struct sched *sched, const struct dest *dest)
{
	return own_or(dest->provider != NULL ? dest->provider->connections : 0, sched->conf->lane_connections);
}

uint32_t dest_message_limit(const struct sched *sched, const struct dest *dest)
{
	return own_or(dest->provider != NULL ? dest->provider->messages : 0, sched->conf->lane_messages);
}
