/* relay/intake/intake.h - the SMTP server side: sessions on a worker's loop, from accepted socket to durable message. */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"

/* A job that has just become durable, for the scheduler. One malloc'ed block with its strings, owned by the receiver: free(). */
struct intake_job {
	struct mail_item item;    /* for the receiver's use */
	msg_id id;
	uint32_t first, rcpts;
	wall_ms arrived, deadline;
	wall_ms due;              /* not before; arrived where no quota puts it off */
	bool held;                /* it waits for the operator */
	int8_t priority;          /* MT-PRIORITY (RFC 6710) */
	bool warns;               /* there is a sender to be told when it is late */
	const char *domain, *tenant, *pool;
};

/* Counters of one worker, relaxed atomics; read by main for metrics. */
struct intake_figures {
	_Atomic uint64_t sessions, messages, refused_sessions, refused_rcpts, suppressed_rcpts, auth_failures;
};

/* A login as main sees it: asked about before it is tried, told of after. Main owns it from intake_env.ask until it posts `item` to `reply_to`
 * with item.run = answered. */
enum login_event { LOGIN_ASKED, LOGIN_FAILED, LOGIN_SUCCEEDED };
enum login_verdict { LOGIN_ALLOWED, LOGIN_LOCKED, LOGIN_BANNED };
struct login_question {
	struct mail_item item;
	void (*answered)(struct mail_item *item);
	struct mailbox *reply_to;
	void *carrier; /* for the use of who brings it to main */
	enum login_event event;
	struct ip_addr client;
	char client_text[IP_TEXT], user[256], tenant[65];
	enum login_verdict verdict; /* the answer: to ASKED whether it may be tried; to FAILED whether that was the last straw */
	int64_t delay_ms;           /* the answer to FAILED: wait so long before the client hears of it */
};

/* What intake needs from its surroundings; one for each worker, living as long as the worker. */
struct intake_env {
	struct loop *loop;
	struct queue *queue;
	struct queue_reader *reader; /* of the thread; NULL: nobody is suppressed */
	struct mailbox *helpers;  /* a helper thread's mailbox: items posted there are run off the loop */
	void (*on_job)(void *arg, struct intake_job *job);        /* after the commit; worker thread */
	void (*on_session_end)(void *arg, const struct ip_port *client); /* worker thread: connection counts */
	/* A proxy has told whom it speaks for: the client counted as `before` is `now`, and ends as `now`. intake_admit with the same number has to
	 * follow. Worker thread; NULL: all are welcome. */
	void (*on_client)(void *arg, uint64_t number, const struct ip_port *before, const struct ip_port *now);
	struct conf *(*conf_latest)(void *arg); /* the newest snapshot, borrowed, for sessions between two transactions; NULL: they keep theirs */
	void (*ask)(void *arg, struct login_question *question); /* hand it to main; NULL: nobody counts failed logins */
	void *arg;
	_Atomic uint64_t *memory_used; /* bytes of bodies in memory, shared by all workers, against limits.memory */
	struct intake_figures figures;
};

struct intake;
struct intake *intake_create(struct intake_env *env) MUST_USE; /* borrowed env */
void intake_destroy(struct intake **intake); /* drained: `done` of intake_drain has been called, or nothing was ever started */

/* Start a session on an accepted socket. Takes the socket, a reference to conf (its own conf_ref) and to tls (NULL: none).
 * busy: not NULL: answer "421 4.x.x <busy>" and close (limits found by main). Worker thread only. */
void intake_start(struct intake *intake, int fd, const struct ip_port *client, struct conf *conf, const struct conf_listen *listen,
    struct tls_server *tls, const char *busy);

/* Mail that this process hands in itself for a client that does not speak SMTP: a session over a socket pair. The client is known by
 * its address or by AUTH as others are, and may log in without TLS here. */
#define INTAKE_KEY_MAX 255
struct intake_inner {
	char tls_text[64];            /* how the client itself is connected: "TLSv1.3 TLS_AES_256_GCM_SHA384"; "": in the clear */
	char key[INTAKE_KEY_MAX + 1]; /* of its message, see struct queue_accept; "": none */
	uint64_t fingerprint;
};

/* As intake_start, for such a session. Copies `inner`. The socket's other end belongs to the caller. */
void intake_start_inner(struct intake *intake, int fd, const struct ip_port *client, struct conf *conf, const struct intake_inner *inner,
    const char *busy);
/* The answer to env->on_client: the client may stay, or hears "421 4.7.0 <busy>" (static text). Worker thread only. */
void intake_admit(struct intake *intake, uint64_t number, const char *busy);

/* Shutdown: idle sessions hear 421 at once, others after the transaction that is being committed; nothing new is accepted. `done` is called
 * when the last has ended. */
void intake_drain(struct intake *intake, void (*done)(void *arg), void *arg);

/* Sessions that have not ended. Worker thread only. */
size_t intake_session_count(const struct intake *intake);

#endif
