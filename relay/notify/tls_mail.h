/* relay/notify/tls_mail.h - a TLS report as a message of our own (RFC 8460 section 5.3): text, body chunks and the rows to store it with. */
#ifndef NOTIFY_TLS_MAIL_H
#define NOTIFY_TLS_MAIL_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/notify/tls_figures.h"

struct tls_mail;

/*
 * Make the message.
 *
 *   gzip  the report, compressed
 *   to    an address
 *
 * From postmaster at our host name, signed by a key of that domain or the fallback, with the null reverse-path, and with "TLS-Required: No": where TLS
 * fails the domain shall hear of it.
 */
struct tls_mail *tls_mail_create(struct queue *queue, const struct conf *conf, const struct tls_figures *figures, const struct buf *gzip,
    const char *to, wall_ms now) MUST_USE;

/* Has it a DKIM signature, as RFC 8460 section 3 demands? Not without a key for hostname. */
bool tls_mail_is_signed(const struct tls_mail *mail);

/* The request, without who is to hear of it; handed in again under the same key it is not stored twice. Borrowed. */
struct queue_accept *tls_mail_accept(struct tls_mail *mail);
void tls_mail_destroy(struct tls_mail **mail);

#endif
