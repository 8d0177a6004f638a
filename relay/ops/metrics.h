/* relay/ops/metrics.h - the figures of /metrics, in Prometheus' text format. */
#ifndef OPS_METRICS_H
#define OPS_METRICS_H

#include "base/buf.h"
#include "relay/ops/ops.h"

#define METRICS_TYPE         "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_DESTINATIONS 50 /* with figures of their own; those of all others are summed up as "other" */

/* What the clients' side tells, all workers together. */
struct metrics_intake {
	uint64_t connections; /* now */
	uint64_t sessions, messages, refused_sessions, refused_rcpts, suppressed_rcpts, auth_failures; /* since the start */
};

/* Write all of it. Counters of recipients survive restarts; those of sessions, messages and commits count from the start of the daemon.
 * ERR_LIMIT: larger than the buffer may get. Main thread; work in proportion to destinations. */
MUST_USE enum err metrics_write(const struct ops_env *env, const struct metrics_intake *intake, struct buf *out);

#endif
