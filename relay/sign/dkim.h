/* relay/sign/dkim.h - one message on its way to its DKIM-Signature fields (RFC 6376): relaxed/relaxed, SHA-256, hashed while it streams by.
 *
 * The header section is kept until the end, the body is not. */
#ifndef SIGN_DKIM_H
#define SIGN_DKIM_H

#include "base/buf.h"
#include "base/clock.h"
#include "relay/sign/author.h"
#include "relay/sign/dkim_key.h"

#define DKIM_HEADER_MAX  (256 * 1024) /* bytes of a header section that we sign */
#define DKIM_FIELD_MAX   8192         /* bytes of one DKIM-Signature field of ours */
#define DKIM_SIGNERS_MAX 8            /* signatures of one message */

/* Whose signature is wanted. Borrowed. */
struct dkim_signer {
	const char *domain, *selector; /* d= and s= */
	const struct dkim_key *key;
};

struct dkim;

struct dkim *dkim_create(void) MUST_USE; /* never NULL */
void dkim_destroy(struct dkim **dkim);

/* The next bytes of the message, CRLF lines, cut anywhere. */
void dkim_feed(struct dkim *dkim, const char *data, size_t len);

/* Has the empty line behind the header section gone by? */
bool dkim_in_body(const struct dkim *dkim);

/*
 * The domain to choose keys by, of the header so far.
 *
 * ERR_NOT_FOUND: no usable domain; ERR_LIMIT: several From fields or addresses. In both cases the fallback domain signs. ERR_INVALID: no
 * From field or a header section that is too long: such a message cannot be signed at all, `why` says so.
 */
MUST_USE enum err dkim_author(const struct dkim *dkim, char out[AUTHOR_DOMAIN], struct err_detail *why);

/*
 * The message is complete: append one DKIM-Signature field for each signer, folded below 78 columns, CRLF lines, to stand above it.
 * From, Subject, Date and To are named once more than they are there, so that nobody can add another one. Once for each message.
 *
 *   now  for t=
 *
 * ERR_INVALID: as dkim_author; ERR_LIMIT: too many header fields, or the buffer is too small; ERR_IO: OpenSSL. Nothing was appended then.
 */
MUST_USE enum err dkim_finish(
    struct dkim *dkim, const struct dkim_signer *signers, size_t count, wall_ms now, struct buf *out, struct err_detail *why);

/* --- the steps of it, for vectors of the RFCs ----------------------------------------------------------------------------- */

/* The body is complete: its SHA-256. Once for each message, not with dkim_finish. */
void dkim_body_hash(struct dkim *dkim, uint8_t out[DKIM_HASH]);

/*
 * The SHA-256 that is signed (RFC 6376 section 3.7).
 *
 *   names  header fields in the order of h=; of a name that comes again the next instance from below is meant, or none
 *   field  the DKIM-Signature field, b= without its value, without CRLF at the end
 */
void dkim_header_hash(
    struct dkim *dkim, const char *const *names, size_t count, const char *field, size_t len, uint8_t out[DKIM_HASH]);

#endif
