/* conf/value.c - the notations of single values: read from text, kept in a field, printed again. */
#include "conf/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "conf/notation.h"

struct word {
	const char *text;
	int number;
};

static const struct word flag_words[] = { { "false", 0 }, { "true", 1 }, { NULL, 0 } };
static const struct word overflow_words[] = { { "spill", OVERFLOW_SPILL }, { "wait", OVERFLOW_WAIT }, { NULL, 0 } };
static const struct word listen_tls_words[] = {
	{ "none", LISTEN_TLS_NONE }, { "starttls", LISTEN_TLS_STARTTLS }, { "implicit", LISTEN_TLS_IMPLICIT }, { NULL, 0 },
};
static const struct word auth_words[] = {
	{ "none", AUTH_NONE }, { "optional", AUTH_OPTIONAL }, { "required", AUTH_REQUIRED }, { NULL, 0 },
};
static const struct word tls_level_words[] = {
	{ "none", TLS_LEVEL_NONE }, { "opportunistic", TLS_LEVEL_OPPORTUNISTIC }, { "dane", TLS_LEVEL_DANE },
	{ "required", TLS_LEVEL_REQUIRED }, { "verified", TLS_LEVEL_VERIFIED }, { NULL, 0 },
};
static const struct word validate_words[] = {
	{ "prefer", DNS_VALIDATE_PREFER }, { "require", DNS_VALIDATE_REQUIRE }, { NULL, 0 },
};
static const struct word others_words[] = {
	{ "refuse", OTHERS_REFUSE }, { "allow", OTHERS_ALLOW }, { "hold", OTHERS_HOLD }, { "rewrite", OTHERS_REWRITE }, { NULL, 0 },
};
static const struct word bounces_words[] = { { "mail", BOUNCES_MAIL }, { "event", BOUNCES_EVENT }, { "none", BOUNCES_NONE }, { NULL, 0 } };
static const struct word over_words[] = { { "refuse", OVER_REFUSE }, { "delay", OVER_DELAY }, { NULL, 0 } };
static const struct word window_words[] = { { "sliding", WINDOW_SLIDING }, { "calendar", WINDOW_CALENDAR }, { NULL, 0 } };
static const struct word duplicates_words[] = {
	{ "refuse", DUPLICATES_REFUSE }, { "first", DUPLICATES_FIRST }, { "accept", DUPLICATES_ACCEPT }, { NULL, 0 },
};
static const struct word priority_words[] = {
	{ "transactional", PRIORITY_TRANSACTIONAL }, { "normal", PRIORITY_NORMAL }, { "bulk", PRIORITY_BULK }, { NULL, 0 },
};
static const struct word rule_words[] = { { "accept", RULE_ACCEPT }, { "refuse", RULE_REFUSE }, { NULL, 0 } };
static const struct word answer_words[] = { { "refuse", ANSWER_REFUSE }, { "drop", ANSWER_DROP }, { NULL, 0 } };
static const struct word scope_words[] = { { "tenant", SUPPRESS_TENANT }, { "all", SUPPRESS_ALL }, { NULL, 0 } };
static const struct word listed_words[] = { { "tell", LISTED_TELL }, { "close", LISTED_CLOSE }, { NULL, 0 } };
static const struct word log_level_words[] = {
	{ "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "warn", LOG_WARN }, { "error", LOG_ERROR }, { NULL, 0 },
};

/* How a value lies in its field. */
enum shape { SHAPE_TEXT, SHAPE_U16, SHAPE_U32, SHAPE_I64, SHAPE_U64, SHAPE_BOOL, SHAPE_WORD, SHAPE_RATE, SHAPE_IP,
	SHAPE_NET, SHAPE_PORT, SHAPE_NONE };

static const size_t shape_sizes[] = {
	[SHAPE_TEXT] = sizeof(char *), [SHAPE_U16] = 2, [SHAPE_U32] = 4, [SHAPE_I64] = 8, [SHAPE_U64] = 8,
	[SHAPE_BOOL] = sizeof(bool), [SHAPE_WORD] = sizeof(int), [SHAPE_RATE] = 4, [SHAPE_IP] = sizeof(struct ip_addr),
	[SHAPE_NET] = sizeof(struct ip_net), [SHAPE_PORT] = sizeof(struct ip_port), [SHAPE_NONE] = 0,
};

struct type_row {
	enum shape shape;
	bool numeric;
	bool (*parse)(const char *text, struct value *out);
	void (*format)(const struct value *value, char *out);
	const struct word *words;
	const char *expected;
};

/* clang-format off */
static const struct type_row types[VALUE_TYPES] = {
[VALUE_STRING]       = { SHAPE_TEXT, false, notation_string,    NULL, NULL, "a text of at most 255 bytes without control characters" },
[VALUE_PATH]         = { SHAPE_TEXT, false, notation_string,    NULL, NULL, "a path" },
[VALUE_NAME]         = { SHAPE_TEXT, false, notation_name,      NULL, NULL, "a name of at most 64 letters, digits, \"-\", \"_\" and \".\" that begins with a letter or digit" },
[VALUE_HOST]         = { SHAPE_TEXT, false, notation_host,      NULL, NULL, "a domain name in ASCII such as mail.example.net" },
[VALUE_ROUTE_DOMAIN] = { SHAPE_TEXT, false, notation_route,     NULL, NULL, "a domain name such as example.org, or \"*\" for all" },
[VALUE_HOST_PORT]    = { SHAPE_TEXT, false, notation_host_port, NULL, NULL, "host and port such as mx.example.net:25, 192.0.2.1:25 or [2001:db8::1]:25" },
[VALUE_PROXY]        = { SHAPE_TEXT, false, notation_proxy,     NULL, NULL, "a proxy such as socks5://192.0.2.1:1080 or socks5://user:password@[2001:db8::1]:1080" },
[VALUE_MAILBOX]      = { SHAPE_TEXT, false, notation_mailbox,   NULL, NULL, "an address in ASCII such as postmaster@example.net" },
[VALUE_HASH]         = { SHAPE_TEXT, false, notation_hash,      NULL, NULL, "a yescrypt, scrypt, bcrypt or SHA-2 hash of crypt(3), or a SCRAM-SHA-256 verifier, as relayq hash prints them" },
[VALUE_FINGERPRINT]  = { SHAPE_TEXT, false, notation_fingerprint, NULL, NULL, "a SHA-256 of 64 hexadecimal digits" },
[VALUE_ZONE]         = { SHAPE_I64,  false, notation_zone,      notation_put_zone,     NULL, "UTC or an offset such as +01:00 or -05:30" },
[VALUE_COUNT]        = { SHAPE_U32,  true,  notation_count,     notation_put_count,    NULL, "a whole number" },
[VALUE_QUOTA]        = { SHAPE_U64,  true,  notation_count,     notation_put_count,    NULL, "a whole number" },
[VALUE_DAYS]         = { SHAPE_U32,  true,  notation_days,      notation_put_days,     NULL, "a number of days such as 14d" },
[VALUE_PORT]         = { SHAPE_U16,  true,  notation_count,     notation_put_count,    NULL, "a port" },
[VALUE_SIZE]         = { SHAPE_U64,  true,  notation_size,      notation_put_size,     NULL, "a size such as 64K, 50M, 2G or 1T" },
[VALUE_DURATION]     = { SHAPE_I64,  true,  notation_duration,  notation_put_duration, NULL, "a duration such as 90s, 15m, 4h or 5d" },
[VALUE_DATE]         = { SHAPE_I64,  true,  notation_date,      notation_put_date,     NULL, "a date such as 2026-11-24" },
[VALUE_RATE]         = { SHAPE_RATE, true,  notation_rate,      notation_put_rate,     NULL, "a rate such as 10/s, 600/m, 5000/h or 20000/d, or none" },
[VALUE_FLAG]         = { SHAPE_BOOL, false, NULL, NULL, flag_words,       "true or false" },
[VALUE_ADDRESS]      = { SHAPE_IP,   false, notation_address,   notation_put_address,  NULL, "an IP address such as 192.0.2.10 or 2001:db8::1" },
[VALUE_NETWORK]      = { SHAPE_NET,  false, notation_network,   notation_put_network,  NULL, "a network such as 10.1.0.0/16 or 2001:db8::/32, without bits after the prefix" },
[VALUE_ENDPOINT]     = { SHAPE_PORT, false, notation_endpoint,  notation_put_endpoint, NULL, "address and port such as 127.0.0.1:25 or [::]:465" },
[VALUE_RESOLVER]     = { SHAPE_PORT, false, notation_resolver,  notation_put_resolver, NULL, "an address such as 127.0.0.1 or 127.0.0.1@5353" },
[VALUE_LISTEN_TLS]   = { SHAPE_WORD, false, NULL, NULL, listen_tls_words, "one of none, starttls, implicit" },
	[VALUE_OVERFLOW]     = { SHAPE_WORD, false, NULL, NULL, overflow_words, "one of spill, wait" },
[VALUE_AUTH]         = { SHAPE_WORD, false, NULL, NULL, auth_words,       "one of none, optional, required" },
[VALUE_TLS_LEVEL]    = { SHAPE_WORD, false, NULL, NULL, tls_level_words,  "one of none, opportunistic, dane, required, verified" },
[VALUE_VALIDATE]     = { SHAPE_WORD, false, NULL, NULL, validate_words,   "one of prefer, require" },
[VALUE_BOUNCES]      = { SHAPE_WORD, false, NULL, NULL, bounces_words,    "one of mail, event, none" },
[VALUE_OTHERS]       = { SHAPE_WORD, false, NULL, NULL, others_words,     "one of refuse, allow, hold, rewrite" },
[VALUE_OVER]         = { SHAPE_WORD, false, NULL, NULL, over_words,       "one of refuse, delay" },
[VALUE_WINDOW]       = { SHAPE_WORD, false, NULL, NULL, window_words,     "one of sliding, calendar" },
[VALUE_DUPLICATES]   = { SHAPE_WORD, false, NULL, NULL, duplicates_words, "one of refuse, first, accept" },
[VALUE_PRIORITY]     = { SHAPE_WORD, false, NULL, NULL, priority_words,   "one of transactional, normal, bulk" },
[VALUE_RULE]         = { SHAPE_WORD, false, NULL, NULL, rule_words,       "one of accept, refuse" },
[VALUE_ANSWER]       = { SHAPE_WORD, false, NULL, NULL, answer_words,     "one of refuse, drop" },
[VALUE_SCOPE]        = { SHAPE_WORD, false, NULL, NULL, scope_words,      "one of tenant, all" },
[VALUE_LISTED]       = { SHAPE_WORD, false, NULL, NULL, listed_words,     "one of tell, close" },
[VALUE_LOG_LEVEL]    = { SHAPE_WORD, false, NULL, NULL, log_level_words,  "one of debug, info, warn, error" },
[VALUE_SECTION]      = { SHAPE_NONE, false, NULL, NULL, NULL, "a list of maps" },
};
/* clang-format on */

bool value_is_numeric(enum value_type type)
{
	return types[type].numeric;
}

bool value_is_secret(enum value_type type)
{
	return type == VALUE_HASH || type == VALUE_PROXY;
}

size_t value_size(enum value_type type)
{
	return shape_sizes[types[type].shape];
}

const char *value_expected(enum value_type type)
{
	return types[type].expected;
}

bool value_parse(enum value_type type, const char *text, struct value *out)
{
	memset(out, 0, sizeof(*out));
	if (types[type].parse)
		return types[type].parse(text, out);
	for (const struct word *word = types[type].words; word && word->text; word++) {
		if (strcmp(word->text, text) == 0) {
			out->number = word->number;
			return true;
		}
	}
	return false;
}

/* A path is made absolute, so that a dump means the same wherever it is loaded from. */
static char *stored_text(enum value_type type, const char *text, const char *base, struct memory *memory)
{
	if (type == VALUE_PATH && text[0] != '/')
		return memory_format(memory, "%s/%s", base, text);
	return memory_text(memory, text);
}

void value_store(enum value_type type, const struct value *value, void *field, void *extra, const char *base,
    struct memory *memory)
{
	switch (types[type].shape) {
	case SHAPE_TEXT:
		*(char **)field = stored_text(type, value->text, base, memory);
		break;
	case SHAPE_U16:
		*(uint16_t *)field = (uint16_t)value->number;
		break;
	case SHAPE_U32:
		*(uint32_t *)field = (uint32_t)value->number;
		break;
	case SHAPE_I64:
		*(int64_t *)field = value->number;
		break;
	case SHAPE_U64:
		*(uint64_t *)field = (uint64_t)value->number;
		break;
	case SHAPE_BOOL:
		*(bool *)field = value->number != 0;
		break;
	case SHAPE_WORD:
		*(int *)field = (int)value->number;
		break;
	case SHAPE_RATE:
		*(uint32_t *)field = value->period_ms ? (uint32_t)(value->number * value->period_ms / DAYS(1)) : 0;
		*(int64_t *)extra = value->period_ms;
		break;
	case SHAPE_IP:
		*(struct ip_addr *)field = value->net.addr;
		break;
	case SHAPE_NET:
		*(struct ip_net *)field = value->net;
		break;
	case SHAPE_PORT:
		*(struct ip_port *)field = (struct ip_port){ value->net.addr, value->port };
		break;
	case SHAPE_NONE:
		must(!"a section is no value");
	}
}

/* NULL: the number has no word, and stands for an absent setting. */
static const char *word_of(enum value_type type, int64_t number)
{
	for (const struct word *word = types[type].words; word->text; word++)
		if (word->number == number)
			return word->text;
	return NULL;
}

bool value_load(enum value_type type, const void *field, const void *extra, struct value *out)
{
	const struct ip_port *at = field;

	memset(out, 0, sizeof(*out));
	switch (types[type].shape) {
	case SHAPE_TEXT:
		out->text = *(char *const *)field;
		return out->text != NULL;
	case SHAPE_U16:
		out->number = *(const uint16_t *)field;
		return true;
	case SHAPE_U32:
		out->number = *(const uint32_t *)field;
		return true;
	case SHAPE_I64:
		out->number = *(const int64_t *)field;
		return type != VALUE_DATE || out->number != 0;
	case SHAPE_U64:
		out->number = (int64_t)*(const uint64_t *)field;
		return true;
	case SHAPE_BOOL:
		out->number = *(const bool *)field;
		return true;
	case SHAPE_WORD:
		out->number = *(const int *)field;
		return word_of(type, out->number) != NULL;
	case SHAPE_RATE:
		out->period_ms = *(const int64_t *)extra;
		out->number = out->period_ms ? *(const uint32_t *)field * (DAYS(1) / out->period_ms) : 0;
		return true;
	case SHAPE_IP:
		out->net.addr = *(const struct ip_addr *)field;
		return out->net.addr.family != 0;
	case SHAPE_NET:
		out->net = *(const struct ip_net *)field;
		return true;
	case SHAPE_PORT:
		out->net.addr = at->addr;
		out->port = at->port;
		return at->addr.family != 0;
	case SHAPE_NONE:
		break;
	}
	return false;
}

const char *value_format(enum value_type type, const struct value *value, char out[VALUE_TEXT_MAX])
{
	if (types[type].shape == SHAPE_TEXT)
		return value->text;
	if (types[type].format) {
		types[type].format(value, out);
		return out;
	}
	for (const struct word *word = types[type].words; word && word->text; word++)
		if (word->number == value->number)
			return word->text;
	must(!"a word that is not in the table");
	return "";
}

bool value_split_host_port(const char *text, char host[256], uint16_t *port_out)
{
	struct value value;

	if (!value_parse(VALUE_HOST_PORT, text, &value))
		return false;
	notation_host_of(text, host);
	*port_out = value.port;
	return true;
}

bool value_split_proxy(const char *text, struct value_proxy *out)
{
	return notation_proxy_split(text, out);
}
