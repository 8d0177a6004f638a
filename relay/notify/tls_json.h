/* relay/notify/tls_json.h - figures about TLS as JSON: in the store, in a report (RFC 8460 section 4.4), for the operator. Pure. */
#ifndef NOTIFY_TLS_JSON_H
#define NOTIFY_TLS_JSON_H

#include <jansson.h>

#include "relay/notify/tls_figures.h"

/* "policies" of a report. A new reference. */
json_t *tls_json_policies(const struct tls_figures *figures) MUST_USE;

/* Read them back into figures that have none. False: not of that form. */
bool tls_json_read(struct tls_figures *figures, const json_t *policies);

/* What a report says beside them. */
struct tls_sender {
	const char *organization, *contact, *hostname;
};

/* The id of the report: the same however often it is made. Returns `out`. */
#define TLS_REPORT_ID 600
char *tls_report_id(const struct tls_figures *figures, const char *hostname, char out[TLS_REPORT_ID]);

/* The whole report, compressed (RFC 8460 section 5.2). ERR_LIMIT by the buffer alone. */
MUST_USE enum err tls_report_gzip(const struct tls_figures *figures, const struct tls_sender *sender, struct buf *out);

/* --- for tls_figures.c and tls_json.c: the policy of this kind and text, made when it is new; some failures of one kind ---- */
struct tls_policy *tls_figures_policy(struct tls_figures *figures, enum tls_policy_type type, const char *text, const char *hosts);
void tls_policy_fail(struct tls_policy *policy, const struct tls_note *note, uint64_t count);

#endif
