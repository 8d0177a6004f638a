/* base/mailbox.c - many threads hand items to one.
 *
 * `posted` is a stack, newest first. Senders only push and the owner only takes the whole, so the classic ABA trouble of
 * such stacks cannot arise. Who pushes onto an empty stack writes the eventfd afterwards; the owner drains the eventfd
 * *before* it takes: whatever is pushed after the take finds the stack empty again and wakes. A wake-up may come with
 * nothing inside, never the other way round. */
#include "base/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* One owner thread; senders touch `posted` and write to `fd`, nothing else. */
struct mailbox {
	_Atomic(struct mail_item *) posted;
	int fd;
	struct mail_item *taken; /* oldest first; what mailbox_run left for the next turn */
};

struct mailbox *mailbox_create(void)
{
	struct mailbox *box = xcalloc(1, sizeof(*box));

	atomic_init(&box->posted, NULL);
	box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	must(box->fd >= 0);
	return box;
}

void mailbox_destroy(struct mailbox **box)
{
	if (*box == NULL)
		return;
	close((*box)->fd);
	free(*box);
	*box = NULL;
}

static void wake(struct mailbox *box)
{
	uint64_t one = 1;
	ssize_t n;

	do {
		n = write(box->fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	/* EAGAIN would need 2^64 - 2 unread wake-ups. */
	must(n == (ssize_t)sizeof(one));
}

static void drain(struct mailbox *box)
{
	uint64_t count;
	ssize_t n;

	do {
		n = read(box->fd, &count, sizeof(count));
	} while (n < 0 && errno == EINTR);
	must(n == (ssize_t)sizeof(count) || errno == EAGAIN);
}

void mailbox_post(struct mailbox *box, struct mail_item *item)
{
	struct mail_item *head = atomic_load_explicit(&box->posted, memory_order_relaxed);

	do {
		item->next = head;
	} while (!atomic_compare_exchange_weak_explicit(&box->posted, &head, item, memory_order_release,
	    memory_order_relaxed));
	if (head == NULL)
		wake(box);
}

int mailbox_fd(const struct mailbox *box)
{
	return box->fd;
}

static bool is_empty(struct mailbox *box)
{
	return box->taken == NULL && atomic_load_explicit(&box->posted, memory_order_relaxed) == NULL;
}

/* The posted items, oldest first. */
static struct mail_item *take_posted(struct mailbox *box)
{
	struct mail_item *newest = atomic_exchange_explicit(&box->posted, NULL, memory_order_acquire);
	struct mail_item *oldest = NULL;

	while (newest != NULL) {
		struct mail_item *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

struct mail_item *mailbox_take(struct mailbox *box)
{
	struct mail_item *all = box->taken, **end = &all;

	drain(box);
	box->taken = NULL;
	while (*end != NULL)
		end = &(*end)->next;
	*end = take_posted(box);
	return all;
}

size_t mailbox_run(struct mailbox *box, size_t max)
{
	size_t ran = 0;

	/* What the items post to this very box waits for the next turn: the loop's other events come in between. */
	box->taken = mailbox_take(box);
	while (box->taken != NULL && (max == 0 || ran < max)) {
		struct mail_item *item = box->taken;

		box->taken = item->next;
		item->next = NULL;
		item->run(item);
		ran++;
	}
	if (box->taken != NULL)
		wake(box);
	return ran;
}

bool mailbox_wait(struct mailbox *box, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = box->fd, .events = POLLIN };
	mono_ms deadline = timeout_ms > 0 ? clock_mono() + timeout_ms : 0;

	while (is_empty(box)) {
		int left = timeout_ms;

		if (timeout_ms > 0) {
			mono_ms ms = deadline - clock_mono();

			left = ms > 0 ? (int)ms : 0;
		}
		if (poll(&poll_fd, 1, left) > 0)
			drain(box); /* a wake-up whose item was taken already must not make this loop spin */
		else if (left == 0)
			return !is_empty(box);
	}
	return true;
}
