/* relay/daemon/warden.h - who is kept out: joins relay/intake/guard.h to the clock, the log, the gate and the workers' questions. Main thread. */
#ifndef DAEMON_WARDEN_H
#define DAEMON_WARDEN_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/intake/guard.h"
#include "relay/intake/intake.h"
#include "relay/net/loop.h"

struct warden;

struct warden *warden_create(struct loop *loop, struct conf *conf) MUST_USE; /* never NULL; takes a reference to conf */
void warden_destroy(struct warden **warden);

/* From now on bans and locks are kept in the store; those of earlier runs that are not over yet are in force again. `queue` outlives the warden.
 * What cannot be read is told and left. */
void warden_attach(struct warden *warden, struct queue *queue, struct queue_reader *reader);

/* Use the limits of another configuration from now on; takes a reference. */
void warden_reconfigure(struct warden *warden, struct conf *conf);

/* Whether a new connection from there is refused. */
bool warden_refuses(struct warden *warden, const struct ip_addr *client);

/* Answer a worker's question and send it back. */
void warden_answer(struct warden *warden, struct login_question *question);

/* Borrowed, for the operator's questions. */
struct guard *warden_guard(struct warden *warden);

#endif
