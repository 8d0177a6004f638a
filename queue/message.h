/* queue/message.h - the stored form of a message (table `msg`, key id). */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include "queue/codec.h"
#include "queue/queue.h"

/* May this message be stored? ERR_LIMIT: a name or the sender is too long; ERR_INVALID: no id, a negative time, chunks that do
 * not fit the size, no recipients. Pure. */
MUST_USE enum err message_check(const struct queue_message *message, struct err_detail *why);

/* Bytes written to `out` (CODEC_RECORD_MAX); the message passed message_check. The id is the key, not part of it. */
size_t message_encode(const struct queue_message *message, uint8_t *out);

/* Texts go to `room`, which must hold `len` bytes. ERR_CORRUPT, ERR_VERSION. Sets the id. */
MUST_USE enum err message_decode(msg_id id, const void *data, size_t len, struct queue_message *out,
    struct codec_texts *room, struct err_detail *why);

#endif
