/* relay/sign/signing.h - a message while it comes in: hashed if a key of ours will sign it, and its DKIM-Signature fields at the end. */
#ifndef SIGN_SIGNING_H
#define SIGN_SIGNING_H

#include "relay/sign/keyring.h"

#define SIGNING_TEXT_MAX (DKIM_SIGNERS_MAX * DKIM_FIELD_MAX) /* bytes of all fields together */

struct signing;

/*
 * Begin with a message.
 *
 *   ring     borrowed until the end; NULL: no keys
 *   domains  what the submitter may send as: mail of other authors gets the fallback's signature, so that nobody signs in the name of his
 *            neighbour; domain_count 0: anything. Borrowed likewise
 *
 * NULL: nothing will be signed. All other functions take NULL.
 */
struct signing *signing_begin(const struct keyring *ring, char *const *domains, size_t domain_count) MUST_USE;

/* The next bytes. Once the header shows that there is no key for it the rest costs nothing. */
void signing_feed(struct signing *signing, const char *data, size_t len);

/* The message is complete. Microseconds that signing_finish will need; 0: nothing will be signed. */
unsigned signing_cost_us(struct signing *signing);

/*
 * Append the fields to `out`; nothing when there is no key. Once, after signing_cost_us; on any thread that has the object for itself.
 *
 *   now  for t=
 *
 * Errors of dkim_finish: the message goes without, and `why` is for the log.
 */
MUST_USE enum err signing_finish(struct signing *signing, wall_ms now, struct buf *out, struct err_detail *why);

/* Sets the pointer to NULL. */
void signing_end(struct signing **signing);

#endif
