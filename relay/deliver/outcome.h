/* relay/deliver/outcome.h - what happened to a recipient: plain data, made from a reply or a lost connection. Pure. */
#ifndef DELIVER_OUTCOME_H
#define DELIVER_OUTCOME_H

#include "relay/wire/reply.h"
#include "sched/sched.h"

enum outcome_kind { OUTCOME_NONE, OUTCOME_DELIVERED, OUTCOME_DEFERRED, OUTCOME_REFUSED };

enum stage { STAGE_DNS, STAGE_CONNECT, STAGE_GREETING, STAGE_EHLO, STAGE_STARTTLS, STAGE_TLS, STAGE_MAIL, STAGE_RCPT, STAGE_DATA,
	STAGE_BODY, STAGE_DOT, STAGE_QUIT, STAGE_POLICY, STAGES };
const char *stage_name(enum stage stage); /* "rcpt", for logs */

struct outcome {
	enum outcome_kind kind;
	enum sched_scope scope; /* whom it blames */
	enum stage stage;
	int code;              /* SMTP code, 0: no reply */
	char enhanced[16];     /* "5.1.1"; made up in the right class when the remote gave none */
	char reply[512];       /* "550 5.1.1 words", or our own words: "connection lost while sending the message (stage body)" */
	char relay[320];       /* host[address]:port; "" none */
	bool in_doubt;         /* the connection was lost after the final dot */
	const char *class_name; /* what the rules say of a refusal (relay/deliver/verdict.h); NULL: nothing has been asked */
	bool judged;           /* the rules were asked: class and action count */
	enum replies_class class;
	enum replies_action action;
	bool of_sender;        /* DEFERRED: the destination wants less mail of the sender's domain, whoever sends it */
	bool one_host;         /* DEFERRED: refused for good by a host, but others have not been heard yet */
	bool barred;           /* DEFERRED: refused for good, but for reasons of ours */
	int64_t wait_ms;       /* how long the reply itself asks us to wait; 0: it does not */
};

/* A reply at a stage: 2xx delivered (where the stage decides), 4xx deferred, 5xx refused, with its scope: 421 and connect-stage faults blame
 * the host or lane, RCPT the recipient, MAIL and DATA the message. RFC 5321 section 4.2.1. */
void outcome_from_reply(struct outcome *out, enum stage stage, const struct reply *reply, const char *relay);

/* Our own words: time-outs, lost connections, DNS. */
void outcome_make(struct outcome *out, enum outcome_kind kind, enum sched_scope scope, enum stage stage, const char *enhanced,
    const char *relay, const char *format, ...) PRINTF_LIKE(7, 8);

#endif
