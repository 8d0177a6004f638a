/* queue/recipient.h - the stored form of a recipient (table `rcpt`, key id|n). */
#ifndef QUEUE_RECIPIENT_H
#define QUEUE_RECIPIENT_H

#include "queue/codec.h"
#include "queue/queue.h"

/* May this recipient be stored? ERR_LIMIT: the address or a name is too long; ERR_INVALID: no address, an unknown state, a job
 * behind its own number, a negative time. Pure. */
MUST_USE enum err recipient_check(const struct queue_rcpt *rcpt, struct err_detail *why);

/* Bytes written to `out` (CODEC_RECORD_MAX); the recipient passed recipient_check. n is in the key, the domain in the address. */
size_t recipient_encode(const struct queue_rcpt *rcpt, uint8_t *out);

/* Texts go to `room`, which must hold `len` bytes. ERR_CORRUPT, ERR_VERSION. Sets n and domain. */
MUST_USE enum err recipient_decode(
    uint32_t n, const void *data, size_t len, struct queue_rcpt *out, struct codec_texts *room, struct err_detail *why);

/* What a settle makes of a stored recipient that stays in the queue: `change` as `op` says, over `rcpt`. Texts stay borrowed. */
void recipient_change(struct queue_rcpt *rcpt, enum settle_op op, const struct queue_rcpt *change);

/* Does the recipient leave the queue by this op? */
bool recipient_leaves(enum settle_op op);

#endif
