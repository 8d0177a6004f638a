/* relay/ops/admin.h - the admin listener on the main loop: /healthz, /metrics, /api/v1/messages. */
#ifndef OPS_ADMIN_H
#define OPS_ADMIN_H

#include "conf/conf.h"
#include "relay/net/tls.h"
#include "relay/ops/metrics.h"
#include "relay/ops/submit.h"

struct admin;

struct admin *admin_create(void) MUST_USE; /* never NULL */

/* Bind what conf->admin names, unless that is bound already: while still privileged at start, on reload by the kept capability. On
 * failure nothing has changed. What was bound before goes on until admin_commit. */
MUST_USE enum err admin_bind(struct admin *admin, const struct conf *conf, struct err_detail *why);

/* Close what admin_bind opened and no admin_commit has followed. */
void admin_rollback(struct admin *admin);

/* What it answers from; all borrowed for its life. */
struct admin_env {
	struct ops_env ops;
	struct submit_env submit;
	void (*intake)(void *arg, struct metrics_intake *out);
	void *arg; /* for `intake` */
};
void admin_start(struct admin *admin, const struct admin_env *env);

/* Use a configuration from now on, before or after admin_start: takes references. `tls` may be NULL. */
void admin_commit(struct admin *admin, struct conf *conf, struct tls_server *tls);

/* No new requests; `done` once the last was answered, never from inside. */
void admin_drain(struct admin *admin, void (*done)(void *arg), void *arg);

void admin_destroy(struct admin **admin);

#endif
