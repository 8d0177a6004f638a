/* relay/notify/bounce.h - a DSN as a message of our own: text, body chunks and the rows to store it with. */
#ifndef NOTIFY_BOUNCE_H
#define NOTIFY_BOUNCE_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/notify/report.h"

#define BOUNCE_TENANT "internal" /* the tenant of our own mail */

/* Everything that a DSN points to; lives until the settle that carries it is done. */
struct bounce;

/*
 * Make the DSN that `job`'s sender is owed for `rcpts`.
 *
 *   reader  of the calling thread; reads the original header section
 *   job     the message; borrowed
 *   rcpts   what happened to whom; borrowed for the call
 *
 * NULL when none is owed: its tenant wants none by mail (tenants[].bounces), no recipients, the null reverse-path, or a DSN of ours (RFC 5321 section 6.1). When the original header cannot be read the DSN
 * goes without it.
 */
struct bounce *bounce_create(struct queue *queue, struct queue_reader *reader, const struct conf *conf, const struct queue_job *job,
    const struct report_rcpt *rcpts, size_t rcpt_count, wall_ms now) MUST_USE;

/* The request part for queue_settle.bounce; borrowed. */
struct queue_accept *bounce_accept(struct bounce *bounce);

void bounce_destroy(struct bounce **bounce);

/* Put our signatures above a message of ours, by its From field; without a key, or when that fails, it goes as it is. `id` for the log. */
void bounce_sign(struct buf *text, const struct conf *conf, const char *id, wall_ms now);

#endif
