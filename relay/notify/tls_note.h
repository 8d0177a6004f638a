/* relay/notify/tls_note.h - how TLS with a host went, for reports to its domain (RFC 8460 section 4.3). */
#ifndef NOTIFY_TLS_NOTE_H
#define NOTIFY_TLS_NOTE_H

#include "base/ip.h"

enum tls_result {
	TLS_RESULT_GOOD, TLS_RESULT_NO_STARTTLS, TLS_RESULT_NAME, TLS_RESULT_EXPIRED, TLS_RESULT_UNTRUSTED, TLS_RESULT_VALIDATION, TLS_RESULT_TLSA,
	TLS_RESULT_DNSSEC, TLS_RESULT_STS_FETCH, TLS_RESULT_STS_INVALID, TLS_RESULT_STS_TRUST, TLS_RESULTS
};

/* The name in reports; NULL for GOOD. */
const char *tls_result_name(enum tls_result result);
bool tls_result_find(const char *name, enum tls_result *out);

#define TLS_NOTES_MAX 16 /* of one delivery */

struct tls_note {
	enum tls_result result;
	char host[256];
	struct ip_addr local, remote; /* family 0: not known, not reached */
	char why[128];                /* words for failures, "" for none */
};

#endif
