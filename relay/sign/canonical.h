/* relay/sign/canonical.h - the relaxed canonical forms of DKIM (RFC 6376 sections 3.4.2 and 3.4.4). Pure.
 *
 * What comes out goes to a sink in pieces of any size: runs that need no change are handed on where they lie, short pieces
 * are gathered before. */
#ifndef SIGN_CANONICAL_H
#define SIGN_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANONICAL_STAGE 512 /* bytes; pieces below that are gathered */

/* Takes canonical text; borrowed for the call. */
typedef void (*canonical_sink)(void *arg, const void *data, size_t len);

/* Gathers short pieces on their way to the sink. */
struct canonical_stage {
	canonical_sink sink;
	void *arg;
	size_t len;
	char data[CANONICAL_STAGE];
};

/* A body that streams by. What may turn out to be nothing is only counted until a byte follows that keeps it. */
struct canonical_body {
	struct canonical_stage stage;
	uint64_t line_ends; /* CRLFs that are not told yet: at the end of the body they are ignored */
	bool space;         /* white space that is not told yet: at the end of a line it is ignored */
	bool cr;            /* the last byte was CR; whether it ends a line is not known yet */
	bool some;          /* something was told */
};

void canonical_body_init(struct canonical_body *body, canonical_sink sink, void *arg);

/* The next bytes of the body, cut anywhere. CR and LF that do not stand together are taken as ordinary bytes. */
void canonical_body_feed(struct canonical_body *body, const char *data, size_t len);

/* The body is complete. An empty one gives nothing, all others end in exactly one CRLF. */
void canonical_body_end(struct canonical_body *body);

/*
 * One header field: name in lower case, unfolded, white space reduced.
 *
 *   field  "Name: value", folded or not, with or without its last CRLF; holds a colon
 *   crlf   end with CRLF; the field that holds the signature itself goes without (RFC 6376 section 3.7)
 */
void canonical_field(const char *field, size_t len, bool crlf, canonical_sink sink, void *arg);

#endif
