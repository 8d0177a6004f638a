/* relay/deliver/sts.c - the MTA-STS policies of recipient domains: looked up, fetched, kept in the store. */
#include "relay/deliver/sts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "relay/deliver/keep.h"
#include "relay/deliver/sts_store.h"
#include "relay/wire/idn.h"

#define DNS_WAIT_MS    SECONDS(5)
#define FETCH_MS       SECONDS(30)  /* RFC 8461 section 3.3 suggests a minute at most */
#define FAILED_MS      MINUTES(5)   /* before a policy that could not be had is asked for again (section 3.3); twice as long each time */
#define FAILED_MAX_MS  HOURS(1)     /* but no longer */
#define FRESH_MS       DAYS(1)      /* a policy is fetched again when it has got so old, or half as old as it may (section 10.2) */
#define USED_MS        DAYS(30)     /* as long as there has been mail within this time */
#define REFRESH_MS     MINUTES(1)   /* between two looks at what has got old */
#define REFRESH_AT_ONCE 4           /* fetches started by one look: all of DOMAINS_MAX within a day */
#define REFRESH_FAILED_MS HOURS(1)
#define DOMAINS_MAX    4096         /* whose policies are kept; beyond, the one that is over first goes */

/* What is kept of a domain. */
struct domain {
	char *name;
	struct sts *sts;
	struct sts_found *found;   /* a policy that was fetched; NULL: none yet */
	wall_ms fetched, expires;
	wall_ms used;              /* when mail was last sent by it */
	wall_ms refresh_at;        /* not before */
	char failed_id[STS_ID_MAX + 1];
	unsigned failures;         /* of failed_id, one after the other */
	wall_ms failed_until;
	enum sts_trouble trouble;  /* of the last fetch */
	char why[200];
	struct fetch *fetch;       /* under way */
	char wanted_id[STS_ID_MAX + 1];
	struct sts_lookup *waiting; /* for it */
	UT_hash_handle hh;
};

struct sts_lookup {
	struct sts *sts;
	char *name;
	struct dns_query *query;
	struct timer timer;         /* the deadline of DNS; at once when `ready` */
	bool ready;
	struct sts_found *found;
	struct domain *domain;      /* whose fetch is waited for */
	struct sts_lookup *next;    /* of its list */
	sts_fn fn;
	void *arg;
};

struct sts {
	struct loop *loop;
	struct fetcher *fetcher;
	struct queue *queue;
	struct conf *conf;
	struct resolver *resolver;
	struct timer timer;
	struct domain *domains;
	wall_ms wall_offset;
};

/* Policies live by the wall clock, which may be set; look-ups are handed the time, what ends later asks here. */
static wall_ms now_of(const struct sts *sts)
{
	return loop_now(sts->loop) + sts->wall_offset;
}

/* --- domains ------------------------------------------------------------------------------------------------------------------- */

static struct domain *domain_find(struct sts *sts, const char *name)
{
	struct domain *domain;

	HASH_FIND_STR(sts->domains, name, domain);
	return domain;
}

static void domain_destroy(struct domain *domain)
{
	HASH_DEL(domain->sts->domains, domain);
	if (domain->fetch)
		fetch_cancel(domain->fetch);
	sts_found_unref(&domain->found);
	free(domain->name);
	free(domain);
}

static void store(struct domain *domain)
{
	char *name = xasprintf(STS_NOTE "%s", domain->name);
	struct buf record;

	buf_init(&record, QUEUE_NOTE_MAX);
	if (domain->found && sts_encode(domain->found, domain->fetched, &record) != OK)
		buf_reset(&record);
	keep_note(domain->sts->queue, name, record.data, record.len);
	buf_fini(&record);
	free(name);
}

static bool is_idle(const struct domain *domain)
{
	return !domain->fetch && !domain->waiting;
}

/* Make room for one more. */
static void drop_oldest(struct sts *sts)
{
	struct domain *domain, *tmp, *oldest = NULL;

	HASH_ITER(hh, sts->domains, domain, tmp)
		if (is_idle(domain) && (!oldest || domain->expires < oldest->expires))
			oldest = domain;
	if (!oldest)
		return;
	sts_found_unref(&oldest->found);
	store(oldest);
	domain_destroy(oldest);
}

static struct domain *domain_add(struct sts *sts, const char *name)
{
	struct domain *domain = xcalloc(1, sizeof(*domain));

	if (HASH_COUNT(sts->domains) >= DOMAINS_MAX)
		drop_oldest(sts);
	domain->name = xstrdup(name);
	domain->sts = sts;
	HASH_ADD_KEYPTR(hh, sts->domains, domain->name, strlen(domain->name), domain);
	return domain;
}

static bool is_in_force(const struct domain *domain, wall_ms now)
{
	return domain && domain->found && domain->expires > now;
}

/* What counts, the trouble of the last fetch with it. A reference for the caller. */
static struct sts_found *in_force(struct domain *domain, bool troubled, wall_ms now)
{
	struct sts_found *found = is_in_force(domain, now) ? domain->found : NULL;

	if (domain)
		domain->used = now;
	return domain && troubled ? sts_found_troubled(found, domain->trouble, domain->why) : sts_found_ref(found);
}

/* --- look-ups -------------------------------------------------------------------------------------------------------------------- */

static void lookup_destroy(struct sts_lookup *lookup)
{
	if (lookup->query)
		resolver_cancel(lookup->query);
	if (lookup->domain) {
		struct sts_lookup **link = &lookup->domain->waiting;

		while (*link != lookup)
			link = &(*link)->next;
		*link = lookup->next;
	}
	sts_found_unref(&lookup->found);
	timer_fini(&lookup->timer);
	free(lookup->name);
	free(lookup);
}

static void lookup_ready(struct sts_lookup *lookup, struct sts_found *found)
{
	lookup->ready = true;
	lookup->found = found;
	timer_start(&lookup->timer, 0);
}

static void on_lookup_timer(void *arg)
{
	struct sts_lookup *lookup = arg;
	struct sts_found *found;
	sts_fn fn = lookup->fn;
	void *fn_arg = lookup->arg;

	if (!lookup->ready) { /* DNS takes too long */
		lookup->ready = true;
		lookup->found = in_force(domain_find(lookup->sts, lookup->name), false, now_of(lookup->sts));
	}
	found = lookup->found;
	lookup->found = NULL;
	lookup_destroy(lookup);
	fn(fn_arg, found);
}

/* --- fetching ---------------------------------------------------------------------------------------------------------------------- */

static void log_policy(const struct domain *domain, enum log_level level, const char *event)
{
	struct log_line line;

	log_begin(&line, level, event);
	log_str(&line, "domain", domain->name);
	if (domain->found) {
		log_str(&line, "mode", sts_mode_name(domain->found->policy.mode));
		log_str(&line, "policy", domain->found->id);
	}
	if (domain->why[0])
		log_str(&line, "reason", domain->why);
	log_end(&line);
}

static void fetch_failed(struct domain *domain, enum sts_trouble trouble, const char *why, wall_ms now)
{
	bool harmless = is_in_force(domain, now) && domain->found->policy.mode == STS_NONE;
	int64_t wait = FAILED_MS;

	domain->failures = strcmp(domain->failed_id, domain->wanted_id) == 0 ? domain->failures + 1 : 1;
	for (unsigned i = 1; i < domain->failures && wait < FAILED_MAX_MS; i++)
		wait *= 2;
	domain->trouble = trouble;
	(void)snprintf(domain->why, sizeof(domain->why), "%s", why);
	(void)snprintf(domain->failed_id, sizeof(domain->failed_id), "%s", domain->wanted_id);
	domain->failed_until = now + (wait < FAILED_MAX_MS ? wait : FAILED_MAX_MS);
	domain->refresh_at = now + REFRESH_FAILED_MS;
	log_policy(domain, harmless ? LOG_INFO : LOG_WARN, "sts-failed"); /* RFC 8461 section 3.3 */
}

/* Fetched at some time, it is to be fetched again before this. */
static wall_ms fresh_until(const struct domain *domain)
{
	int64_t age = domain->expires - domain->fetched;

	return domain->fetched + (age / 2 < FRESH_MS ? age / 2 : FRESH_MS);
}

static void take_policy(struct domain *domain, struct sts_policy *policy, wall_ms now)
{
	struct sts_found *found = sts_found_create();

	found->policy = *policy;
	found->has_policy = true;
	(void)snprintf(found->id, sizeof(found->id), "%s", domain->wanted_id);
	sts_found_unref(&domain->found);
	domain->found = found;
	domain->fetched = now;
	domain->expires = found->until = now + SECONDS(policy->max_age);
	domain->refresh_at = fresh_until(domain);
	domain->trouble = STS_TROUBLE_NONE;
	domain->why[0] = domain->failed_id[0] = '\0';
	domain->failures = 0;
	domain->failed_until = 0;
	store(domain);
	log_policy(domain, LOG_INFO, "sts-policy");
}

/* RFC 8461 section 3.3: 200 alone, and plain text. */
static void judge(struct domain *domain, const struct fetch_answer *answer, wall_ms now)
{
	struct sts_policy policy;
	struct err_detail why;
	char text[200];

	if (answer->status == 0) {
		fetch_failed(domain, answer->untrusted ? STS_TROUBLE_TRUST : STS_TROUBLE_FETCH, answer->why, now);
	} else if (answer->status != 200) {
		(void)snprintf(text, sizeof(text), "the policy server answers with status %d", answer->status);
		fetch_failed(domain, STS_TROUBLE_FETCH, text, now);
	} else if (!sts_type_is_right(answer->type)) {
		(void)snprintf(text, sizeof(text), "the policy is of type %.100s, not text/plain", answer->type[0] ? answer->type : "unknown");
		fetch_failed(domain, STS_TROUBLE_INVALID, text, now);
	} else if (sts_policy_parse(answer->body, answer->len, &policy, &why) != OK) {
		(void)snprintf(text, sizeof(text), "the policy is invalid: %.150s", why.text);
		fetch_failed(domain, STS_TROUBLE_INVALID, text, now);
	} else {
		take_policy(domain, &policy, now);
	}
}

static void on_fetched(void *arg, const struct fetch_answer *answer)
{
	struct domain *domain = arg;
	wall_ms now = now_of(domain->sts);
	struct sts_lookup *waiting = domain->waiting;

	domain->fetch = NULL;
	judge(domain, answer, now);
	domain->waiting = NULL;
	while (waiting) {
		struct sts_lookup *next = waiting->next;

		waiting->domain = NULL;
		waiting->next = NULL;
		/* max_age 0: good for the mail that waits, and no longer. */
		lookup_ready(waiting, in_force(domain, domain->trouble != STS_TROUBLE_NONE, domain->trouble == STS_TROUBLE_NONE ? now - 1 : now));
		waiting = next;
	}
}

static void fetch(struct domain *domain, const char *id)
{
	const struct conf *conf = domain->sts->conf;
	char *url = xasprintf("https://mta-sts.%s/.well-known/mta-sts.txt", domain->name);
	struct fetch_request request = { .url = url, .port = conf->mta_sts.port, .ca = conf->mta_sts.ca, .max_bytes = STS_TEXT_MAX,
		.timeout_ms = FETCH_MS, .refuse = conf->delivery.refuse_networks, .refuse_count = conf->delivery.refuse_network_count };

	(void)snprintf(domain->wanted_id, sizeof(domain->wanted_id), "%s", id);
	domain->fetch = fetch_start(domain->sts->fetcher, &request, on_fetched, domain);
	free(url);
}

static void wait_for(struct sts_lookup *lookup, struct domain *domain)
{
	timer_stop(&lookup->timer);
	lookup->domain = domain;
	lookup->next = domain->waiting;
	domain->waiting = lookup;
}

static void take_id(struct sts_lookup *lookup, const char *id, wall_ms now)
{
	struct domain *domain = domain_find(lookup->sts, lookup->name);
	bool failed;

	if (!domain)
		domain = domain_add(lookup->sts, lookup->name);
	failed = strcmp(domain->failed_id, id) == 0 && domain->failed_until > now;
	if (failed || (is_in_force(domain, now) && strcmp(domain->found->id, id) == 0)) {
		lookup_ready(lookup, in_force(domain, failed, now));
		return;
	}
	if (!domain->fetch)
		fetch(domain, id);
	wait_for(lookup, domain);
}

/* Without an answer, or with another one, what is kept stays in force (section 5.1). */
static void on_txt(void *arg, const struct dns_answer *answer)
{
	struct sts_lookup *lookup = arg;
	wall_ms now = now_of(lookup->sts);
	char id[STS_ID_MAX + 1];

	lookup->query = NULL;
	if (answer->status == DNS_FOUND && sts_record_id(answer->txt, answer->txt_count, id))
		take_id(lookup, id, now);
	else
		lookup_ready(lookup, in_force(domain_find(lookup->sts, lookup->name), false, now));
}

struct sts_lookup *sts_lookup(struct sts *sts, const char *domain, wall_ms now, sts_fn fn, void *arg)
{
	struct sts_lookup *lookup = xcalloc(1, sizeof(*lookup));
	char *name;

	sts->wall_offset = now - loop_now(sts->loop);
	lookup->sts = sts;
	lookup->name = idn_ascii(domain);
	lookup->name = lookup->name ? lookup->name : xstrdup(domain);
	name = xasprintf("_mta-sts.%s", lookup->name);
	lookup->fn = fn;
	lookup->arg = arg;
	timer_init(&lookup->timer, sts->loop, on_lookup_timer, lookup);
	timer_start(&lookup->timer, DNS_WAIT_MS);
	lookup->query = resolver_ask(sts->resolver, name, DNS_TXT, on_txt, lookup);
	free(name);
	return lookup;
}

void sts_lookup_cancel(struct sts_lookup **lookup)
{
	if (*lookup)
		lookup_destroy(*lookup);
	*lookup = NULL;
}

/* --- what gets old -------------------------------------------------------------------------------------------------------------------- */

/* What failed is remembered longer than it counts: the next failure of the same id has its longer wait. */
static bool is_over(const struct domain *domain, wall_ms now)
{
	return !is_in_force(domain, now) && domain->failed_until + (domain->failures > 0 ? FAILED_MAX_MS : 0) <= now;
}

static bool is_to_be_refreshed(const struct domain *domain, wall_ms now)
{
	return is_in_force(domain, now) && domain->refresh_at <= now && now - domain->used < USED_MS && domain->sts->conf->mta_sts.enabled;
}

static void look_after(struct domain *domain, wall_ms now, size_t *started)
{
	if (!is_idle(domain))
		return;
	if (domain->found && !is_in_force(domain, now)) {
		sts_found_unref(&domain->found);
		store(domain);
	}
	if (is_over(domain, now)) {
		domain_destroy(domain);
	} else if (is_to_be_refreshed(domain, now) && *started < REFRESH_AT_ONCE) {
		(*started)++;
		fetch(domain, domain->found->id);
	}
}

static void on_timer(void *arg)
{
	struct sts *sts = arg;
	struct domain *domain, *tmp;
	size_t started = 0;

	HASH_ITER(hh, sts->domains, domain, tmp)
		look_after(domain, now_of(sts), &started);
	timer_start(&sts->timer, REFRESH_MS);
}

/* --- life ------------------------------------------------------------------------------------------------------------------------------ */

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct sts *sts = arg;
	wall_ms fetched;
	struct sts_found *found = sts_decode(data, len, &fetched);
	struct domain *domain;

	if (!found || HASH_COUNT(sts->domains) >= DOMAINS_MAX) {
		sts_found_unref(&found);
		return;
	}
	domain = domain_add(sts, name + sizeof(STS_NOTE) - 1);
	domain->found = found;
	domain->fetched = domain->used = fetched < now_of(sts) ? fetched : now_of(sts); /* not later, though the clock was set back meanwhile */
	domain->expires = found->until = domain->fetched + SECONDS(found->policy.max_age);
	domain->refresh_at = fresh_until(domain);
}

struct sts *sts_create(struct loop *loop, struct fetcher *fetcher, struct queue *queue, struct queue_reader *reader, struct conf *conf,
    struct resolver *resolver, wall_ms now)
{
	struct sts *sts = xcalloc(1, sizeof(*sts));
	struct err_detail why;

	*sts = (struct sts){ .loop = loop, .fetcher = fetcher, .queue = queue, .conf = conf, .resolver = resolver,
		.wall_offset = now - loop_now(loop) };
	timer_init(&sts->timer, loop, on_timer, sts);
	timer_start(&sts->timer, REFRESH_MS);
	/* Without them policies are fetched anew. */
	if (reader && queue_notes_read(reader, STS_NOTE, restore, sts, &why) != OK)
		log_text(LOG_WARN, "sts", "%s", why.text);
	return sts;
}

void sts_use(struct sts *sts, struct conf *conf, struct resolver *resolver)
{
	sts->conf = conf;
	sts->resolver = resolver;
}

void sts_destroy(struct sts **sts)
{
	struct sts *s = *sts;

	*sts = NULL;
	if (!s)
		return;
	while (s->domains)
		domain_destroy(s->domains);
	timer_fini(&s->timer);
	free(s);
}
