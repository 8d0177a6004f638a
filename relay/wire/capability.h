/* relay/wire/capability.h - EHLO keywords of a server (RFC 5321 section 4.1.1.1). Pure. */
#ifndef WIRE_CAPABILITY_H
#define WIRE_CAPABILITY_H

#include "base/err.h"

enum capability_bit {
	CAP_PIPELINING = 1 << 0, CAP_8BITMIME = 1 << 1, CAP_SMTPUTF8 = 1 << 2, CAP_STARTTLS = 1 << 3, CAP_SIZE = 1 << 4,
	CAP_CHUNKING = 1 << 5, CAP_DSN = 1 << 6, CAP_ENHANCED = 1 << 7, CAP_BINARYMIME = 1 << 8, CAP_REQUIRETLS = 1 << 9,
	CAP_LIMITS = 1 << 10, CAP_AUTH = 1 << 11,
};

struct capabilities {
	unsigned bits;
	uint64_t size_max;      /* SIZE; 0: none given */
	uint32_t limit_mail, limit_rcpt; /* LIMITS MAILMAX=, RCPTMAX= (RFC 9422); 0: none */
};

/* Read the lines of an EHLO reply (joined by "\n", the first is the greeting and is skipped). Unknown keywords are ignored. */
void capabilities_parse(const char *text, struct capabilities *out);

#endif
