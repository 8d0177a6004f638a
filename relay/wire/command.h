/* relay/wire/command.h - parse the SMTP commands that a server receives (RFC 5321 section 4.1). Pure: no state, no I/O. */
#ifndef WIRE_COMMAND_H
#define WIRE_COMMAND_H

#include "relay/wire/address.h"
#include "relay/wire/param.h"

enum verb {
	VERB_UNKNOWN, VERB_EHLO, VERB_HELO, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_BDAT, VERB_RSET, VERB_NOOP, VERB_VRFY, VERB_EXPN,
	VERB_HELP, VERB_QUIT, VERB_STARTTLS, VERB_AUTH, VERB_XCLIENT, VERBS
};

/* "MAIL", for logs and texts; "unknown". Never NULL. */
const char *verb_name(enum verb verb);

enum mail_body { BODY_UNSET, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* One parsed command. Pointers go into the line that was parsed. */
struct command {
	enum verb verb;
	const char *arg; /* what follows the verb, blanks trimmed; not NUL-terminated: arg_len */
	size_t arg_len;
	struct address path;  /* MAIL, RCPT */
	bool has_size;        /* MAIL SIZE= (RFC 1870) */
	uint64_t size;
	enum mail_body body;  /* MAIL BODY= (RFC 6152, 3030) */
	bool smtputf8;        /* MAIL SMTPUTF8 (RFC 6531) */
	bool has_auth;        /* MAIL AUTH= (RFC 4954 section 5): accepted and ignored */
	bool requiretls;      /* MAIL REQUIRETLS (RFC 8689) */
	enum mail_ret ret;    /* MAIL RET= (RFC 3461) */
	char envid[ENVID_MAX + 1]; /* MAIL ENVID=, as given; "" without */
	uint32_t hold_for;    /* MAIL HOLDFOR= (RFC 4865), seconds; 0: not given */
	wall_ms hold_until;   /* MAIL HOLDUNTIL=; 0: not given. Never both */
	int8_t priority;      /* MAIL MT-PRIORITY= (RFC 6710), -9..9 */
	uint8_t notify;       /* RCPT NOTIFY= (RFC 3461), enum param_notify; 0: not given */
	char orcpt[ORCPT_MAX + 1]; /* RCPT ORCPT=, as given; "" without */
	uint64_t chunk_size;  /* BDAT */
	bool chunk_last;
	char domain[DOMAIN_MAX + 1]; /* EHLO, HELO: as given, printable ASCII or UTF-8 only */
	char mechanism[21];   /* AUTH: upper case */
	const char *initial;  /* AUTH initial response, NULL: none, "=" is empty with initial_len 0 */
	size_t initial_len;
};

/* What must be answered when the line is not acceptable. */
struct command_fault {
	int code;             /* 500, 501, 550, 555 */
	const char *enhanced; /* "5.5.2" */
	char text[160];
};

/*
 * Parse one command line without its CRLF. NUL and bare CR/LF inside make it a fault.
 *
 * Returns OK with *out filled, or ERR_INVALID with *fault filled (out->verb is set when it was recognised). Unknown MAIL or RCPT parameters
 * are a 555 5.5.4 fault (RFC 5321 section 4.1.1.11); a non-ASCII sender without SMTPUTF8 is a 550 5.6.7 one (RFC 6531 section 3.5). Whether the
 * transaction allows a recipient with path.utf8 is for the caller to say, who knows the MAIL. SIZE beyond 64 bits reads as UINT64_MAX.
 */
MUST_USE enum err command_parse(const char *line, size_t len, struct command *out, struct command_fault *fault);

#endif
