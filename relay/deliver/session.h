/* relay/deliver/session.h - the SMTP client: one connection of a lane on a worker's loop, one job after another. */
#ifndef DELIVER_SESSION_H
#define DELIVER_SESSION_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/deliver/hostmap.h"
#include "relay/deliver/outcome.h"
#include "relay/deliver/route.h"
#include "relay/notify/tls_note.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"

/* One job to deliver, and then its report. Made by the dispatcher on main, handed to the worker, handed back: one owner at a time. */
struct delivery {
	struct mail_item item;    /* for whoever sends it on */
	/* in */
	msg_id id;
	uint32_t first;           /* the job */
	bool apart;               /* those of its recipients that are apart; else those that are not */
	uint32_t session;         /* the dispatcher's number of the connection */
	uint32_t limit;           /* recipients that may be tried; 0: all */
	wall_ms queued_ms;        /* when it became due, for delays= */
	/* out */
	struct queue_job *job;    /* as loaded from the store (free()); NULL when it was gone (ERR_NOT_FOUND) or could not be read */
	enum err load_error;      /* OK, ERR_NOT_FOUND: nothing left to do, other: the store failed */
	struct outcome *outcomes; /* malloc'ed, one for each job->rcpts[]; kind NONE: untouched */
	bool attempted;           /* false: lost before MAIL was answered on a reused connection, or given back: no blame */
	bool reusable;            /* the connection stands ready for another delivery */
	bool passes_dsn;          /* the server heard whom to tell of what (RFC 3461): reports of success are its business */
	bool source_fails;        /* its address is not on this host, or its proxy is down: park it */
	char source_trouble[256]; /* in words, when it fails */
	mono_ms started, connected, done_at; /* delays */
	char tls[64];             /* "TLSv1.3 TLS_AES_..." or "" */
	char tls_how[TLS_HOW_TEXT]; /* how the server was authenticated: "dane 3 1 1", "ca", or "" */
	struct host_note *notes;  /* malloc'ed: what was found out about addresses, for hostmap.h */
	size_t note_count;
	struct tls_note *tls_notes; /* malloc'ed: how TLS went, for reports */
	size_t tls_note_count;
	char *transcript;         /* malloc'ed, of an attempt that did not deliver to all; else NULL */
	bool in_clear;            /* it was spoken to about mail without TLS */
};

/* What the connection is for; copied or referenced at open. */
struct session_target {
	uint32_t number;          /* the dispatcher's */
	const char *destination;  /* for logs; copied */
	const char *source;       /* name; copied */
	struct ip_addr local;     /* of the source; not bound when that has a proxy (conf_source.via). family 0: the kernel chooses */
	const char *ehlo;         /* copied */
	struct route *route;      /* a reference is taken */
	struct conf *conf;        /* a reference is taken */
	struct tls_client *tls;   /* a reference is taken */
};

struct session_env {
	struct loop *loop;
	struct queue_reader *reader; /* of this worker */
	struct tls_cache *tls_cache; /* of this worker; NULL: nothing is resumed */
	/* Worker thread. The report of a delivery; the env owner passes it to main. With reusable=false the session ends by itself. Never called
	 * from inside session_open; session_next and session_abort may report (and end) before they return. */
	void (*on_done)(void *arg, struct delivery *delivery);
	/* The connection is over and the session number free (always called once, after on_done of what was under way). */
	void (*on_end)(void *arg, uint32_t session);
	void *arg;
	mono_ms warned; /* when it was last told that there are no descriptors; 0: never */
};

struct session;

/* Open a connection for `target` and deliver `delivery` over it. Tries the route's hosts and addresses that fit the source's family in order, up to
 * delivery.addresses, until one talks to us, with as much TLS as the route's level, the tenant's and the host's TLSA records demand (trust.h); only
 * then is anybody's mail at stake. */
struct session *session_open(struct session_env *env, const struct session_target *target, struct delivery *delivery) MUST_USE;

/* Another job on a connection whose last report said reusable. When its tenant demands more TLS than there is, a new connection takes its place. */
void session_next(struct session *session, struct delivery *delivery);

/* No more: QUIT. on_end follows. Ignored when it is ending already. */
void session_quit(struct session *session);

/* Stop now (drain time is over): what is under way is reported as deferred ("shutting down"), without blame. */
void session_abort(struct session *session);

#endif
