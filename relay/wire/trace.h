/* relay/wire/trace.h - trace and other header fields that we add or look for (RFC 5321 section 4.4, RFC 3848, RFC 5322). Pure. */
#ifndef WIRE_TRACE_H
#define WIRE_TRACE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"

/* What the Received field says. Strings are borrowed. */
struct trace {
	const char *helo;       /* as the client said it; unprintable bytes become "?" */
	struct ip_addr client;
	const char *hostname;   /* ours */
	const char *id;
	const char *rcpt;       /* the only recipient, or NULL: no "for" clause when there are more (RFC 5321 section 7.2) */
	bool esmtp, tls, auth, utf8; /* "with" SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP... (RFC 3848, 6531) */
	bool http;              /* "with" HTTP or HTTPS instead */
	const char *tls_text;   /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL */
	wall_ms when;
};

/* Append "Received: from ...; date\r\n", folded below 78 columns. ERR_LIMIT by the buffer alone. */
MUST_USE enum err trace_received(const struct trace *trace, struct buf *out);

/* Counts Received fields in a header section that streams by, and finds its end. For loop detection (RFC 5321 section 6.3). */
struct header_scan {
	uint32_t received;   /* fields seen */
	bool in_body;        /* the empty line was seen */
	uint8_t state;       /* trace.c only */
	uint8_t matched;
	uint64_t header_bytes; /* bytes up to the empty line */
};
void header_scan_init(struct header_scan *scan);
void header_scan_feed(struct header_scan *scan, const char *data, size_t len);

#endif
