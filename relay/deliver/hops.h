/* relay/deliver/hops.h - recipients delivered, by what protected the last hop; kept over restarts. Main thread.
 *
 * Written into the store two seconds after a change, at most so often: a crash costs the count of that time. */
#ifndef DELIVER_HOPS_H
#define DELIVER_HOPS_H

#include "queue/queue.h"
#include "relay/net/loop.h"

/* Since the store was made. `dane` and `verified` (by a certificate authority) are parts of `tls`. */
struct hops_counts {
	uint64_t plaintext, tls, dane, verified;
};

struct hops;

/* `queue` NULL: nothing is kept; `reader` NULL: nothing is read back. Never NULL. */
struct hops *hops_create(struct loop *loop, struct queue *queue, struct queue_reader *reader) MUST_USE;
void hops_destroy(struct hops **hops); /* what has changed goes to the store */

/* So many recipients have been delivered. `how`: how the server was authenticated, as in tls_info.how. */
void hops_add(struct hops *hops, bool in_clear, const char *how, uint64_t rcpts);
const struct hops_counts *hops_counts_of(const struct hops *hops);

/* What the store has; nothing when it has none, or none that is understood. Any thread. */
void hops_read(struct queue_reader *reader, struct hops_counts *out);

#endif
