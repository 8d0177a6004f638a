/* relay/net/resolver.c - asynchronous, caching, validating DNS look-ups: questions, their deadlines, and whom to believe.
 *
 * libunbound calls back from its own events, and for cached answers from inside ub_resolve_event. Both only fill the query in; the asker hears of
 * it from the query's timer, so never from inside its own call, and may ask and cancel there as it likes. A context is deleted from timers
 * alone, never from one of its callbacks.
 *
 * Which context is asked, and so who is believed, is found out in resolver_probe.c. */
#include "relay/net/resolver_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/net/dns_packet.h"
#include "relay/wire/idn.h"

enum query_state {
	QUERY_WAITING, /* for the first probe's end */
	QUERY_ASKED,   /* libunbound is at it */
	QUERY_DOUBTED, /* `answer` is there, but a probe is to tell first what it is worth */
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

static void query_fail(struct dns_query *query, enum dns_status status, const char *why)
{
	dns_packet_free(&query->answer);
	query->answer.status = status;
	snprintf(query->answer.why, sizeof(query->answer.why), "%s", why);
}

static void query_end(struct dns_query *query, enum dns_status status, const char *why)
{
	query_fail(query, status, why);
	query_ready(query);
}

/* Where nothing can be validated, that is the reason, and not what libunbound found out about one name. */
static void query_bogus(struct dns_query *query, const char *why)
{
	const char *trouble = resolver_trouble(query->resolver);

	query_fail(query, DNS_BOGUS, trouble != NULL ? trouble : why != NULL ? why : "DNSSEC validation failed");
	if (trouble == NULL && resolver_probe_suspect(query->resolver))
		query->state = QUERY_DOUBTED;
	else
		query_ready(query);
}

/* The callback's rcode comes first: when it is not 0 the packet is garbage. When it is 0 the packet's own counts, since failures from the cache
 * come with rcode 0. Bogus answers carry the bad records. */
static void on_answer(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	struct dns_query *query = arg;

	if (sec == SEC_BOGUS) {
		query_bogus(query, why);
		return;
	}
	if (rcode != 0) {
		query_end(query, DNS_FAILED, "no usable answer from the resolver");
		return;
	}
	dns_packet_read(packet, (size_t)len, query->name, query->type, &query->answer);
	query->answer.secure = sec == SEC_SECURE;
	if (query->answer.status != DNS_FAILED && sec == SEC_INSECURE && resolver_probe_heard(query->resolver))
		query->state = QUERY_DOUBTED;
	else
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

	if (query->state == QUERY_WAITING || query->state == QUERY_ASKED) {
		if (query->state == QUERY_ASKED)
			(void)ub_cancel(query->resolver->ctx, query->number);
		query_end(query, DNS_TIMEOUT, "no answer from the resolver in time");
	}
	/* Off the list first: `fn` may cancel others, ask more, or end the resolver. */
	query_unlink(query);
	query->fn(query->arg, &query->answer);
	query_destroy(query);
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
	query->name = idn_ascii(name);
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

/* --- for the probe -------------------------------------------------------------------------------------------------------- */

void resolver_use(struct resolver *resolver, struct ub_ctx *ctx)
{
	struct ub_ctx *old = resolver->ctx;
	struct dns_query *query, *next;

	resolver->ctx = ctx;
	for (query = resolver->queries; query != NULL; query = next) {
		next = query->next;
		if (query->state == QUERY_ASKED)
			(void)ub_cancel(old, query->number);
		if (query->state == QUERY_READY)
			continue;
		dns_packet_free(&query->answer);
		query_ask(query);
	}
	if (old != NULL)
		ub_ctx_delete(old);
}

void resolver_release(struct resolver *resolver)
{
	const char *trouble = resolver_trouble(resolver);

	for (struct dns_query *query = resolver->queries; query != NULL; query = query->next) {
		if (query->state != QUERY_DOUBTED)
			continue;
		if (trouble != NULL && query->answer.status == DNS_BOGUS)
			query_fail(query, DNS_BOGUS, trouble);
		query_ready(query);
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
		resolver->validation = DNS_INVALID;
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
	resolver_probe_init(resolver);
	if (load_anchors(resolver, why) == OK)
		ctx = resolver_context_create(loop_base(loop), &resolver->dns, &resolver->anchors, RESOLVER_TRUST_ALL, why);
	if (ctx == NULL) {
		resolver_destroy(&resolver);
		return NULL;
	}
	if (resolver->anchors.has_root)
		resolver_probe_begin(resolver, ctx);
	else
		resolver->ctx = ctx;
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
	resolver_probe_fini(r);
	resolver_anchors_free(&r->anchors);
	conf_unref(&r->conf);
	free(r);
}
