/* relay/net/resolver.c - asynchronous, caching, validating DNS look-ups: questions, their deadlines, and whom to believe.
 *
 * libunbound calls back from its own events, and for cached answers from inside ub_resolve_event. Both only fill the query in; the asker hears of
 * it from the query's timer, so never from inside its own call, and may ask and cancel there as it likes. A context is deleted from timers
 * alone, never from one of its callbacks.
 *
 * With the root's anchor the root's keys are looked up first. A resolver behind which they cannot be validated would make every answer
 * bogus: then (validate: prefer) we go on without that anchor, and look again from time to time. */
#include "relay/net/resolver.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/net/dns_packet.h"
#include "relay/net/resolver_context.h"
#include "relay/wire/utf8.h"

#define PROBE_AGAIN_MS MINUTES(10)
#define TYPE_DNSKEY    48
#define CLASS_IN       1

enum sec { SEC_INSECURE, SEC_BOGUS, SEC_SECURE }; /* of ub_event_callback_type */

enum query_state {
	QUERY_WAITING, /* for the first probe's end */
	QUERY_ASKED,   /* libunbound is at it */
	QUERY_READY,   /* `answer` is there, the timer will tell it */
};

/* Owned by the resolver, in its list. */
struct dns_query {
	struct resolver *resolver;
	struct dns_query *next, **link;
	enum query_state state;
	char *name; /* ASCII */
	enum dns_type type;
	int number; /* libunbound's, while ASKED */
	struct timer timer; /* the deadline; when READY: at once */
	struct dns_answer answer;
	dns_fn fn;
	void *arg;
};

enum probe_state {
	PROBE_OFF,      /* nothing to find out, or found out for good */
	PROBE_ASKED,
	PROBE_ANSWERED, /* `probe_good` */
	PROBE_RESTING,  /* failed; the next one later */
};

struct resolver {
	struct loop *loop;
	struct conf *conf;   /* what `dns` points into */
	struct conf_dns dns;
	struct resolver_anchors anchors;
	struct ub_ctx *ctx;       /* who is asked; NULL until the first probe has ended */
	struct ub_ctx *candidate; /* who is probed */
	enum probe_state probe;
	bool probe_good, told;
	struct timer probe_timer;
	struct dns_query *queries;
};

const char *dns_status_text(enum dns_status status)
{
	static const char *const texts[] = {
		[DNS_FOUND] = "found",
		[DNS_NO_DATA] = "no such record",
		[DNS_NO_NAME] = "no such name",
		[DNS_FAILED] = "look-up failed",
		[DNS_TIMEOUT] = "look-up timed out",
		[DNS_BOGUS] = "DNSSEC validation failed",
	};

	return texts[status];
}

/* --- queries ------------------------------------------------------------------------------------------------------------- */

static void query_unlink(struct dns_query *query)
{
	if (query->link == NULL)
		return;
	*query->link = query->next;
	if (query->next != NULL)
		query->next->link = query->link;
	query->link = NULL;
}

static void query_destroy(struct dns_query *query)
{
	query_unlink(query);
	timer_fini(&query->timer);
	dns_packet_free(&query->answer);
	free(query->name);
	free(query);
}

static void query_ready(struct dns_query *query)
{
	query->state = QUERY_READY;
	timer_start(&query->timer, 0);
}

static void query_end(struct dns_query *query, enum dns_status status, const char *why)
{
	dns_packet_free(&query->answer);
	query->answer.status = status;
	snprintf(query->answer.why, sizeof(query->answer.why), "%s", why);
	query_ready(query);
}

/* The callback's rcode comes first: when it is not 0 the packet is garbage. When it is 0 the packet's own counts, since failures from the cache
 * come with rcode 0. Bogus answers carry the bad records. */
static void on_answer(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	struct dns_query *query = arg;

	if (sec == SEC_BOGUS) {
		query_end(query, DNS_BOGUS, why != NULL ? why : "DNSSEC validation failed");
		return;
	}
	if (rcode != 0) {
		query_end(query, DNS_FAILED, "no usable answer from the resolver");
		return;
	}
	dns_packet_read(packet, (size_t)len, query->name, query->type, &query->answer);
	query->answer.secure = sec == SEC_SECURE;
	query_ready(query);
}

static void query_ask(struct dns_query *query)
{
	struct ub_ctx *ctx = query->resolver->ctx;
	int code;

	query->state = QUERY_ASKED;
	code = ub_resolve_event(ctx, query->name, (int)query->type, CLASS_IN, query, on_answer, &query->number);
	if (code == UB_SYNTAX)
		query_end(query, DNS_NO_NAME, "not a domain name");
	else if (code != 0)
		query_end(query, DNS_FAILED, ub_strerror(code));
}

static void on_query_timer(void *arg)
{
	struct dns_query *query = arg;

	if (query->state != QUERY_READY) {
		if (query->state == QUERY_ASKED)
			(void)ub_cancel(query->resolver->ctx, query->number);
		query_end(query, DNS_TIMEOUT, "no answer from the resolver in time");
	}
	/* Off the list first: `fn` may cancel others, ask more, or end the resolver. */
	query_unlink(query);
	query->fn(query->arg, &query->answer);
	query_destroy(query);
}

char *resolver_ascii_name(const char *name)
{
	char *ascii;

	if (utf8_is_ascii(name, strlen(name)))
		return xstrdup(name);
	return idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK ? ascii : NULL;
}

struct dns_query *resolver_ask(struct resolver *resolver, const char *name, enum dns_type type, dns_fn fn, void *arg)
{
	struct dns_query *query = xcalloc(1, sizeof(*query));

	query->resolver = resolver;
	query->type = type;
	query->fn = fn;
	query->arg = arg;
	query->next = resolver->queries;
	query->link = &resolver->queries;
	if (query->next != NULL)
		query->next->link = &query->next;
	resolver->queries = query;
	timer_init(&query->timer, resolver->loop, on_query_timer, query);
	timer_start(&query->timer, resolver->dns.timeout_ms);
	query->name = resolver_ascii_name(name);
	if (query->name == NULL)
		query_end(query, DNS_NO_NAME, "not a domain name");
	else if (resolver->ctx != NULL)
		query_ask(query);
	return query;
}

void resolver_cancel(struct dns_query *query)
{
	if (query->state == QUERY_ASKED)
		(void)ub_cancel(query->resolver->ctx, query->number);
	query_destroy(query);
}

/* --- whom to believe ----------------------------------------------------------------------------------------------------- */

/* From now on `ctx` is asked; what is under way is asked again there. */
static void use_context(struct resolver *resolver, struct ub_ctx *ctx)
{
	struct ub_ctx *old = resolver->ctx;
	struct dns_query *query, *next;

	resolver->ctx = ctx;
	for (query = resolver->queries; query != NULL; query = next) {
		next = query->next;
		if (query->state == QUERY_ASKED)
			(void)ub_cancel(old, query->number);
		if (query->state != QUERY_READY)
			query_ask(query);
	}
	if (old != NULL)
		ub_ctx_delete(old);
}

static void on_probe(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	struct resolver *resolver = arg;

	resolver->probe_good = rcode == 0 && sec == SEC_SECURE;
	resolver->probe = PROBE_ANSWERED;
	timer_start(&resolver->probe_timer, 0);
}

static void probe_start(struct resolver *resolver)
{
	resolver->probe_good = false;
	resolver->probe = PROBE_ASKED;
	/* Half of a look-up's time, so that those that wait for us still have the other half. */
	timer_start(&resolver->probe_timer, resolver->dns.timeout_ms / 2);
	if (ub_resolve_event(resolver->candidate, ".", TYPE_DNSKEY, CLASS_IN, resolver, on_probe, NULL) != 0)
		on_probe(resolver, -1, NULL, 0, SEC_INSECURE, NULL, 0);
}

static void probe_passed(struct resolver *resolver)
{
	if (resolver->told)
		log_text(LOG_INFO, "dnssec", "the root's keys are validated now: DNSSEC is in force");
	resolver->told = false;
	use_context(resolver, resolver->candidate);
	resolver->candidate = NULL;
	resolver->probe = PROBE_OFF;
}

/* validate: require. Every answer below the root will be bogus until the resolver behaves, which libunbound finds out by itself. */
static void probe_failed_required(struct resolver *resolver)
{
	log_text(LOG_ERROR, "dnssec",
	    "the root's keys cannot be validated through this resolver, and dns.validate is require: mail is deferred until they can");
	use_context(resolver, resolver->candidate);
	resolver->candidate = NULL;
	resolver->probe = PROBE_OFF;
}

static void probe_failed(struct resolver *resolver)
{
	struct err_detail why;

	if (resolver->dns.validate == DNS_VALIDATE_REQUIRE) {
		probe_failed_required(resolver);
		return;
	}
	if (!resolver->told)
		log_text(LOG_ERROR, "dnssec",
		    "THE ROOT'S KEYS CANNOT BE VALIDATED through this resolver (dns.forward, dns.anchors): answers are used without DNSSEC, hence no DANE, until they can");
	resolver->told = true;
	ub_ctx_delete(resolver->candidate);
	resolver->candidate = NULL;
	if (resolver->ctx == NULL) {
		struct ub_ctx *ctx = resolver_context_create(loop_base(resolver->loop), &resolver->dns, &resolver->anchors,
		    RESOLVER_TRUST_OWN, &why);

		if (ctx != NULL)
			use_context(resolver, ctx);
		else
			log_text(LOG_ERROR, "dns", "%s", why.text); /* the next probe tries again */
	}
	resolver->probe = PROBE_RESTING;
	timer_start(&resolver->probe_timer, PROBE_AGAIN_MS);
}

static void probe_again(struct resolver *resolver)
{
	struct err_detail why;

	resolver->candidate = resolver_context_create(loop_base(resolver->loop), &resolver->dns, &resolver->anchors,
	    RESOLVER_TRUST_ALL, &why);
	if (resolver->candidate != NULL) {
		probe_start(resolver);
		return;
	}
	log_text(LOG_ERROR, "dns", "%s", why.text);
	timer_start(&resolver->probe_timer, PROBE_AGAIN_MS);
}

static void on_probe_timer(void *arg)
{
	struct resolver *resolver = arg;

	switch (resolver->probe) {
	case PROBE_ASKED:
	case PROBE_ANSWERED:
		(resolver->probe_good ? probe_passed : probe_failed)(resolver);
		break;
	case PROBE_RESTING:
		probe_again(resolver);
		break;
	case PROBE_OFF:
		break;
	}
}

/* --- life ---------------------------------------------------------------------------------------------------------------- */

/* Without dns-root-data there is nothing to validate with: as when validation fails. */
static enum err load_anchors(struct resolver *resolver, struct err_detail *why)
{
	const struct conf_dns *dns = &resolver->dns;
	enum err err = resolver_anchors_load(dns, &resolver->anchors, why);

	if (err != OK && !dns->anchors_given && dns->validate == DNS_VALIDATE_PREFER) {
		log_text(LOG_ERROR, "dnssec", "%s: answers are used without DNSSEC, hence no DANE", why->text);
		return OK;
	}
	if (err != OK)
		why->code = ERR_INVALID; /* whatever is wrong with the file, it is the setting that must change */
	return err == OK ? OK : ERR_INVALID;
}

static struct resolver *create(struct loop *loop, const struct conf *conf, const struct conf_dns *dns, struct err_detail *why)
{
	struct resolver *resolver = xcalloc(1, sizeof(*resolver));
	struct err_detail own;
	struct ub_ctx *ctx = NULL;

	why = why != NULL ? why : &own;
	resolver->loop = loop;
	resolver->conf = conf_ref((struct conf *)conf); /* only its count changes */
	resolver->dns = *dns;
	timer_init(&resolver->probe_timer, loop, on_probe_timer, resolver);
	if (load_anchors(resolver, why) == OK)
		ctx = resolver_context_create(loop_base(loop), &resolver->dns, &resolver->anchors, RESOLVER_TRUST_ALL, why);
	if (ctx == NULL) {
		resolver_destroy(&resolver);
		return NULL;
	}
	if (!resolver->anchors.has_root) {
		resolver->ctx = ctx;
		return resolver;
	}
	resolver->candidate = ctx;
	probe_start(resolver);
	return resolver;
}

struct resolver *resolver_create(struct loop *loop, const struct conf *conf, struct err_detail *why)
{
	return create(loop, conf, &conf->dns, why);
}

struct resolver *resolver_create_for_lists(struct loop *loop, const struct conf *conf, struct err_detail *why)
{
	struct conf_dns dns = conf->dns;

	dns.anchors_given = true;
	dns.anchor_count = 0;
	if (conf->blocklists.forward_count > 0) {
		dns.forward = conf->blocklists.forward;
		dns.forward_count = conf->blocklists.forward_count;
	}
	return create(loop, conf, &dns, why);
}

void resolver_destroy(struct resolver **resolver)
{
	struct resolver *r = *resolver;

	*resolver = NULL;
	if (r == NULL)
		return;
	while (r->queries != NULL)
		resolver_cancel(r->queries);
	if (r->ctx != NULL)
		ub_ctx_delete(r->ctx);
	if (r->candidate != NULL)
		ub_ctx_delete(r->candidate);
	timer_fini(&r->probe_timer);
	resolver_anchors_free(&r->anchors);
	conf_unref(&r->conf);
	free(r);
}
