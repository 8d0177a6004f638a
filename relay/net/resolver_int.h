/* relay/net/resolver_int.h - what the files of the resolver share.
 *
 *   resolver.c          the public face; questions and their deadlines
 *   resolver_probe.c    whom to believe: which context is asked
 *   resolver_context.c  contexts of libunbound, trust anchors */
#ifndef NET_RESOLVER_INT_H
#define NET_RESOLVER_INT_H

#include "relay/net/resolver.h"
#include "relay/net/resolver_context.h"

#define CLASS_IN 1

enum sec { SEC_INSECURE, SEC_BOGUS, SEC_SECURE }; /* of ub_event_callback_type */

enum probe_step {
	PROBE_OFF,     /* nothing to find out now */
	PROBE_KEYS,    /* the root's keys were asked for */
	PROBE_CONTROL, /* no answer to that: does the resolver answer anything? */
	PROBE_OVER,    /* `finding` */
	PROBE_RESTING, /* the next one later */
};

enum probe_finding {
	FOUND_SILENCE, /* no answer at all */
	FOUND_FAILURE, /* SERVFAIL, or nobody there: it may be able to answer nothing at all */
	FOUND_INVALID, /* an answer that does not validate */
	FOUND_VALID,
};

struct probe {
	enum probe_step step;
	enum probe_finding finding;
	struct ub_ctx *candidate; /* who is probed */
	struct ub_ctx *control;   /* believes whatever comes */
	struct timer timer;
	unsigned failures;        /* in a row */
	mono_ms quiet_until;      /* no doubt is followed up before */
	bool blind;               /* INVALID by a failure, and nothing has been answered since: the first answer calls for another probe */
	bool spoke;               /* such an answer has come */
};

struct resolver {
	struct loop *loop;
	struct conf *conf; /* what `dns` points into */
	struct conf_dns dns;
	struct resolver_anchors anchors;
	struct ub_ctx *ctx; /* who is asked; NULL until the first probe has ended */
	struct probe probe;
	enum dns_validation validation;
	void (*fn)(void *arg, enum dns_validation validation);
	void *arg;
	struct dns_query *queries;
};

/* --- resolver.c ------------------------------------------------------------------------------------------------------------ */

/* From now on `ctx` is asked; what is under way or in doubt is asked again there. The one before is deleted: from timers alone. */
void resolver_use(struct resolver *resolver, struct ub_ctx *ctx);

/* Answers that were in doubt are told as what they are. */
void resolver_release(struct resolver *resolver);

/* --- resolver_probe.c ------------------------------------------------------------------------------------------------------ */

void resolver_probe_init(struct resolver *resolver);
void resolver_probe_fini(struct resolver *resolver);

/* The first one. `candidate` is the probe's. */
void resolver_probe_begin(struct resolver *resolver, struct ub_ctx *candidate);

/* An answer is bogus: find out whether that one is, or all are. True: resolver_use or resolver_release follows, from a timer. */
bool resolver_probe_suspect(struct resolver *resolver);

/* An answer has come that is not validated. True: it is the first one of a resolver that answered nothing before, and waits as above. */
bool resolver_probe_heard(struct resolver *resolver);

#endif
