/* base/mailbox.h - many threads hand items to one; the owner is woken only when its box was empty.
 *
 * Lock-free: one compare-and-exchange a post; the eventfd is written only by the post that found the box empty. Items
 * arrive in the order in which they were posted. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include "base/err.h"

/* Embed it in what is sent. `run` is called on the owner's thread, which owns the whole object from then on. */
struct mail_item {
	struct mail_item *next;
	void (*run)(struct mail_item *item);
};

struct mailbox;

/* Never NULL (aborts when no eventfd can be had). */
struct mailbox *mailbox_create(void) MUST_USE;

/* Items still inside are dropped unseen: empty it first. No mailbox_post may be under way: end or join the senders before.
 * Sets the pointer to NULL; NULL inside is accepted. */
void mailbox_destroy(struct mailbox **box);

/* Hand over `item`. Any thread. The caller must not touch it afterwards. */
void mailbox_post(struct mailbox *box, struct mail_item *item);

/* The eventfd to wait on for reading: level-triggered, readable when there may be items. Owner only. */
int mailbox_fd(const struct mailbox *box);

/* Run every item that is inside, oldest first, `max` at most (0: all); returns how many ran. What they post to this box
 * themselves waits for the next call, and what is left over keeps the eventfd readable. Owner only. */
size_t mailbox_run(struct mailbox *box, size_t max);

/* Take everything, oldest first, as a list linked by `next`; NULL when empty. Owner only. For the writer's batches. */
struct mail_item *mailbox_take(struct mailbox *box);

/* Block until an item is there or `timeout_ms` is over (negative: for ever; 0: only look). True: there is one; take or
 * run it before waiting on the eventfd again, whose count is used up here. Owner only. */
MUST_USE bool mailbox_wait(struct mailbox *box, int timeout_ms);

#endif
