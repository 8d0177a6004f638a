/* relay/deliver/senders.h - sender domains that a destination wants less mail of: paused for a while, then one message at a time with growing
 * speed. Plain memory, no I/O; time is handed in. Main thread. */
#ifndef DELIVER_SENDERS_H
#define DELIVER_SENDERS_H

#include "base/clock.h"
#include "base/err.h"

struct senders;

struct senders *senders_create(void) MUST_USE; /* never NULL */
void senders_destroy(struct senders **senders);

/* The destination throttles this domain's mail; wait_ms: the reply names a time, 0: it does not. Returns false when nothing changed. */
bool senders_throttled(struct senders *senders, const char *destination, const char *domain, int64_t wait_ms, wall_ms now);

/* It took a message of the domain. True: the limit is forgotten. */
bool senders_delivered(struct senders *senders, const char *destination, const char *domain);

/* Does the destination limit anybody? Whoever asks about a message must load it first: cheap where it does not. */
bool senders_any(const struct senders *senders, const char *destination);

/* When a message of the domain may start: 0 now (it has taken the turn), else a time to come. */
wall_ms senders_turn(struct senders *senders, const char *destination, const char *domain, wall_ms now);

/* The stored form of one limit: its length, 0: there is none. Restored at start; ERR_CORRUPT, ERR_VERSION. One that is over is not taken. */
#define SENDERS_ROW 22
size_t senders_encode(const struct senders *senders, const char *destination, const char *domain, uint8_t out[SENDERS_ROW]);
MUST_USE enum err senders_restore(
    struct senders *senders, const char *destination, const char *domain, const void *data, size_t len, wall_ms now);

#endif
