/* relay/ops/ops.c - the control socket on the main loop: sessions that answer requests one after the other, in slices. */
#include "relay/ops/ops.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "relay/net/unix_socket.h"
#include "relay/ops/task.h"

#define SOCKET_MODE   0660
#define SESSIONS_MAX  32
#define REQUEST_MAX   65536
#define IDLE_MS       MINUTES(10) /* without a request, or with an answer that is not read */
#define PENDING_SOME  65536       /* bytes that wait for the reader; beyond, the next slice waits too */

struct session {
	struct ops *ops;
	struct unix_conn *conn;
	struct task *task;  /* the request under way, or NULL */
	struct timer slice; /* the next step: one for each turn of the loop */
	bool waits;         /* TASK_WAIT */
	bool stalled;       /* the next step comes when the output has drained */
	bool last;          /* close when the output has drained */
	struct session *prev, *next;
};

struct ops {
	struct ops_env env;
	struct unix_listener *listener;
	struct session *sessions;
	size_t session_count;
};

/* --- sessions --------------------------------------------------------------------------------------------------------------- */

static void session_free(void *arg)
{
	struct session *session = arg;

	timer_fini(&session->slice);
	free(session);
}

static void session_close(struct session *session)
{
	struct ops *ops = session->ops;

	if (session->prev)
		session->prev->next = session->next;
	else
		ops->sessions = session->next;
	if (session->next)
		session->next->prev = session->prev;
	ops->session_count--;
	task_destroy(&session->task);
	unix_conn_destroy(&session->conn);
	timer_stop(&session->slice);
	loop_later(ops->env.loop, session_free, session);
}

static void send_json(struct session *session, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	must(text != NULL);
	unix_conn_send(session->conn, text, strlen(text));
	unix_conn_send(session->conn, "\n", 1);
	free(text);
	json_decref(object);
}

static void on_emit(void *arg, json_t *object)
{
	send_json(arg, object);
}

static void on_wake(void *arg)
{
	struct session *session = arg;

	if (!session->waits)
		return;
	session->waits = false;
	timer_start(&session->slice, 0);
}

static void finish_task(struct session *session)
{
	send_json(session, task_end_line(session->task));
	task_destroy(&session->task);
	unix_conn_resume(session->conn);
}

static void on_slice(void *arg)
{
	struct session *session = arg;

	if (!session->task)
		return;
	switch (task_step(session->task)) {
	case TASK_MORE:
		session->stalled = unix_conn_pending(session->conn) > PENDING_SOME;
		if (!session->stalled)
			timer_start(&session->slice, 0);
		break;
	case TASK_WAIT:
		session->waits = true;
		break;
	case TASK_END:
		finish_task(session);
		break;
	}
}

static void on_drained(void *arg)
{
	struct session *session = arg;

	if (session->last) {
		session_close(session);
		return;
	}
	if (session->stalled) {
		session->stalled = false;
		timer_start(&session->slice, 0);
	}
}

static void on_end(void *arg)
{
	session_close(arg);
}

/* An answer without a task. */
static void refuse(struct session *session, enum ops_exit status, const char *text)
{
	json_t *line = json_pack("{s:b, s:i, s:s}", "end", 1, "exit", (int)status, "message", text);

	must(line != NULL);
	send_json(session, line);
}

static void on_line(void *arg, const char *text, size_t len)
{
	static const struct task_out OUT = { .emit = on_emit, .wake = on_wake };
	struct session *session = arg;
	struct task_out out = OUT;
	json_t *request, *args;
	const char *verb;

	if (!text) {
		session->last = true;
		refuse(session, OPS_USAGE, "the request is too long");
		return;
	}
	request = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	verb = json_string_value(json_object_get(request, "verb"));
	args = json_object_get(request, "args");
	if (!verb || (args && !json_is_object(args))) {
		refuse(session, OPS_USAGE, "a request is an object with \"verb\" and \"args\"");
		unix_conn_resume(session->conn);
	} else {
		out.arg = session;
		session->task = task_create(&session->ops->env, verb, args, &out);
		timer_start(&session->slice, 0);
	}
	json_decref(request);
}

static const struct unix_conn_ops CONN_OPS = {
	.line_max = REQUEST_MAX, .idle_ms = IDLE_MS, .on_line = on_line, .on_drained = on_drained, .on_end = on_end,
};

static void on_accept(void *arg, int fd)
{
	struct ops *ops = arg;
	struct session *session = xcalloc(1, sizeof(*session));

	session->ops = ops;
	session->conn = unix_conn_create(ops->env.loop, fd, &CONN_OPS, session);
	timer_init(&session->slice, ops->env.loop, on_slice, session);
	session->next = ops->sessions;
	if (session->next)
		session->next->prev = session;
	ops->sessions = session;
	if (++ops->session_count > SESSIONS_MAX) {
		session->last = true;
		refuse(session, OPS_UNREACHABLE, "too many connections to the control socket");
		return;
	}
	unix_conn_resume(session->conn);
}

/* --- the socket ------------------------------------------------------------------------------------------------------------- */

struct ops *ops_create(const struct ops_env *env, const char *path, struct err_detail *why)
{
	struct ops *ops = xcalloc(1, sizeof(*ops));

	ops->env = *env;
	ops->listener = unix_listener_open(env->loop, path, SOCKET_MODE, on_accept, ops, why);
	if (!ops->listener) {
		free(ops);
		return NULL;
	}
	return ops;
}

void ops_destroy(struct ops **ops)
{
	struct ops *o = *ops;

	*ops = NULL;
	if (!o)
		return;
	unix_listener_close(&o->listener);
	while (o->sessions)
		session_close(o->sessions);
	audit_finish();
	free(o);
}
