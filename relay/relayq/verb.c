/* relay/relayq/verb.c - the command line as tables: verbs and their options, from which parsing and help are made. */
#include "relay/relayq/verb.h"

#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "conf/value.h"
#include "relay/ops/fact.h"

enum option_kind { KIND_TEXT, KIND_TEXTS, KIND_DURATION, KIND_COUNT, KIND_FLAG, KIND_ALL, KIND_FILE, KIND_JSON, KIND_HELP, KIND_VERSION };

#define BIT(i)  (1u << (i))
#define GLOBAL  BIT(0)
#define FILTERS BIT(1)
#define STATES  BIT(2)
#define LIMIT   BIT(3)
#define REASON  BIT(4)
#define CHANGES BIT(5)
#define SCOPE   BIT(6)
#define ROWS    BIT(7)
#define KEYS    BIT(8)
#define HASH    BIT(9)
#define SPAN    BIT(10)
#define POOL    BIT(11)
#define LETTERS BIT(12) /* filters of verbs in which --source means something else */
#define REPLAYS BIT(13)
#define WARM    BIT(14)
#define WATCH   BIT(15) /* filters that events have fields for */
#define EVENTS  BIT(16)
#define LOOKS   BIT(17)

/* clang-format off */
static const struct option_row {
	const char *name, *key, *metavar, *help;
	enum option_kind kind;
	unsigned group; /* verbs of the same bit take it */
} options[] = {
	{ "--destination", "destination", "NAME",     "destination, or recipient domain",               KIND_TEXTS,    FILTERS | LETTERS | WATCH },
	{ "--tenant",      "tenant",      "NAME",     "who handed the message in",                      KIND_TEXTS,    FILTERS | LETTERS | WATCH },
	{ "--sender",      "sender",      "ADDRESS",  "envelope sender; '<>' is the null sender",       KIND_TEXTS,    FILTERS | LETTERS | WATCH },
	{ "--rcpt",        "rcpt",        "ADDRESS",  "recipient, such as '*@example.net'",             KIND_TEXTS,    FILTERS | LETTERS | WATCH },
	{ "--reply",       "reply",       "TEXT",     "last reply; without wildcards: anywhere in it",  KIND_TEXTS,    FILTERS | LETTERS | WATCH },
	{ "--source",      "source",      "NAME",     "source of the last attempt",                     KIND_TEXTS,    FILTERS | WATCH },
	{ "--older",       "older",       "DURATION", "in the queue for longer than 90s, 15m, 4h, 5d",  KIND_DURATION, FILTERS | LETTERS },
	{ "--class",       "class",       "CLASS",    "what the last reply means, such as 'full-*'",    KIND_TEXTS,    FILTERS | LETTERS | WATCH },
	{ "--state",       "state",       "STATE",    "waiting, active, deferred, held or blocked",     KIND_TEXTS,    STATES },
	{ "--limit",       "limit",       "N",        "stop after N recipients",                        KIND_COUNT,    LIMIT },
	{ "--reason",      "reason",      "TEXT",     "why: kept with the recipient, told in a bounce", KIND_TEXT,     REASON },
	{ "--pool",        "pool",        "NAME",     "pool of sources that the mail takes from now on", KIND_TEXT,   POOL },
	{ "--dry-run",     "dry_run",     NULL,       "only list what would be changed",                KIND_FLAG,     CHANGES },
	{ "--rate",        "rate",        "RATE",     "recipients in a time (default 10/s); none: at once", KIND_TEXT,   REPLAYS },
	{ "--source",      "source_to",   "NAME",     "send from this source of the pool if it may",    KIND_TEXT,     REPLAYS },
	{ "--pool",        "pool",        "NAME",     "send through this pool instead of its own",      KIND_TEXT,     REPLAYS },
	{ "--again",       "again",       NULL,       "those that were replayed before, too",           KIND_FLAG,     REPLAYS },
	{ "--destination", "destination", "NAME",     "everything towards this destination",            KIND_TEXT,     SCOPE },
	{ "--tenant",      "tenant",      "NAME",     "everything of this tenant",                      KIND_TEXT,     SCOPE },
	{ "--source",      "source",      "NAME",     "everything from this source",                    KIND_TEXT,     SCOPE },
	{ "--selector",    "selector",    "NAME",     "selector (default: a letter and the day)",       KIND_TEXT,     KEYS },
	{ "--type",        "type",        "TYPE",     "rsa, ed25519 or both (default both)",            KIND_TEXT,     KEYS },
	{ "--dir",         "dir",         "FOLDER",   "where key files go (default keys/ beside FILE)", KIND_TEXT,     KEYS },
	{ "--tenant",      "tenant",      "NAME",     "for mail of this tenant (default: for all)",      KIND_TEXT,     SPAN },
	{ "--for",         "for",         "DURATION", "so long (default: until it is deleted)",         KIND_DURATION, SPAN },
	{ "--from",        "from",        "NAME",     "history: this source alone",                     KIND_TEXT,     WARM },
	{ "--provider",    "provider",    "NAME",     "history: this destination alone",                KIND_TEXT,     WARM },
	{ "--days",        "days",        "N",        "history: so many (default 30); retire: within so many (default 14)", KIND_COUNT,   WARM },
	{ "--into",        "into",        "NAME",     "retire: the source that takes it over",          KIND_TEXT,     WARM },
	{ "--daily",       "daily",       "VOLUME",   "forecast: recipients a day, such as 500k",       KIND_TEXT,     WARM },
	{ "--mix",         "mix",         "NAME=%,...", "forecast: where they go (default: as of late)", KIND_TEXT,    WARM },
	{ "--svg",         "svg",         "FILE",     "forecast: draw it there too (not with --json)",  KIND_TEXT,     WARM },
	{ "--scram",       "scram",       NULL,       "a SCRAM-SHA-256 verifier instead of a yescrypt hash", KIND_FLAG, HASH },
	{ "--min",         "min",         "N",        "characters that the password must have",         KIND_COUNT,    HASH },
	{ "--event",       "event",       "NAME",     "event, such as delivered or 'alert*'",           KIND_TEXTS,    EVENTS },
	{ "--level",       "level",       "LEVEL",    "info, warn or error, and what is worse",         KIND_TEXT,     EVENTS },
	{ "-n",            "last",        "N",        "begin with the last N that were written before", KIND_COUNT,    EVENTS },
	{ "--once",        "once",        NULL,       "all that is kept, or the last N, then end",      KIND_FLAG,     EVENTS },
	{ "--every",       "every",       "DURATION", "so often (default 2s)",                          KIND_DURATION, LOOKS },
	{ "--once",        "once",        NULL,       "print one look and end",                         KIND_FLAG,     LOOKS },
	{ "--all",         NULL,          NULL,       "every destination, not only the busiest",        KIND_ALL,      ROWS },
	{ "-c",            NULL,          "FILE",     "configuration (default " RELAYQ_FILE ")",        KIND_FILE,     GLOBAL },
	{ "--json",        NULL,          NULL,       "one JSON object a line",                         KIND_JSON,     GLOBAL },
	{ "--help",        NULL,          NULL,       "this text",                                      KIND_HELP,     GLOBAL },
	{ "-h",            NULL,          NULL,       NULL,                                             KIND_HELP,     GLOBAL },
	{ "--version",     NULL,          NULL,       "print the version",                              KIND_VERSION,  GLOBAL },
};

#define CHOICE_TEXT "An ID names a message, ID.n one recipient. Filters take shell wildcards; '*' is all. A filter given twice: one of\n" \
	"the two must match; different filters must all match."

static const struct verb verbs[] = {
	{ "stats", "", "how many recipients wait, per destination, and why", NULL, OPERANDS_NONE, ROWS, &print_stats },
	{ "list", "[ID...]", "a line for each undelivered recipient", CHOICE_TEXT, OPERANDS_IDS, FILTERS | STATES | LIMIT, &print_list },
	{ "show", "ID", "all that is known of a message or recipient", NULL, OPERANDS_ID, 0, &print_show },
	{ "cat", "ID", "the stored message, byte for byte", NULL, OPERANDS_ID, 0, &print_cat },
	{ "why", "ID|DESTINATION|TENANT|SOURCE|DOMAIN", "why something waits, and when it is asked again", NULL, OPERANDS_NAME, 0, &print_why },
	{ "retry", "ID...|FILTERS", "make recipients due at once", CHOICE_TEXT, OPERANDS_IDS, FILTERS | STATES | CHANGES, &print_change },
	{ "hold", "ID...|FILTERS", "keep recipients back until they are released", CHOICE_TEXT, OPERANDS_IDS,
	  FILTERS | STATES | CHANGES | REASON, &print_change },
	{ "release", "ID...|FILTERS", "let held recipients go", CHOICE_TEXT, OPERANDS_IDS, FILTERS | STATES | CHANGES, &print_change },
	{ "drop", "ID...|FILTERS", "remove recipients without telling the sender", CHOICE_TEXT, OPERANDS_IDS, FILTERS | STATES | CHANGES,
	  &print_change },
	{ "bounce", "ID...|FILTERS", "return recipients to the sender as failed", CHOICE_TEXT, OPERANDS_IDS,
	  FILTERS | STATES | CHANGES | REASON, &print_change },
	{ "reroute", "--pool NAME ID...|FILTERS", "send messages through another pool of sources", CHOICE_TEXT "\nA message has one pool: all of its recipients "
	  "move with the chosen one. What was blocked is due at once.", OPERANDS_IDS, FILTERS | STATES | CHANGES | POOL, &print_change },
	{ "dead list", "[ID...]", "recipients that bounced or expired, as long as they are kept", CHOICE_TEXT, OPERANDS_IDS, FILTERS | LIMIT, &print_dead },
	{ "dead show", "ID", "all that is known of them, with what was said in each attempt", NULL, OPERANDS_ID, 0, &print_show },
	{ "dead cat", "ID", "the message, byte for byte", NULL, OPERANDS_ID, 0, &print_cat },
	{ "dead replay", "ID...|FILTERS", "back into the queue as new messages, signed anew",
	  CHOICE_TEXT "\nEach is replayed once; stopped in the middle, the same command goes on with the rest.", OPERANDS_IDS,
	  LETTERS | CHANGES | REPLAYS, &print_dead_change },
	{ "dead drop", "ID...|FILTERS", "remove dead letters for good", CHOICE_TEXT "\nWith --rcpt or --sender the transcripts go in which others are told of too.",
	  OPERANDS_IDS, FILTERS | CHANGES, &print_dead_change },
	{ "pause", "--destination|--tenant|--source NAME", "start nothing more for a destination, tenant or source", "Kept over restarts; what is in flight finishes.", OPERANDS_NONE,
	  SCOPE, &print_outcome },
	{ "resume", "--destination|--tenant|--source NAME", "end a pause", NULL, OPERANDS_NONE, SCOPE, &print_outcome },
	{ "source", "[list|drain NAME|enable NAME]", "the addresses that mail is sent from, and which are in service",
	  "drain: nothing more starts from that address, what is in flight finishes; its waiting and blocked mail takes the other sources of its\n"
	  "pools. Kept over restarts. enable: takes it back, forgets its pauses and tries again what is blocked for it.", OPERANDS_WORDS, 0, &print_source },
	{ "warmup", "[status|history|forecast|pause|resume|step|restart|adopt|retire|complained]", "how far cold addresses have come, and changes of that",
	  "status: a row for each cold source and destination. pause, resume, restart (begin anew) and adopt (it is warm) take SOURCE\n"
	  "[DESTINATION]; step takes SOURCE [DESTINATION] VOLUME, recipients a day, such as 20k. Without a destination: all of the source's.\n"
	  "retire SOURCE: its share sinks to nothing, day by day; then it is out of service. resume, adopt or relayq source enable end that.\n"
	  "complained takes SOURCE [DESTINATION] COUNT: reports of a feedback loop. Changes are kept over restarts.\n"
	  "history: a row for each day, source and destination. forecast: when each will carry its share of a volume, at best and at worst, and\n"
	  "how much its budget leaves over until then.", OPERANDS_WORDS, WARM, &print_warmup },
	{ "reload", "", "check the configuration and put it in force", NULL, OPERANDS_NONE, 0, &print_outcome },
	{ "check", "", "compare what is stored with itself and with what is scheduled", NULL, OPERANDS_NONE, 0, &print_check },
	{ "dkim", "new DOMAIN|list", "make signing keys, show keys with their DNS records", "new: writes a key file of each type and tells the record to\n"
	  "publish and the line for relay.yaml. No file is ever overwritten. With both types and --selector S the selectors are rS and eS.",
	  OPERANDS_WORDS, KEYS, NULL },
	{ "ban", "[list|lift NAME]", "who is kept out after too many failed logins", "Addresses and IPv6 networks are banned, logins are locked; both end by themselves.\n"
	  "lift: ends the ban of an address, network or login now and forgets its failures.", OPERANDS_WORDS, 0, &print_ban },
	{ "suppress", "[list|add|del|export|import]", "addresses that nothing is taken for",
	  "list [PATTERN]; add ADDRESS...; del ADDRESS...; export: CSV of address, tenant, since, until and reason on standard output, or with --json\n"
	  "one object a line; import [FILE]: the same of either form, or one address a line, from FILE or standard input.", OPERANDS_WORDS,
	  SPAN | REASON, &print_suppress },
	{ "tls-report", "[DOMAIN|send [DOMAIN]]", "how TLS with domains that want to hear of it went today",
	  "Figures of TLS reports (RFC 8460): sessions by policy, and what failed most. send: sends what there is now instead of at the day's end.",
	  OPERANDS_WORDS, 0, &print_tls },
	{ "tail", "[ID...]", "events as they come: accepted, delivered, deferred, bounced ...", "An ID names a message and all its recipients, ID.n one of "
	  "them. Filters take shell wildcards. A filter given twice: one\nof the two must match; different filters must all match. Ends with ^C. Needs no "
	  "daemon, and goes on when that is\nstarted anew. Each line is what the daemon logs; with --json as it stands in the event log.", OPERANDS_IDS, WATCH | EVENTS, NULL },
	{ "hosts", "", "receiving servers that are down, and when they are tried again",
	  "Nobody tries them before; then one attempt at a time does, and the pause grows. relayq retry ends the pauses of the hosts of what it makes due.",
	  OPERANDS_NONE, 0, &print_hosts },
	{ "top", "", "what goes on: queue, rates, destinations, sources, lanes, tenants, what is wrong", "Drawn anew every few seconds. Keys: q quits; d "
	  "destinations, s sources, l lanes, t tenants, h hosts that are down, a alerts alone, with arrows\nand pages to go through them; any other: all. Elsewhere than on a "
	  "terminal, and with --json, one look, which takes a second.", OPERANDS_NONE, LOOKS, NULL },
	{ "alerts", "", "what somebody must look at and lasts", "The same goes by mail and to a webhook, see `relayd --explain alerts.mail`.", OPERANDS_NONE, 0, &print_alerts },
	{ "providers", "[NAME...]", "destinations known by name, their limits, and where each figure comes from",
	  "Needs no daemon. FROM: shipped, or file and line of what the configuration says instead.", OPERANDS_WORDS, 0, NULL },
	{ "classify", "", "`provider TAB reply` lines in, `class TAB action TAB rule` out",
	  "Needs no daemon. With -c the rules of that configuration come first; without it the shipped ones stand alone.", OPERANDS_NONE, 0, NULL },
	{ "hash", "", "a password line in, the string for logins[].hash out", "With -c the length that is asked for is auth.password_length of that "
	  "configuration, else 10.\nWhere all logins have verifiers of --scram, clients may use SCRAM-SHA-256.", OPERANDS_NONE, HASH, NULL },
	{ "help", "[VERB]", "this text, or more about a verb", NULL, OPERANDS_VERB, 0, NULL },
};
/* clang-format on */

/* Of the design, and not of this version. */
static const char *const LATER[] = {
	"doctor", "lint", "export", "import",
};

#define GROUP "dead" /* its verbs are two words */

static const struct verb *verb_find(const char *name)
{
	if (strcmp(name, GROUP) == 0)
		name = GROUP " list";
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* --- help ------------------------------------------------------------------------------------------------------------------- */

static void help_options(unsigned groups, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char left[40];

		if (!(options[i].group & groups) || !options[i].help)
			continue;
		(void)snprintf(left, sizeof(left), "%s %s", options[i].name, options[i].metavar ? options[i].metavar : "");
		(void)fprintf(out, "  %-24s %s\n", left, options[i].help);
	}
}

static void help_all(FILE *out)
{
	(void)fputs("usage: relayq [-c FILE] [--json] [VERB ...]    (without a verb: stats)\n\n", out);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		(void)fprintf(out, "  %-11s %s\n", verbs[i].name, verbs[i].summary);
	(void)fputc('\n', out);
	help_options(GLOBAL, out);
	(void)fputs("\nrelayq VERB --help tells the options of a verb. What only reads works without a daemon too.\n"
	    "Exit status: 0 done, 1 refused, not found or a check that fails, 2 usage, 3 the daemon cannot be reached.\n", out);
}

void verb_help(const char *name, FILE *out)
{
	const struct verb *verb = name ? verb_find(name) : NULL;

	if (!verb) {
		help_all(out);
		return;
	}
	(void)fprintf(out, "usage: relayq %s%s%s%s\n\n%s\n", verb->name, verb->operands_text[0] ? " " : "", verb->operands_text,
	    verb->options & ~SCOPE ? " [OPTIONS]" : "", verb->summary);
	if (verb->more)
		(void)fprintf(out, "\n%s\n", verb->more);
	(void)fputc('\n', out);
	help_options(verb->options | GLOBAL, out);
}

/* --- parsing ---------------------------------------------------------------------------------------------------------------- */

struct parser {
	struct verb_call *call;
	FILE *out, *err;
	int argc, at;
	char **argv;
	bool literal; /* "--" was seen */
	bool said;    /* help or version */
};

static enum ops_exit fault(struct parser *p, const char *where, const char *what, const char *more)
{
	(void)fprintf(p->err, "relayq: %s%s%s%s%s\n", where, what ? " \"" : "", what ? what : "", what ? "\"" : "", more ? more : "");
	return OPS_USAGE;
}

/* One value as it is, several as an array. */
static void add_text(json_t *args, const char *key, const char *text)
{
	json_t *old = json_object_get(args, key), *both;

	if (!old) {
		fact_text(args, key, text);
		return;
	}
	if (!json_is_array(old)) {
		both = json_array();
		must(json_array_append(both, old) == 0);
		fact_json(args, key, both);
		old = both;
	}
	must(json_array_append_new(old, json_string(text)) == 0);
}

static enum ops_exit take_value(struct parser *p, const struct option_row *option, const char *text)
{
	json_t *args = p->call->args;
	struct value value;

	switch (option->kind) {
	case KIND_TEXTS:
	case KIND_TEXT: {
		json_t *probe = json_string(text);

		if (!probe)
			return fault(p, option->name, text, ": not UTF-8");
		json_decref(probe);
		if (option->kind == KIND_TEXTS)
			add_text(args, option->key, text);
		else
			fact_text(args, option->key, text);
		return OPS_DONE;
	}
	case KIND_DURATION:
		if (!value_parse(VALUE_DURATION, text, &value))
			return fault(p, option->name, text, ": expected a duration such as 90s, 15m, 4h or 5d");
		fact_number(args, option->key, (uint64_t)value.number);
		return OPS_DONE;
	case KIND_COUNT:
		if (!value_parse(VALUE_COUNT, text, &value) || value.number < 1)
			return fault(p, option->name, text, ": expected a number from 1 on");
		fact_number(args, option->key, (uint64_t)value.number);
		return OPS_DONE;
	case KIND_FILE:
		p->call->file = text;
		p->call->file_given = true;
		return OPS_DONE;
	case KIND_FLAG:
	case KIND_ALL:
	case KIND_JSON:
	case KIND_HELP:
	case KIND_VERSION:
		break;
	}
	return fault(p, option->name, NULL, " takes no value");
}

static enum ops_exit take_flag(struct parser *p, const struct option_row *option)
{
	if (option->kind == KIND_FLAG)
		fact_bool(p->call->args, option->key, true);
	else if (option->kind == KIND_ALL)
		p->call->all = true;
	else if (option->kind == KIND_JSON)
		p->call->json = true;
	else if (option->kind == KIND_VERSION)
		(void)fputs("relayq (warmrelay) " WARMRELAY_VERSION "\n", p->out);
	else
		verb_help(p->call->verb ? p->call->verb->name : NULL, p->out);
	p->said = p->said || option->kind == KIND_VERSION || option->kind == KIND_HELP;
	return OPS_DONE;
}

/* "--name" or "--name=value" of the options that the verb, or any call, takes. */
static const struct option_row *option_find(const char *word, unsigned groups, const char **value_out)
{
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	*value_out = equals ? equals + 1 : NULL;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].group & groups && strlen(options[i].name) == len && strncmp(options[i].name, word, len) == 0)
			return &options[i];
	return NULL;
}

static enum ops_exit take_option(struct parser *p, const char *word)
{
	const struct verb *verb = p->call->verb;
	const char *value;
	const struct option_row *option = option_find(word, GLOBAL | (verb ? verb->options : 0), &value);

	if (!option)
		return fault(p, verb ? verb->name : "option", word, verb ? ": no such option (--help tells which)" : " is not known here");
	if (!option->metavar && !value)
		return take_flag(p, option);
	if (!value && p->at == p->argc)
		return fault(p, word, NULL, " expects a value");
	return take_value(p, option, value ? value : p->argv[p->at++]);
}

/* The second word of a verb; none is "list". */
static enum ops_exit take_second(struct parser *p)
{
	const char *second = p->at < p->argc && p->argv[p->at][0] != '-' ? p->argv[p->at++] : "list";
	char *name = xasprintf(GROUP " %s", second);

	p->call->verb = verb_find(name);
	free(name);
	return p->call->verb ? OPS_DONE : fault(p, GROUP, second, " is not known; list, show, cat, replay and drop are");
}

static enum ops_exit take_verb(struct parser *p, const char *word)
{
	if (strcmp(word, GROUP) == 0)
		return take_second(p);
	p->call->verb = verb_find(word);
	if (p->call->verb)
		return OPS_DONE;
	for (size_t i = 0; i < ARRAY_LEN(LATER); i++)
		if (strcmp(LATER[i], word) == 0)
			return fault(p, word, NULL, " is not available in this version; relayq help tells what is");
	return fault(p, "verb", word, " is not known; relayq help tells what is");
}

/* One more of an array. False: not UTF-8. */
static bool take_word(json_t *args, const char *key, const char *word)
{
	json_t *words = json_object_get(args, key), *text = json_string(word);

	if (!text)
		return false;
	if (!words) {
		words = json_array();
		fact_json(args, key, words);
	}
	must(json_array_append_new(words, text) == 0);
	return true;
}

static enum ops_exit take_operand(struct parser *p, const char *word)
{
	const struct verb *verb = p->call->verb;
	json_t *args = p->call->args;

	switch (verb->operands) {
	case OPERANDS_NONE:
		break;
	case OPERANDS_ID:
	case OPERANDS_IDS:
		if ((verb->operands == OPERANDS_ID && json_object_get(args, "ids")) || !take_word(args, "ids", word))
			break;
		return OPS_DONE;
	case OPERANDS_WORDS:
		if (take_word(args, "words", word))
			return OPS_DONE;
		break;
	case OPERANDS_NAME:
		if (json_object_get(args, "name"))
			break;
		fact_text(args, "name", word);
		return OPS_DONE;
	case OPERANDS_VERB:
		if (!verb_find(word))
			return fault(p, "verb", word, " is not known; relayq help tells what is");
		verb_help(word, p->out);
		p->said = true;
		return OPS_DONE;
	}
	return fault(p, verb->name, word, ": one argument too many");
}

static enum ops_exit parse_words(struct parser *p)
{
	while (p->at < p->argc && !p->said) {
		const char *word = p->argv[p->at++];
		enum ops_exit status;

		if (!p->literal && strcmp(word, "--") == 0) {
			p->literal = true;
			continue;
		}
		if (!p->literal && word[0] == '-' && word[1])
			status = take_option(p, word);
		else
			status = p->call->verb ? take_operand(p, word) : take_verb(p, word);
		if (status != OPS_DONE)
			return status;
	}
	return OPS_DONE;
}

static bool has_choice(const json_t *args)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if ((options[i].group & (FILTERS | STATES)) && json_object_get(args, options[i].key))
			return true;
	return json_object_get(args, "ids") != NULL;
}

/* What must be there is. */
static enum ops_exit check_operands(struct parser *p)
{
	const struct verb *verb = p->call->verb;
	json_t *args = p->call->args;

	if (verb->operands == OPERANDS_ID && !json_object_get(args, "ids"))
		return fault(p, verb->name, NULL, ": expected an ID");
	if (verb->operands == OPERANDS_NAME && !json_object_get(args, "name"))
		return fault(p, verb->name, NULL, ": expected an ID, or the name of a destination, tenant or source");
	if ((verb->options & CHANGES) && !has_choice(args))
		return fault(p, verb->name, NULL, ": whom? expected IDs or a filter; '*' is all");
	return OPS_DONE;
}

enum ops_exit verb_parse(struct verb_call *call, int argc, char **argv, FILE *out, FILE *err)
{
	struct parser p = { .call = call, .out = out, .err = err, .argc = argc, .at = 1, .argv = argv };
	enum ops_exit status;

	*call = (struct verb_call){ .file = RELAYQ_FILE, .args = json_object() };
	status = parse_words(&p);
	if (status == OPS_DONE && !p.said && !call->verb)
		call->verb = verb_find("stats");
	if (status == OPS_DONE && !p.said && call->verb->operands == OPERANDS_VERB) {
		verb_help(NULL, out);
		p.said = true;
	}
	if (status == OPS_DONE && !p.said)
		status = check_operands(&p);
	if (status == OPS_DONE && !p.said)
		return OPS_DONE;
	verb_call_fini(call);
	return status;
}

void verb_call_fini(struct verb_call *call)
{
	json_decref(call->args);
	call->args = NULL;
	call->verb = NULL;
}
