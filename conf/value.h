/* conf/value.h - the notations of single values: read from text, kept in a field, printed again.
 *
 * A numeric value has an int64_t that bounds are compared with: milliseconds, bytes, a count, recipients a day. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/conf.h"
#include "conf/memory.h"

#define VALUE_TEXT_MAX 512 /* bytes that value_format writes at most, with NUL, for all but texts */

enum value_type {
	VALUE_STRING,       /* char *: any text without control characters */
	VALUE_PATH,         /* char *: absolute once stored */
	VALUE_NAME,         /* char *: a name that the operator gives */
	VALUE_HOST,         /* char *: domain or host name, lower case */
	VALUE_ROUTE_DOMAIN, /* char *: VALUE_HOST or "*" */
	VALUE_HOST_PORT,    /* char *: "host:port", "192.0.2.1:port", "[2001:db8::1]:port" */
	VALUE_PROXY,        /* char *: "socks5://address:port", "socks5://user:password@address:port" */
	VALUE_MAILBOX,      /* char *: "user@example.net", the domain in lower case */
	VALUE_HASH,         /* char *: what crypt(3) accepts and is not known to be weak, or a SCRAM verifier */
	VALUE_FINGERPRINT,  /* char *: SHA-256 in 64 lower-case hexadecimal digits */
	VALUE_ZONE,         /* int64_t: ms east of UTC; "UTC", "+01:00", "-05:30" */
	VALUE_COUNT,        /* uint32_t */
	VALUE_QUOTA,        /* uint64_t: a count */
	VALUE_DAYS,         /* uint32_t: a duration of whole days */
	VALUE_PORT,         /* uint16_t */
	VALUE_SIZE,         /* uint64_t: bytes, "10M" */
	VALUE_DURATION,     /* int64_t: ms, "90s" */
	VALUE_DATE,         /* wall_ms: "2026-11-24", its first millisecond UTC */
	VALUE_RATE,         /* uint32_t count and int64_t period in ms: "600/h"; "none" is 0 */
	VALUE_FLAG,         /* bool */
	VALUE_ADDRESS,      /* struct ip_addr */
	VALUE_NETWORK,      /* struct ip_net */
	VALUE_ENDPOINT,     /* struct ip_port: "127.0.0.1:25" */
	VALUE_RESOLVER,     /* struct ip_port: "127.0.0.1" or "127.0.0.1@5353" */
	VALUE_LISTEN_TLS,   /* enum conf_listen_tls */
	VALUE_OVERFLOW,     /* enum conf_overflow */
	VALUE_AUTH,         /* enum conf_auth */
	VALUE_TLS_LEVEL,    /* enum conf_tls_level */
	VALUE_VALIDATE,     /* enum conf_validate */
	VALUE_BOUNCES,      /* enum conf_bounces */
	VALUE_OTHERS,       /* enum conf_others */
	VALUE_OVER,         /* enum conf_over */
	VALUE_WINDOW,       /* enum conf_window */
	VALUE_DUPLICATES,   /* enum conf_duplicates */
	VALUE_PRIORITY,     /* enum conf_priority */
	VALUE_RULE,         /* enum conf_rule */
	VALUE_ANSWER,       /* enum conf_answer */
	VALUE_SCOPE,        /* enum conf_scope */
	VALUE_LISTED,       /* enum conf_listed */
	VALUE_LOG_LEVEL,    /* int: enum log_level */
	VALUE_SECTION,      /* a list of maps; not for the functions below */
	VALUE_TYPES
};

/* One value between text and field; what is used depends on the type. */
struct value {
	int64_t number;    /* numeric types, flags, enums */
	int64_t period_ms; /* VALUE_RATE */
	const char *text;  /* string types: lower case where DNS is; points to the text parsed or into `held` */
	struct ip_net net; /* addresses: net.addr */
	uint16_t port;
	char held[256];
};

/* Read `text` (NUL-terminated). False: not of that form; value_expected says which is. Bounds are not looked at.
 * `out` must not move while out->text is used. Pure. */
bool value_parse(enum value_type type, const char *text, struct value *out) MUST_USE;

/* Whether bounds apply. */
bool value_is_numeric(enum value_type type);

/* Bytes of a field of that type, as an element of a list. */
size_t value_size(enum value_type type);

/* Write into the field; `extra` is the second field of VALUE_RATE. Texts are copied into `memory`; paths are resolved against
 * the folder `base`. */
void value_store(enum value_type type, const struct value *value, void *field, void *extra, const char *base,
    struct memory *memory);

/* Read back from the field. False: an optional text, address or date that is absent. */
bool value_load(enum value_type type, const void *field, const void *extra, struct value *out) MUST_USE;

/* Print in the file's notation; value_parse reads it again. String types: value->text itself. Valid as long as both. */
const char *value_format(enum value_type type, const struct value *value, char out[VALUE_TEXT_MAX]);

/* What is expected, such as `a duration such as 90s, 15m, 4h or 5d`. */
const char *value_expected(enum value_type type);

/* The host and port of a VALUE_HOST_PORT text that value_parse took. `host` holds 256 bytes. */
bool value_split_host_port(const char *text, char host[256], uint16_t *port_out) MUST_USE;

/* Whether such a text must never be repeated in a message. */
bool value_is_secret(enum value_type type);

/* The parts of a VALUE_PROXY text that value_parse took. */
struct value_proxy {
	struct ip_port at;
	char user[256], password[256]; /* "": none */
};
bool value_split_proxy(const char *text, struct value_proxy *out) MUST_USE;

#endif
