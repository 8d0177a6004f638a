/* relay/sign/author.h - the domain of a From field, by which the signing key is chosen (RFC 5322 section 3.6.2). Pure. */
#ifndef SIGN_AUTHOR_H
#define SIGN_AUTHOR_H

#include "base/err.h"

#define AUTHOR_DOMAIN 256 /* bytes for author_domain */

/*
 * The domain of the only address in the value of a From field, as A-labels in lower case.
 *
 *   value  what follows the colon, folded or not, of any bytes; need not be terminated
 *   out    AUTHOR_DOMAIN bytes
 *
 * ERR_LIMIT: more than one address; ERR_NOT_FOUND: none, or one whose domain is no domain name. `out` is "" then.
 */
MUST_USE enum err author_domain(const char *value, size_t len, char out[AUTHOR_DOMAIN]);

/* Called with the domain of an address, in the same form; "" when it has none, or one that is no domain name. */
typedef void (*author_fn)(void *arg, const char *domain);

/* Tell of every address in the value, which has no NUL; returns how many there are. */
size_t author_each(const char *value, size_t len, author_fn fn, void *arg);

#endif
