/* relay/deliver/session_int.h - what the files of the SMTP client share.
 *
 *   session.c         the public face; opens connections address by address, owns the conn and the session's life
 *   session_dialog.c  the state machine: replies in, commands into `out`. No I/O
 *   session_hello.c   its beginning: greeting, EHLO, STARTTLS. No I/O
 *   session_trust.c   what is demanded of a host, and how TLS with it went
 *   session_tx.c      the transaction: which recipients, and what became of each. No I/O but loading the job
 *   session_body.c    streams the stored body to the conn
 */
#ifndef DELIVER_SESSION_INT_H
#define DELIVER_SESSION_INT_H

#include "relay/deliver/session.h"
#include "relay/deliver/transcript.h"
#include "relay/deliver/trust.h"
#include "relay/net/conn.h"
#include "relay/wire/capability.h"
#include "relay/wire/dot.h"

/* Each value says what is awaited. MAIL, RCPT and DATA may all have been sent already (PIPELINING): the state tells whose reply is next. */
enum session_state {
	SESSION_CONNECT,  /* an address was chosen */
	SESSION_GREETING, /* connected */
	SESSION_EHLO,     /* greeted, or TLS begun */
	SESSION_HELO,     /* EHLO was not understood */
	SESSION_STARTTLS,
	SESSION_TLS,      /* the handshake */
	SESSION_RSET,     /* the transaction before this one had failed */
	SESSION_MAIL,
	SESSION_RCPT,
	SESSION_DATA,
	SESSION_BODY,     /* 354 came: the body is going out */
	SESSION_DOT,      /* all of it has left us */
	SESSION_IDLE,     /* nothing is awaited: between transactions */
	SESSION_QUIT,
	SESSION_RETRY,    /* this address will not do: `failure` says why */
	SESSION_CLOSED,   /* nothing more can be said here */
	SESSION_STATES
};

/* What a recipient of the job is in the transaction. */
enum tx_mark {
	TX_OUTSIDE,  /* not in it: held, or beyond the server's limit */
	TX_OPEN,     /* no reply yet */
	TX_ACCEPTED,
	TX_LATER,    /* the server wants it in another transaction */
	TX_OVER,     /* its outcome is made */
};

/* Commands of a transaction are numbered: 0 is MAIL, 1..count the RCPTs, count + 1 DATA. With BDAT there is no such command: the content follows
 * when all RCPTs are answered. */
struct tx {
	uint32_t *rcpts;   /* indices into job->rcpts, count of them */
	uint8_t *marks;    /* enum tx_mark for each job->rcpts[] */
	size_t count;
	size_t sent, answered; /* commands */
	size_t end;        /* no command from this number on will be sent */
	size_t accepted;
	bool bdat;         /* the content goes by BDAT (RFC 3030) */
	bool utf8;         /* the message needs SMTPUTF8 (RFC 6531) */
	bool failed;       /* the server must be told to forget it before the next one */
	uint32_t chunk;    /* of the body, the next to send */
	uint64_t sent_bytes; /* of the body, dots not counted */
	struct dot_writer dot;
	bool all_written;  /* the final dot too */
};

/* Owned by its loop's thread. */
struct session {
	struct session_env *env;
	uint32_t number;
	char *destination, *source, *ehlo;
	struct ip_addr local, remote; /* remote: the address that was chosen last */
	struct route *route;
	struct conf *conf;
	struct tls_client *tls;

	enum session_state state;
	struct conn *conn;
	struct reply reply;    /* being read */
	struct buf out;        /* commands that the state machine wrote, not yet handed to the conn */
	struct capabilities caps;
	char relay[320];       /* host[address]:port; "" before the first connection */
	struct trust trust;    /* what the delivery demands of the host; the last one's while idle */
	bool secure;
	bool verified;         /* and the server is authenticated */
	enum tls_fault fault;  /* of its certificate, as far as that was looked at */
	bool one_domain;       /* but for this domain alone: its certificate bears the domain's name, not the host's */
	bool plain_only;       /* the handshake with this address failed; it is tried in the clear */
	bool same_again;       /* RETRY is to take the same address once more */
	bool hasty;            /* what is read came before any of the message had left us: no answer to it */
	bool polite;           /* the other end is there to hear QUIT */
	bool quitting;
	bool needs_rset;
	bool ended;
	uint32_t transactions; /* on this connection */

	size_t host, addr;     /* the next one to try */
	uint32_t tried;
	struct outcome failure; /* the most telling one so far */
	bool has_failure, all_refused;

	struct transcript transcript; /* of the delivery */
	struct delivery *delivery; /* NULL: none is at stake */
	bool begun;            /* its transaction was begun */
	struct tx tx;
	size_t output_mark;    /* conn_output_len when the deadline of the body was set */
};

/* --- session_dialog.c ------------------------------------------------------------------------------------------------------ */

/* The row of the table. */
enum stage session_stage(const struct session *s);
int64_t session_timeout_ms(const struct session *s); /* 0: none */

/* The only assignment to `state`; appends what is to be said in `next` to `out`. */
void session_enter(struct session *s, enum session_state next);

/* A whole reply has come; the handshake is done; what came is no SMTP; the connection was lost or a deadline passed (`text` says how). */
void session_on_reply(struct session *s, const struct reply *reply);
void session_on_secured(struct session *s);
void session_on_garbage(struct session *s, const char *text);
void session_on_lost(struct session *s, enum conn_end end, const char *text);

/* News of the address that is being tried; `why` in words, "" for none. */
void session_note_host(struct session *s, enum host_news news, const char *why);

/* Begin the transaction of s->delivery on a connection that is IDLE; its state tells what came of it (IDLE again: nothing was to be sent). */
void session_begin(struct session *s);

/* This address will not do: keep the more telling of this failure and those before. */
void session_note_failure(struct session *s, const struct outcome *failure);

/* --- session_hello.c ------------------------------------------------------------------------------------------------------- */

/* What a reply in these states leads to; what is said on entering one. */
enum session_state hello_on_greeting(struct session *s, const struct reply *r);
enum session_state hello_on_ehlo(struct session *s, const struct reply *r);
enum session_state hello_on_helo(struct session *s, const struct reply *r);
enum session_state hello_on_starttls(struct session *s, const struct reply *r);
void hello_send_ehlo(struct session *s);
void hello_send_helo(struct session *s);
void hello_send_starttls(struct session *s);

/* --- session_trust.c ------------------------------------------------------------------------------------------------------- */

/* How TLS with the host that is being tried went; `why` in words, "" for none. */
void session_note_tls(struct session *s, enum tls_result result, const char *why);

/* How the handshake went: s->fault tells what is wrong with the certificate, `text` what else broke it. */
void session_note_handshake(struct session *s, bool done, const char *text);

/* Must the message of s->delivery go with REQUIRETLS or not at all? Its job is loaded, as for the next one. */
bool session_requires_tls(const struct session *s);

/* What s->delivery demands of `host`: s->trust. */
void session_decide_trust(struct session *s, const struct route_host *host);

/* May the host be tried? Decides s->trust; false: why not is noted. */
bool session_may_use(struct session *s, const struct route_host *host);

/* --- session_tx.c ---------------------------------------------------------------------------------------------------------- */

/* Load the job once. False: gone or unreadable, delivery->load_error says which. */
bool tx_load(struct session *s);

/* Put the job's waiting recipients into the transaction, `limit` at most (0: all). */
void tx_select(struct session *s, uint32_t limit);

/* Choose between DATA and BDAT, by what the message is and the server offers. */
void tx_choose_form(struct session *s);
void tx_fini(struct session *s);

/* The outcome of one recipient (index into tx.rcpts); of all that have none yet. */
void tx_settle(struct session *s, size_t i, const struct outcome *outcome);
void tx_settle_open(struct session *s, const struct outcome *outcome);

/* MAIL with its parameters, RCPT: appended to `out`. */
void tx_write_mail(struct session *s);
void tx_write_rcpt(struct session *s, size_t i);

/* What the server's capabilities forbid for the loaded message: an outcome for all, true. No matter as long as other hosts are left. */
bool tx_forbidden(const struct session *s, struct outcome *out);

/* Has any recipient an outcome? */
bool tx_any_outcome(const struct session *s);

/* --- session_body.c -------------------------------------------------------------------------------------------------------- */

/* Hand more of the body to the conn, up to its low mark and a chunk. False: the store failed; recipients are settled, the connection must be
 * closed without the final dot. */
MUST_USE bool body_pump(struct session *s);

#endif
