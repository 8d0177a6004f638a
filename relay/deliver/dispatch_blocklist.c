/* relay/deliver/dispatch_blocklist.c - looks the sources up in the configured blocklists, round after round, and tells what has changed.
 *
 * A zone is believed only while its test entries answer as they must (RFC 5782 section 5). The resolver is one of its own: without
 * validation, and with forwarders of its own where the lists ask for that. */
#include "relay/deliver/dispatch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "relay/deliver/blocklist.h"

#define OPEN_MAX   20          /* questions under way */
#define FIRST_MS   1000        /* from the start to the first round */
#define CLOSE_MORE MINUTES(10) /* a closed source stays closed so long beyond the next rounds */

/* One source in one zone. */
struct listing {
	char *key; /* "SOURCE in ZONE" */
	char *source, *zone;
	bool listed;
	char answer[BLOCKLIST_WORDS], text[256];
	wall_ms since;
	UT_hash_handle hh;
};

struct watch {
	struct dispatch *dispatch;
	struct timer timer;
	struct resolver *resolver;
	struct conf *conf;       /* of the round */
	size_t zone, step;       /* the next question: step 0 and 1 are the zone's test entries, then the sources */
	size_t open;
	bool believed;           /* this zone's test entries */
	bool *troubled;          /* by zone: told already */
	struct question *questions;
	struct listing *listings;
};

struct question {
	struct watch *watch;
	struct dns_query *query;
	size_t zone, step;
	char answer[BLOCKLIST_WORDS];
	struct question *prev, *next;
};

static void go_on(struct watch *w);

/* --- what is known ---------------------------------------------------------------------------------------------------------- */

static struct listing *listing_get(struct watch *w, const char *source, const char *zone)
{
	char *key = xasprintf("%s in %s", source, zone);
	struct listing *listing;

	HASH_FIND_STR(w->listings, key, listing);
	if (listing) {
		free(key);
		return listing;
	}
	listing = xcalloc(1, sizeof(*listing));
	listing->key = key;
	listing->source = xstrdup(source);
	listing->zone = xstrdup(zone);
	HASH_ADD_KEYPTR(hh, w->listings, listing->key, strlen(listing->key), listing);
	return listing;
}

static void listing_free(struct watch *w, struct listing *listing)
{
	HASH_DEL(w->listings, listing);
	free(listing->key);
	free(listing->source);
	free(listing->zone);
	free(listing);
}

static bool is_listed_anywhere(const struct watch *w, const char *source)
{
	for (const struct listing *l = w->listings; l; l = l->hh.next)
		if (l->listed && strcmp(l->source, source) == 0)
			return true;
	return false;
}

static void log_listing(const struct listing *listing)
{
	struct log_line line;

	log_begin(&line, listing->listed ? LOG_WARN : LOG_INFO, listing->listed ? "blocklisted" : "delisted");
	log_str(&line, "source", listing->source);
	log_str(&line, "zone", listing->zone);
	log_str(&line, "answer", listing->listed ? listing->answer : NULL);
	log_str(&line, "text", listing->listed && listing->text[0] ? listing->text : NULL);
	log_end(&line);
}

static void close_source(struct watch *w, const struct listing *listing, wall_ms now)
{
	char why[300];

	if (w->conf->blocklists.action != LISTED_CLOSE)
		return;
	(void)snprintf(why, sizeof(why), "it is listed in %s (%s)", listing->zone, listing->answer);
	sched_park_source(w->dispatch->env.sched, listing->source, now + 3 * w->conf->blocklists.every_ms + CLOSE_MORE, why);
}

static void set_listed(struct watch *w, struct listing *listing, const char *text)
{
	wall_ms now = dispatch_now(w->dispatch);

	(void)snprintf(listing->text, sizeof(listing->text), "%s", text);
	dispatch_alert_raise(w->dispatch, ALERT_BLOCKLIST, 0, listing->key, "answer %s%s%s", listing->answer, text[0] ? ": " : "", text);
	close_source(w, listing, now);
	if (listing->listed)
		return;
	listing->listed = true;
	listing->since = now;
	log_listing(listing);
}

static void set_clean(struct watch *w, struct listing *listing)
{
	dispatch_alert_clear(w->dispatch, ALERT_BLOCKLIST, listing->key);
	if (!listing->listed)
		return;
	listing->listed = false;
	log_listing(listing);
	if (w->conf->blocklists.action == LISTED_CLOSE && !is_listed_anywhere(w, listing->source))
		sched_park_source(w->dispatch->env.sched, listing->source, dispatch_now(w->dispatch), NULL);
	dispatch_pump_soon(w->dispatch);
}

void dispatch_blocklists_walk(const struct dispatch *d, const char *source, void (*fn)(void *arg, const char *line), void *arg)
{
	for (const struct listing *l = d->watch->listings; l; l = l->hh.next) {
		char line[900], since[CLOCK_TEXT];

		if (!l->listed || strcmp(l->source, source) != 0)
			continue;
		(void)snprintf(line, sizeof(line), "listed in %s since %s: %s%s%s", l->zone, clock_rfc3339(l->since, since), l->answer,
		    l->text[0] ? ", " : "", l->text);
		fn(arg, line);
	}
}

/* --- questions -------------------------------------------------------------------------------------------------------------- */

static void question_free(struct question *q)
{
	struct watch *w = q->watch;

	if (q->prev)
		q->prev->next = q->next;
	else
		w->questions = q->next;
	if (q->next)
		q->next->prev = q->prev;
	w->open--;
	free(q);
}

/* A zone whose test entries answer wrongly says nothing about anybody; told once, until it is well again. */
static void tell_trouble(struct watch *w, size_t zone, const char *words)
{
	w->believed = false;
	if (!w->troubled[zone])
		log_text(LOG_WARN, "blocklist-trouble", "%s: %s; what it says is not believed", w->conf->blocklists.zones[zone], words);
	w->troubled[zone] = true;
}

static void on_test(struct question *q, enum blocklist_verdict verdict, const char *words)
{
	if (verdict == BLOCKLIST_TROUBLE)
		tell_trouble(q->watch, q->zone, words);
	else if (q->step == 0 && verdict == BLOCKLIST_CLEAN)
		tell_trouble(q->watch, q->zone, "its test entry 127.0.0.2 is missing");
	else if (q->step == 1 && verdict == BLOCKLIST_LISTED)
		tell_trouble(q->watch, q->zone, "it lists everything, 127.0.0.1 too");
}

static void on_text(void *arg, const struct dns_answer *answer)
{
	struct question *q = arg;
	struct watch *w = q->watch;
	struct listing *listing = listing_get(w, w->conf->sources[q->step - 2].name, w->conf->blocklists.zones[q->zone]);

	(void)snprintf(listing->answer, sizeof(listing->answer), "%s", q->answer);
	set_listed(w, listing, answer->status == DNS_FOUND && answer->txt_count > 0 ? answer->txt[0] : "");
	question_free(q);
	go_on(w);
}

static void on_address(void *arg, const struct dns_answer *answer)
{
	struct question *q = arg;
	struct watch *w = q->watch;
	enum blocklist_verdict verdict = blocklist_read(answer, q->answer);
	char name[BLOCKLIST_NAME_MAX];

	q->query = NULL;
	if (q->step < 2) {
		on_test(q, verdict, q->answer);
	} else if (verdict == BLOCKLIST_TROUBLE) {
		tell_trouble(w, q->zone, q->answer);
	} else if (verdict == BLOCKLIST_LISTED) {
		blocklist_name(&w->conf->sources[q->step - 2].ip, w->conf->blocklists.zones[q->zone], name);
		q->query = resolver_ask(w->resolver, name, DNS_TXT, on_text, q);
		return;
	} else {
		set_clean(w, listing_get(w, w->conf->sources[q->step - 2].name, w->conf->blocklists.zones[q->zone]));
	}
	question_free(q);
	go_on(w);
}

static void ask(struct watch *w, const struct ip_addr *addr)
{
	struct question *q = xcalloc(1, sizeof(*q));
	char name[BLOCKLIST_NAME_MAX];

	q->watch = w;
	q->zone = w->zone;
	q->step = w->step;
	q->next = w->questions;
	if (q->next)
		q->next->prev = q;
	w->questions = q;
	w->open++;
	q->query = resolver_ask(w->resolver, blocklist_name(addr, w->conf->blocklists.zones[w->zone], name), DNS_A, on_address, q);
}

static void ask_next(struct watch *w)
{
	struct ip_addr test = {.family = AF_INET, .bytes = {127, 0, 0, w->step == 0 ? 2 : 1}};

	if (w->step < 2)
		ask(w, &test);
	else if (w->conf->sources[w->step - 2].ip.family != 0)
		ask(w, &w->conf->sources[w->step - 2].ip);
	w->step++;
}

/* One zone after the other; within one the test entries come first. */
static void go_on(struct watch *w)
{
	while (w->zone < w->conf->blocklists.zone_count) {
		bool all = w->step == w->conf->source_count + 2 || (w->step == 2 && !w->believed);

		if (w->open > 0 && (all || w->step == 2 || w->open == OPEN_MAX))
			return;
		if (all) {
			if (w->believed)
				w->troubled[w->zone] = false;
			w->zone++;
			w->step = 0;
			w->believed = true;
			continue;
		}
		ask_next(w);
	}
}

/* --- rounds ----------------------------------------------------------------------------------------------------------------- */

static bool round_start(struct watch *w)
{
	struct err_detail why;

	if (!w->resolver)
		w->resolver = resolver_create_for_lists(w->dispatch->env.loop, w->conf, &why);
	if (!w->resolver) {
		log_text(LOG_ERROR, "blocklist-trouble", "no resolver: %s", why.text);
		return false;
	}
	w->zone = w->step = 0;
	w->believed = true;
	return true;
}

static void on_round(void *arg)
{
	struct watch *w = arg;

	timer_start(&w->timer, w->conf->blocklists.every_ms);
	if (w->open == 0 && w->conf->blocklists.zone_count > 0 && !w->dispatch->draining && round_start(w))
		go_on(w);
}

static bool is_configured(const struct conf *conf, const struct listing *listing)
{
	bool zone = false;

	for (size_t i = 0; i < conf->blocklists.zone_count; i++)
		zone = zone || strcmp(conf->blocklists.zones[i], listing->zone) == 0;
	return zone && conf_source_find(conf, listing->source) != NULL;
}

static void drop_questions(struct watch *w)
{
	while (w->questions) {
		if (w->questions->query)
			resolver_cancel(w->questions->query);
		question_free(w->questions);
	}
	resolver_destroy(&w->resolver);
}

void dispatch_blocklists_use(struct dispatch *d)
{
	struct watch *w = d->watch;
	struct listing *listing, *tmp;

	drop_questions(w);
	HASH_ITER(hh, w->listings, listing, tmp) {
		if (is_configured(d->conf, listing))
			continue;
		set_clean(w, listing);
		listing_free(w, listing);
	}
	conf_unref(&w->conf);
	w->conf = conf_ref(d->conf);
	free(w->troubled);
	w->troubled = xcalloc(w->conf->blocklists.zone_count + 1, sizeof(w->troubled[0]));
	timer_start(&w->timer, FIRST_MS);
}

struct watch *dispatch_blocklists_create(struct dispatch *d)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->dispatch = d;
	w->conf = conf_ref(d->conf);
	w->troubled = xcalloc(w->conf->blocklists.zone_count + 1, sizeof(w->troubled[0]));
	timer_init(&w->timer, d->env.loop, on_round, w);
	timer_start(&w->timer, FIRST_MS);
	return w;
}

void dispatch_blocklists_destroy(struct watch **watch)
{
	struct watch *w = *watch;
	struct listing *listing, *tmp;

	if (!w)
		return;
	drop_questions(w);
	HASH_ITER(hh, w->listings, listing, tmp)
		listing_free(w, listing);
	timer_fini(&w->timer);
	conf_unref(&w->conf);
	free(w->troubled);
	free(w);
	*watch = NULL;
}
