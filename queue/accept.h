/* queue/accept.h - new mail inside a write transaction: chunks that stream in, and the rows that make a message of them. Writer thread only. */
#ifndef QUEUE_ACCEPT_H
#define QUEUE_ACCEPT_H

#include "queue/apply.h"

/* --- QUEUE_CHUNK_PUT, QUEUE_ACCEPT: see `struct kind` in apply.c ------------------------------------------------------------- */

/* One chunk of a body whose message is not there yet. */
struct apply_cost chunk_cost(const struct queue_req *req);
MUST_USE enum err chunk_check(const struct queue_req *req, struct err_detail *why);
MUST_USE enum err chunk_apply(struct apply *apply, struct queue_req *req, struct err_detail *why);

/* A message, and the rest of its body. */
struct apply_cost accept_cost(const struct queue_req *req);
/* A report of ours is let in where new mail is not: somebody has to hear of a full store. */
enum apply_tier accept_tier(const struct queue_req *req);
MUST_USE enum err accept_check(const struct queue_req *req, struct err_detail *why);
MUST_USE enum err accept_apply(struct apply *apply, struct queue_req *req, struct err_detail *why);

/* --- for those who bring a message along: the bounce of a settle, a replay ---------------------------------------------------- */

/* Against the store, after accept_check: ERR_EXISTS, ERR_INVALID, or the store's trouble. Writes nothing. */
MUST_USE enum err accept_verify(struct apply *apply, const struct queue_accept *accept, struct err_detail *why);
/* Its rows, and the chunks that are not stored yet. */
MUST_USE enum err accept_write(struct apply *apply, const struct queue_accept *accept, struct err_detail *why);

/* ERR_EXISTS once the message is accepted: its body is complete. */
MUST_USE enum err accept_must_be_unfinished(struct apply *apply, msg_id id, struct err_detail *why);

#endif
