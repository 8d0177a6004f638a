/* relay/relayq/verb.c - verbs and their options as tables, and help, which is made of them. */
#include "relay/relayq/verb_int.h"

#include <string.h>

#include "conf/schema.h"

/* clang-format off */
const struct option_row verb_options[] = {
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
	{ "--source",      "from",        "NAME",     "history: this source alone",                     KIND_TEXT,     WARM },
	{ "--destination", "provider",    "NAME",     "history: this destination alone",                KIND_TEXT,     WARM },
	{ "--days",        "days",        "N",        "history: so many (default 30); retire: within so many (default 14)", KIND_COUNT,   WARM },
	{ "--into",        "into",        "NAME",     "retire: the source that takes it over",          KIND_TEXT,     WARM },
	{ "--daily",       "daily",       "VOLUME",   "forecast: recipients a day, such as 500k",       KIND_TEXT,     WARM },
	{ "--mix",         "mix",         "NAME=%,...", "forecast: where they go (default: as of late)", KIND_TEXT,    WARM },
	{ "--svg",         "svg",         "FILE",     "history, forecast: draw it there too (not with --json)", KIND_TEXT,     WARM },
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
	{ "top", "", "a live screen: queue, rates, who sends, what is wrong", "Drawn anew every few seconds. Keys: q quits; d "
	  "destinations, s sources, l lanes, t tenants, h hosts that are down, a alerts alone, with arrows\nand pages to go through them; any other: all. Elsewhere than on a "
	  "terminal, and with --json, one look, which takes a second.", OPERANDS_NONE, LOOKS, NULL },
	{ "alerts", "", "what somebody must look at and lasts", "The same goes by mail and to a webhook, see `relayd --explain alerts.mail`.", OPERANDS_NONE, 0, &print_alerts },
	{ "providers", "[NAME...]", "destinations known by name, and where their limits come from",
	  "Needs no daemon. FROM: shipped, or file and line of what the configuration says instead.", OPERANDS_WORDS, 0, NULL },
	{ "classify", "", "`provider TAB reply` lines in, `class TAB action TAB rule` out",
	  "Needs no daemon. With -c the rules of that configuration come first; without it the shipped ones stand alone.", OPERANDS_NONE, 0, NULL },
	{ "hash", "", "a password line in, the string for logins[].hash out", "With -c the length that is asked for is auth.password_length of that "
	  "configuration, else 10.\nWhere all logins have verifiers of --scram, clients may use SCRAM-SHA-256.", OPERANDS_NONE, HASH, NULL },
	{ "help", "[VERB]", "this text, or more about a verb", NULL, OPERANDS_VERB, 0, NULL },
};
/* clang-format on */

const size_t verb_option_count = ARRAY_LEN(verb_options);

const struct verb *verb_find(const char *name)
{
	if (strcmp(name, VERB_GROUP) == 0)
		name = VERB_GROUP " list";
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

unsigned verb_near(const char *word)
{
	size_t most = (strlen(word) + 1) / 2;

	return most < 3 ? (unsigned)most : 3;
}

const char *verb_nearest(const char *word)
{
	const char *best = NULL;
	unsigned least = verb_near(word);

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		unsigned distance = schema_distance(word, verbs[i].name);

		if (distance < least) {
			least = distance;
			best = verbs[i].name;
		}
	}
	return best;
}

/* --- help ------------------------------------------------------------------------------------------------------------------- */

static void help_options(unsigned groups, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(verb_options); i++) {
		char left[40];

		if (!(verb_options[i].group & groups) || !verb_options[i].help)
			continue;
		(void)snprintf(left, sizeof(left), "%s %s", verb_options[i].name, verb_options[i].metavar ? verb_options[i].metavar : "");
		(void)fprintf(out, "  %-24s %s\n", left, verb_options[i].help);
	}
}

static void help_all(FILE *out)
{
	(void)fputs("usage: relayq [-c FILE] [--json] [VERB ...]    (without a verb: stats)\n\n", out);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		(void)fprintf(out, "  %-11s %s\n", verbs[i].name, verbs[i].summary);
	(void)fputc('\n', out);
	help_options(GLOBAL, out);
	(void)fputs("\nrelayq VERB --help tells the options of a verb. What only reads works without\n"
	    "a daemon too. Exit status: 0 done, 1 refused, not found or a check that fails,\n2 usage, 3 the daemon cannot be reached.\n", out);
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
