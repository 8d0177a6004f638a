/* relay/ops/admin.c - the admin listener on the main loop: /healthz, /metrics, /api/v1/messages. */
#include "relay/ops/admin.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define HEADER_BYTES  (64u << 10)
#define CONNECTIONS   256
#define METRICS_BYTES (4u << 20)
#define BODY_ROOM     (1u << 20) /* a request may be larger than its message by so much, and by a third for base64 */

struct admin {
	struct http *http;  /* NULL: not listening */
	struct ip_port at;
	struct http *fresh; /* bound, but not committed yet */
	struct conf *conf;
	struct tls_server *tls;
	struct admin_env env;
	bool started, drained;
	void (*done)(void *arg);
	void *done_arg;
};

/* --- requests ------------------------------------------------------------------------------------------------------------ */

static void answer_health(struct admin *admin, struct http_request *request)
{
	static const char TEXT[] = "{\"status\":\"ok\"}\n";
	struct err_detail why;

	/* Whoever asks before it hands in mail wants to know this. */
	if (queue_has_room(admin->env.ops.queue, 0, &why) != OK)
		submit_refuse(request, 503, why.text);
	else
		http_answer(request, 200, "application/json", TEXT, sizeof(TEXT) - 1);
}

static void answer_metrics(struct admin *admin, struct http_request *request)
{
	struct metrics_intake intake = { 0 };
	struct buf text;

	buf_init(&text, METRICS_BYTES);
	admin->env.intake(admin->env.arg, &intake);
	if (metrics_write(&admin->env.ops, &intake, &text) == OK)
		http_answer(request, 200, METRICS_TYPE, text.data, text.len);
	else
		submit_refuse(request, 503, "the figures cannot be read");
	buf_fini(&text);
}

static void take_message(struct admin *admin, struct http_request *request)
{
	submit_start(&admin->env.submit, admin->conf, request);
}

static const struct route {
	const char *path;
	bool post;
	void (*answer)(struct admin *admin, struct http_request *request);
} routes[] = {
	{ "/healthz", false, answer_health },
	{ "/metrics", false, answer_metrics },
	{ "/api/v1/messages", true, take_message },
};

static void on_request(void *arg, struct http_request *request)
{
	struct admin *admin = arg;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(routes[i].path, http_path(request)) != 0)
			continue;
		if (routes[i].post == http_is_post(request)) {
			routes[i].answer(admin, request);
			return;
		}
		http_add_header(request, "Allow", routes[i].post ? "POST" : "GET, HEAD");
		submit_refuse(request, 405, routes[i].post ? "POST is for this path" : "GET is for this path");
		return;
	}
	submit_refuse(request, 404, "no such path");
}

/* --- binding ------------------------------------------------------------------------------------------------------------- */

static bool same_endpoint(const struct ip_port *a, const struct ip_port *b)
{
	return a->addr.family == b->addr.family && a->port == b->port && ip_equal(&a->addr, &b->addr);
}

enum err admin_bind(struct admin *admin, const struct conf *conf, struct err_detail *why)
{
	if (conf->admin.addr.family == 0 || (admin->http != NULL && same_endpoint(&conf->admin, &admin->at)))
		return OK;
	admin->fresh = http_open(&conf->admin, why);
	return admin->fresh != NULL ? OK : why->code;
}

void admin_rollback(struct admin *admin)
{
	http_close(&admin->fresh);
}

static struct http_options options_of(const struct conf *conf)
{
	uint64_t body = conf->limits.message_bytes / 3 * 4 + conf->limits.message_bytes / 64 + BODY_ROOM;

	return (struct http_options){
		.header_bytes = HEADER_BYTES, .body_bytes = body, .connections = CONNECTIONS, .idle_ms = conf->limits.idle_ms,
		/* One request of the largest kind must be possible. */
		.memory_bytes = conf->limits.memory_bytes / 4 > 2 * body ? conf->limits.memory_bytes / 4 : 2 * body,
	};
}

static struct tls_server *tls_of(const struct admin *admin)
{
	return admin->conf->admin_tls ? admin->tls : NULL;
}

static void start(struct admin *admin)
{
	struct http_options options = options_of(admin->conf);
	char at[IP_PORT_TEXT];

	if (!admin->started || admin->http == NULL)
		return;
	http_start(admin->http, admin->env.ops.loop, &options, tls_of(admin), on_request, admin);
	log_text(LOG_INFO, "listening", "%s for HTTP%s", ip_port_format(&admin->at, at), tls_of(admin) != NULL ? "S" : "");
}

void admin_start(struct admin *admin, const struct admin_env *env)
{
	admin->env = *env;
	admin->started = true;
	start(admin);
}

/* It was named before, and is now: requests under way are its. */
static void keep(struct admin *admin)
{
	struct http_options options = options_of(admin->conf);

	if (admin->http != NULL && admin->started)
		http_configure(admin->http, &options, tls_of(admin));
}

void admin_commit(struct admin *admin, struct conf *conf, struct tls_server *tls)
{
	conf_unref(&admin->conf);
	admin->conf = conf_ref(conf);
	tls_server_unref(&admin->tls);
	admin->tls = tls != NULL ? tls_server_ref(tls) : NULL;
	if (admin->fresh == NULL && conf->admin.addr.family != 0) {
		keep(admin);
		return;
	}
	http_close(&admin->http);
	admin->http = admin->fresh;
	admin->fresh = NULL;
	admin->at = conf->admin;
	start(admin);
}

/* --- life ---------------------------------------------------------------------------------------------------------------- */

struct admin *admin_create(void)
{
	return xcalloc(1, sizeof(struct admin));
}

static void on_idle(void *arg)
{
	struct admin *admin = arg;

	if (admin->drained)
		return;
	admin->drained = true;
	loop_later(admin->env.ops.loop, admin->done, admin->done_arg);
}

void admin_drain(struct admin *admin, void (*done)(void *arg), void *arg)
{
	admin->done = done;
	admin->done_arg = arg;
	if (admin->http != NULL && admin->started) {
		http_on_idle(admin->http, on_idle, admin);
		http_stop(admin->http);
	}
	if (admin->http == NULL || http_pending(admin->http) == 0)
		on_idle(admin);
}

void admin_destroy(struct admin **admin_ptr)
{
	struct admin *admin = *admin_ptr;

	*admin_ptr = NULL;
	if (admin == NULL)
		return;
	http_close(&admin->fresh);
	http_close(&admin->http);
	tls_server_unref(&admin->tls);
	conf_unref(&admin->conf);
	free(admin);
}
