/* relay/ops/letter.h - a message as an HTTP request brings it: JSON fields or a raw message, into envelope and content. Pure but for randomness. */
#ifndef OPS_LETTER_H
#define OPS_LETTER_H

#include "base/buf.h"
#include "base/clock.h"
#include "relay/wire/address.h"


/* What the surroundings add. */
struct letter_env {
	const char *hostname;   /* right of the "@" of a Message-ID */
	size_t message_bytes;   /* limits.message */
	uint32_t recipients;    /* limits.recipients */
	wall_ms now;
	uint64_t seed[2];       /* random */
};

struct letter {
	struct address sender;  /* text "": the null reverse-path */
	struct address *rcpts;  /* malloc'ed */
	size_t rcpt_count;
	bool utf8;              /* needs SMTPUTF8 (RFC 6531): an address, or the header of a raw message */
	bool eight_bit;         /* needs 8BITMIME */
	int8_t priority;        /* MT-PRIORITY (RFC 6710), -9..9 */
	struct buf message;
};

/*
 * Read a JSON object: from, to, cc, bcc (a text or an array of texts), subject, text, html, headers (an object of texts, or of arrays of them),
 * attachments (an array of {name, type, content: base64}); or from, to and raw (base64 of a whole message). priority, a number from -9 to 9,
 * may stand in both. from is "address" or
 * "Name <address>"; with raw it may be "". A field that is not known is an error, so that none is ignored by a slip.
 *
 * ERR_INVALID: not of that form; ERR_LIMIT: too many recipients or too large a message; `why` is for the client. Any thread.
 */
MUST_USE enum err letter_read_json(const struct letter_env *env, const char *text, size_t len, struct letter *out, struct err_detail *why);

/* A message as it is; the envelope is added by letter_from and letter_to. ERR_LIMIT: too large. Any thread. */
MUST_USE enum err letter_read_raw(const struct letter_env *env, const char *text, size_t len, struct letter *out, struct err_detail *why);

/* Set the sender; "" and "<>" are the null reverse-path. ERR_INVALID. */
MUST_USE enum err letter_from(struct letter *letter, const char *address, struct err_detail *why);

/* Add recipients: addresses joined by commas. ERR_INVALID, ERR_LIMIT. */
MUST_USE enum err letter_to(const struct letter_env *env, struct letter *letter, const char *addresses, struct err_detail *why);

/* Zero-filled memory is an empty letter; this makes it one again. */
void letter_free(struct letter *letter);

#endif
