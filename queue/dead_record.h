/* queue/dead_record.h - the stored form of a dead letter (table `dead`, key id|n). */
#ifndef QUEUE_DEAD_RECORD_H
#define QUEUE_DEAD_RECORD_H

#include "queue/codec.h"
#include "queue/dead.h"

/* The row of table `dead` with this number is the message's own record, as it was in the queue. */
#define DEAD_MESSAGE UINT32_MAX

/* Bytes written to `out` (CODEC_RECORD_MAX). Texts that are too long are cut. */
size_t dead_record_encode(const struct queue_letter *letter, uint8_t *out);

/* Texts go to `room`, which must hold `len` bytes. ERR_CORRUPT, ERR_VERSION. Sets n and domain of the recipient. */
MUST_USE enum err dead_record_decode(
    uint32_t n, const void *data, size_t len, struct queue_letter *out, struct codec_texts *room, struct err_detail *why);

#endif
