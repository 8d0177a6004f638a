/* relay/deliver/tlsrpt.c - TLS reports: figures of a day and domain, kept in the store, sent when the day is over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/keep.h"
#include "relay/deliver/tlsrpt_int.h"
#include "relay/wire/idn.h"

#define NOTE        "tlsrpt/"
#define DAYS_KEPT   10000       /* domains that want reports, and days, at once; beyond, further ones are not counted */
#define TICK_MS     MINUTES(1)
#define FLUSH_MS    100
#define CATCH_UP_MS MINUTES(10) /* longest wait of what should have been sent while we were away */
#define KEY_MAX     300

/* --- days ------------------------------------------------------------------------------------------------------------------------ */

static wall_ms now_of(const struct tlsrpt *tlsrpt)
{
	return tlsrpt->env.now(tlsrpt->env.arg);
}

void tls_day_write(struct tls_day *day)
{
	char *name = xasprintf(NOTE "%s", day->key);
	struct buf record;

	buf_init(&record, QUEUE_NOTE_MAX);
	if (tls_figures_write(day->figures, &record) == OK)
		keep_note(day->tlsrpt->env.queue, name, record.data, record.len);
	else
		log_text(LOG_WARN, "tls-report", "the figures of %s are too many to be stored", day->figures->domain);
	day->dirty = false;
	buf_fini(&record);
	free(name);
}

static void day_free(struct tls_day *day)
{
	HASH_DEL(day->tlsrpt->days, day);
	tls_day_cancel(day);
	tls_figures_free(&day->figures);
	free(day->rua);
	free(day->key);
	free(day);
}

static void remove_note(const struct tls_day *day)
{
	char *name = xasprintf(NOTE "%s", day->key);

	keep_note(day->tlsrpt->env.queue, name, NULL, 0);
	free(name);
}

void tls_day_drop(struct tls_day *day)
{
	remove_note(day);
	day_free(day);
}

static struct tls_day *day_add(struct tlsrpt *tlsrpt, const char *key, struct tls_figures *figures)
{
	struct tls_day *day = xcalloc(1, sizeof(*day));

	day->key = xstrdup(key);
	day->tlsrpt = tlsrpt;
	day->figures = figures;
	HASH_ADD_KEYPTR(hh, tlsrpt->days, day->key, strlen(day->key), day);
	return day;
}

static wall_ms day_start(wall_ms now)
{
	return now - now % DAYS(1);
}

/* The midnight that ends it. */
static wall_ms day_over(const struct tls_day *day)
{
	return day_start(day->figures->start) + DAYS(1);
}

static void key_of(wall_ms start, const char *domain, char out[KEY_MAX])
{
	(void)snprintf(out, KEY_MAX, "%lld/%s", (long long)(start / 1000), domain);
}

/* --- does the domain want reports? --------------------------------------------------------------------------------------------------- */

void tls_day_ask(struct tls_day *day, dns_fn fn)
{
	char *name = xasprintf("_smtp._tls.%s", day->figures->domain);

	day->query = resolver_ask(day->tlsrpt->resolver, name, DNS_TXT, fn, day);
	free(name);
}

static void flush_soon(struct tlsrpt *tlsrpt)
{
	if (!tlsrpt->flush_due)
		timer_start(&tlsrpt->flush, FLUSH_MS);
	tlsrpt->flush_due = true;
}

/* When that cannot be told now the figures are kept: it is asked again before they are sent. */
static void on_txt(void *arg, const struct dns_answer *answer)
{
	struct tls_day *day = arg;
	bool denied = answer->status == DNS_NO_DATA || answer->status == DNS_NO_NAME;
	struct tls_rua rua;

	day->query = NULL;
	if (denied || (answer->status == DNS_FOUND && !tls_rua_read(answer->txt, answer->txt_count, &rua))) {
		tls_unwanted_add(day->tlsrpt, day->figures->domain, day_start(day->figures->start));
		day_free(day);
		return;
	}
	day->state = DAY_WANTED;
	flush_soon(day->tlsrpt);
}

/* --- figures ----------------------------------------------------------------------------------------------------------------------------- */

static struct tls_day *day_of(struct tlsrpt *tlsrpt, const char *domain)
{
	wall_ms start = day_start(now_of(tlsrpt));
	char key[KEY_MAX];
	struct tls_day *day;

	key_of(start, domain, key);
	HASH_FIND_STR(tlsrpt->days, key, day);
	if (day || HASH_COUNT(tlsrpt->days) >= DAYS_KEPT || tls_unwanted_has(tlsrpt, domain, start))
		return day;
	day = day_add(tlsrpt, key, tls_figures_create(domain, start));
	tls_day_ask(day, on_txt);
	return day;
}

static const struct route_host *host_of(const struct route *route, const char *name)
{
	for (size_t i = 0; i < route->host_count; i++)
		if (strcmp(route->hosts[i].name, name) == 0)
			return &route->hosts[i];
	return NULL;
}

/* RFC 8460 section 4.2: "3 0 1 1F85..." for each record. What does not fit is cut off later. */
static void put_tlsa(struct buf *out, const struct route_host *host)
{
	for (size_t i = 0; i < host->dane.tlsa_count; i++) {
		const struct tlsa *record = &host->dane.tlsa[i];
		bool fits = buf_printf(out, "%u %u %u ", record->usage, record->selector, record->matching) == OK;

		for (size_t k = 0; k < record->len && fits; k++)
			fits = buf_printf(out, "%02X", record->data[k]) == OK;
		if (!fits || buf_add_str(out, "\n") != OK)
			return;
	}
}

static void put_sts(struct buf *out, struct buf *hosts, const struct sts_policy *policy)
{
	bool fits = buf_printf(out, "version: STSv1\nmode: %s\n", sts_mode_name(policy->mode)) == OK;

	for (size_t i = 0; i < policy->mx_count && fits; i++)
		fits = buf_printf(out, "mx: %s\n", policy->mx[i]) == OK && buf_printf(hosts, "%s\n", policy->mx[i]) == OK;
	if (fits)
		(void)!buf_printf(out, "max_age: %u\n", policy->max_age);
}

static void add_note(struct tls_day *day, const struct route *route, const struct tls_note *note)
{
	const struct route_host *host = host_of(route, note->host);
	enum tls_policy_type type = TLS_POLICY_NONE;
	struct buf text, hosts;

	buf_init(&text, 4 * TLS_LINES_MAX);
	buf_init(&hosts, 4 * TLS_LINES_MAX);
	if (host && host->dane.status != DANE_NONE) {
		type = TLS_POLICY_TLSA;
		put_tlsa(&text, host);
		(void)!buf_printf(&hosts, "%s\n", host->dane.base ? host->dane.base : host->name);
	} else if (route->sts && route->sts->has_policy) {
		type = TLS_POLICY_STS;
		put_sts(&text, &hosts, &route->sts->policy);
	}
	tls_figures_add(day->figures, type, buf_str(&text), buf_str(&hosts), note);
	buf_fini(&text);
	buf_fini(&hosts);
}

/* A policy that could not be had is a failure too (RFC 8460 section 4.3.2.2). */
static void add_trouble(struct tls_day *day, const struct route *route)
{
	static const enum tls_result results[] = { [STS_TROUBLE_FETCH] = TLS_RESULT_STS_FETCH, [STS_TROUBLE_TRUST] = TLS_RESULT_STS_TRUST,
		[STS_TROUBLE_INVALID] = TLS_RESULT_STS_INVALID };
	struct tls_note note = { 0 };

	if (!route->sts || route->sts->trouble == STS_TROUBLE_NONE)
		return;
	note.result = results[route->sts->trouble];
	(void)snprintf(note.why, sizeof(note.why), "%.120s", route->sts->why);
	tls_figures_add(day->figures, TLS_POLICY_STS, "", "", &note);
}

void tlsrpt_add(struct tlsrpt *tlsrpt, const struct route *route, const struct tls_note *notes, size_t count)
{
	const struct conf_tls_rpt *conf = &tlsrpt->conf->tls_rpt;
	struct tls_day *day;

	char *domain;

	if (count == 0 || !conf->enabled || !conf->contact || !route->from_mx || route->domain[0] == '[')
		return;
	domain = idn_ascii(route->domain); /* RFC 8460 section 4.4: A-labels */
	day = domain ? day_of(tlsrpt, domain) : NULL;
	free(domain);
	if (!day || day->state == DAY_SENDING)
		return;
	for (size_t i = 0; i < count; i++)
		add_note(day, route, &notes[i]);
	add_trouble(day, route);
	day->dirty = true;
	if (day->state == DAY_WANTED)
		flush_soon(tlsrpt);
}

/* --- time -------------------------------------------------------------------------------------------------------------------------------- */

static void on_flush(void *arg)
{
	struct tlsrpt *tlsrpt = arg;
	struct tls_day *day, *tmp;

	tlsrpt->flush_due = false;
	HASH_ITER(hh, tlsrpt->days, day, tmp)
		if (day->dirty && day->state == DAY_WANTED)
			tls_day_write(day);
}

static void close_day(struct tls_day *day, wall_ms end, wall_ms send_at)
{
	day->figures->end = end;
	day->send_at = send_at;
	tls_day_write(day);
}

/* RFC 8460 section 4.1 and 5.3: at some time after midnight, not all at once. */
static wall_ms some_time_after(struct tlsrpt *tlsrpt, wall_ms end, wall_ms now)
{
	int64_t delay = tlsrpt->conf->tls_rpt.delay_ms;
	wall_ms when = end + (int64_t)rand_below(&tlsrpt->rand, (uint32_t)delay);

	if (when >= now)
		return when;
	return now + (int64_t)rand_below(&tlsrpt->rand, (uint32_t)(delay < CATCH_UP_MS ? delay : CATCH_UP_MS));
}

/* Nothing has come since a part of the day was sent by hand; the store does not have it. */
static bool is_empty(const struct tls_day *day)
{
	return tls_figures_good(day->figures) + tls_figures_bad(day->figures) == 0;
}

static void look_after(struct tls_day *day, wall_ms now)
{
	struct tlsrpt *tlsrpt = day->tlsrpt;
	wall_ms over = day_over(day);

	if (day->state == DAY_SENDING || day->state == DAY_ASKING)
		return;
	if (is_empty(day) && over <= now) {
		day_free(day);
		return;
	}
	if (day->state == DAY_WANTED && day->send_at == 0 && (day->figures->end > 0 || over <= now)) {
		wall_ms end = day->figures->end > 0 ? day->figures->end : over;

		close_day(day, end, some_time_after(tlsrpt, end, now));
	}
	if (day->state == DAY_WANTED && day->send_at > 0 && day->send_at <= now)
		tls_day_send(day);
}

static void on_tick(void *arg)
{
	struct tlsrpt *tlsrpt = arg;
	struct tls_day *day, *tmp;
	wall_ms now = now_of(tlsrpt), next = now + TICK_MS;

	HASH_ITER(hh, tlsrpt->days, day, tmp)
		look_after(day, now);
	for (day = tlsrpt->days; day; day = day->hh.next)
		if (day->state == DAY_WANTED && day->send_at > 0 && day->send_at < next)
			next = day->send_at;
	timer_start(&tlsrpt->tick, next > now ? next - now : 1);
}

/* --- the operator ---------------------------------------------------------------------------------------------------------------------- */

void tlsrpt_walk(const struct tlsrpt *tlsrpt, const char *domain, tlsrpt_fn fn, void *arg)
{
	for (const struct tls_day *day = tlsrpt->days; day; day = day->hh.next)
		if (!is_empty(day) && (!domain || strcmp(domain, day->figures->domain) == 0))
			fn(arg, day->figures, day->send_at);
}

/* What comes later that day is a report of its own, of the rest of the day. */
static void cut_day(struct tls_day *day, wall_ms now)
{
	struct tlsrpt *tlsrpt = day->tlsrpt;
	char key[KEY_MAX];
	struct tls_day *other;

	(void)snprintf(key, sizeof(key), "%lld-%lld/%s", (long long)(day->figures->start / 1000), (long long)now, day->figures->domain);
	HASH_FIND_STR(tlsrpt->days, key, other);
	if (other)
		return;
	remove_note(day);
	HASH_DEL(tlsrpt->days, day);
	free(day->key);
	day->key = xstrdup(key);
	HASH_ADD_KEYPTR(hh, tlsrpt->days, day->key, strlen(day->key), day);
	close_day(day, now, now);
	key_of(day_start(now), day->figures->domain, key);
	day_add(tlsrpt, key, tls_figures_create(day->figures->domain, now))->state = DAY_WANTED;
}

unsigned tlsrpt_send(struct tlsrpt *tlsrpt, const char *domain)
{
	wall_ms now = now_of(tlsrpt);
	struct tls_day *day, *tmp;
	unsigned count = 0;

	HASH_ITER(hh, tlsrpt->days, day, tmp) {
		/* What was cut stands at the end of the list once more. */
		if (day->state != DAY_WANTED || day->send_at == now || is_empty(day) || (domain && strcmp(domain, day->figures->domain) != 0))
			continue;
		if (day->send_at == 0 && day_over(day) > now)
			cut_day(day, now);
		else if (day->send_at == 0)
			close_day(day, day_over(day), now);
		day->send_at = now;
		count++;
	}
	timer_start(&tlsrpt->tick, 0);
	return count;
}

/* --- life -------------------------------------------------------------------------------------------------------------------------------- */

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct tlsrpt *tlsrpt = arg;
	const char *key = name + sizeof(NOTE) - 1, *slash = strchr(key, '/');
	struct tls_figures *figures = slash ? tls_figures_read(slash + 1, data, len) : NULL;

	if (!figures || strlen(key) >= KEY_MAX || HASH_COUNT(tlsrpt->days) >= DAYS_KEPT)
		tls_figures_free(&figures);
	else
		day_add(tlsrpt, key, figures)->state = DAY_WANTED;
}

struct tlsrpt *tlsrpt_create(const struct tlsrpt_env *env, struct conf *conf, struct resolver *resolver, uint64_t seed)
{
	struct tlsrpt *tlsrpt = xcalloc(1, sizeof(*tlsrpt));
	struct err_detail why;

	tlsrpt->env = *env;
	tlsrpt->conf = conf;
	tlsrpt->resolver = resolver;
	rand_seed(&tlsrpt->rand, seed);
	timer_init(&tlsrpt->tick, env->loop, on_tick, tlsrpt);
	timer_init(&tlsrpt->flush, env->loop, on_flush, tlsrpt);
	if (env->reader && queue_notes_read(env->reader, NOTE, restore, tlsrpt, &why) != OK)
		log_text(LOG_WARN, "tls-report", "%s", why.text);
	timer_start(&tlsrpt->tick, 1000);
	return tlsrpt;
}

void tlsrpt_use(struct tlsrpt *tlsrpt, struct conf *conf, struct resolver *resolver)
{
	tlsrpt->conf = conf;
	tlsrpt->resolver = resolver;
	for (struct tls_day *day = tlsrpt->days; day; day = day->hh.next) {
		if (!day->query)
			continue;
		resolver_cancel(day->query);
		tls_day_ask(day, day->state == DAY_SENDING ? tls_day_on_send_txt : on_txt);
	}
}

void tlsrpt_destroy(struct tlsrpt **tlsrpt)
{
	struct tlsrpt *t = *tlsrpt;

	*tlsrpt = NULL;
	if (!t)
		return;
	on_flush(t);
	while (t->days)
		day_free(t->days);
	tls_unwanted_clear(t);
	timer_fini(&t->tick);
	timer_fini(&t->flush);
	free(t);
}
