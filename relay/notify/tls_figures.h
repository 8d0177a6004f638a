/* relay/notify/tls_figures.h - how TLS with the hosts of one domain went in a time, by policy (RFC 8460 section 4). Pure. */
#ifndef NOTIFY_TLS_FIGURES_H
#define NOTIFY_TLS_FIGURES_H

#include "base/buf.h"
#include "base/clock.h"
#include "relay/notify/tls_note.h"

#define TLS_POLICIES_MAX 4    /* of one report; what comes with further ones is counted with the last */
#define TLS_FAILURES_MAX 16   /* different ones of a policy; of further ones only the sum is told */
#define TLS_TOLD_MAX     8    /* places that are remembered */
#define TLS_LINES_MAX    2000 /* bytes of a policy's text, and of its hosts */

enum tls_policy_type { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA };

struct tls_failure {
	struct tls_note note;
	uint64_t count;
};

struct tls_policy {
	enum tls_policy_type type;
	char *text;  /* lines, each with LF: the policy as it was found; "" none */
	char *hosts; /* lines: the hosts that it names, for TLSA the base domain; "" none */
	uint64_t good, bad; /* sessions */
	struct tls_failure *failures;
	size_t failure_count;
};

struct tls_figures {
	char *domain;
	wall_ms start, end; /* end 0: not over yet */
	struct tls_policy *policies[TLS_POLICIES_MAX];
	size_t policy_count;
	wall_ms tried;             /* when the report was first sent; 0: not yet */
	char *told[TLS_TOLD_MAX];  /* places that have it */
	size_t told_count;
};

struct tls_figures *tls_figures_create(const char *domain, wall_ms start) MUST_USE; /* never NULL */
void tls_figures_free(struct tls_figures **figures);

/* One session. `text` and `hosts` are cut at a line when they are too long. */
void tls_figures_add(struct tls_figures *figures, enum tls_policy_type type, const char *text, const char *hosts, const struct tls_note *note);

/* This place has the report; has it? */
void tls_figures_tell(struct tls_figures *figures, const char *place);
bool tls_figures_told(const struct tls_figures *figures, const char *place);

/* Sessions of all policies. */
uint64_t tls_figures_good(const struct tls_figures *figures);
uint64_t tls_figures_bad(const struct tls_figures *figures);

/* As JSON: an object with "start", "end" (ms) and the "policies" of a report; the record in the store too. Append it to `out`. ERR_LIMIT by the
 * buffer alone. NULL when reading: not such a record. Once a report has been tried there is "tried" (ms), and "told" with the places that have it. */
MUST_USE enum err tls_figures_write(const struct tls_figures *figures, struct buf *out);
struct tls_figures *tls_figures_read(const char *domain, const void *data, size_t len) MUST_USE;

#endif
