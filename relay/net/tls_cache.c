/* relay/net/tls_cache.c - TLS sessions that a client may resume. */
#include "relay/net/tls_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "relay/net/tls_context.h"

#define LIFE_MS HOURS(1) /* servers change their tickets' keys about that often */

struct cached {
	char *key;
	SSL_SESSION *session; /* a reference */
	char how[TLS_HOW_TEXT];
	mono_ms since;
	UT_hash_handle hh; /* in the order of their coming: the oldest is the first */
};

struct tls_cache {
	struct cached *table;
	size_t max;
};

struct tls_cache *tls_cache_create(size_t max)
{
	struct tls_cache *cache = xcalloc(1, sizeof(*cache));

	cache->max = max;
	return cache;
}

static void forget(struct tls_cache *cache, struct cached *entry)
{
	HASH_DEL(cache->table, entry);
	SSL_SESSION_free(entry->session);
	free(entry->key);
	free(entry);
}

void tls_cache_destroy(struct tls_cache **cache)
{
	struct tls_cache *c = *cache;

	*cache = NULL;
	if (c == NULL)
		return;
	while (c->table != NULL)
		forget(c, c->table);
	free(c);
}

static struct cached *find(struct tls_cache *cache, const char *key)
{
	struct cached *entry;

	HASH_FIND_STR(cache->table, key, entry);
	return entry;
}

SSL_SESSION *tls_cache_find(struct tls_cache *cache, const char *key, char *how_out, mono_ms now)
{
	struct cached *entry = find(cache, key);

	if (entry != NULL && (now - entry->since > LIFE_MS || SSL_SESSION_is_resumable(entry->session) != 1)) {
		forget(cache, entry);
		entry = NULL;
	}
	if (entry == NULL)
		return NULL;
	snprintf(how_out, TLS_HOW_TEXT, "%s", entry->how);
	return entry->session;
}

void tls_cache_drop(struct tls_cache *cache, const char *key)
{
	struct cached *entry = find(cache, key);

	if (entry != NULL)
		forget(cache, entry);
}

void tls_cache_put(struct tls_cache *cache, const char *key, SSL_SESSION *session, const char *how, mono_ms now)
{
	struct cached *entry;

	tls_cache_drop(cache, key);
	while (cache->table != NULL && HASH_COUNT(cache->table) >= cache->max)
		forget(cache, cache->table);
	must(SSL_SESSION_up_ref(session) == 1);
	entry = xcalloc(1, sizeof(*entry));
	entry->key = xstrdup(key);
	entry->session = session;
	entry->since = now;
	snprintf(entry->how, sizeof(entry->how), "%s", how);
	HASH_ADD_KEYPTR(hh, cache->table, entry->key, strlen(entry->key), entry);
}
