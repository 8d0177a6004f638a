/* relay/deliver/tlsrpt.h - TLS reports (RFC 8460): figures of a day and domain, kept in the store, sent when the day is over. Main thread.
 *
 * Only what a domain asks for is kept: its record is looked up when the first mail of the day has gone there, and again before its report is
 * sent. Figures are written a moment after they change; a crash costs those of that moment. */
#ifndef DELIVER_TLSRPT_H
#define DELIVER_TLSRPT_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/deliver/route.h"
#include "relay/net/fetch.h"
#include "relay/notify/tls_figures.h"
#include "relay/notify/tls_mail.h"

struct tlsrpt;
struct tlsrpt_mail; /* a report on its way into the queue */

struct tlsrpt_env {
	struct loop *loop;
	struct fetcher *fetcher;
	struct queue *queue;
	struct queue_reader *reader; /* NULL: nothing is read back */
	wall_ms (*now)(void *arg);
	/* Store the message of a report (tlsrpt_accept); tlsrpt_stored is to be called when that has ended. */
	void (*store)(void *arg, struct tlsrpt_mail *mail);
	void *arg;
};

/* `conf` and `resolver` are borrowed until tlsrpt_use. Never NULL. */
struct tlsrpt *tlsrpt_create(const struct tlsrpt_env *env, struct conf *conf, struct resolver *resolver, uint64_t seed) MUST_USE;
void tlsrpt_destroy(struct tlsrpt **tlsrpt); /* nothing that `store` got is under way */
void tlsrpt_use(struct tlsrpt *tlsrpt, struct conf *conf, struct resolver *resolver); /* before the old resolver is destroyed */

/* How TLS went on the way to a domain. */
void tlsrpt_add(struct tlsrpt *tlsrpt, const struct route *route, const struct tls_note *notes, size_t count);

/* Of `store`: the request; its end, which frees `mail`. */
struct queue_accept *tlsrpt_accept(struct tlsrpt_mail *mail);
void tlsrpt_stored(struct tlsrpt_mail *mail, bool good, const char *why);

/* What is kept (of one domain; NULL: of all), with when it is to be sent (0: its day is not over). */
typedef void (*tlsrpt_fn)(void *arg, const struct tls_figures *figures, wall_ms send_at);
void tlsrpt_walk(const struct tlsrpt *tlsrpt, const char *domain, tlsrpt_fn fn, void *arg);

/* End what is kept now, and send it at once. Returns how many reports that makes. */
unsigned tlsrpt_send(struct tlsrpt *tlsrpt, const char *domain);

#endif
