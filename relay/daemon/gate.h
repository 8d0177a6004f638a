/* relay/daemon/gate.h - the listeners on main: accepts connections, counts them, hands each to the least loaded worker. */
#ifndef DAEMON_GATE_H
#define DAEMON_GATE_H

#include "conf/conf.h"
#include "relay/daemon/warden.h"
#include "relay/daemon/worker.h"
#include "relay/net/tls.h"

struct gate;

struct gate *gate_create(struct loop *loop, struct conf *conf, struct warden *warden) MUST_USE; /* never NULL; borrows warden */

/* Bind what conf->listen names and is not bound yet (while still privileged at start; on reload by the kept capability). On failure everything
 * bound by this call is closed again. Addresses that are not named any more stay until gate_commit. */
MUST_USE enum err gate_bind(struct gate *gate, const struct conf *conf, struct err_detail *why);

/* Close what gate_bind opened and no gate_commit has followed. */
void gate_rollback(struct gate *gate);

/* Load the certificates and keys of `conf` (none: *tls_out NULL). */
MUST_USE enum err gate_load_tls(const struct conf *conf, struct tls_server **tls_out, struct err_detail *why);

/* Use a configuration from now on: takes a reference to conf, takes over `tls`; closes what is not listened on any more. */
void gate_commit(struct gate *gate, struct conf *conf, struct tls_server *tls);

/* Accept and hand out. */
void gate_start(struct gate *gate, struct worker **workers, size_t count);

/* A client of another listener hands in mail: start a session for it, as if it had connected here, over a socket pair. Takes `fd`, the worker's
 * end. After gate_start. */
void gate_admit(struct gate *gate, int fd, const struct ip_port *peer, const struct intake_inner *inner);

/* A session has ended (worker_ops.on_intake_end). */
void gate_session_end(struct gate *gate, const struct ip_port *client);

/* A proxy has told whom it speaks for: the client counted as `before` counts as `now` from here on. Returns NULL, or the static text of the
 * 421 that it is to hear. */
const char *gate_client_known(struct gate *gate, const struct ip_port *before, const struct ip_port *now);

void gate_stop(struct gate *gate); /* close all listeners */
void gate_destroy(struct gate **gate);

/* Clients that are connected right now. */
size_t gate_sessions(const struct gate *gate);

#endif
