/* relay/deliver/dane.c - which TLSA records bind a host: one question after another, until there is an answer that counts. */
#include "relay/deliver/dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 2 /* where records may be: at the end of the aliases, at the name itself */

/* Until `fn` is called the caller's; gone then. */
struct dane_lookup {
	struct resolver *resolver;
	struct dns_query *query;
	char *names[NAMES_MAX]; /* base domains still to ask at, in order */
	size_t count, next;
	uint16_t port;
	struct dane dane;
	dane_fn fn;
	void *arg;
};

void dane_fini(struct dane *dane)
{
	free(dane->base);
	tlsa_free(dane->tlsa, dane->tlsa_count);
	*dane = (struct dane){ .status = DANE_NONE };
}

void dane_copy(struct dane *out, const struct dane *from)
{
	*out = *from;
	out->base = from->base ? xstrdup(from->base) : NULL;
	out->tlsa = tlsa_copy(from->tlsa, from->tlsa_count);
}

static void lookup_destroy(struct dane_lookup *lookup)
{
	if (lookup->query)
		resolver_cancel(lookup->query);
	for (size_t i = 0; i < lookup->count; i++)
		free(lookup->names[i]);
	dane_fini(&lookup->dane);
	free(lookup);
}

static void finish(struct dane_lookup *lookup)
{
	struct dane dane = lookup->dane;
	dane_fn fn = lookup->fn;
	void *arg = lookup->arg;

	lookup->dane = (struct dane){ .status = DANE_NONE };
	lookup_destroy(lookup);
	fn(arg, &dane);
}

static void fail(struct dane_lookup *lookup, const char *what, const char *name, const struct dns_answer *answer)
{
	lookup->dane.status = DANE_FAILED;
	(void)snprintf(lookup->dane.why, sizeof(lookup->dane.why), "%s of %s: %s%s%s", what, name, dns_status_text(answer->status),
	    answer->why[0] ? ": " : "", answer->why);
}

static bool is_trouble(const struct dns_answer *answer)
{
	return answer->status == DNS_FAILED || answer->status == DNS_TIMEOUT || answer->status == DNS_BOGUS;
}

static void note_ttl(struct dane_lookup *lookup, uint32_t ttl)
{
	if (ttl < lookup->dane.ttl)
		lookup->dane.ttl = ttl;
}

/* --- TLSA ------------------------------------------------------------------------------------------------------------------- */

static void ask_next(struct dane_lookup *lookup);

static void take_records(struct dane_lookup *lookup, const char *base, const struct dns_answer *answer)
{
	lookup->dane.status = DANE_FOUND;
	lookup->dane.base = xstrdup(base);
	lookup->dane.tlsa = tlsa_copy(answer->tlsa, answer->tlsa_count);
	lookup->dane.tlsa_count = answer->tlsa_count;
}

/* Insecure records are as good as none (RFC 7672 section 2.2). */
static void on_tlsa(void *arg, const struct dns_answer *answer)
{
	struct dane_lookup *lookup = arg;
	const char *base = lookup->names[lookup->next++];

	lookup->query = NULL;
	note_ttl(lookup, answer->ttl);
	if (is_trouble(answer))
		fail(lookup, "TLSA records", base, answer);
	else if (answer->status == DNS_FOUND && answer->secure)
		take_records(lookup, base, answer);
	else if (lookup->next < lookup->count) {
		ask_next(lookup);
		return;
	}
	finish(lookup);
}

static void ask_next(struct dane_lookup *lookup)
{
	char *name = xasprintf("_%u._tcp.%s", lookup->port, lookup->names[lookup->next]);

	lookup->query = resolver_ask(lookup->resolver, name, DNS_TLSA, on_tlsa, lookup);
	free(name);
}

/* --- a secure alias of an insecure name --------------------------------------------------------------------------------------- */

static void on_alias(void *arg, const struct dns_answer *answer)
{
	struct dane_lookup *lookup = arg;

	lookup->query = NULL;
	note_ttl(lookup, answer->ttl);
	if (is_trouble(answer))
		fail(lookup, "alias", lookup->names[0], answer);
	else if (answer->status == DNS_FOUND && answer->secure) {
		ask_next(lookup);
		return;
	}
	finish(lookup);
}

struct dane_lookup *dane_lookup(struct resolver *resolver, const struct dane_host *host, dane_fn fn, void *arg)
{
	bool aliased = host->canonical && strcmp(host->canonical, host->name) != 0;
	struct dane_lookup *lookup;

	if (!host->secure && !aliased)
		return NULL;
	lookup = xcalloc(1, sizeof(*lookup));
	*lookup = (struct dane_lookup){ .resolver = resolver, .port = host->port, .dane = { .ttl = UINT32_MAX }, .fn = fn, .arg = arg };
	if (host->secure && aliased)
		lookup->names[lookup->count++] = xstrdup(host->canonical);
	lookup->names[lookup->count++] = xstrdup(host->name);
	if (host->secure)
		ask_next(lookup);
	else
		lookup->query = resolver_ask(resolver, host->name, DNS_CNAME, on_alias, lookup);
	return lookup;
}

void dane_lookup_cancel(struct dane_lookup **lookup)
{
	if (*lookup)
		lookup_destroy(*lookup);
	*lookup = NULL;
}
