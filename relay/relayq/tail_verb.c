/* relay/relayq/tail_verb.c - the verb tail: events as they come, read along the event log. */
#include "relay/relayq/tail_verb.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_tail.h"
#include "relay/relayq/event.h"
#include "relay/relayq/field.h"
#include "relay/relayq/settings.h"

#define LOOK_MS     200    /* between two looks for more */
#define BACK_BYTES  262144 /* looked through at first for the last ones; then so many times more, until there are enough */
#define BACK_FACTOR 8

static volatile sig_atomic_t stopped;

static void on_stop(int signo)
{
	stopped = 1;
}

/* Without SA_RESTART: a wait ends at once. */
static void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_stop };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* told by the write */
}

struct tail {
	const struct verb_call *call;
	struct log_tail *log;
	FILE *out;
	uint64_t passed; /* lines that passed in this run over them */
	uint64_t skip;   /* so many of those that pass are not printed */
	bool silent;     /* count them alone */
};

/* One line of the log; what is no JSON is nobody's event. */
static void take_line(struct tail *tail, const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	char *text;

	if (event && event_passes(event, tail->call->args) && ++tail->passed > tail->skip && !tail->silent) {
		text = tail->call->json ? NULL : event_line(event);
		(void)fprintf(tail->out, "%s\n", text ? text : line);
		free(text);
	}
	json_decref(event);
}

/* All there is now. ERR_IO. */
static enum err take_all(struct tail *tail, struct err_detail *why)
{
	const char *line;
	size_t len;
	enum err err;

	while ((err = log_tail_next(tail->log, &line, &len, why)) == OK && !stopped && !ferror(tail->out))
		take_line(tail, line, len);
	return err == ERR_IO ? ERR_IO : OK;
}

/* Go back until `last` of those that pass lie ahead; those before them are skipped. */
static enum err go_back(struct tail *tail, uint64_t last, struct err_detail *why)
{
	bool whole = false;
	uint64_t bytes;
	enum err err = OK;

	tail->silent = true;
	for (bytes = BACK_BYTES; err == OK && !whole && !stopped; bytes *= BACK_FACTOR) {
		tail->passed = 0;
		err = log_tail_rewind(tail->log, bytes, &whole, why);
		if (err == OK)
			err = take_all(tail, why);
		if (tail->passed >= last)
			break;
	}
	tail->skip = tail->passed > last ? tail->passed - last : 0;
	tail->silent = false;
	tail->passed = 0;
	return err == OK ? log_tail_rewind(tail->log, bytes, &whole, why) : err;
}

/* False: nobody reads what is written. */
static bool wait_for_more(FILE *out)
{
	struct pollfd fd = { .fd = fileno(out) };

	return poll(&fd, 1, LOOK_MS) <= 0 || !(fd.revents & (POLLERR | POLLNVAL));
}

static enum err follow(struct tail *tail, struct err_detail *why)
{
	bool once = json_is_true(json_object_get(tail->call->args, "once"));
	uint64_t last = field_number(tail->call->args, "last");
	enum err err = OK;
	bool whole;

	if (last > 0)
		err = go_back(tail, last, why);
	else if (once)
		err = log_tail_rewind(tail->log, UINT64_MAX, &whole, why);
	while (err == OK && !stopped) {
		err = take_all(tail, why);
		if (fflush(tail->out) != 0 || ferror(tail->out) || once || err != OK)
			break;
		if (!wait_for_more(tail->out))
			break;
	}
	return err;
}

static enum ops_exit run_open(struct tail *tail, FILE *err)
{
	struct err_detail why;
	enum err result;

	stop_on_signals();
	errno = 0;
	result = follow(tail, &why);
	if (result != OK) {
		(void)fprintf(err, "relayq: the event log cannot be read: %s\n", why.text);
		return OPS_REFUSED;
	}
	if (ferror(tail->out) && errno != EPIPE) {
		(void)fputs("relayq: the output cannot be written\n", err);
		return OPS_REFUSED;
	}
	return OPS_DONE;
}

enum ops_exit tail_verb_run(const struct verb_call *call, FILE *out, FILE *err)
{
	struct tail tail = { .call = call, .out = out };
	const char *level = json_string_value(json_object_get(call->args, "level"));
	enum ops_exit status = OPS_REFUSED;
	struct err_detail why;
	struct conf *conf;
	char *dir;

	if (level && !event_has_level(level)) {
		(void)fprintf(err, "relayq: --level \"%s\": expected info, warn or error\n", level);
		return OPS_USAGE;
	}
	conf = settings_load(call->file, err);
	if (!conf)
		return OPS_USAGE;
	dir = xasprintf("%s/events", conf->state);
	if (log_tail_open(dir, &tail.log, &why) == OK)
		status = run_open(&tail, err);
	else if (why.code == ERR_NOT_FOUND)
		(void)fprintf(err, "relayq: there is no event log: %s; it is made when relayd starts\n", why.text);
	else
		(void)fprintf(err, "relayq: the event log cannot be read: %s\n", why.text);
	log_tail_close(&tail.log);
	free(dir);
	conf_unref(&conf);
	return status;
}
