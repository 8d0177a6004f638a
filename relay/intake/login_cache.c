/* relay/intake/login_cache.c - credentials that were right a moment ago. */
#include "relay/intake/login_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"

/* uthash keeps the order in which they were added. */
struct login_cache_entry {
	UT_hash_handle hh;
	uint8_t tag[CREDENTIAL_TAG];
	mono_ms until;
};

void login_cache_init(struct login_cache *cache)
{
	cache->entries = NULL;
}

static void drop(struct login_cache *cache, struct login_cache_entry *entry)
{
	HASH_DEL(cache->entries, entry);
	free(entry);
}

void login_cache_fini(struct login_cache *cache)
{
	struct login_cache_entry *entry, *next;

	HASH_ITER(hh, cache->entries, entry, next)
		drop(cache, entry);
}

static struct login_cache_entry *find(struct login_cache *cache, const uint8_t tag[CREDENTIAL_TAG])
{
	struct login_cache_entry *entry;

	HASH_FIND(hh, cache->entries, tag, CREDENTIAL_TAG, entry);
	return entry;
}

void login_cache_put(struct login_cache *cache, const uint8_t tag[CREDENTIAL_TAG], mono_ms until)
{
	struct login_cache_entry *entry = find(cache, tag);

	if (entry)
		drop(cache, entry);
	else if (HASH_COUNT(cache->entries) >= LOGIN_CACHE_MAX)
		drop(cache, cache->entries);
	entry = xcalloc(1, sizeof(*entry));
	memcpy(entry->tag, tag, CREDENTIAL_TAG);
	entry->until = until;
	HASH_ADD(hh, cache->entries, tag, CREDENTIAL_TAG, entry);
}

bool login_cache_has(struct login_cache *cache, const uint8_t tag[CREDENTIAL_TAG], mono_ms now)
{
	struct login_cache_entry *entry = find(cache, tag);

	if (!entry)
		return false;
	if (now < entry->until)
		return true;
	drop(cache, entry);
	return false;
}
