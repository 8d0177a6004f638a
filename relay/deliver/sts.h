/* relay/deliver/sts.h - the MTA-STS policies of recipient domains (RFC 8461): looked up, fetched, kept in the store. Main thread.
 *
 * What is kept counts until its max_age is over, whatever DNS says meanwhile (section 5.1). It is fetched again when the id in DNS changes, and
 * once a day as long as its domain has got mail within a month: whoever keeps DNS from us for a while gains nothing (section 10.2). A policy that
 * cannot be fetched leaves the old one in force; it is tried again after five minutes, ten, up to an hour, and at once under a new id. */
#ifndef DELIVER_STS_H
#define DELIVER_STS_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/deliver/sts_found.h"
#include "relay/net/fetch.h"
#include "relay/net/resolver.h"

struct sts;

/* Reads back what the store has. `conf` and `resolver` are borrowed until sts_use; `reader` may be NULL: nothing is read. */
struct sts *sts_create(struct loop *loop, struct fetcher *fetcher, struct queue *queue, struct queue_reader *reader, struct conf *conf,
    struct resolver *resolver, wall_ms now) MUST_USE;
void sts_destroy(struct sts **sts); /* all look-ups have ended or are cancelled */

/* Another configuration and resolver. Look-ups under way must be cancelled. */
void sts_use(struct sts *sts, struct conf *conf, struct resolver *resolver);

/* `found` is the callee's: sts_found_unref; NULL: the domain has no policy, and says so. */
typedef void (*sts_fn)(void *arg, struct sts_found *found);

/*
 * What counts for mail to `domain`? Asks DNS, fetches when the id is a new one. `fn` is called exactly once, never from inside this call. DNS is
 * waited for five seconds at most, a policy for thirty.
 */
struct sts_lookup;
struct sts_lookup *sts_lookup(struct sts *sts, const char *domain, wall_ms now, sts_fn fn, void *arg) MUST_USE;
void sts_lookup_cancel(struct sts_lookup **lookup); /* NULL is accepted */

#endif
