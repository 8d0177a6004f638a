/* relay/wire/address.h - SMTP paths and mailboxes (RFC 5321 section 4.1.2, RFC 6531 section 3.3). Pure: no state, no I/O. */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

#include "base/err.h"

#define ADDRESS_MAX 320 /* bytes: local part 64, "@", domain 255 */
#define DOMAIN_MAX  255

/* A mailbox as it is stored and sent on. */
struct address {
	char text[ADDRESS_MAX + 1]; /* local part as given, "@", domain in lower case; "" is the null path */
	uint16_t at;                /* index of the last "@"; 0 for the null path and for a bare "postmaster" */
	bool utf8;                  /* not ASCII: needs SMTPUTF8 */
};

/* The part behind the "@"; "" when there is none. Points into the address. */
const char *address_domain(const struct address *address);

/*
 * Parse a path that begins at `text`: "<" [ source route ":" ] mailbox ">" or "<>"; a source route is dropped (RFC 5321 appendix C).
 * Also accepts a path without brackets as clients of old do ("MAIL FROM: a@b"). `allow_utf8`: SMTPUTF8 was given.
 *
 * On success *used_out is the number of bytes consumed. Domains may be U-labels (with allow_utf8), LDH names (underscore tolerated) or address
 * literals ("[192.0.2.1]", "[IPv6:...]"). ERR_INVALID with a text that fits a 501/553 reply in `why`.
 */
MUST_USE enum err address_parse_path(const char *text, size_t len, bool allow_utf8, struct address *out, size_t *used_out,
    struct err_detail *why);

/* A bare mailbox "a@b" (configuration, relayq). */
MUST_USE enum err address_parse(const char *text, bool allow_utf8, struct address *out, struct err_detail *why);

/* Is it a syntactically valid host name for EHLO or DNS (letters, digits, hyphen, underscore, dots; labels of 1..63, 255 in all)? */
bool domain_is_valid(const char *domain);

#endif
