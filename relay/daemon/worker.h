/* relay/daemon/worker.h - a worker thread: one loop that owns its sessions, intake and delivery alike, from start to close.
 *
 * Main talks to a worker, and a worker to main, by mailbox alone. A connection of the delivery side has a number that main gives;
 * it is free again when main has been told its end. */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/deliver/session.h"
#include "relay/intake/intake.h"

struct worker;

/* How a worker reports; all run on the main loop. */
struct worker_ops {
	void (*on_job)(void *arg, struct intake_job *job);                 /* durable mail for the scheduler; takes it */
	void (*on_intake_end)(void *arg, const struct ip_port *client);    /* a client's session has ended */
	/* A proxy has told whom it speaks for; worker_admit has to follow. */
	void (*on_client)(void *arg, struct worker *worker, uint64_t number, const struct ip_port *before, const struct ip_port *now);
	void (*on_delivered)(void *arg, struct delivery *delivery);        /* the report of a delivery; takes it */
	void (*on_session_end)(void *arg, uint32_t number);                /* a delivery connection has ended */
	void (*on_login)(void *arg, struct login_question *question);      /* answer it: warden_answer */
	void (*on_drained)(void *arg);                                     /* intake sessions of this worker have ended */
	void *arg;
};

struct worker_options {
	struct loop *main;
	struct queue *queue;
	struct mailbox *helpers;
	_Atomic uint64_t *memory_used;
	struct conf *conf; /* a reference is taken */
	struct worker_ops ops;
};

/* Start the thread. Never NULL. */
struct worker *worker_create(unsigned index, const struct worker_options *options) MUST_USE;

/* Stop the loop, join the thread, free. All its sessions must have ended. Sets the pointer to NULL. */
void worker_destroy(struct worker **worker);

/* --- from main ------------------------------------------------------------------------------------------------------- */

/* What a new client connection brings along. */
struct worker_client {
	int fd;
	struct ip_port peer;
	struct conf *conf;        /* a reference that the worker takes over */
	size_t listen;            /* index into conf->listen */
	struct tls_server *tls;   /* a reference that the worker takes over, or NULL */
	const struct intake_inner *inner; /* a session of our own for this client (intake_start_inner); copied. NULL: an SMTP client */
	const char *busy;         /* static text of a 421, or NULL */
};
void worker_accept(struct worker *worker, const struct worker_client *client);

/* The answer to on_client; `busy`: static text of a 421, or NULL. */
void worker_admit(struct worker *worker, uint64_t number, const char *busy);

/* Open connection `target->number` and deliver. Strings and references of `target` are copied. */
void worker_open(struct worker *worker, const struct session_target *target, struct delivery *delivery);
void worker_next(struct worker *worker, uint32_t number, struct delivery *delivery);
void worker_quit(struct worker *worker, uint32_t number);
void worker_abort(struct worker *worker, uint32_t number);

/* Newest configuration, for sessions between two transactions. */
void worker_reconfigure(struct worker *worker, struct conf *conf);

/* Ask the clients to go; on_drained follows. */
void worker_drain(struct worker *worker);

/* Sessions of both kinds, as main knows them; for choosing the least loaded. */
unsigned worker_load(const struct worker *worker);
const struct intake_figures *worker_intake_figures(const struct worker *worker);

#endif
