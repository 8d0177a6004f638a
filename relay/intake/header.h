/* relay/intake/header.h - the header section of a message: what is wrong with it, what is missing, and how it goes on (RFC 5322 section 3.6).
 *
 * It is looked at as a whole, once, when its end is here. What is not removed, replaced or added stays byte for byte as it came. */
#ifndef INTAKE_HEADER_H
#define INTAKE_HEADER_H

#include "base/buf.h"
#include "conf/conf.h"

#define HEADER_VALUE_MAX 4096 /* bytes of a From field that is rewritten */

/* By what it is judged. Borrowed. */
struct header_rules {
	const struct conf_hygiene *hygiene;
	const struct conf_tenant *tenant; /* whose domains the author must be of; NULL: nobody's */
	bool utf8;                        /* SMTPUTF8 was given */
};

/* What came of it. */
struct header_verdict {
	const char *refusal; /* the reply, static; NULL: it may pass. Nothing else counts otherwise */
	const char *hold;    /* why it is to be held, static; NULL: it is not */
	bool rewritten;      /* From was */
	bool tls_optional;   /* "TLS-Required: No" (RFC 8689 section 5) */
	bool changed;        /* something is to be removed or replaced: header_write */
	bool is_signed;      /* by others */
	bool needs_date, needs_message_id; /* header_add */
};

/*
 * Judge the section of `len` bytes up to the empty line, which is not part of it. The last line may lack its CRLF.
 * Pure: no state, no I/O.
 */
void header_judge(const char *data, size_t len, const struct header_rules *rules, struct header_verdict *out);

/* Append what is to stand instead of it. ERR_LIMIT: by the buffer alone. Only for one that was changed. */
MUST_USE enum err header_write(const char *data, size_t len, const struct header_rules *rules, struct buf *out);

/* What is needed in addition: to stand above it. `id` makes the Message-ID unique at `hostname`. ERR_LIMIT as above. */
MUST_USE enum err header_add(
    const struct header_verdict *verdict, wall_ms when, const char *id, const char *hostname, struct buf *out);

#endif
