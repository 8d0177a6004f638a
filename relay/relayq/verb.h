/* relay/relayq/verb.h - the command line as tables: verbs and their options, from which parsing and help are made. */
#ifndef RELAYQ_VERB_H
#define RELAYQ_VERB_H

#include <jansson.h>
#include <stdio.h>

#include "relay/ops/task.h"
#include "relay/relayq/print.h"

#define RELAYQ_FILE "/etc/warmrelay/relay.yaml"

/* What stands on the command line behind the verb, without options. */
enum operands {
	OPERANDS_NONE,
	OPERANDS_IDS,  /* any number, to "ids" */
	OPERANDS_ID,   /* exactly one, to "ids" */
	OPERANDS_NAME, /* exactly one, to "name" */
	OPERANDS_VERB, /* a verb or nothing, to "verb" */
	OPERANDS_WORDS, /* any, to "words"; who carries it out knows them */
};

struct verb {
	const char *name;
	const char *operands_text; /* for help: "[ID...]" */
	const char *summary;
	const char *more; /* further help, lines; or NULL */
	enum operands operands;
	unsigned options;          /* OPTION_* bits */
	const struct printer *printer; /* NULL: no request to the daemon is made of it */
};

struct verb_call {
	const struct verb *verb;
	const char *file; /* of -c */
	bool file_given;
	bool json, all;
	json_t *args; /* of the request; owned */
};

/* Read the command line. OPS_DONE: `out` is to be carried out, release it with verb_call_fini; verb NULL: everything has been said
 * (help, version). OPS_USAGE: the fault has been told on `err`. */
enum ops_exit verb_parse(struct verb_call *call, int argc, char **argv, FILE *out, FILE *err) MUST_USE;
void verb_call_fini(struct verb_call *call);

/* Help for one verb, or with NULL or an unknown one for all. */
void verb_help(const char *name, FILE *out);

#endif
