/* relay/net/http_int.h - what the two files of the HTTP server share. */
#ifndef NET_HTTP_INT_H
#define NET_HTTP_INT_H

#include <event2/http.h>
#include <event2/listener.h>

#include "relay/net/http.h"
#include "relay/net/listener.h"

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

/* --- http.c ---------------------------------------------------------------------------------------------------------------- */

/* The connection's; NULL: evhttp has let go of it. */
struct http_peer *http_peer_of(struct http *http, struct evhttp_connection *connection);

/* So many bytes are no longer held. */
void http_uncount(struct http *http, uint64_t bytes);

/* A request is no longer pending: when stopped, maybe that was the last. */
void http_one_less(struct http *http);

/* --- http_request.c -------------------------------------------------------------------------------------------------------- */

/* evhttp's callback for a whole request: counted, refused or handed to the handler. `arg`: the server. */
void http_on_request(struct evhttp_request *evreq, void *arg);

/* The server closes: requests that were not answered lose it, and their answers go nowhere. */
void http_orphan_requests(struct http *http);

#endif
