/* relay/ops/submit.c - POST /api/v1/messages: one message from an HTTP request into the queue, on the main loop. */
#include "relay/ops/submit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/rand.h"
#include "relay/net/conn.h"
#include "relay/ops/fact.h"
#include "relay/ops/letter.h"
#include "relay/wire/mime.h"

#define ANSWER_MS   MINUTES(5) /* for one reply of the session: a slow disk and a queue of password hashes are in it */
#define REPLY_LINE  4096
#define BASIC_MAX   2048       /* of the base64 in Authorization */
#define RETRY_AFTER "60"

/* What the session is waited for. */
enum submit_phase { SUBMIT_GREETING, SUBMIT_HELLO, SUBMIT_LOGIN, SUBMIT_READING, SUBMIT_MAIL, SUBMIT_RCPT, SUBMIT_CONTENT };

enum submit_form { SUBMIT_JSON, SUBMIT_RAW };

/* One request, from submit_start to its answer. While a helper reads the body it is the helper's, but for `conn`, `gone` and `request`. */
struct submission {
	struct mail_item item;
	const struct submit_env *env;
	struct conf *conf;
	struct http_request *request;
	struct http_body *body;
	enum submit_form form;
	struct intake_inner inner;
	char *login;   /* base64 for AUTH PLAIN; NULL: none */
	char *from;    /* SUBMIT_RAW: of query or fields; malloc'ed */
	char *to;
	struct letter letter;
	enum err result; /* of reading */
	struct err_detail why;
	struct conn *conn;
	enum submit_phase phase;
	size_t answered; /* SUBMIT_RCPT: recipients that were accepted */
	bool gone;       /* answered while the helper reads */
};

/* --- answers ------------------------------------------------------------------------------------------------------------- */

static const char *error_name(int status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {
		{ 400, "invalid" }, { 401, "unauthorized" }, { 403, "forbidden" }, { 404, "not-found" }, { 405, "method" }, { 409, "conflict" },
		{ 413, "too-large" }, { 415, "content-type" }, { 429, "too-many" }, { 503, "unavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].status == status)
			return names[i].name;
	}
	return "failed";
}

static void answer_json(struct http_request *request, int status, json_t *object)
{
	char *json = json_dumps(object, JSON_COMPACT), *text;

	must(json != NULL);
	text = xasprintf("%s\n", json);
	if (status == 401)
		http_add_header(request, "WWW-Authenticate", "Basic realm=\"warmrelay\", charset=\"UTF-8\"");
	if (status == 429 || status == 503)
		http_add_header(request, "Retry-After", RETRY_AFTER);
	http_answer(request, status, "application/json", text, strlen(text));
	free(text);
	free(json);
	json_decref(object);
}

void submit_refuse(struct http_request *request, int status, const char *detail)
{
	json_t *object = json_object();

	fact_text(object, "error", error_name(status));
	fact_text(object, "detail", detail);
	answer_json(request, status, object);
}

static void submission_free(struct submission *s)
{
	conf_unref(&s->conf);
	http_body_free(&s->body);
	letter_free(&s->letter);
	if (s->login != NULL)
		explicit_bzero(s->login, strlen(s->login));
	free(s->login);
	free(s->from);
	free(s->to);
	free(s);
}

/* Answered. */
static void finish(struct submission *s)
{
	s->request = NULL;
	conn_close(&s->conn, false);
	if (s->phase == SUBMIT_READING)
		s->gone = true;
	else
		submission_free(s);
}

static void fail(struct submission *s, int status, const char *detail)
{
	submit_refuse(s->request, status, detail);
	finish(s);
}

static void succeed(struct submission *s, const char *reply)
{
	static const char again[] = "250 2.0.0 queued already as ";
	const char *id = strrchr(reply, ' ');
	json_t *object = json_object();

	fact_text(object, "id", id != NULL ? id + 1 : "");
	fact_number(object, "recipients", s->letter.rcpt_count);
	if (strncmp(reply, again, sizeof(again) - 1) == 0)
		fact_bool(object, "duplicate", true);
	answer_json(s->request, 202, object);
	finish(s);
}

/* What a refusal of the session means in HTTP: the first row that fits; '?' is any digit. */
static int status_of(enum submit_phase phase, const char *reply)
{
	static const struct {
		const char *reply;
		int status;
	} rows[] = {
		{ "421 4.7.0 too many failed", 429 }, { "421", 503 }, { "530", 401 }, { "535", 401 }, { "454", 429 }, { "554 5.5.3", 409 },
		{ "??? 5.3.4", 413 }, { "452 4.5.3", 413 }, { "45? 4.7", 429 }, { "450", 429 }, { "4", 503 }, { "5?? 5.7", 403 }, { "5", 400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *want = rows[i].reply, *got = reply;

		while (*want != '\0' && (*want == *got || (*want == '?' && ascii_is_digit(*got)))) {
			want++;
			got++;
		}
		if (*want == '\0')
			return phase == SUBMIT_LOGIN && rows[i].status < 429 ? 401 : rows[i].status;
	}
	return 503;
}

static void refuse_with(struct submission *s, const char *reply)
{
	json_t *object = json_object();
	int status = status_of(s->phase, reply);

	fact_text(object, "error", error_name(status));
	fact_text(object, "detail", reply);
	if (s->phase == SUBMIT_RCPT && s->answered < s->letter.rcpt_count)
		fact_text(object, "recipient", s->letter.rcpts[s->answered].text);
	answer_json(s->request, status, object);
	finish(s);
}

/* --- reading the body, on a helper --------------------------------------------------------------------------------------- */

static void send_envelope(struct submission *s);

static void on_read(struct mail_item *item)
{
	struct submission *s = CONTAINER_OF(item, struct submission, item);

	if (s->gone) {
		submission_free(s);
		return;
	}
	if (s->result == OK) {
		send_envelope(s);
		return;
	}
	s->phase = SUBMIT_HELLO; /* nothing is the helper's any more */
	fail(s, s->result == ERR_LIMIT ? 413 : 400, s->why.text);
}

static enum err read_raw(struct submission *s, const struct letter_env *env, const char *text, size_t len)
{
	enum err err = letter_read_raw(env, text, len, &s->letter, &s->why);

	if (err == OK)
		err = letter_from(&s->letter, s->from, &s->why);
	return err == OK ? letter_to(env, &s->letter, s->to, &s->why) : err;
}

static void run_read(struct mail_item *item)
{
	struct submission *s = CONTAINER_OF(item, struct submission, item);
	const char *text = http_body_text(s->body);
	size_t len = http_body_len(s->body);
	struct letter_env env = {
		.hostname = s->conf->hostname, .message_bytes = s->conf->limits.message_bytes, .recipients = s->conf->limits.recipients,
		.now = clock_wall(), .seed = { rand_entropy(), rand_entropy() },
	};

	s->result = s->form == SUBMIT_RAW ? read_raw(s, &env, text, len) : letter_read_json(&env, text, len, &s->letter, &s->why);
	http_body_free(&s->body);
	s->item.run = on_read;
	loop_post(s->env->loop, &s->item);
}

static void start_reading(struct submission *s)
{
	s->phase = SUBMIT_READING;
	conn_deadline(s->conn, 0);
	s->item.run = run_read;
	mailbox_post(s->env->helpers, &s->item);
}

/* --- the session --------------------------------------------------------------------------------------------------------- */

static void send_envelope(struct submission *s)
{
	const struct letter *letter = &s->letter;

	conn_printf(s->conn, "MAIL FROM:<%s> SIZE=%zu MT-PRIORITY=%d%s%s\r\n", letter->sender.text, letter->message.len, letter->priority,
	    letter->eight_bit || letter->utf8 ? " BODY=8BITMIME" : "", letter->utf8 ? " SMTPUTF8" : "");
	for (size_t i = 0; i < letter->rcpt_count; i++)
		conn_printf(s->conn, "RCPT TO:<%s>\r\n", letter->rcpts[i].text);
	s->phase = SUBMIT_MAIL;
	conn_deadline(s->conn, ANSWER_MS);
}

static void content_sent(void *arg)
{
	struct buf *content = arg;

	buf_fini(content);
	free(content);
}

/* The connection keeps the content as long as it sends from it. */
static void send_content(struct submission *s)
{
	struct buf *content = xcalloc(1, sizeof(*content));

	*content = s->letter.message;
	buf_init(&s->letter.message, 0);
	s->phase = SUBMIT_CONTENT;
	conn_printf(s->conn, "BDAT %zu LAST\r\n", content->len);
	if (content->len > 0)
		conn_write_ref(s->conn, content->data, content->len, content_sent, content);
	else
		content_sent(content);
}

static void on_good(struct submission *s)
{
	switch (s->phase) {
	case SUBMIT_GREETING:
		conn_printf(s->conn, "EHLO http\r\n");
		s->phase = SUBMIT_HELLO;
		break;
	case SUBMIT_HELLO:
		if (s->login == NULL) {
			start_reading(s);
			break;
		}
		conn_printf(s->conn, "AUTH PLAIN %s\r\n", s->login);
		s->phase = SUBMIT_LOGIN;
		break;
	case SUBMIT_LOGIN:
		start_reading(s);
		break;
	case SUBMIT_MAIL:
		s->phase = SUBMIT_RCPT;
		break;
	case SUBMIT_RCPT:
		if (++s->answered == s->letter.rcpt_count)
			send_content(s);
		break;
	case SUBMIT_CONTENT: /* on_data has answered */
	case SUBMIT_READING: /* nothing was asked */
		break;
	}
}

static void on_data(void *arg)
{
	struct submission *s = arg;
	struct conn_line line;

	while (s->phase != SUBMIT_READING && conn_read_line(s->conn, REPLY_LINE, true, &line)) {
		char reply[REPLY_LINE];

		(void)snprintf(reply, sizeof(reply), "%.*s", (int)line.len, line.text);
		if (line.len > 3 && reply[3] == '-')
			continue;
		if (reply[0] != '2') {
			refuse_with(s, reply);
			return;
		}
		conn_deadline(s->conn, ANSWER_MS);
		if (s->phase == SUBMIT_CONTENT) { /* the last: after it `s` may be gone */
			succeed(s, reply);
			return;
		}
		on_good(s);
	}
}

static void on_end(void *arg, enum conn_end end, const char *text)
{
	fail(arg, 503, end == CONN_DEADLINE ? "no answer in time" : "the session has ended; try again");
}

static const struct conn_ops session_ops = { .on_data = on_data, .on_end = on_end };

static void start_session(struct submission *s, const struct ip_port *client)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
		submit_refuse(s->request, 503, "out of descriptors; try again");
		submission_free(s);
		return;
	}
	s->phase = SUBMIT_GREETING;
	s->conn = conn_accept(s->env->loop, fds[0], &session_ops, s);
	conn_deadline(s->conn, ANSWER_MS);
	s->env->admit(s->env->arg, fds[1], client, &s->inner);
}

/* --- the request --------------------------------------------------------------------------------------------------------- */

/* "Basic" base64 of user ":" password (RFC 7617), into what AUTH PLAIN takes (RFC 4616). ERR_INVALID: not of that form. */
static enum err read_login(const char *field, char **out)
{
	char decoded[BASIC_MAX];
	struct buf plain, encoded;
	enum err err = ERR_INVALID;
	const char *text = field + strlen("Basic"), *colon;

	buf_init(&plain, BASIC_MAX + 4);
	buf_init(&encoded, 2 * BASIC_MAX);
	if (ascii_equal_n(field, strlen("Basic"), "Basic") && *text == ' ' && strlen(text) <= BASIC_MAX)
		err = mime_base64_decode(text + strspn(text, " "), strlen(text + strspn(text, " ")), &plain);
	colon = err == OK && plain.len > 0 && memchr(plain.data, '\0', plain.len) == NULL ? memchr(plain.data, ':', plain.len) : NULL;
	if (colon != NULL && plain.len + 1 <= sizeof(decoded)) {
		decoded[0] = '\0';
		memcpy(decoded + 1, plain.data, plain.len);
		decoded[1 + (colon - plain.data)] = '\0';
		must(mime_base64_flat(decoded, plain.len + 1, &encoded) == OK);
		*out = xstrdup(buf_str(&encoded));
		explicit_bzero(encoded.data, encoded.len);
	} else {
		err = ERR_INVALID;
	}
	explicit_bzero(decoded, sizeof(decoded));
	if (plain.data != NULL)
		explicit_bzero(plain.data, plain.cap);
	buf_fini(&plain);
	buf_fini(&encoded);
	return err;
}

static bool is_type(const char *field, const char *type)
{
	size_t len = field != NULL ? strcspn(field, "; \t") : 0;

	return field != NULL && ascii_equal_n(field, len, type);
}

static bool is_key(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++) {
		if (key[i] <= ' ' || key[i] > '~')
			return false;
	}
	return len > 0 && len <= INTAKE_KEY_MAX;
}

static bool is_local(const struct ip_addr *addr)
{
	static const struct ip_addr six = { .family = AF_INET6, .bytes = { [15] = 1 } };

	return (addr->family == AF_INET && addr->bytes[0] == 127) || ip_equal(addr, &six);
}

/* The envelope of a raw message: of the query, else of the fields. False: it is not whole. */
static bool take_envelope(struct submission *s)
{
	const char *from = http_header(s->request, "Envelope-From"), *to = http_header(s->request, "Envelope-To");
	char *more;

	s->from = http_query(s->request, "from", 0);
	if (s->from == NULL && from != NULL)
		s->from = xstrdup(from);
	for (unsigned n = 0; (more = http_query(s->request, "to", n)) != NULL; n++) {
		char *joined = s->to != NULL ? xasprintf("%s,%s", s->to, more) : xstrdup(more);

		free(s->to);
		free(more);
		s->to = joined;
	}
	if (s->to == NULL && to != NULL)
		s->to = xstrdup(to);
	return s->from != NULL && s->to != NULL;
}

/* How the content comes. The status of a refusal, 0: none. */
static int take_form(struct submission *s, const char **detail_out)
{
	const char *type = http_header(s->request, "Content-Type");

	*detail_out = "Content-Type must be application/json or message/rfc822";
	if (is_type(type, "application/json"))
		s->form = SUBMIT_JSON;
	else if (is_type(type, "message/rfc822"))
		s->form = SUBMIT_RAW;
	else
		return 415;
	*detail_out = "from and to are needed, in the query or as Envelope-From and Envelope-To";
	return s->form == SUBMIT_RAW && !take_envelope(s) ? 400 : 0;
}

/* Who hands it in. */
static int take_login(struct submission *s, const struct ip_port *client, const char **detail_out)
{
	const char *field = http_header(s->request, "Authorization");

	*detail_out = "a login is needed: HTTP Basic";
	if (field == NULL)
		return conf_tenant_by_address(s->conf, &client->addr) == NULL ? 401 : 0;
	*detail_out = "a login is taken over TLS or from this host alone";
	if (!http_is_secure(s->request) && !is_local(&client->addr))
		return 403;
	*detail_out = "Authorization is not HTTP Basic";
	return read_login(field, &s->login) == OK ? 0 : 401;
}

static int take_key(struct submission *s, const char **detail_out)
{
	const char *key = http_header(s->request, "Idempotency-Key");

	*detail_out = "Idempotency-Key must be 1 to 255 printable characters without blanks";
	if (key == NULL)
		return 0;
	if (!is_key(key))
		return 400;
	memcpy(s->inner.key, key, strlen(key));
	return 0;
}

/* Browsers send Origin along, pages of others too: this is not for them, they would act with the rights of the network they are in. */
static int refuse_browser(const struct submission *s, const char **detail_out)
{
	*detail_out = "not for browsers";
	return http_header(s->request, "Origin") != NULL ? 403 : 0;
}

void submit_start(const struct submit_env *env, struct conf *conf, struct http_request *request)
{
	struct submission *s = xcalloc(1, sizeof(*s));
	struct ip_port client = http_client(request);
	const char *detail;
	int status;

	s->env = env;
	s->conf = conf_ref(conf);
	s->request = request;
	status = refuse_browser(s, &detail);
	if (status == 0)
		status = take_form(s, &detail);
	if (status == 0)
		status = take_key(s, &detail);
	if (status == 0)
		status = take_login(s, &client, &detail);
	if (status != 0) {
		submit_refuse(request, status, detail);
		submission_free(s);
		return;
	}
	s->body = http_take_body(request);
	if (s->inner.key[0] != '\0')
		s->inner.fingerprint = http_body_fingerprint(s->body);
	(void)http_tls_text(request, s->inner.tls_text, sizeof(s->inner.tls_text));
	start_session(s, &client);
}
