/* relay/relayq/client.c - where answers come from: the daemon's control socket, or the store when no daemon runs. */
#include "relay/relayq/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/ops/fact.h"

/* --- an end of our own ------------------------------------------------------------------------------------------------------ */

PRINTF_LIKE(3, 4)
static enum ops_exit end_with(const struct client_sink *sink, enum ops_exit status, const char *format, ...)
{
	char text[1400];
	json_t *end = json_object();
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fact_bool(end, "end", true);
	fact_number(end, "exit", (uint64_t)status);
	fact_text(end, "message", text);
	sink->end(sink->arg, end);
	json_decref(end);
	return status;
}

static enum ops_exit exit_of(const json_t *end)
{
	json_int_t status = json_integer_value(json_object_get(end, "exit"));

	return status >= OPS_DONE && status <= OPS_UNREACHABLE ? (enum ops_exit)status : OPS_REFUSED;
}

/* --- the daemon ------------------------------------------------------------------------------------------------------------- */

/* A connected socket, or -1 with errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, cause;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	cause = errno;
	close(fd);
	errno = cause;
	return -1;
}

static bool send_request(int fd, const char *verb, json_t *args)
{
	json_t *request = json_object();
	char *text, *line;
	size_t len, sent = 0;

	fact_text(request, "verb", verb);
	fact_json(request, "args", json_incref(args));
	text = json_dumps(request, JSON_COMPACT);
	line = xasprintf("%s\n", text);
	for (len = strlen(line); sent < len;) {
		ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (size_t)n;
	}
	free(text);
	free(line);
	json_decref(request);
	return sent == len;
}

/* True: it was the end. */
static bool take_line(const struct client_sink *sink, const char *line, size_t len, enum ops_exit *status)
{
	json_t *object = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	bool is_end = json_is_true(json_object_get(object, "end"));

	if (is_end) {
		*status = exit_of(object);
		sink->end(sink->arg, object);
	} else if (object) {
		sink->row(sink->arg, object);
	}
	json_decref(object);
	return is_end;
}

static enum ops_exit ask_daemon(int fd, const char *verb, json_t *args, const struct client_sink *sink)
{
	enum ops_exit status = OPS_UNREACHABLE;
	bool sent = send_request(fd, verb, args), ended = false;
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	must(in != NULL);
	while (!ended && (len = getline(&line, &size, in)) > 0)
		ended = take_line(sink, line, (size_t)len, &status);
	free(line);
	(void)fclose(in);
	if (ended)
		return status;
	return end_with(sink, OPS_UNREACHABLE, sent ? "the daemon has closed the connection in the middle of its answer" :
	    "the daemon does not take the request");
}

/* --- the store -------------------------------------------------------------------------------------------------------------- */

static void on_emit(void *arg, json_t *object)
{
	const struct client_sink *sink = arg;

	sink->row(sink->arg, object);
	json_decref(object);
}

static struct conf *borrowed_conf(void *arg)
{
	return arg;
}

static enum ops_exit ask_store(struct conf *conf, struct queue *queue, const char *verb, json_t *args, const struct client_sink *sink)
{
	struct ops_env env = { .queue = queue, .reader = queue_reader_open(queue), .conf = borrowed_conf, .arg = conf };
	struct client_sink to = *sink;
	struct task_out out = { .emit = on_emit, .arg = &to };
	struct task *task = task_create(&env, verb, args, &out);
	enum ops_exit status;
	json_t *end;

	/* Nothing waits for anybody here: a task that did would never be woken. */
	while (task_step(task) != TASK_END)
		;
	end = task_end_line(task);
	status = exit_of(end);
	sink->end(sink->arg, end);
	json_decref(end);
	task_destroy(&task);
	queue_reader_close(&env.reader);
	return status;
}

static const struct task_kind *kind_of(const char *verb)
{
	for (size_t i = 0; task_kinds[i]; i++)
		if (strcmp(task_kinds[i]->verb, verb) == 0)
			return task_kinds[i];
	return NULL;
}

/* --- either ----------------------------------------------------------------------------------------------------------------- */

enum ops_exit client_ask(struct conf *conf, const char *verb, json_t *args, const struct client_sink *sink)
{
	const struct task_kind *kind = kind_of(verb);
	int fd = connect_to(conf->control), cause = errno;
	struct err_detail why;
	struct queue *queue;
	enum ops_exit status;

	if (fd >= 0)
		return ask_daemon(fd, verb, args, sink);
	if (!kind || kind->needs_daemon)
		return end_with(sink, OPS_UNREACHABLE, "the daemon cannot be reached at %s: %s", conf->control, strerror(cause));
	queue = queue_open_readonly(conf->state, &why);
	if (!queue && why.code == ERR_BUSY)
		return end_with(sink, OPS_UNREACHABLE, "a daemon runs, but cannot be reached at %s: %s", conf->control, strerror(cause));
	if (!queue)
		return end_with(sink, OPS_UNREACHABLE, "no daemon answers at %s (%s), and %s", conf->control, strerror(cause), why.text);
	status = ask_store(conf, queue, verb, args, sink);
	queue_close(&queue);
	return status;
}
