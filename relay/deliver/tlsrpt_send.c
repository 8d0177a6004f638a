/* relay/deliver/tlsrpt_send.c - a TLS report to those places that its domain names (RFC 8460 section 5): mail through our own queue, HTTPS. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/tlsrpt_int.h"
#include "relay/notify/tls_json.h"

#define AGAIN_MS     MINUTES(15)  /* before the second attempt; twice as long each time */
#define AGAIN_MAX_MS HOURS(4)     /* but no longer */
#define GIVE_UP_MS   DAYS(1)      /* after the first attempt (RFC 8460 section 5.5) */
#define POST_MS    MINUTES(1)
#define REPORT_MAX (128 * 1024) /* bytes of a compressed report */

static void log_report(const struct tls_day *day, enum log_level level, const char *event, const char *to, const char *why)
{
	struct log_line line;

	log_begin(&line, level, event);
	log_str(&line, "domain", day->figures->domain);
	if (to)
		log_str(&line, "to", to);
	if (why)
		log_str(&line, "reason", why);
	log_num(&line, "good", (int64_t)tls_figures_good(day->figures));
	log_num(&line, "failed", (int64_t)tls_figures_bad(day->figures));
	log_end(&line);
}

static wall_ms now_of(const struct tls_day *day)
{
	return day->tlsrpt->env.now(day->tlsrpt->env.arg);
}

/* Later, or never. */
static void put_off(struct tls_day *day, const char *why)
{
	wall_ms now = now_of(day), last = day->figures->tried + GIVE_UP_MS;
	int64_t wait = AGAIN_MS;

	if (now >= last) {
		log_report(day, LOG_WARN, "tls-report-lost", NULL, why);
		tls_day_drop(day);
		return;
	}
	for (unsigned i = 1; i < day->tries && wait < AGAIN_MAX_MS; i++)
		wait *= 2;
	wait = wait < AGAIN_MAX_MS ? wait : AGAIN_MAX_MS;
	day->state = DAY_WANTED;
	day->send_at = now + wait < last ? now + wait : last;
	tls_day_write(day);
}

/* One place has been told, or has not. */
static void place_done(struct tls_day *day, size_t place, bool good, const char *why)
{
	day->open--;
	log_report(day, good ? LOG_INFO : LOG_WARN, good ? "tls-report-sent" : "tls-report-failed", day->rua->to[place].text, good ? NULL : why);
	if (good)
		tls_figures_tell(day->figures, day->rua->to[place].text);
	else
		day->failed = true;
	if (day->open == 0 && !day->failed)
		tls_day_drop(day);
	else if (day->open == 0)
		put_off(day, "not every place could be told");
	else if (good)
		tls_day_write(day); /* a crash from here on tells this place nothing twice */
}

/* --- HTTPS ---------------------------------------------------------------------------------------------------------------------- */

static void on_posted(void *arg, const struct fetch_answer *answer)
{
	struct tls_place *place = arg;
	struct tls_day *day = place->day;
	char *status = xasprintf("status %d", answer->status);

	place->fetch = NULL;
	place_done(day, (size_t)(place - day->places), answer->status >= 200 && answer->status < 300, answer->status ? status : answer->why);
	free(status);
}

static void post(struct tls_day *day, size_t place, const struct buf *gzip)
{
	const struct conf *conf = day->tlsrpt->conf;
	struct fetch_request request = { .url = day->rua->to[place].text, .ca = conf->mta_sts.ca, .body = gzip->data, .body_len = gzip->len,
		.type = "application/tlsrpt+gzip", .max_bytes = 65536, .timeout_ms = POST_MS, .refuse = conf->delivery.refuse_networks,
		.refuse_count = conf->delivery.refuse_network_count };

	day->places[place].day = day;
	day->places[place].fetch = fetch_start(day->tlsrpt->env.fetcher, &request, on_posted, &day->places[place]);
}

/* --- mail ------------------------------------------------------------------------------------------------------------------------ */

static void mail(struct tls_day *day, size_t place, const struct buf *gzip)
{
	struct tlsrpt *tlsrpt = day->tlsrpt;
	struct tlsrpt_mail *m = xcalloc(1, sizeof(*m));

	m->day = day;
	m->place = place;
	m->mail = tls_mail_create(tlsrpt->env.queue, tlsrpt->conf, day->figures, gzip, day->rua->to[place].text, now_of(day));
	if (!tls_mail_is_signed(m->mail))
		log_report(day, LOG_WARN, "tls-report-unsigned", day->rua->to[place].text, "there is no key for hostname in dkim");
	tlsrpt->env.store(tlsrpt->env.arg, m);
}

struct queue_accept *tlsrpt_accept(struct tlsrpt_mail *m)
{
	return tls_mail_accept(m->mail);
}

void tlsrpt_stored(struct tlsrpt_mail *m, bool good, const char *why)
{
	struct tls_day *day = m->day;
	size_t place = m->place;

	tls_mail_destroy(&m->mail);
	free(m);
	place_done(day, place, good, why);
}

/* --- the places -------------------------------------------------------------------------------------------------------------------- */

static void tell(struct tls_day *day)
{
	const struct conf *conf = day->tlsrpt->conf;
	struct tls_sender sender = { conf->tls_rpt.organization ? conf->tls_rpt.organization : conf->hostname, conf->tls_rpt.contact, conf->hostname };
	size_t places[TLS_RUA_MAX], count = 0;
	struct buf gzip;

	buf_init(&gzip, REPORT_MAX);
	must(tls_report_gzip(day->figures, &sender, &gzip) == OK); /* figures have bounds */
	day->failed = false;
	/* Chosen and counted first: the last one that ends drops the day. */
	for (size_t i = 0; i < day->rua->count; i++)
		if (!tls_figures_told(day->figures, day->rua->to[i].text))
			places[count++] = i;
	day->open = (unsigned)count;
	for (size_t n = 0; n < count; n++)
		(day->rua->to[places[n]].https ? post : mail)(day, places[n], &gzip);
	buf_fini(&gzip);
	if (count == 0)
		tls_day_drop(day);
}

void tls_day_on_send_txt(void *arg, const struct dns_answer *answer)
{
	struct tls_day *day = arg;
	struct tls_rua rua;

	day->query = NULL;
	if (answer->status == DNS_FOUND && tls_rua_read(answer->txt, answer->txt_count, &rua)) {
		day->rua = day->rua ? day->rua : xcalloc(1, sizeof(*day->rua));
		*day->rua = rua;
		tell(day);
	} else if (answer->status == DNS_FAILED || answer->status == DNS_TIMEOUT || answer->status == DNS_BOGUS) {
		put_off(day, dns_status_text(answer->status));
	} else {
		tls_day_drop(day); /* it is wanted no more */
	}
}

void tls_day_send(struct tls_day *day)
{
	const struct conf_tls_rpt *conf = &day->tlsrpt->conf->tls_rpt;

	day->tries++;
	day->figures->tried = day->figures->tried > 0 ? day->figures->tried : now_of(day);
	if (!conf->contact || !conf->enabled) {
		put_off(day, conf->contact ? "tls_rpt.enabled is false" : "tls_rpt.contact is not set");
		return;
	}
	day->state = DAY_SENDING;
	tls_day_ask(day, tls_day_on_send_txt);
}

void tls_day_cancel(struct tls_day *day)
{
	if (day->query)
		resolver_cancel(day->query);
	day->query = NULL;
	for (size_t i = 0; i < TLS_RUA_MAX; i++) {
		if (day->places[i].fetch)
			fetch_cancel(day->places[i].fetch);
		day->places[i].fetch = NULL;
	}
}
