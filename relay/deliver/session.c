/* relay/deliver/session.c - the SMTP client's connection: addresses tried one by one, replies read, reports given.
 *
 * Everything happens in callbacks of the loop, in session_next and in session_abort; each ends in drive(), which does what the state asks for. The
 * memory goes one turn after on_end. */
#include "relay/deliver/session_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define OUT_MAX (128 * 1024) /* bytes of commands; a window of them is less */
#define WARN_EVERY_MS MINUTES(1)
#define LINE_MAX_READ 65536 /* bytes of a reply line that break the session; reply_feed keeps fewer and drops the rest */

static void drive(struct session *s);

/* --- reports ----------------------------------------------------------------------------------------------------------------- */

static void describe_tls(const struct session *s, struct delivery *d)
{
	struct tls_info info;

	if (!s->conn || !s->secure)
		return;
	conn_tls_info(s->conn, &info);
	(void)snprintf(d->tls, sizeof(d->tls), "%s %s", info.version, info.cipher);
	(void)snprintf(d->tls_how, sizeof(d->tls_how), "%s", info.how);
}

/* What went well leaves nothing to explain. */
static bool is_worth_keeping(const struct delivery *d)
{
	for (size_t i = 0; d->job && i < d->job->rcpt_count; i++)
		if (d->outcomes[i].kind == OUTCOME_DEFERRED || d->outcomes[i].kind == OUTCOME_REFUSED)
			return true;
	return false;
}

static void report(struct session *s, bool attempted, bool reusable)
{
	struct delivery *d = s->delivery;

	d->attempted = attempted;
	d->reusable = reusable;
	d->done_at = loop_now(s->env->loop);
	describe_tls(s, d);
	d->in_clear = !s->secure && s->begun && s->tx.sent > 0;
	if (is_worth_keeping(d))
		d->transcript = transcript_text(&s->transcript);
	s->delivery = NULL;
	s->begun = false;
	tx_fini(s);
	s->env->on_done(s->env->arg, d);
}

static void session_free(void *arg)
{
	struct session *s = arg;

	route_unref(&s->route);
	conf_unref(&s->conf);
	tls_client_unref(&s->tls);
	reply_fini(&s->reply);
	buf_fini(&s->out);
	transcript_fini(&s->transcript);
	free(s->destination);
	free(s->source);
	free(s->ehlo);
	free(s);
}

static void end(struct session *s)
{
	s->ended = true;
	s->env->on_end(s->env->arg, s->number);
	loop_later(s->env->loop, session_free, s);
}

/* --- the way through hosts and addresses --------------------------------------------------------------------------------------- */

static bool fits_source(const struct session *s, const struct ip_addr *addr)
{
	return s->local.family == 0 || s->local.family == addr->family;
}

/* The host of the next address to try; NULL: no more. */
static const struct route_host *next_address(struct session *s, struct ip_addr *out)
{
	while (s->host < s->route->host_count && s->tried < s->conf->delivery.addresses) {
		const struct route_host *host = &s->route->hosts[s->host];

		while (s->addr < host->addr_count && (s->addr > 0 || session_may_use(s, host))) {
			*out = host->addrs[s->addr++];
			if (!fits_source(s, out))
				continue;
			s->tried++;
			return host;
		}
		s->host++;
		s->addr = 0;
	}
	return NULL;
}

/* Mail whose last address has failed. A permanent refusal counts when every host gave one (RFC 5321 section 3.1), those too that are down. */
static void fail_everywhere(struct session *s)
{
	struct outcome *why = &s->failure;

	if (!s->has_failure)
		outcome_make(why, OUTCOME_DEFERRED, SCOPE_NONE, STAGE_CONNECT, "4.4.4", "", "no address of %s is of the same family as source %s",
		    s->route->domain, s->source);
	if (s->all_refused && !s->route->left_out) {
		why->kind = OUTCOME_REFUSED;
	} else if (why->kind == OUTCOME_REFUSED) {
		why->kind = OUTCOME_DEFERRED;
		why->enhanced[0] = '4';
		why->one_host = true;
	}
	if (tx_load(s)) {
		tx_select(s, 0);
		tx_settle_open(s, why);
	}
	s->delivery->source_fails = why->scope == SCOPE_SOURCE;
	if (s->delivery->source_fails)
		(void)snprintf(s->delivery->source_trouble, sizeof(s->delivery->source_trouble), "%.255s", why->reply);
	report(s, true, false);
}

static void on_open(void *arg);
static void on_secured(void *arg);
static void on_data(void *arg);
static void on_drained(void *arg);
static void on_end(void *arg, enum conn_end end, const char *text);

/* The source's own address, or the proxy that has it. */
static struct conn *connect_from(struct session *s, const struct ip_port *remote)
{
	static const struct conn_ops ops = {on_open, on_secured, on_data, on_drained, on_end};
	const struct conf_source *source = conf_source_find(s->conf, s->source);

	if (source && source->via) {
		struct conn_via via = {source->via_at, source->via_user, source->via_password};

		return conn_connect_via(s->env->loop, &via, remote, &ops, s);
	}
	return conn_connect(s->env->loop, &s->local, remote, &ops, s);
}

/* From which address, or through which proxy; what opens that is nobody's business. */
static void note_connect(struct session *s)
{
	const struct conf_source *source = conf_source_find(s->conf, s->source);
	char ip[IP_TEXT], proxy[IP_PORT_TEXT];

	transcript_note(&s->transcript, loop_now(s->env->loop), "connecting to %s from %s (%s%s%s)", s->relay, s->source,
	    s->local.family ? ip_format(&s->local, ip) : "any address", source && source->via ? ", through the proxy " : "",
	    source && source->via ? ip_port_format(&source->via_at, proxy) : "");
}

static void connect_to(struct session *s, const struct route_host *host, const struct ip_addr *addr)
{
	struct ip_port remote = {*addr, s->route->port};
	char ip[IP_TEXT];

	(void)snprintf(s->relay, sizeof(s->relay), "%s[%s]:%u", host->name, ip_format(addr, ip), s->route->port);
	reply_reset(&s->reply);
	buf_reset(&s->out);
	s->caps = (struct capabilities){0};
	s->fault = TLS_FAULT_NONE;
	s->secure = s->verified = s->one_domain = s->polite = s->needs_rset = false;
	s->transactions = 0;
	note_connect(s);
	s->remote = *addr;
	s->conn = connect_from(s, &remote);
	conn_deadline(s->conn, session_timeout_ms(s));
}

/* The last address once more (in the clear), or the next one. */
static const struct route_host *choose_address(struct session *s, struct ip_addr *addr)
{
	const struct route_host *host;

	if (s->same_again) {
		s->same_again = false;
		*addr = s->route->hosts[s->host].addrs[s->addr - 1];
		return &s->route->hosts[s->host];
	}
	host = s->failure.scope == SCOPE_SOURCE ? NULL : next_address(s, addr);
	s->plain_only = host && s->addr <= 32 && (host->no_tls & 1u << (s->addr - 1));
	return host;
}

static void retry(struct session *s)
{
	const struct route_host *host;
	struct ip_addr addr;

	if (s->conn && s->polite)
		conn_write(s->conn, "QUIT\r\n", 6);
	conn_close(&s->conn, s->polite);
	host = choose_address(s, &addr);
	if (host) {
		session_enter(s, SESSION_CONNECT);
		connect_to(s, host, &addr);
		return;
	}
	fail_everywhere(s);
	session_enter(s, SESSION_CLOSED);
	drive(s);
}

/* --- what the state asks for ----------------------------------------------------------------------------------------------------- */

static bool is_reusable(const struct session *s)
{
	return !s->quitting && !s->one_domain && (s->caps.limit_mail == 0 || s->transactions < s->caps.limit_mail);
}

/* Between transactions: begin one, or report the one that is over. */
static void on_idle(struct session *s)
{
	bool reusable;

	if (s->delivery && !s->begun) {
		if (!s->delivery->connected)
			s->delivery->connected = loop_now(s->env->loop);
		session_begin(s);
		if (s->state != SESSION_IDLE) {
			drive(s);
			return;
		}
	}
	reusable = is_reusable(s);
	conn_deadline(s->conn, 0);
	if (s->delivery)
		report(s, true, reusable);
	if (!reusable && s->state == SESSION_IDLE) {
		session_enter(s, SESSION_QUIT);
		drive(s);
	}
}

/* The connection is done with; mail that has no outcome goes back without blame. */
static void on_closed(struct session *s)
{
	if (s->conn && s->polite)
		conn_write(s->conn, "QUIT\r\n", 6);
	if (s->delivery)
		report(s, tx_any_outcome(s), false);
	conn_close(&s->conn, s->polite);
	end(s);
}

static void flush_out(struct session *s)
{
	if (s->out.len > 0) {
		conn_write(s->conn, s->out.data, s->out.len);
		transcript_sent(&s->transcript, loop_now(s->env->loop), s->out.data, s->out.len);
	}
	buf_reset(&s->out);
}

static void pump(struct session *s)
{
	if (body_pump(s)) {
		s->output_mark = conn_output_len(s->conn);
		if (s->tx.all_written && s->output_mark == 0) /* nothing is left that could drain */
			session_enter(s, SESSION_DOT);
		return;
	}
	s->polite = false;
	session_enter(s, SESSION_CLOSED);
	drive(s);
}

static void secure(struct session *s)
{
	const struct route_host *host = &s->route->hosts[s->host];
	bool dane = s->trust.auth == TLS_AUTH_DANE;
	char key[TRUST_KEY];
	struct tls_want want = {
	    .name = dane ? host->dane.base : host->name,
	    .also = s->trust.auth != TLS_AUTH_NONE && s->route->from_mx && !s->trust.host_only ? s->route->domain : NULL,
	    .strict_names = s->trust.host_only,
	    .auth = s->trust.check ? TLS_AUTH_CHECK : s->trust.auth,
	    .tlsa = host->dane.tlsa,
	    .tlsa_count = host->dane.tlsa_count,
	    .cache = s->env->tls_cache,
	    .cache_key = trust_session_key(&s->trust, host, s->relay, s->source, key),
	};

	conn_secure_client_want(s->conn, s->tls, &want);
}

/* Called after each step. */
static void drive(struct session *s)
{
	if (s->ended)
		return;
	if (s->conn) {
		flush_out(s);
		conn_deadline(s->conn, session_timeout_ms(s));
	}
	switch (s->state) {
	case SESSION_TLS:
		secure(s);
		break;
	case SESSION_BODY:
		pump(s);
		break;
	case SESSION_IDLE:
		on_idle(s);
		break;
	case SESSION_RETRY:
		retry(s);
		break;
	case SESSION_CLOSED:
		on_closed(s);
		break;
	case SESSION_CONNECT:
	case SESSION_GREETING:
	case SESSION_EHLO:
	case SESSION_HELO:
	case SESSION_STARTTLS:
	case SESSION_RSET:
	case SESSION_MAIL:
	case SESSION_RCPT:
	case SESSION_DATA:
	case SESSION_DOT:
	case SESSION_QUIT:
	case SESSION_STATES:
		break;
	}
}

/* --- the connection's callbacks --------------------------------------------------------------------------------------------------- */

static void on_open(void *arg)
{
	struct session *s = arg;
	const struct ip_port local = conn_local(s->conn);
	char at[IP_PORT_TEXT];

	transcript_note(&s->transcript, loop_now(s->env->loop), "connected, from %s", ip_port_format(&local, at));
	session_enter(s, SESSION_GREETING);
	drive(s);
}

static void note_tls(struct session *s, const struct tls_info *info)
{
	transcript_note(&s->transcript, loop_now(s->env->loop), "%s %s, %s%s%s", info->version, info->cipher,
	    info->verified ? "verified: " : "not verified", info->how, info->resumed ? ", resumed" : "");
}

static void on_secured(void *arg)
{
	struct session *s = arg;
	struct tls_info info;

	conn_tls_info(s->conn, &info);
	note_tls(s, &info);
	s->verified = info.verified;
	s->fault = info.fault;
	s->one_domain = info.by_other_name;
	session_on_secured(s);
	drive(s);
}

static void garbage(struct session *s, const char *text)
{
	session_on_garbage(s, text);
	drive(s);
}

static void take_line(struct session *s, const struct conn_line *line)
{
	struct err_detail why;

	transcript_line(&s->transcript, loop_now(s->env->loop), TRANSCRIPT_HEARD, line->text, line->len);
	if (line->too_long) {
		garbage(s, "a line of a reply is far too long");
		return;
	}
	switch (reply_feed(&s->reply, line->text, line->len, s->conf->delivery.reply_lines, &why)) {
	case REPLY_MORE:
		break;
	case REPLY_BROKEN:
		garbage(s, why.text);
		break;
	case REPLY_DONE:
		if (s->hasty && (reply_class(&s->reply) < 4 || s->state == SESSION_DOT)) {
			garbage(s, "an answer to the message came along with the reply that asks for it");
			break;
		}
		if (s->state == SESSION_BODY && s->tx.all_written && conn_output_len(s->conn) == 0)
			session_enter(s, SESSION_DOT); /* the answer was faster than on_drained */
		session_on_reply(s, &s->reply);
		reply_reset(&s->reply);
		drive(s);
		break;
	}
}

static bool is_sending(const struct session *s)
{
	return s->state == SESSION_BODY || s->state == SESSION_DOT;
}

/* Before TLS begins nothing more is read: what stands there would be an injection, and the conn sees to that. */
static void on_data(void *arg)
{
	struct session *s = arg;
	struct conn *conn = s->conn;
	struct conn_line line;

	while (s->conn == conn && s->state != SESSION_TLS && conn_read_line(s->conn, LINE_MAX_READ, false, &line)) {
		bool before = !is_sending(s);

		take_line(s, &line);
		s->hasty = s->hasty || (before && is_sending(s));
	}
	s->hasty = false;
}

static void on_drained(void *arg)
{
	struct session *s = arg;

	if (s->state != SESSION_BODY)
		return;
	if (s->tx.all_written) {
		transcript_note(&s->transcript, loop_now(s->env->loop), "the message has been sent, %llu bytes",
		    (unsigned long long)s->tx.sent_bytes);
		session_enter(s, SESSION_DOT);
	}
	drive(s);
}

/* The body's deadline is for progress, not for the whole (RFC 5321 section 4.5.3.2.5). */
static bool body_moves(struct session *s)
{
	size_t left = conn_output_len(s->conn);

	if (s->state != SESSION_BODY || left >= s->output_mark)
		return false;
	s->output_mark = left;
	conn_deadline(s->conn, session_timeout_ms(s));
	return true;
}

/* The message will travel in the clear: the operator may want to know. */
static void log_fallback(const struct session *s)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "tls-failed");
	log_str(&line, "destination", s->destination);
	log_str(&line, "source", s->source);
	log_str(&line, "relay", s->relay);
	log_str(&line, "text", s->failure.reply);
	log_end(&line);
}

/* Every delivery meets it: told once in a while. */
static void warn_of_means(struct session_env *env, const char *text)
{
	mono_ms now = loop_now(env->loop);

	if (env->warned != 0 && now - env->warned < WARN_EVERY_MS)
		return;
	env->warned = now;
	log_text(LOG_ERROR, "connect-failed", "no connection can be opened: %s; mail waits; raise the hard limit (LimitNOFILE), or lower "
	    "limits.connections or delivery.connections", text);
}

static void on_end(void *arg, enum conn_end end, const char *text)
{
	struct session *s = arg;

	if (end == CONN_DEADLINE && body_moves(s))
		return;
	if (end == CONN_DEADLINE && conn_at_proxy(s->conn))
		end = CONN_PROXY_FAILED;
	if (end == CONN_NO_MEANS)
		warn_of_means(s->env, text);
	transcript_note(&s->transcript, loop_now(s->env->loop), "%s: %s", end == CONN_DEADLINE ? "given up" : "the connection is over", text);
	s->fault = end == CONN_TLS_FAILED ? conn_tls_fault(s->conn) : TLS_FAULT_NONE;
	session_on_lost(s, end, text);
	if (s->same_again)
		log_fallback(s);
	drive(s);
}

/* --- the public face ---------------------------------------------------------------------------------------------------------------- */

static bool is_over(const struct session *s)
{
	return s->ended || s->state == SESSION_CLOSED || s->state == SESSION_QUIT;
}

static void take_delivery(struct session *s, struct delivery *delivery)
{
	char when[CLOCK_TEXT];

	s->delivery = delivery;
	delivery->started = loop_now(s->env->loop);
	transcript_begin(&s->transcript, delivery->started);
	transcript_note(&s->transcript, delivery->started, "%s%s%s", clock_rfc3339(clock_wall(), when),
	    s->conn ? ", on the connection to " : "", s->conn ? s->relay : "");
	if (s->route->left_out && !s->conn)
		transcript_note(&s->transcript, delivery->started, "left out: %s", s->route->left_out);
}

/* The first turn after session_open, so that nothing is reported from inside it. */
static void begin(void *arg)
{
	struct session *s = arg;

	if (is_over(s))
		return;
	if (!tx_load(s)) /* gone, or the store failed */
		session_enter(s, SESSION_CLOSED);
	drive(s);
}

struct session *session_open(struct session_env *env, const struct session_target *target, struct delivery *delivery)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->env = env;
	s->number = target->number;
	s->destination = xstrdup(target->destination);
	s->source = xstrdup(target->source);
	s->ehlo = xstrdup(target->ehlo);
	s->local = target->local;
	s->route = route_ref(target->route);
	s->conf = conf_ref(target->conf);
	s->tls = tls_client_ref(target->tls);
	s->state = SESSION_RETRY;
	reply_init(&s->reply);
	buf_init(&s->out, OUT_MAX);
	transcript_init(&s->transcript, QUEUE_TRACE_MAX);
	take_delivery(s, delivery);
	loop_later(env->loop, begin, s);
	return s;
}

void session_next(struct session *s, struct delivery *delivery)
{
	must(!s->delivery);
	take_delivery(s, delivery);
	if (s->state == SESSION_IDLE)
		drive(s);
	else /* it ended while the job was on its way */
		report(s, false, false);
}

void session_quit(struct session *s)
{
	if (is_over(s))
		return;
	s->quitting = true;
	if (s->state == SESSION_IDLE && !s->delivery)
		drive(s);
}

/* Once the final dot has left us the message may have been taken. */
static void settle_doubt(struct session *s)
{
	struct outcome why;

	if (s->state != SESSION_DOT || s->tx.accepted == 0)
		return;
	outcome_make(&why, OUTCOME_DEFERRED, SCOPE_NONE, STAGE_DOT, "4.3.2", s->relay, "the relay is shutting down (stage dot)");
	why.in_doubt = true;
	tx_settle_open(s, &why);
}

void session_abort(struct session *s)
{
	if (s->ended)
		return;
	settle_doubt(s);
	s->polite = s->state == SESSION_IDLE;
	session_enter(s, SESSION_CLOSED);
	drive(s);
}
