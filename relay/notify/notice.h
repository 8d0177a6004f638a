/* relay/notify/notice.h - alerts as a message of our own, and as JSON for a webhook. */
#ifndef NOTIFY_NOTICE_H
#define NOTIFY_NOTICE_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/notify/alert.h"

#define NOTICE_BYTES_MAX (512 * 1024) /* of either form */

/* What is told together. */
struct notice;

/* Nothing to tell yet; never NULL. */
struct notice *notice_create(void) MUST_USE;
void notice_destroy(struct notice **notice);

/* One more; what no longer fits is counted. */
void notice_add(struct notice *notice, const struct alert *alert, enum alert_news news);

/* The request that stores it as a message to conf->alerts.mail, from the null reverse-path (RFC 3834 section 2). Borrowed. Once. */
struct queue_accept *notice_accept(struct notice *notice, struct queue *queue, const struct conf *conf, wall_ms now);

/* {"host": ..., "alerts": [{"news": "begins", "kind": ..., "object": ..., "text": ..., "since": ...}]}. Borrowed. */
const char *notice_json(struct notice *notice, const struct conf *conf);

#endif
