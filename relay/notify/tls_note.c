/* relay/notify/tls_note.c - how TLS with a host went, for reports to its domain. */
#include "relay/notify/tls_note.h"

#include <string.h>

static const char *const names[TLS_RESULTS] = {
	[TLS_RESULT_NO_STARTTLS] = "starttls-not-supported",
	[TLS_RESULT_NAME] = "certificate-host-mismatch",
	[TLS_RESULT_EXPIRED] = "certificate-expired",
	[TLS_RESULT_UNTRUSTED] = "certificate-not-trusted",
	[TLS_RESULT_VALIDATION] = "validation-failure",
	[TLS_RESULT_TLSA] = "tlsa-invalid",
	[TLS_RESULT_DNSSEC] = "dnssec-invalid",
	[TLS_RESULT_STS_FETCH] = "sts-policy-fetch-error",
	[TLS_RESULT_STS_INVALID] = "sts-policy-invalid",
	[TLS_RESULT_STS_TRUST] = "sts-webpki-invalid",
};

const char *tls_result_name(enum tls_result result)
{
	return names[result];
}

bool tls_result_find(const char *name, enum tls_result *out)
{
	for (enum tls_result result = TLS_RESULT_GOOD + 1; result < TLS_RESULTS; result++) {
		if (strcmp(names[result], name) != 0)
			continue;
		*out = result;
		return true;
	}
	return false;
}
