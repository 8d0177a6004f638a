/* relay/net/fetch.c - HTTPS requests to others: libcurl's multi interface on a loop, names looked up by our own resolver.
 *
 * libcurl tells which sockets and which time to wait for; its callbacks only note that down. Transfers are taken out and started from our own
 * events and timers alone, never from inside libcurl. The asker hears of the end from the request's timer.
 *
 * A connection goes to an address text (CURLOPT_CONNECT_TO), so libcurl looks nothing up: one address after another is tried here. */
#include "relay/net/fetch.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/version.h"

#define CONNECT_MS      10000 /* for one address and its TLS handshake */
#define CONNECTIONS     16L   /* at once; further requests wait for one of them */
#define KEPT            4L    /* idle ones */
#define ADDRESSES_MAX   8     /* of a host that are tried */

struct fetch {
	struct fetcher *fetcher;
	struct fetch *next, **link;
	struct timer timer;      /* the deadline; at once when `ready` */
	bool ready;
	CURL *easy;
	bool running;            /* `easy` is libcurl's */
	struct curl_slist *headers, *connect_to;
	char *host;              /* of the URL, without brackets */
	unsigned port;
	struct dns_query *v4, *v6;
	struct ip_addr addrs[ADDRESSES_MAX];
	size_t addr_count, addr_next;
	const struct ip_net *refuse;
	size_t refuse_count;
	bool refused;            /* some address was left out for them */
	struct buf body;
	bool too_big;
	char *type;
	char error[CURL_ERROR_SIZE];
	struct fetch_answer answer;
	fetch_fn fn;
	void *arg;
};

struct fetcher {
	struct loop *loop;
	struct resolver *resolver;
	CURLM *multi;
	struct timer timer;
	struct fetch *list;
};

/* --- the end of a request ------------------------------------------------------------------------------------------------------ */

static void detach(struct fetch *fetch)
{
	if (fetch->running)
		curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
	fetch->running = false;
}

static void cancel_queries(struct fetch *fetch)
{
	if (fetch->v4)
		resolver_cancel(fetch->v4);
	if (fetch->v6)
		resolver_cancel(fetch->v6);
	fetch->v4 = fetch->v6 = NULL;
}

static void fetch_unlink(struct fetch *fetch)
{
	if (!fetch->link)
		return;
	*fetch->link = fetch->next;
	if (fetch->next)
		fetch->next->link = fetch->link;
	fetch->link = NULL;
}

static void fetch_destroy(struct fetch *fetch)
{
	fetch_unlink(fetch);
	cancel_queries(fetch);
	detach(fetch);
	if (fetch->easy)
		curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->headers);
	curl_slist_free_all(fetch->connect_to);
	timer_fini(&fetch->timer);
	buf_fini(&fetch->body);
	free(fetch->host);
	free(fetch->type);
	free(fetch);
}

static void make_ready(struct fetch *fetch)
{
	fetch->ready = true;
	timer_start(&fetch->timer, 0);
}

static void fail(struct fetch *fetch, const char *format, ...) PRINTF_LIKE(2, 3);
static void fail(struct fetch *fetch, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(fetch->answer.why, sizeof(fetch->answer.why), format, args);
	va_end(args);
	fetch->answer.status = 0;
	make_ready(fetch);
}

static void on_fetch_timer(void *arg)
{
	struct fetch *fetch = arg;

	if (!fetch->ready) {
		cancel_queries(fetch);
		detach(fetch);
		(void)snprintf(fetch->answer.why, sizeof(fetch->answer.why), "no answer in time from %s", fetch->host);
	}
	/* Off the list first: `fn` may begin and cancel others. */
	fetch_unlink(fetch);
	fetch->answer.type = fetch->type ? fetch->type : "";
	fetch->answer.body = buf_str(&fetch->body);
	fetch->answer.len = fetch->body.len;
	fetch->fn(fetch->arg, &fetch->answer);
	fetch_destroy(fetch);
}

/* --- libcurl --------------------------------------------------------------------------------------------------------------------- */

static void try_next(struct fetch *fetch);

static bool is_trust_failure(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE ||
	    code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

/* Before a connection stood nothing was asked: the next address may. */
static bool may_try_next(const struct fetch *fetch, CURLcode code)
{
	curl_off_t connected = 0;

	if (fetch->addr_next >= fetch->addr_count)
		return false;
	curl_easy_getinfo(fetch->easy, CURLINFO_CONNECT_TIME_T, &connected);
	return code == CURLE_COULDNT_CONNECT || (code == CURLE_OPERATION_TIMEDOUT && connected == 0);
}

static void finish(struct fetch *fetch, CURLcode code)
{
	const char *type = NULL;
	long status = 0;

	detach(fetch);
	if (code != CURLE_OK && may_try_next(fetch, code)) {
		try_next(fetch);
		return;
	}
	if (code != CURLE_OK) {
		fetch->answer.untrusted = is_trust_failure(code);
		buf_reset(&fetch->body);
		if (fetch->too_big)
			fail(fetch, "the answer of %s is longer than %zu bytes", fetch->host, fetch->body.max);
		else
			fail(fetch, "%s: %s", fetch->host, fetch->error[0] ? fetch->error : curl_easy_strerror(code));
		return;
	}
	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
	fetch->type = type ? xstrdup(type) : NULL;
	fetch->answer.status = (int)status;
	make_ready(fetch);
}

static void check_finished(struct fetcher *fetcher)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
		struct fetch *fetch = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		finish(fetch, message->data.result);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *fetcher = arg;
	int running, mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(fetcher->multi, fd, mask, &running);
	check_finished(fetcher);
}

static void on_multi_timer(void *arg)
{
	struct fetcher *fetcher = arg;
	int running;

	curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_finished(fetcher);
}

/* CURLMOPT_SOCKETFUNCTION; the event of a socket is libcurl's to keep for us. */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_event)
{
	struct fetcher *fetcher = arg;
	struct event *event = socket_event;
	short mask = EV_PERSIST;

	if (event)
		event_free(event);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(fetcher->multi, fd, NULL);
		return 0;
	}
	mask = (short)(mask | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	event = event_new(loop_base(fetcher->loop), fd, mask, on_socket, fetcher);
	must(event && event_add(event, NULL) == 0);
	curl_multi_assign(fetcher->multi, fd, event);
	return 0;
}

static int want_time(CURLM *multi, long ms, void *arg)
{
	struct fetcher *fetcher = arg;

	if (ms < 0)
		timer_stop(&fetcher->timer);
	else
		timer_start(&fetcher->timer, ms);
	return 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;

	if (buf_add(&fetch->body, data, size * count) == OK)
		return size * count;
	fetch->too_big = true;
	return 0;
}

/* --- addresses --------------------------------------------------------------------------------------------------------------------- */

static void try_next(struct fetch *fetch)
{
	const struct ip_addr *addr = &fetch->addrs[fetch->addr_next++];
	bool v6 = addr->family == AF_INET6;
	char text[IP_TEXT], to[IP_TEXT + 32];

	(void)snprintf(to, sizeof(to), "::%s%s%s:%u", v6 ? "[" : "", ip_format(addr, text), v6 ? "]" : "", fetch->port);
	curl_slist_free_all(fetch->connect_to);
	fetch->connect_to = curl_slist_append(NULL, to);
	must(fetch->connect_to);
	curl_easy_setopt(fetch->easy, CURLOPT_CONNECT_TO, fetch->connect_to);
	fetch->error[0] = '\0';
	must(curl_multi_add_handle(fetch->fetcher->multi, fetch->easy) == CURLM_OK);
	fetch->running = true;
}

static void connect_first(struct fetch *fetch)
{
	if (fetch->addr_count > 0) {
		try_next(fetch);
		return;
	}
	fetch->answer.unfound = true;
	if (fetch->refused)
		fail(fetch, "%s has only addresses that delivery.refuse_networks excludes", fetch->host);
	else
		fail(fetch, "%s has no address%s%s", fetch->host, fetch->answer.why[0] ? ": " : "", fetch->answer.why);
}

static void add_address(struct fetch *fetch, const struct ip_addr *addr)
{
	for (size_t i = 0; i < fetch->refuse_count; i++) {
		if (ip_net_contains(&fetch->refuse[i], addr)) {
			fetch->refused = true;
			return;
		}
	}
	if (fetch->addr_count < ADDRESSES_MAX)
		fetch->addrs[fetch->addr_count++] = *addr;
}

static void take_addresses(struct fetch *fetch, const struct dns_answer *answer)
{
	for (size_t i = 0; answer->status == DNS_FOUND && i < answer->addr_count; i++)
		add_address(fetch, &answer->addrs[i]);
	if (answer->status != DNS_FOUND && answer->status != DNS_NO_DATA)
		(void)snprintf(fetch->answer.why, sizeof(fetch->answer.why), "%s", dns_status_text(answer->status));
	if (!fetch->v4 && !fetch->v6)
		connect_first(fetch);
}

static void on_v4(void *arg, const struct dns_answer *answer)
{
	struct fetch *fetch = arg;

	fetch->v4 = NULL;
	take_addresses(fetch, answer);
}

static void on_v6(void *arg, const struct dns_answer *answer)
{
	struct fetch *fetch = arg;

	fetch->v6 = NULL;
	take_addresses(fetch, answer);
}

static void ask(struct fetch *fetch)
{
	fetch->v4 = resolver_ask(fetch->fetcher->resolver, fetch->host, DNS_A, on_v4, fetch);
	fetch->v6 = resolver_ask(fetch->fetcher->resolver, fetch->host, DNS_AAAA, on_v6, fetch);
}

/* --- the beginning ------------------------------------------------------------------------------------------------------------------- */

static void set_body(struct fetch *fetch, const struct fetch_request *request)
{
	char *type = xasprintf("Content-Type: %s", request->type ? request->type : "application/octet-stream");

	curl_easy_setopt(fetch->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	curl_easy_setopt(fetch->easy, CURLOPT_COPYPOSTFIELDS, request->body);
	fetch->headers = curl_slist_append(fetch->headers, type);
	/* Without waiting for 100 Continue. */
	fetch->headers = curl_slist_append(fetch->headers, "Expect:");
	free(type);
}

static void set_options(struct fetch *fetch, const struct fetch_request *request)
{
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, request->plain ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "warmrelay/" WARMRELAY_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	if (request->ca)
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca);
	for (size_t i = 0; i < request->header_count; i++)
		fetch->headers = curl_slist_append(fetch->headers, request->headers[i]);
	if (request->body)
		set_body(fetch, request);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
}

/* Host and port of the URL; false: it is none that we may ask. */
static bool take_url(struct fetch *fetch, const struct fetch_request *request)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;
	bool good = url && curl_url_set(url, CURLUPART_URL, request->url, 0) == CURLUE_OK;

	good = good && curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK;
	good = good && (strcmp(scheme, "https") == 0 || (request->plain && strcmp(scheme, "http") == 0));
	good = good && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0];
	good = good && curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
	if (good) {
		size_t brackets = host[0] == '[';

		fetch->host = xstrndup(host + brackets, strlen(host) - 2 * brackets);
		fetch->port = request->port ? request->port : (unsigned)strtoul(port, NULL, 10);
		curl_easy_setopt(fetch->easy, CURLOPT_URL, request->url);
	} else {
		fetch->host = xstrdup("");
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(url);
	return good;
}

static struct fetch *fetch_create(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn fn, void *arg)
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));

	*fetch = (struct fetch){ .fetcher = fetcher, .next = fetcher->list, .link = &fetcher->list, .fn = fn, .arg = arg,
		.refuse = request->refuse, .refuse_count = request->refuse_count };
	if (fetch->next)
		fetch->next->link = &fetch->next;
	fetcher->list = fetch;
	timer_init(&fetch->timer, fetcher->loop, on_fetch_timer, fetch);
	buf_init(&fetch->body, request->max_bytes);
	fetch->easy = curl_easy_init();
	must(fetch->easy);
	return fetch;
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn fn, void *arg)
{
	struct fetch *fetch = fetch_create(fetcher, request, fn, arg);
	struct ip_addr addr;

	set_options(fetch, request);
	if (!take_url(fetch, request)) {
		fail(fetch, "not a URL that can be asked: %.150s", request->url);
		return fetch;
	}
	timer_start(&fetch->timer, request->timeout_ms);
	if (ip_parse(fetch->host, &addr)) {
		add_address(fetch, &addr);
		connect_first(fetch);
	} else {
		ask(fetch);
	}
	return fetch;
}

void fetch_cancel(struct fetch *fetch)
{
	fetch_destroy(fetch);
}

size_t fetch_pending(const struct fetcher *fetcher)
{
	size_t count = 0;

	for (const struct fetch *fetch = fetcher->list; fetch; fetch = fetch->next)
		count++;
	return count;
}

/* --- the fetcher ----------------------------------------------------------------------------------------------------------------------- */

struct fetcher *fetcher_create(struct loop *loop, struct resolver *resolver)
{
	struct fetcher *fetcher = xcalloc(1, sizeof(*fetcher));

	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	fetcher->loop = loop;
	fetcher->resolver = resolver;
	fetcher->multi = curl_multi_init();
	must(fetcher->multi);
	timer_init(&fetcher->timer, loop, on_multi_timer, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, want_time);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, KEPT);
	return fetcher;
}

void fetcher_use(struct fetcher *fetcher, struct resolver *resolver)
{
	fetcher->resolver = resolver;
	for (struct fetch *fetch = fetcher->list; fetch; fetch = fetch->next) {
		if (!fetch->v4 && !fetch->v6)
			continue;
		cancel_queries(fetch);
		fetch->addr_count = 0;
		ask(fetch);
	}
}

void fetcher_destroy(struct fetcher **fetcher)
{
	struct fetcher *f = *fetcher;

	*fetcher = NULL;
	if (!f)
		return;
	while (f->list)
		fetch_destroy(f->list);
	curl_multi_cleanup(f->multi);
	timer_fini(&f->timer);
	free(f);
	curl_global_cleanup();
}
