/* tests/unit/relay/session_world.h - a temporary queue, scripted SMTP servers in threads, one session on a loop: for test_session*.c.
 *
 * A script is a list of steps, ended by NULL:
 *   "< 250 ok"     send a line             "<< 220 go"   send it without an end of line
 *   "> MAIL *"     read a line that matches (fnmatch)     ">| MAIL *"  the line is here already: it came with the one before
 *   "body"         read up to CRLF.CRLF    "piece N"     read N bytes of it
 *   "handshake fails"  the client refuses the certificate
 *   "tls new", "tls resumed"  server handshake that must be one or the other
 *   "tls"          server handshake        "close"       hang up               "reset"  hang up with RST
 *   "pause"        stop the loop, then wait for sem_post(&server->go)
 *   "stall"        neither read nor close before the test's end
 *   "eof"          wait until the client hangs up         "accept"  take the next connection (the first is taken by itself) */
#ifndef TEST_SESSION_WORLD_H
#define TEST_SESSION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fnmatch.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/deliver/session.h"
#include "tests/support/dns_conf.h"
#include "tests/unit/net/certificate.h"
#include "tests/unit/queue/store.h"

#define SERVERS_MAX 4
#define BODY_MAX    (4 << 20)

/* --- a scripted server ---------------------------------------------------------------------------------------------------- */

struct server {
	pthread_t thread;
	const char *const *steps; /* NULL: nobody listens there */
	int listener, fd;
	SSL_CTX *ctx;
	SSL *ssl;
	char in[65536]; /* read, not yet looked at */
	size_t in_len;
	char *body;
	size_t body_len;
	char error[512]; /* "" when all went by the script */
	struct loop *loop; /* stopped by "pause" */
	sem_t go;          /* ends "pause" */
};

static inline void server_fail(struct server *s, const char *step, const char *got)
{
	if (!s->error[0])
		snprintf(s->error, sizeof(s->error), "at \"%.100s\": %.300s", step, got);
}

static inline ssize_t server_read(struct server *s, char *to, size_t size)
{
	return s->ssl ? SSL_read(s->ssl, to, (int)size) : recv(s->fd, to, size, 0);
}

static inline void server_send(struct server *s, const char *text, bool line_end)
{
	char *line = xasprintf("%s%s", text, line_end ? "\r\n" : "");
	size_t len = strlen(line);

	if (s->ssl)
		(void)!SSL_write(s->ssl, line, (int)len);
	else
		(void)!send(s->fd, line, len, MSG_NOSIGNAL);
	free(line);
}

/* More input; false: the client has hung up. */
static inline bool server_fill(struct server *s)
{
	ssize_t n = server_read(s, s->in + s->in_len, sizeof(s->in) - s->in_len);

	if (n <= 0)
		return false;
	s->in_len += (size_t)n;
	return true;
}

static inline void server_consume(struct server *s, size_t len)
{
	memmove(s->in, s->in + len, s->in_len - len);
	s->in_len -= len;
}

static inline void server_want(struct server *s, const char *step, const char *pattern, bool here)
{
	char line[4096], *lf;
	size_t len;

	while (!(lf = memchr(s->in, '\n', s->in_len))) {
		if (here || !server_fill(s)) {
			server_fail(s, step, here ? "it did not come with the line before" : "the client hung up");
			return;
		}
	}
	len = (size_t)(lf - s->in);
	snprintf(line, sizeof(line), "%.*s", len > 0 ? (int)len - 1 : 0, s->in);
	if (len == 0 || s->in[len - 1] != '\r')
		server_fail(s, step, "no CRLF");
	if (fnmatch(pattern, line, 0) != 0)
		server_fail(s, step, line);
	server_consume(s, len + 1);
}

static inline void server_keep(struct server *s, size_t len)
{
	if (s->body_len + len <= BODY_MAX) {
		memcpy(s->body + s->body_len, s->in, len);
		s->body_len += len;
	}
	server_consume(s, len);
}

static inline bool server_body_ended(const struct server *s)
{
	return (s->body_len == 3 && memcmp(s->body, ".\r\n", 3) == 0) ||
	    (s->body_len >= 5 && memcmp(s->body + s->body_len - 5, "\r\n.\r\n", 5) == 0);
}

/* size 0: to its end. */
static inline void server_take_body(struct server *s, const char *step, size_t size)
{
	s->body_len = 0;
	while (size > 0 ? s->body_len < size : !server_body_ended(s)) {
		size_t want = size > 0 && size - s->body_len < s->in_len ? size - s->body_len : s->in_len;

		server_keep(s, want);
		if (size > 0 ? s->body_len < size : !server_body_ended(s)) {
			if (!server_fill(s)) {
				server_fail(s, step, "the client hung up");
				return;
			}
		}
	}
}

static inline void server_hang_up(struct server *s, bool reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (s->ssl)
		SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->in_len = 0;
}

static inline void server_accept(struct server *s)
{
	struct timeval wait = { .tv_sec = 10 };

	s->fd = accept(s->listener, NULL, NULL);
	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
}

static inline void server_tls(struct server *s, const char *step)
{
	s->ssl = SSL_new(s->ctx);
	SSL_set_fd(s->ssl, s->fd);
	if (SSL_accept(s->ssl) != 1)
		server_fail(s, step, "no handshake");
}

static inline void server_tls_of_kind(struct server *s, const char *step)
{
	server_tls(s, step);
	if (SSL_session_reused(s->ssl) != (strcmp(step, "tls resumed") == 0))
		server_fail(s, step, "it was not");
}

/* The client finds fault with the certificate: its alert comes after the handshake in TLS 1.3. */
static inline void server_tls_refused(struct server *s, const char *step)
{
	char byte;

	s->ssl = SSL_new(s->ctx);
	SSL_set_fd(s->ssl, s->fd);
	if (SSL_accept(s->ssl) == 1 && SSL_read(s->ssl, &byte, 1) > 0)
		server_fail(s, step, "the client went on");
}

static inline void server_eof(struct server *s, const char *step)
{
	if (s->in_len > 0 || server_fill(s)) {
		s->in[s->in_len < 80 ? s->in_len : 80] = '\0';
		server_fail(s, step, s->in);
	}
}

static inline void server_step(struct server *s, const char *step)
{
	if (strncmp(step, "<< ", 3) == 0)
		server_send(s, step + 3, false);
	else if (strncmp(step, "< ", 2) == 0)
		server_send(s, step + 2, true);
	else if (strncmp(step, "> ", 2) == 0)
		server_want(s, step, step + 2, false);
	else if (strncmp(step, ">| ", 3) == 0)
		server_want(s, step, step + 3, true);
	else if (strcmp(step, "body") == 0)
		server_take_body(s, step, 0);
	else if (strncmp(step, "piece ", 6) == 0)
		server_take_body(s, step, (size_t)strtol(step + 6, NULL, 10));
	else if (strcmp(step, "tls") == 0)
		server_tls(s, step);
	else if (strcmp(step, "tls new") == 0 || strcmp(step, "tls resumed") == 0)
		server_tls_of_kind(s, step);
	else if (strcmp(step, "handshake fails") == 0)
		server_tls_refused(s, step);
	else if (strcmp(step, "eof") == 0)
		server_eof(s, step);
	else if (strcmp(step, "accept") == 0)
		server_hang_up(s, false), server_accept(s);
	else if (strcmp(step, "pause") == 0)
		loop_stop(s->loop), sem_wait(&s->go);
	else if (strcmp(step, "stall") == 0)
		(void)!accept(s->listener, NULL, NULL); /* fails when world_join shuts it down */
	else if (strcmp(step, "close") == 0)
		server_hang_up(s, false);
	else if (strcmp(step, "reset") == 0)
		server_hang_up(s, true);
	else
		server_fail(s, step, "no such step");
}

static inline void *server_run(void *arg)
{
	struct server *s = arg;

	server_accept(s);
	for (size_t i = 0; s->steps[i] && !s->error[0]; i++)
		server_step(s, s->steps[i]);
	server_hang_up(s, false);
	return NULL;
}

/* --- the world ------------------------------------------------------------------------------------------------------------- */

struct session_world {
	struct store store;
	struct loop *loop;
	struct conf *conf;
	struct tls_client *tls;
	struct certificate certificate;
	struct session_env env;
	struct server servers[SERVERS_MAX]; /* on 127.0.0.1, 127.0.0.2, ... */
	size_t server_count;
	uint16_t port;
	struct route *route;
	struct session *session;
	struct delivery *done; /* the last report */
	unsigned reports, ends;
};

static inline void world_on_done(void *arg, struct delivery *delivery)
{
	struct session_world *w = arg;

	assert_int_equal(w->ends, 0);
	w->done = delivery;
	w->reports++;
	loop_stop(w->loop);
}

static inline void world_on_end(void *arg, uint32_t number)
{
	struct session_world *w = arg;

	assert_int_equal(number, 7);
	w->ends++;
	w->session = NULL;
	loop_stop(w->loop);
}

static inline int world_setup(void **state)
{
	struct session_world *w = xcalloc(1, sizeof(*w));
	void *store = NULL;

	loop_setup();
	store_setup(&store);
	w->store = *(struct store *)store;
	free(store);
	w->loop = loop_create("test");
	w->conf = dns_conf_load("delivery: {tls: opportunistic}\n");
	w->tls = tls_client_create();
	certificate_create(&w->certificate);
	w->env = (struct session_env){
		.loop = w->loop, .reader = w->store.reader, .on_done = world_on_done, .on_end = world_on_end, .arg = w,
	};
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct session_world *w = *state;

	tls_client_unref(&w->tls);
	certificate_remove(&w->certificate);
	conf_unref(&w->conf);
	loop_destroy(&w->loop);
	store_close(&w->store);
	mailbox_destroy(&w->store.box);
	store_remove(w->store.dir);
	free(w);
	return 0;
}

static inline bool world_listen(struct server *s, size_t i, uint16_t *port)
{
	struct ip_port at = { .port = *port };
	struct sockaddr_storage sa;
	char text[IP_TEXT];
	socklen_t len;
	int on = 1;

	snprintf(text, sizeof(text), "127.0.0.%zu", i + 1);
	must(ip_parse(text, &at.addr));
	len = ip_to_sockaddr(&at.addr, *port, &sa);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Small, so that a body of a few megabytes does not vanish in the sockets. */
	setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &(int){ 16384 }, sizeof(int));
	if (bind(s->listener, (struct sockaddr *)&sa, len) != 0)
		return false;
	len = sizeof(sa);
	must(getsockname(s->listener, (struct sockaddr *)&sa, &len) == 0 && ip_from_sockaddr((struct sockaddr *)&sa, &at));
	*port = at.port;
	return s->steps == NULL || listen(s->listener, 8) == 0;
}

/* Servers on neighbouring addresses and one port, each with its script; NULL steps: the connection is refused there. */
static inline void world_serve(struct session_world *w, const char *const *const *scripts, size_t count)
{
	w->server_count = count;
	w->port = 0;
	for (size_t i = 0; i < count; i++) {
		struct server *s = &w->servers[i];

		*s = (struct server){ .steps = scripts[i], .fd = -1, .body = xcalloc(1, BODY_MAX), .ctx = SSL_CTX_new(TLS_server_method()) };
		s->loop = w->loop;
		must(sem_init(&s->go, 0, 0) == 0);
		must(SSL_CTX_use_certificate_chain_file(s->ctx, w->certificate.cert) == 1);
		must(SSL_CTX_use_PrivateKey_file(s->ctx, w->certificate.key, SSL_FILETYPE_PEM) == 1);
		if (!world_listen(s, i, &w->port))
			fail_msg("port %u is taken on 127.0.0.%zu", w->port, i + 1);
	}
	for (size_t i = 0; i < count; i++)
		if (scripts[i])
			must(pthread_create(&w->servers[i].thread, NULL, server_run, &w->servers[i]) == 0);
}

/* Wait for the servers; the first thing that did not go by a script fails the test. */
static inline void world_join(struct session_world *w, const char *label)
{
	for (size_t i = 0; i < w->server_count; i++) {
		struct server *s = &w->servers[i];

		shutdown(s->listener, SHUT_RDWR);
		if (s->steps)
			pthread_join(s->thread, NULL);
		close(s->listener);
		SSL_CTX_free(s->ctx);
		free(s->body);
		if (s->error[0])
			fail_msg("%s: server %zu %s", label, i, s->error);
	}
	w->server_count = 0;
}

/* One host for each server, "mx1", "mx2", ... */
static inline struct route *world_route(struct session_world *w, enum conf_tls_level tls)
{
	struct route *route = xcalloc(1, sizeof(*route));

	route->refs = 1;
	route->domain = xstrdup("example.net");
	route->port = w->port;
	route->tls = tls;
	route->hosts = xcalloc(SERVERS_MAX, sizeof(*route->hosts));
	route->host_count = w->server_count;
	for (size_t i = 0; i < w->server_count; i++) {
		char text[IP_TEXT];

		snprintf(text, sizeof(text), "127.0.0.%zu", i + 1);
		route->hosts[i].name = xasprintf("mx%zu", i + 1);
		route->hosts[i].addrs = xcalloc(1, sizeof(struct ip_addr));
		route->hosts[i].addr_count = 1;
		must(ip_parse(text, &route->hosts[i].addrs[0]));
	}
	return route;
}

static inline struct session_target world_target(struct session_world *w, struct route *route)
{
	return (struct session_target){
		.number = 7, .destination = "example.net", .source = "a", .ehlo = "a.relay.test", .route = route, .conf = w->conf, .tls = w->tls,
	};
}

static inline void delivery_init(struct delivery *d, msg_id id)
{
	*d = (struct delivery){ .id = id, .session = 7 };
}

static inline void delivery_fini(struct delivery *d)
{
	free(d->job);
	free(d->outcomes);
	free(d->transcript);
	free(d->notes);
	free(d->tls_notes);
}

/* Run until there is one more report, or the session has ended. */
static inline void world_await_report(struct session_world *w)
{
	unsigned before = w->reports;

	while (w->reports == before)
		loop_run(w->loop);
}

static inline void world_await_end(struct session_world *w)
{
	while (w->ends == 0)
		loop_run(w->loop);
	w->ends = 0;
}

/* "delivered 250 2.0.0 dot, deferred 451 4.2.1 rcpt recipient" ... one for each recipient; scope only when it blames. */
static inline const char *outcomes_text(const struct delivery *d)
{
	static const char *const kinds[] = { "untouched", "delivered", "deferred", "refused" };
	static const char *const scopes[] = { "", " recipient", " message", " lane", " host", " destination", " source" };
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; d->job && i < d->job->rcpt_count; i++) {
		const struct outcome *o = &d->outcomes[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "", kinds[o->kind]);
		if (o->kind != OUTCOME_NONE)
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %d %s %s%s%s", o->code, o->enhanced, stage_name(o->stage),
			    scopes[o->scope], o->in_doubt ? " in-doubt" : "");
	}
	return text;
}

/* --- deliveries in rows ----------------------------------------------------------------------------------------------------- */

#define HELLO "< 220 mx ready", "> EHLO a.relay.test", "< 250 mx"
#define HELLO_WITH(...) "< 220 mx ready", "> EHLO a.relay.test", "< 250-mx", __VA_ARGS__
#define MAIL_OK "> MAIL FROM:<from@shop.example>*", "< 250 2.1.0 ok"
#define OFFER HELLO_WITH("< 250 STARTTLS"), "> STARTTLS"
#define TAKEN MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok"
#define BYE "> QUIT", "< 221 bye", "eof"

/* More than the sockets hold: the most that store_mail has room for. */
#define LARGE (64 * QUEUE_CHUNK)

#define STEPS(...) (const char *const[]){ __VA_ARGS__, NULL }

static const char *const ONE[] __attribute__((unused)) = { "a@example.net", NULL };
static const char *const TWO[] __attribute__((unused)) = { "a@example.net", "b@example.net", NULL };
static const char *const THREE[] __attribute__((unused)) = { "a@example.net", "b@example.net", "c@example.net", NULL };

/* Deliver one message over a connection of its own and compare. `size` bytes of body. */
struct row {
	const char *label;
	const char *const *steps[SERVERS_MAX];
	const char *const *rcpts;
	const char *want;    /* outcomes_text */
	const char *reply;   /* within the first outcome's reply; NULL: whatever */
	enum conf_tls_level tls;
	size_t size;
	bool ends;           /* the session ends by itself, with reusable false */
	bool unattempted;
	const char *tls_text; /* the report's begins so */
};

static inline void run_row(struct session_world *w, const struct row *row)
{
	msg_id id = store_accept(&w->store, row->size ? row->size : 100, row->rcpts ? row->rcpts : ONE);
	struct session_target target;
	struct delivery d;
	struct route *route;
	size_t count = 1;

	while (count < SERVERS_MAX && row->steps[count])
		count++;
	world_serve(w, row->steps, count);
	route = world_route(w, row->tls);
	target = world_target(w, route);
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	assert_int_equal(w->reports, 0);
	world_await_report(w);
	if (strcmp(outcomes_text(&d), row->want) != 0)
		fail_msg("%s:\n got %s (%s)\nwant %s", row->label, outcomes_text(&d), d.outcomes ? d.outcomes[0].reply : "", row->want);
	if (row->reply && !strstr(d.outcomes[0].reply, row->reply))
		fail_msg("%s: reply %s", row->label, d.outcomes[0].reply);
	if (d.reusable == row->ends || d.attempted == row->unattempted)
		fail_msg("%s: reusable %d, attempted %d", row->label, d.reusable, d.attempted);
	if (strncmp(d.tls, row->tls_text ? row->tls_text : "", row->tls_text ? strlen(row->tls_text) : 1) != 0)
		fail_msg("%s: tls %s", row->label, d.tls);
	if (d.reusable)
		session_quit(w->session);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	world_join(w, row->label);
}

static inline void run_rows(void **state, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_row(*state, &rows[i]);
}

/* --- one session, step by step ----------------------------------------------------------------------------------------------- */

static inline void open_session(struct session_world *w, const char *const *steps, struct delivery *d, msg_id id)
{
	const char *const *const scripts[] = { steps };
	struct session_target target;
	struct route *route;

	world_serve(w, scripts, 1);
	route = world_route(w, TLS_LEVEL_NONE);
	target = world_target(w, route);
	delivery_init(d, id);
	w->session = session_open(&w->env, &target, d);
	route_unref(&route);
}

static inline void close_world(struct session_world *w, const char *label)
{
	w->reports = 0;
	world_join(w, label);
}

#endif
