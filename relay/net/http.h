/* relay/net/http.h - an HTTP/1.1 server on a loop: libevent's evhttp, with limits. Nobody else knows evhttp.
 *
 * Requests come whole. The handler answers each exactly once, at once or later. GET, HEAD and POST alone are known. What a proxy in
 * front might read in another way than we do (RFC 9112 section 6.3: two lengths, a length and a transfer coding, a coding other than
 * chunked, a body of a GET) hears 400 and the connection ends. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/ip.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"

struct http;
struct http_request; /* from the handler's call to its http_answer */
struct http_body;

struct http_options {
	size_t header_bytes;   /* request line and header fields */
	size_t body_bytes;     /* of one request; beyond it 413 */
	size_t memory_bytes;   /* bodies of all requests that have come but for their answer; beyond it 503 or the end of the connection */
	unsigned connections;  /* at once; beyond that new ones wait unaccepted */
	int64_t idle_ms;       /* a client that neither sends nor reads for so long is disconnected */
};

/* On the loop. It owns the request until it answers; the body may be taken with http_take_body. */
typedef void (*http_handler)(void *arg, struct http_request *request);

/* Bind and listen, without a loop yet: may be done while still root. Errors as of listener_open. */
struct http *http_open(const struct ip_port *at, struct err_detail *why) MUST_USE;

/* Begin to answer. `tls`: a reference is taken; NULL: plain HTTP. */
void http_start(struct http *http, struct loop *loop, const struct http_options *options, struct tls_server *tls, http_handler handler, void *arg);

/* Other limits and certificate, for connections from now on. */
void http_configure(struct http *http, const struct http_options *options, struct tls_server *tls);

/* No new connections and requests; what is being answered goes on. */
void http_stop(struct http *http);

/* Close all. Requests that were not answered yet stay their handler's, who must answer them still; nobody hears it. */
void http_close(struct http **http);

/* Requests that are being answered, the sending included. When the last of them ends after http_stop, `fn` of http_on_idle is called. */
size_t http_pending(const struct http *http);
void http_on_idle(struct http *http, void (*fn)(void *arg), void *arg);

/* --- a request; all texts are borrowed until the answer ------------------------------------------------------------------ */

bool http_is_post(const struct http_request *request);
const char *http_path(const struct http_request *request);                            /* decoded not at all, without the query; "/x" */
const char *http_header(const struct http_request *request, const char *name);        /* NULL: none; the first one */
struct ip_port http_client(const struct http_request *request);                       /* IPv4-mapped ones as IPv4; family 0: unknown */
bool http_is_secure(const struct http_request *request);                              /* TLS */
const char *http_tls_text(const struct http_request *request, char *out, size_t len); /* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" in the clear; returns out */

/* Parameters of the query with this name, decoded; `n` counts them from 0. NULL: no such. malloc'ed. */
char *http_query(const struct http_request *request, const char *name, unsigned n);

/* Take the body out of the request. It may be handed to another thread. Never NULL. */
struct http_body *http_take_body(struct http_request *request) MUST_USE;
size_t http_body_len(const struct http_body *body);
const char *http_body_text(struct http_body *body); /* in one piece, not terminated; may copy, so not on a loop when it is large; NULL when empty */
uint64_t http_body_fingerprint(const struct http_body *body); /* XXH3 of it: the same in every run and on every machine */
void http_body_free(struct http_body **body);

/* Add a field to the answer. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* Answer and forget the request. `body` is copied. */
void http_answer(struct http_request *request, int status, const char *type, const void *body, size_t len);

#endif
