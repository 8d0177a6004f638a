/* relay/daemon/daemon.h - start, reload and stop of relayd, in order. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "conf/conf.h"

/* Exit statuses of relayd (contract). */
enum relayd_exit { RELAYD_OK = 0, RELAYD_CONFIGURATION = 1, RELAYD_USAGE = 2, RELAYD_CANNOT_OPEN = 3, RELAYD_FAILED = 70 };

/*
 * Run in the foreground until SIGTERM or SIGINT. Tells systemd when it is ready and when it stops (sd_notify).
 *
 *   conf  a checked configuration; its reference is taken over. Reloads read conf->file again
 *
 * Returns the exit status.
 */
int daemon_run(struct conf *conf);

#endif
