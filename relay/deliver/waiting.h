/* relay/deliver/waiting.h - how long a reply asks us to wait: "try again in 300 seconds", "come back in 00:05:00", "erneut in 5 Minuten". */
#ifndef DELIVER_WAITING_H
#define DELIVER_WAITING_H

#include "relay/deliver/pattern.h"

#define WAITING_MAX_MS DAYS(1) /* nobody is believed more than this */

/* The patterns that find such words. */
struct waiting;
struct waiting *waiting_create(void) MUST_USE;
void waiting_destroy(struct waiting **waiting);

/* Milliseconds, at most WAITING_MAX_MS; 0: the reply names no time. A time in which something was counted ("100 messages in 1 hour") is none.
 * One thread at a time. */
int64_t waiting_ms(struct waiting *waiting, const struct pattern_subject *subject);

#endif
