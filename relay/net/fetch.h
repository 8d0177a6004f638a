/* relay/net/fetch.h - HTTPS requests to others: libcurl's multi interface on a loop, names looked up by our own resolver.
 *
 * Neither threads nor blocking calls. Redirects are not followed, proxies of the environment not used, certificates always verified, TLS 1.2
 * at least. Each address of the host is tried in turn until one connects. */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include "base/ip.h"
#include "relay/net/loop.h"
#include "relay/net/resolver.h"

struct fetcher;
struct fetch;

/* One on a loop, the main loop's. Never NULL. `resolver` is borrowed. */
struct fetcher *fetcher_create(struct loop *loop, struct resolver *resolver) MUST_USE;

/* Another resolver from now on; before the old one is destroyed. Look-ups under way are asked again. */
void fetcher_use(struct fetcher *fetcher, struct resolver *resolver);

/* What is under way ends without a call. Not from inside a callback of its. */
void fetcher_destroy(struct fetcher **fetcher);

/* What to ask for; copied, but for the networks, which must stay. */
struct fetch_request {
	const char *url;      /* https:// */
	bool plain;           /* http:// too */
	uint16_t port;        /* instead of the URL's; 0: that one */
	const char *ca;       /* PEM file of the authorities to believe in; NULL: the system's */
	const char *const *headers; /* further fields, "Name: value", header_count of them */
	size_t header_count;
	const void *body;     /* POST; NULL: GET */
	size_t body_len;
	const char *type;     /* Content-Type of the body */
	size_t max_bytes;     /* of the answer's body */
	int64_t timeout_ms;   /* for all of it: look-up, connecting and the whole answer */
	const struct ip_net *refuse; /* networks that are never connected to; NULL: none */
	size_t refuse_count;
};

/* How it ended. Borrowed for the call. */
struct fetch_answer {
	int status;           /* of HTTP; 0: there was no answer, `why` tells the reason */
	bool untrusted;       /* TLS failed, or the certificate is not one to believe in */
	bool unfound;         /* the host's address was not to be had */
	char why[256];
	const char *type;     /* Content-Type, "" without one */
	const char *body;     /* NUL-terminated behind its length */
	size_t len;
};
typedef void (*fetch_fn)(void *arg, const struct fetch_answer *answer);

/* Begin. `fn` is called exactly once, never from inside this call, unless cancelled; it may begin and cancel others. A bad URL is told
 * there too. Never NULL; the fetcher owns it. */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn fn, void *arg);
void fetch_cancel(struct fetch *fetch); /* before `fn` ran: it will not run */

/* Requests under way. */
size_t fetch_pending(const struct fetcher *fetcher);

#endif
