/* relay/net/http.c - an HTTP/1.1 server on a loop: libevent's evhttp, with limits. */
#include "relay/net/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/ascii.h"
#include "base/log.h"
#include "relay/net/listener.h"
#include "relay/net/tls_context.h"

#define SWEEP_MS 250 /* how long a connection that has ended may go on to count */

/* One connection. evhttp does not tell when one that brings no request ends: a reference of ours keeps its bufferevent, and evhttp takes
 * its callbacks away when it lets go. */
struct http_peer {
	struct http *http;
	struct bufferevent *bev;
	uint64_t received; /* since the last request */
	bool answering;    /* an answer is on its way, and counts as pending */
	struct http_peer *next;
};

struct http {
	struct listener *bound; /* until http_start */
	struct loop *loop;
	struct evhttp *evhttp;
	struct evconnlistener *listener; /* evhttp's */
	struct tls_server *tls;
	struct http_options options;
	http_handler handler;
	void *arg;
	struct http_peer *peers;
	unsigned peer_count;
	bool full, stopped;
	struct timer sweep;
	uint64_t received; /* by all peers, and bodies that are with their handlers */
	struct http_request *requests; /* that were not answered yet */
	size_t pending;
	void (*on_idle)(void *arg);
	void *on_idle_arg;
};

struct http_request {
	struct http *http; /* NULL: closed meanwhile */
	struct evhttp_request *evreq; /* NULL likewise */
	uint64_t counted; /* bytes of http->received that are its */
	struct http_request *next, **link;
};

struct http_body {
	struct evbuffer *buffer;
};

/* --- connections --------------------------------------------------------------------------------------------------------- */

static void uncount(struct http *http, uint64_t bytes)
{
	http->received -= bytes;
}

static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg);

/* evhttp has let go of it. */
static bool is_over(const struct http_peer *peer)
{
	bufferevent_data_cb read_cb = NULL, write_cb = NULL;
	bufferevent_event_cb event_cb = NULL;
	void *arg = NULL;

	bufferevent_getcb(peer->bev, &read_cb, &write_cb, &event_cb, &arg);
	return read_cb == NULL && write_cb == NULL && event_cb == NULL;
}

static void one_less(struct http *http)
{
	http->pending--;
	if (http->stopped && http->pending == 0 && http->on_idle != NULL)
		http->on_idle(http->on_idle_arg);
}

static void peer_free(struct http_peer *peer)
{
	struct http *http = peer->http;

	uncount(http, peer->received);
	evbuffer_remove_cb(bufferevent_get_input(peer->bev), on_input, peer);
	bufferevent_decref(peer->bev);
	http->peer_count--;
	if (peer->answering) /* in vain: the client has gone */
		one_less(http);
	free(peer);
}

static void sweep(struct http *http)
{
	for (struct http_peer **link = &http->peers; *link != NULL;) {
		struct http_peer *peer = *link;

		if (is_over(peer)) {
			*link = peer->next;
			peer_free(peer);
		} else {
			link = &peer->next;
		}
	}
	if (http->full && http->peer_count < http->options.connections && !http->stopped) {
		http->full = false;
		evconnlistener_enable(http->listener);
	}
}

static void on_sweep(void *arg)
{
	struct http *http = arg;

	sweep(http);
	if (http->peers != NULL || http->full)
		timer_start(&http->sweep, SWEEP_MS);
}

/* Out of descriptors: the next sweep listens again. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http *http = arg;

	log_text(LOG_WARN, "accept-failed", "admin: %s", strerror(EVUTIL_SOCKET_ERROR()));
	http->full = true;
	evconnlistener_disable(listener);
	timer_start(&http->sweep, SWEEP_MS);
}

/* Bytes have come. Beyond the limit nobody can be told: the request is not whole yet. */
static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_peer *peer = arg;
	struct http *http = peer->http;

	peer->received += info->n_added;
	http->received += info->n_added;
	if (info->n_added > 0 && http->received > http->options.memory_bytes && peer->received > http->options.header_bytes) {
		log_text(LOG_WARN, "http-memory", "a request of more than %llu bytes was cut off: limits.memory is used up",
		    (unsigned long long)peer->received);
		bufferevent_trigger_event(peer->bev, BEV_EVENT_READING | BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
	}
}

static struct bufferevent *bufferevent_for(struct http *http, struct event_base *base)
{
	struct bufferevent *bev;
	SSL *ssl;

	if (http->tls == NULL)
		return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(http->tls->ctx);
	must(ssl != NULL);
	bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* the lengths of HTTP tell where a message ends */
	return bev;
}

/* A connection was accepted. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct http *http = arg;
	struct http_peer *peer = xcalloc(1, sizeof(*peer));

	sweep(http);
	peer->http = http;
	peer->bev = bufferevent_for(http, base);
	must(peer->bev != NULL);
	bufferevent_incref(peer->bev);
	evbuffer_add_cb(bufferevent_get_input(peer->bev), on_input, peer);
	if (http->peers == NULL)
		timer_start(&http->sweep, SWEEP_MS);
	peer->next = http->peers;
	http->peers = peer;
	if (++http->peer_count >= http->options.connections) {
		http->full = true;
		evconnlistener_disable(http->listener);
	}
	return peer->bev;
}

static struct http_peer *peer_of(struct http *http, struct evhttp_connection *connection)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);
	struct http_peer *peer = http->peers;

	while (peer != NULL && peer->bev != bev)
		peer = peer->next;
	return peer;
}

/* --- requests ------------------------------------------------------------------------------------------------------------ */

static void request_unlink(struct http_request *request)
{
	*request->link = request->next;
	if (request->next != NULL)
		request->next->link = request->link;
}

static void send_text(struct evhttp_request *evreq, int status, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	must(body != NULL && evbuffer_add_printf(body, "{\"error\":\"%s\"}\n", text) >= 0);
	evhttp_add_header(evhttp_request_get_output_headers(evreq), "Content-Type", "application/json");
	evhttp_add_header(evhttp_request_get_output_headers(evreq), "Connection", "close");
	evhttp_send_reply(evreq, status, NULL, body);
	evbuffer_free(body);
}

/* Could somebody else find another end of this request than we did? */
static bool is_ambiguous(struct evhttp_request *evreq)
{
	unsigned lengths = 0, codings = 0;
	bool other = false; /* RFC 9112 section 5.1: a blank before the colon, too */
	struct evkeyval *field;

	for (field = evhttp_request_get_input_headers(evreq)->tqh_first; field != NULL; field = field->next.tqe_next) {
		other |= field->key[strcspn(field->key, " \t")] != '\0';
		if (ascii_equal(field->key, "Content-Length")) {
			lengths++;
			other |= field->value[0] == '\0' || field->value[strspn(field->value, "0123456789")] != '\0';
		} else if (ascii_equal(field->key, "Transfer-Encoding")) {
			codings++;
			other |= !ascii_equal(field->value, "chunked");
		}
	}
	if (evhttp_request_get_command(evreq) != EVHTTP_REQ_POST)
		return lengths + codings > 0;
	return lengths + codings > 1 || other;
}

/* Count the body with the request from now on, not with the connection. */
static uint64_t take_count(struct http *http, struct evhttp_request *evreq)
{
	struct http_peer *peer = peer_of(http, evhttp_request_get_connection(evreq));
	uint64_t body = evbuffer_get_length(evhttp_request_get_input_buffer(evreq));

	if (peer != NULL) {
		uncount(http, peer->received);
		peer->received = 0;
	}
	http->received += body;
	return body;
}

static void on_sent(struct evhttp_request *evreq, void *arg)
{
	struct http_peer *peer = arg;

	peer->answering = false;
	one_less(peer->http);
}

static void on_request(struct evhttp_request *evreq, void *arg)
{
	struct http *http = arg;
	struct http_request *request;
	uint64_t counted = take_count(http, evreq);

	if (is_ambiguous(evreq) || http->stopped || http->received > http->options.memory_bytes) {
		uncount(http, counted);
		if (is_ambiguous(evreq))
			send_text(evreq, HTTP_BADREQUEST, "ambiguous length");
		else
			send_text(evreq, HTTP_SERVUNAVAIL, http->stopped ? "shutting down" : "too much at once");
		return;
	}
	request = xcalloc(1, sizeof(*request));
	request->http = http;
	request->evreq = evreq;
	request->counted = counted;
	request->next = http->requests;
	request->link = &http->requests;
	if (request->next != NULL)
		request->next->link = &request->next;
	http->requests = request;
	http->pending++;
	http->handler(http->arg, request);
}

bool http_is_post(const struct http_request *request)
{
	return evhttp_request_get_command(request->evreq) == EVHTTP_REQ_POST;
}

const char *http_path(const struct http_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->evreq);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;

	return path != NULL ? path : "";
}

const char *http_header(const struct http_request *request, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(request->evreq), name);
}

struct ip_port http_client(const struct http_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request->evreq);
	struct ip_port client = { .port = 0 };
	char *address = NULL;

	if (connection == NULL)
		return client;
	evhttp_connection_get_peer(connection, &address, &client.port);
	if (address != NULL && ip_parse(address, &client.addr))
		ip_unmap(&client.addr);
	return client;
}

static SSL *ssl_of(const struct http_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request->evreq);

	return connection != NULL ? bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(connection)) : NULL;
}

bool http_is_secure(const struct http_request *request)
{
	return ssl_of(request) != NULL;
}

const char *http_tls_text(const struct http_request *request, char *out, size_t len)
{
	SSL *ssl = ssl_of(request);

	out[0] = '\0';
	if (ssl != NULL)
		(void)snprintf(out, len, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
	return out;
}

char *http_query(const struct http_request *request, const char *name, unsigned n)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->evreq);
	const char *query = uri != NULL ? evhttp_uri_get_query(uri) : NULL;
	struct evkeyvalq fields;
	struct evkeyval *field;
	char *value = NULL;

	if (query == NULL || evhttp_parse_query_str(query, &fields) != 0)
		return NULL;
	for (field = fields.tqh_first; field != NULL && value == NULL; field = field->next.tqe_next) {
		if (strcmp(field->key, name) == 0 && n-- == 0)
			value = xstrdup(field->value);
	}
	evhttp_clear_headers(&fields);
	return value;
}

struct http_body *http_take_body(struct http_request *request)
{
	struct http_body *body = xcalloc(1, sizeof(*body));

	body->buffer = evbuffer_new();
	must(body->buffer != NULL && evbuffer_add_buffer(body->buffer, evhttp_request_get_input_buffer(request->evreq)) == 0);
	return body;
}

size_t http_body_len(const struct http_body *body)
{
	return evbuffer_get_length(body->buffer);
}

const char *http_body_text(struct http_body *body)
{
	return (const char *)evbuffer_pullup(body->buffer, -1);
}

uint64_t http_body_fingerprint(const struct http_body *body)
{
	int count = evbuffer_peek(body->buffer, -1, NULL, NULL, 0);
	struct evbuffer_iovec *pieces = xcalloc(count > 0 ? (size_t)count : 1, sizeof(*pieces));
	XXH3_state_t *state = XXH3_createState();
	uint64_t fingerprint;

	must(state != NULL && XXH3_64bits_reset(state) == XXH_OK);
	count = evbuffer_peek(body->buffer, -1, NULL, pieces, count);
	for (int i = 0; i < count; i++)
		(void)XXH3_64bits_update(state, pieces[i].iov_base, pieces[i].iov_len);
	fingerprint = XXH3_64bits_digest(state);
	(void)XXH3_freeState(state);
	free(pieces);
	return fingerprint;
}

void http_body_free(struct http_body **body)
{
	if (*body == NULL)
		return;
	evbuffer_free((*body)->buffer);
	free(*body);
	*body = NULL;
}

/* --- answers ------------------------------------------------------------------------------------------------------------- */

void http_add_header(struct http_request *request, const char *name, const char *value)
{
	if (request->evreq != NULL)
		evhttp_add_header(evhttp_request_get_output_headers(request->evreq), name, value);
}

static void send_answer(struct http_request *request, struct http_peer *peer, int status, const char *type, const void *data, size_t len)
{
	struct evbuffer *body = evbuffer_new();

	must(body != NULL && evbuffer_add(body, data, len) == 0);
	http_add_header(request, "Content-Type", type);
	http_add_header(request, "Cache-Control", "no-store");
	http_add_header(request, "X-Content-Type-Options", "nosniff");
	if (request->http->stopped)
		http_add_header(request, "Connection", "close");
	peer->answering = true;
	evhttp_request_set_on_complete_cb(request->evreq, on_sent, peer);
	evhttp_send_reply(request->evreq, status, NULL, body);
	evbuffer_free(body);
}

void http_answer(struct http_request *request, int status, const char *type, const void *body, size_t len)
{
	struct http *http = request->http;
	struct http_peer *peer = NULL;

	if (http != NULL) {
		request_unlink(request);
		uncount(http, request->counted);
		/* evhttp takes the connection away from a request that it could not finish. */
		if (evhttp_request_get_connection(request->evreq) != NULL)
			peer = peer_of(http, evhttp_request_get_connection(request->evreq));
		if (peer != NULL) {
			send_answer(request, peer, status, type, body, len);
		} else {
			evhttp_request_free(request->evreq);
			one_less(http);
		}
	}
	free(request);
}

/* --- life ---------------------------------------------------------------------------------------------------------------- */

struct http *http_open(const struct ip_port *at, struct err_detail *why)
{
	struct listener *bound = listener_open(at, why);
	struct http *http;

	if (bound == NULL)
		return NULL;
	http = xcalloc(1, sizeof(*http));
	http->bound = bound;
	return http;
}

void http_configure(struct http *http, const struct http_options *options, struct tls_server *tls)
{
	tls_server_unref(&http->tls);
	http->tls = tls != NULL ? tls_server_ref(tls) : NULL;
	http->options = *options;
	evhttp_set_max_headers_size(http->evhttp, (ev_ssize_t)options->header_bytes);
	evhttp_set_max_body_size(http->evhttp, (ev_ssize_t)options->body_bytes);
	evhttp_set_timeout(http->evhttp, (int)(options->idle_ms / 1000));
}

void http_start(struct http *http, struct loop *loop, const struct http_options *options, struct tls_server *tls, http_handler handler, void *arg)
{
	struct evhttp_bound_socket *bound;

	http->loop = loop;
	http->handler = handler;
	http->arg = arg;
	timer_init(&http->sweep, loop, on_sweep, http);
	http->evhttp = evhttp_new(loop_base(loop));
	must(http->evhttp != NULL);
	http_configure(http, options, tls);
	evhttp_set_allowed_methods(http->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_default_content_type(http->evhttp, NULL);
	evhttp_set_bevcb(http->evhttp, on_connection, http);
	evhttp_set_gencb(http->evhttp, on_request, http);
	http->listener = evconnlistener_new(loop_base(loop), NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
	    listener_release(&http->bound));
	must(http->listener != NULL);
	evconnlistener_set_error_cb(http->listener, on_accept_error);
	bound = evhttp_bind_listener(http->evhttp, http->listener);
	must(bound != NULL);
}

void http_stop(struct http *http)
{
	http->stopped = true;
	if (http->listener != NULL)
		evconnlistener_disable(http->listener);
}

size_t http_pending(const struct http *http)
{
	return http->pending;
}

void http_on_idle(struct http *http, void (*fn)(void *arg), void *arg)
{
	http->on_idle = fn;
	http->on_idle_arg = arg;
}

static void orphan_requests(struct http *http)
{
	while (http->requests != NULL) {
		struct http_request *request = http->requests;

		request_unlink(request);
		request->http = NULL;
		request->evreq = NULL;
	}
}

void http_close(struct http **http_ptr)
{
	struct http *http = *http_ptr;

	*http_ptr = NULL;
	if (http == NULL)
		return;
	listener_close(&http->bound);
	http->on_idle = NULL;
	if (http->evhttp != NULL) {
		orphan_requests(http);
		http->stopped = true; /* the sweep must not listen again */
		evhttp_free(http->evhttp);
		sweep(http); /* evhttp has let go of all */
		must(http->peers == NULL);
		timer_fini(&http->sweep);
	}
	tls_server_unref(&http->tls);
	free(http);
}
