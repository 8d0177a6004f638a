/* relay/net/http_request.c - requests of the HTTP server: which are taken, what they say, bodies and answers. */
#include "relay/net/http_int.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/ascii.h"
#include "relay/net/tls_context.h"

struct http_body {
	struct evbuffer *buffer;
};

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
	struct http_peer *peer = http_peer_of(http, evhttp_request_get_connection(evreq));
	uint64_t body = evbuffer_get_length(evhttp_request_get_input_buffer(evreq));

	if (peer != NULL) {
		http_uncount(http, peer->received);
		peer->received = 0;
	}
	http->received += body;
	return body;
}

static void on_sent(struct evhttp_request *evreq, void *arg)
{
	struct http_peer *peer = arg;

	peer->answering = false;
	http_one_less(peer->http);
}

void http_on_request(struct evhttp_request *evreq, void *arg)
{
	struct http *http = arg;
	struct http_request *request;
	uint64_t counted = take_count(http, evreq);

	if (is_ambiguous(evreq) || http->stopped || http->received > http->options.memory_bytes) {
		http_uncount(http, counted);
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
		http_uncount(http, request->counted);
		/* evhttp takes the connection away from a request that it could not finish. */
		if (evhttp_request_get_connection(request->evreq) != NULL)
			peer = http_peer_of(http, evhttp_request_get_connection(request->evreq));
		if (peer != NULL) {
			send_answer(request, peer, status, type, body, len);
		} else {
			evhttp_request_free(request->evreq);
			http_one_less(http);
		}
	}
	free(request);
}

/* --- the end of the server --------------------------------------------------------------------------------------------------- */

void http_orphan_requests(struct http *http)
{
	while (http->requests != NULL) {
		struct http_request *request = http->requests;

		request_unlink(request);
		request->http = NULL;
		request->evreq = NULL;
	}
}
