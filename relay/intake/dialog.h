/* relay/intake/dialog.h - one SMTP session on the server side, and what its command handlers share. Inside intake/ only. */
#ifndef INTAKE_DIALOG_H
#define INTAKE_DIALOG_H

#include "relay/intake/intake.h"
#include "relay/intake/transaction.h"
#include "relay/net/conn.h"
#include "relay/wire/command.h"

/* Only dialog_enter moves from one to another. */
enum dialog_state {
	DIALOG_SECURING,  /* TLS handshake: implicit TLS, or STARTTLS was answered */
	DIALOG_START,     /* greeted, or just secured; EHLO or HELO is due */
	DIALOG_READY,     /* between transactions */
	DIALOG_MAIL,      /* MAIL was accepted */
	DIALOG_RCPT,      /* a recipient was accepted */
	DIALOG_DATA,      /* content, up to CRLF.CRLF */
	DIALOG_CHUNK,     /* the bytes of a BDAT */
	DIALOG_BDAT,      /* a BDAT without LAST was accepted */
	DIALOG_FINISHING, /* the store has the word */
	DIALOG_LOGIN,     /* the next line is a SASL response */
	DIALOG_VERIFY,    /* main is asked, a helper checks the password, or a failure waits to be told */
	DIALOG_ADMITTING, /* XCLIENT has named another client: main looks at its counts */
	DIALOG_OVER,      /* closed; freed after this turn */
	DIALOG_STATES
};

/* Where AUTH stands. */
enum login_step { LOGIN_NONE, LOGIN_PLAIN, LOGIN_USER, LOGIN_PASSWORD, LOGIN_EXTERNAL, LOGIN_SCRAM_FIRST, LOGIN_SCRAM_FINAL, LOGIN_SCRAM_END,
	LOGIN_STEPS };

struct login_check;
struct login_scram;

/* Owned by its intake's list, from intake_start to dialog_close. */
struct dialog {
	struct intake *intake;
	struct dialog *next, **link;
	struct conn *conn;
	struct conf *conf;          /* a reference; a newer one is taken between transactions */
	struct conf_listen listen;  /* a copy: the snapshot may go */
	struct tls_server *tls;     /* a reference, or NULL */
	struct ip_port peer;        /* who is connected; XCLIENT is his right, or not */
	struct ip_port client;      /* whom he speaks for: himself, as a rule */
	char client_text[IP_TEXT];
	uint64_t admission;         /* DIALOG_ADMITTING */
	char *told_helo;            /* what a proxy's client said; NULL: the session has none but its own */
	enum dialog_state state;
	const struct conf_tenant *tenant; /* in conf; NULL: may not relay */
	struct usage *usage;        /* of the tenant, where this session is counted; NULL: nowhere */
	char *login;                /* who authenticated; NULL: nobody */
	char *helo;                 /* NULL before EHLO and HELO */
	struct intake_inner *inner; /* a session of our own for somebody else; NULL: an SMTP client's */
	char tls_text[64];          /* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" in the clear */
	bool esmtp;                 /* EHLO, not HELO */
	bool waiting;               /* paused until the store answers or the output has gone */
	bool spoken;                /* something was read */
	uint32_t errors, commands, mails, auth_failures;
	struct transaction *tx;
	const char *chunk_refusal;  /* DIALOG_CHUNK: the reply of a refused chunk, else NULL */
	uint64_t chunk_left, chunk_size;
	bool chunk_last;
	enum login_step login_step;
	char *login_user;           /* AUTH LOGIN, between its two lines */
	struct login_check *check;  /* DIALOG_VERIFY */
	struct login_scram *scram;  /* AUTH SCRAM-SHA-256, from its first message on */
	char fingerprint[TLS_FINGERPRINT_TEXT]; /* of the client's certificate; "" none */
	bool by_certificate;        /* it is what `login` comes from */
};

/* Take the socket and greet. `inner`: see intake_start_inner; NULL: an SMTP client. `busy`: refuse with 421. */
void dialog_create(struct intake *intake, int fd, const struct ip_port *client, struct conf *conf, const struct conf_listen *listen,
    struct tls_server *tls, const struct intake_inner *inner, const char *busy);

/* The only assignment to `state`; checks the move. */
void dialog_enter(struct dialog *d, enum dialog_state next);

/* Answer with one line, without its CRLF. refuse: counts as an error of the client. */
void dialog_reply(struct dialog *d, const char *line);
void dialog_refuse(struct dialog *d, const char *line);

/* The greeting, with the deadline for what follows. */
void dialog_greet(struct dialog *d);

/* Say 421 or the like, and close. */
void dialog_end(struct dialog *d, const char *line);
/* Close; what is waiting to be sent is sent when `flush`. The memory goes after this turn. */
void dialog_close(struct dialog *d, bool flush);

/* Forget the transaction, if any; the state becomes READY, with the newest configuration. */
void dialog_reset(struct dialog *d);

/* Between transactions: take the newest configuration, and with it maybe another tenant. Does nothing within one. */
void dialog_refresh(struct dialog *d);

/* Stop reading until dialog_go_on. */
void dialog_wait(struct dialog *d);
void dialog_go_on(struct dialog *d);

/* The store has answered the commit. ERR_EXISTS: the key of the message was used before, for message `id`; 0: for another one. */
void dialog_committed(struct dialog *d, enum err result, msg_id id);

/* The reply for trouble of our own. Static. */
const char *dialog_trouble_reply(enum err err);

/* Log that something was refused: one line for the operator. `rcpt` may be NULL. */
void dialog_log_refusal(const struct dialog *d, const char *sender, const char *rcpt, const char *reply);

/* Shutdown: end now, unless a commit is under way. */
void dialog_drain(struct dialog *d);

/* dialog_line.c: read a line and do what it says. False: no whole line is there. */
bool dialog_take_line(struct dialog *d);
/* dialog_line.c: who speaks that protocol here is told so, and goes. */
void dialog_end_foreign(struct dialog *d, const char *protocol);

/* --- command handlers: check answers and returns false when the command is refused; proceed does it ---------------------------- */

typedef bool (*dialog_check)(struct dialog *d, const struct command *c);
typedef void (*dialog_proceed)(struct dialog *d, const struct command *c);

/* greet.c */
void greet_hello(struct dialog *d, const struct command *c);
bool greet_starttls_check(struct dialog *d, const struct command *c);
void greet_starttls(struct dialog *d, const struct command *c);
void greet_rset(struct dialog *d, const struct command *c);
void greet_noop(struct dialog *d, const struct command *c);
void greet_vrfy(struct dialog *d, const struct command *c);
void greet_expn(struct dialog *d, const struct command *c);
void greet_help(struct dialog *d, const struct command *c);
void greet_quit(struct dialog *d, const struct command *c);

/* envelope.c */
bool envelope_mail_check(struct dialog *d, const struct command *c);
void envelope_mail(struct dialog *d, const struct command *c);
bool envelope_rcpt_check(struct dialog *d, const struct command *c);
void envelope_rcpt(struct dialog *d, const struct command *c);

/* behalf.c: XCLIENT */
bool behalf_is_offered(const struct dialog *d);
bool behalf_check(struct dialog *d, const struct command *c);
void behalf_take(struct dialog *d, const struct command *c);

/* login.c: AUTH */
#define LOGIN_LINE_MAX      12288 /* RFC 4954 section 4 */
#define LOGIN_USER_MAX      255   /* RFC 4616 section 2 */
#define LOGIN_PASSWORD_MAX  511   /* crypt(3) takes no more */
#define LOGIN_CHALLENGE_MAX 600
#define LOGIN_KEYWORD       80
bool login_is_offered(const struct dialog *d); /* now, on this connection */
bool login_could_help(const struct dialog *d); /* now, or after STARTTLS */
const char *login_keyword(const struct dialog *d, char out[LOGIN_KEYWORD]); /* "250-AUTH ..." with CRLF, or "" */
bool login_check_command(struct dialog *d, const struct command *c);
void login_begin(struct dialog *d, const struct command *c);
void login_response(struct dialog *d, const char *text, size_t len);
void login_abandon(struct dialog *d, const char *reply); /* the exchange ends with this refusal */
void login_forget(struct dialog *d); /* free what an exchange has kept */
void login_challenge(struct dialog *d, enum login_step next, const char *text); /* 334 with `text` in base64 */
void login_succeed(struct dialog *d, const char *user, bool by_certificate);    /* 235 */
bool login_by_certificate(struct dialog *d); /* after the handshake: maybe the client's certificate is one of a login; false: its tenant is busy */
const struct conf_tenant *login_tenant(const struct dialog *d); /* of d->login, by the configuration of now */

/* login_check.c: whether it is good; login_succeed, login_scram_prove or a refusal follows, in another turn or at once. */
void login_check_password(struct dialog *d, const char *user, const char *password);
void login_check_decided(struct dialog *d, const char *user, bool ok); /* nothing is left to compute; main has a say all the same */
void login_detach(struct dialog *d); /* the dialog ends meanwhile */

/* login_scram.c: its messages, decoded and with a NUL behind */
void login_scram_first(struct dialog *d, char *text, size_t len);
void login_scram_final(struct dialog *d, char *text, size_t len);
void login_scram_prove(struct dialog *d);
void login_scram_end(struct dialog *d, char *text, size_t len);
void login_scram_free(struct login_scram **scram);

/* receive.c: read_* consume input; false: all is used up, or the dialog waits. */
bool receive_data_check(struct dialog *d, const struct command *c);
void receive_data(struct dialog *d, const struct command *c);
void receive_bdat(struct dialog *d, const struct command *c);
bool receive_read_data(struct dialog *d);
bool receive_read_chunk(struct dialog *d);

#endif
