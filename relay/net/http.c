/* relay/net/http.c - an HTTP/1.1 server on a loop: libevent's evhttp, with limits. Connections here, requests in http_request.c. */
#include "relay/net/http_int.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/net/tls_context.h"

#define SWEEP_MS 250 /* how long a connection that has ended may go on to count */

/* --- connections --------------------------------------------------------------------------------------------------------- */

void http_uncount(struct http *http, uint64_t bytes)
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

void http_one_less(struct http *http)
{
	http->pending--;
	if (http->stopped && http->pending == 0 && http->on_idle != NULL)
		http->on_idle(http->on_idle_arg);
}

static void peer_free(struct http_peer *peer)
{
	struct http *http = peer->http;

	http_uncount(http, peer->received);
	evbuffer_remove_cb(bufferevent_get_input(peer->bev), on_input, peer);
	bufferevent_decref(peer->bev);
	http->peer_count--;
	if (peer->answering) /* in vain: the client has gone */
		http_one_less(http);
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

struct http_peer *http_peer_of(struct http *http, struct evhttp_connection *connection)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);
	struct http_peer *peer = http->peers;

	while (peer != NULL && peer->bev != bev)
		peer = peer->next;
	return peer;
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
	evhttp_set_gencb(http->evhttp, http_on_request, http);
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

void http_close(struct http **http_ptr)
{
	struct http *http = *http_ptr;

	*http_ptr = NULL;
	if (http == NULL)
		return;
	listener_close(&http->bound);
	http->on_idle = NULL;
	if (http->evhttp != NULL) {
		http_orphan_requests(http);
		http->stopped = true; /* the sweep must not listen again */
		evhttp_free(http->evhttp);
		sweep(http); /* evhttp has let go of all */
		must(http->peers == NULL);
		timer_fini(&http->sweep);
	}
	tls_server_unref(&http->tls);
	free(http);
}
