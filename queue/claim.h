/* queue/claim.h - the stored form of a claim (table `claim`, key id|job): an attempt that is under way. */
#ifndef QUEUE_CLAIM_H
#define QUEUE_CLAIM_H

#include "queue/codec.h"
#include "queue/queue.h"

enum claim_flag {
	CLAIM_DOUBT = 1 << 0,   /* a crash fell into an attempt of this job; stays until its next settle */
	CLAIM_COUNTED = 1 << 1, /* that crash is in the counters */
};

struct claim {
	uint8_t flags;
	msg_id run; /* first id of the daemon's run that made it */
	uint32_t rcpts;
	wall_ms at;
	const char *source, *destination;
};

/* Did a crash fall into it, as seen in the run that begins with `run` (0: no daemon runs)? */
bool claim_is_doubtful(const struct claim *claim, msg_id run);

/* ERR_LIMIT: a name is too long; ERR_INVALID: a negative time. Pure. */
MUST_USE enum err claim_check(const struct claim *claim, struct err_detail *why);

/* Bytes written to `out` (CODEC_RECORD_MAX). */
size_t claim_encode(const struct claim *claim, uint8_t *out);

/* Texts go to `room`, which must hold `len` bytes. ERR_CORRUPT, ERR_VERSION. */
MUST_USE enum err claim_decode(
    const void *data, size_t len, struct claim *out, struct codec_texts *room, struct err_detail *why);

#endif
