/* queue/dead.h - dead letters: recipients that left the queue undelivered, kept for a while with body, envelope and transcripts.
 *
 * A letter comes with a settle (struct queue_settle_item.letter), in the transaction in which its recipient leaves. It goes by age, by size,
 * when the store needs the room, or by request. The body stays where it is under the id of its message, and goes with the last queued
 * recipient and the last letter of it. */
#ifndef QUEUE_DEAD_H
#define QUEUE_DEAD_H

#include "queue/queue.h"

/* One letter. n and job of `rcpt` are those that it had in the queue; its attempts, last_attempt, reason, source, relay, reply and class_name tell
 * how it ended. */
struct queue_letter {
	struct queue_rcpt rcpt;
	enum letter_cause cause;
	wall_ms died;
	uint32_t seq;        /* among those of the same moment; the store's */
	msg_id dsn;          /* the report that its sender was sent; 0: none */
	msg_id replayed;     /* the message that it was put back into the queue as, last; 0: not */
	wall_ms replayed_at;
	const char *destination; /* of the last attempt; "" unknown */
};

/* A message with its letters. One malloc'ed block: release with free(). */
struct queue_letters {
	struct queue_message message;
	size_t count;
	struct queue_letter letters[];
};

/* --- reading --------------------------------------------------------------------------------------------------------------- */

/* ERR_NOT_FOUND: there is no letter of it. */
MUST_USE enum err queue_letters_load(struct queue_reader *reader, msg_id id, struct queue_letters **out, struct err_detail *why);

/* Like queue_scan, over messages that have letters. Damaged ones are passed over and told by queue_check. */
typedef bool (*queue_letters_fn)(void *arg, const struct queue_letters *letters);
MUST_USE enum err queue_letters_scan(struct queue_reader *reader, struct queue_cursor *cursor, size_t max, queue_letters_fn fn, void *arg,
    struct err_detail *why);

/* What all letters come to. */
struct queue_dead {
	uint64_t letters, messages, bytes;
};
/* As of the last commit; one row is read. */
MUST_USE enum err queue_dead_read(struct queue_reader *reader, struct queue_dead *out, struct err_detail *why);

/* --- requests -------------------------------------------------------------------------------------------------------------- */

/* QUEUE_DEAD_DROP: remove letters of a message. Those that are gone already are passed over. */
struct queue_dead_drop {
	struct queue_req req;
	msg_id id;
	const uint32_t *ns;
	size_t count;
	bool erase;       /* the transcripts of their jobs too, though others are in them */
	uint32_t removed; /* out */
};

/* QUEUE_REPLAY: accept a new message and mark the letters that it was made of, in one transaction. Refusals, nothing is changed: ERR_NOT_FOUND,
 * a letter is gone; ERR_EXISTS, one was replayed before, as `earlier`. */
struct queue_replay {
	struct queue_req req;
	struct queue_accept *accept; /* its req part is not used */
	msg_id id;
	const uint32_t *ns;
	size_t count;
	wall_ms at;
	bool again;     /* replayed before or not */
	msg_id earlier; /* out */
};

#endif
