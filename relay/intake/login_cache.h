/* relay/intake/login_cache.h - credentials that were right a moment ago: one client that logs in again and again costs one hash a minute.
 *
 * What is kept is a MAC of user, stored hash and password under a key of this process (relay/net/credential.h): a changed hash is another
 * entry. Bounded; the oldest goes first. One for each worker; pure but for memory. */
#ifndef INTAKE_LOGIN_CACHE_H
#define INTAKE_LOGIN_CACHE_H

#include "base/clock.h"
#include "relay/net/credential.h"

#define LOGIN_CACHE_MAX 4096

struct login_cache_entry;

struct login_cache {
	struct login_cache_entry *entries;
};

void login_cache_init(struct login_cache *cache);
void login_cache_fini(struct login_cache *cache);

/* These credentials are right, until `until`. */
void login_cache_put(struct login_cache *cache, const uint8_t tag[CREDENTIAL_TAG], mono_ms until);

/* Whether they were right a moment ago. */
bool login_cache_has(struct login_cache *cache, const uint8_t tag[CREDENTIAL_TAG], mono_ms now);

#endif
