/* relay/sign/keyring.h - the signing keys of one configuration, loaded, and which of them sign for a domain.
 *
 * They hang on the snapshot of the configuration and live as long as it does: whoever holds a reference to it may sign, on any thread. */
#ifndef SIGN_KEYRING_H
#define SIGN_KEYRING_H

#include "conf/conf.h"
#include "relay/sign/dkim.h"

struct keyring;

/*
 * Load the keys that conf->dkim names and attach them. Once for each snapshot, before it is shared.
 *
 *   faults  gets an error, with its place in the file, for each key that cannot be used, and warnings
 *
 * False: there were errors, nothing is attached.
 */
MUST_USE bool keyring_attach(struct conf *conf, struct conf_faults *faults);

/* The attached keys; NULL: none, because there are none or nobody attached them. */
const struct keyring *keyring_of(const struct conf *conf);

/* The keys of `domain` (lower case) itself, else of the nearest domain above it (RFC 6376 section 3.9: d= may be a parent). Returns how many, at
 * most DKIM_SIGNERS_MAX; *out is borrowed. Pure. */
size_t keyring_find(const struct keyring *ring, const char *domain, const struct dkim_signer **out);

/* The keys of signing.fallback; 0: there is none. Pure. */
size_t keyring_fallback(const struct keyring *ring, const struct dkim_signer **out);

#endif
