/* relay/relayq/relayq.c - the operator's tool: one verb, asked of the daemon or of the store, printed for people or as JSON. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "relay/relayq/classify.h"
#include "relay/relayq/client.h"
#include "relay/relayq/hash.h"
#include "relay/relayq/dkim_verb.h"
#include "relay/relayq/providers_verb.h"
#include "relay/relayq/settings.h"
#include "relay/relayq/tail_verb.h"
#include "relay/relayq/top_verb.h"
#include "relay/relayq/transfer.h"
#include "relay/relayq/verb.h"

#define WIDTH_LEAST 40 /* a narrower terminal wraps */

struct answer {
	struct print print;
	const struct printer *printer;
};

static void on_row(void *arg, const json_t *row)
{
	struct answer *answer = arg;

	print_row(&answer->print, answer->printer, row);
}

static void on_end(void *arg, const json_t *end)
{
	struct answer *answer = arg;

	print_end(&answer->print, answer->printer, end);
}

/* 0: standard output is no terminal. */
static size_t terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < WIDTH_LEAST ? WIDTH_LEAST : size.ws_col;
}

static enum ops_exit run(const struct verb_call *call)
{
	struct answer answer = {
		.print = { .out = stdout, .err = stderr, .json = call->json, .all = call->all, .width = terminal_width(),
		    .now = clock_wall(), .picture = json_string_value(json_object_get(call->args, "svg")) },
		.printer = call->verb->printer,
	};
	struct client_sink sink = { .row = on_row, .end = on_end, .arg = &answer };
	struct conf *conf = settings_load(call->file, stderr);
	enum ops_exit status;

	if (!conf)
		return OPS_USAGE;
	status = client_ask(conf, call->verb->name, call->args, &sink);
	conf_unref(&conf);
	if (!answer.print.failed)
		return status;
	(void)fputs("relayq: the output cannot be written\n", stderr);
	return status == OPS_DONE ? OPS_REFUSED : status;
}

/* The length that --min names, else the configuration of -c, else the default. */
static enum ops_exit run_hash(const struct verb_call *call)
{
	const json_t *least = json_object_get(call->args, "min");
	struct hash_wish wish = { .scram = json_is_true(json_object_get(call->args, "scram")), .length_least = HASH_LENGTH_LEAST };
	struct conf *conf;

	if (call->file_given && !least) {
		conf = settings_load(call->file, stderr);
		if (!conf)
			return OPS_USAGE;
		wish.length_least = conf->auth.password_length ? conf->auth.password_length : HASH_LENGTH_LEAST;
		conf_unref(&conf);
	}
	if (least)
		wish.length_least = (uint32_t)json_integer_value(least);
	return hash_run(&wish, stdin, stdout, stderr);
}

static enum ops_exit run_classify(const struct verb_call *call)
{
	return classify_run(call->file_given ? call->file : NULL, call->json, stdin, stdout, stderr);
}

static enum ops_exit run_dkim(const struct verb_call *call) { return dkim_verb_run(call, stdout, stderr); }
static enum ops_exit run_providers(const struct verb_call *call) { return providers_verb_run(call, stdout, stderr); }
static enum ops_exit run_top(const struct verb_call *call) { return top_verb_run(call, stdout, stderr); }
static enum ops_exit run_tail(const struct verb_call *call) { return tail_verb_run(call, stdout, stderr); }

/* Verbs that are more than a request and its answer. */
static enum ops_exit run_here(const struct verb_call *call)
{
	static const struct {
		const char *name;
		enum ops_exit (*run)(const struct verb_call *call);
	} VERBS[] = {
		{ "dkim", run_dkim }, { "providers", run_providers }, { "classify", run_classify }, { "tail", run_tail }, { "top", run_top }, { "hash", run_hash },
	};

	for (size_t i = 0; i < ARRAY_LEN(VERBS); i++)
		if (strcmp(VERBS[i].name, call->verb->name) == 0)
			return VERBS[i].run(call);
	return OPS_USAGE;
}

int main(int argc, char **argv)
{
	struct verb_call call;
	enum ops_exit status;

	/* Texts of mail are UTF-8 whatever the operator's locale says. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		(void)setlocale(LC_CTYPE, "");
	status = verb_parse(&call, argc, argv, stdout, stderr);
	if (status != OPS_DONE || !call.verb)
		return (int)status;
	if (transfer_is_meant(&call))
		status = transfer_run(&call, stdout, stderr);
	else if (call.verb->printer)
		status = run(&call);
	else
		status = run_here(&call);
	verb_call_fini(&call);
	return (int)status;
}
