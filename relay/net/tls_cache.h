/* relay/net/tls_cache.h - TLS sessions that a client may resume (RFC 8446 section 2.2): bounded, one thread's. */
#ifndef NET_TLS_CACHE_H
#define NET_TLS_CACHE_H

#include <stddef.h>

#include "base/err.h"

struct tls_cache;

/* `max` sessions at most, the oldest go first; each is kept for an hour at most. Destroy it after the connections that use it. */
struct tls_cache *tls_cache_create(size_t max) MUST_USE;
void tls_cache_destroy(struct tls_cache **cache);

#endif
