/* queue/settle.h - QUEUE_SETTLE inside a write transaction: outcomes of recipients, the bounce they owe, the end of a message. */
#ifndef QUEUE_SETTLE_H
#define QUEUE_SETTLE_H

#include "queue/apply.h"

/* As apply_check. */
MUST_USE enum err settle_check(const struct queue_settle *settle, struct err_detail *why);

/* As apply_request. */
MUST_USE enum err settle_apply(struct apply *apply, struct queue_settle *settle, struct err_detail *why);

#endif
