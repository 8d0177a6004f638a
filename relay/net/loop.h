/* relay/net/loop.h - one libevent loop for each thread, with its mailbox, timers and signals. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"
#include "base/mailbox.h"

struct event;
struct event_base;

/* A loop belongs to the thread that runs it; only loop_post and loop_stop may be called from others. */
struct loop;

/* Once per process, before the first loop: libevent's threading, SIGPIPE ignored. */
void loop_setup(void);

struct loop *loop_create(const char *name) MUST_USE; /* never NULL; `name` for logs and the thread, borrowed */
void loop_destroy(struct loop **loop);

/* Run until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread; ends after the current callbacks */

/* Run `item` on the loop's thread. Any thread. */
void loop_post(struct loop *loop, struct mail_item *item);
struct mailbox *loop_mailbox(struct loop *loop);
struct event_base *loop_base(struct loop *loop); /* for relay/net/ and evhttp only */

/* Call `fn(arg)` after the current callbacks have returned, before anything is waited for: the safe place to free what the loop may
 * still report on. Loop thread only. */
void loop_later(struct loop *loop, void (*fn)(void *arg), void *arg);

/* An object of the loop's that has lost its owner and will end by itself: embed it. When the loop is destroyed first, `end` is called, which
 * must free it. Loop thread only. */
struct loop_orphan {
	struct loop_orphan *next, **link;
	void (*end)(struct loop_orphan *orphan);
};
void loop_orphan_add(struct loop *loop, struct loop_orphan *orphan, void (*end)(struct loop_orphan *orphan));
void loop_orphan_remove(struct loop_orphan *orphan); /* also when it was never added */

/* LOOP_SCRATCH bytes that whoever runs on this loop's thread may use until its callback returns: sockets are read into it, so that an idle
 * connection owns no buffer. Loop thread only. */
#define LOOP_SCRATCH 65536
char *loop_scratch(struct loop *loop);

/* Monotonic time, read once a loop turn. Loop thread only. */
mono_ms loop_now(struct loop *loop);

/* A one-shot timer inside its owner's object. */
struct timer {
	struct event *event;
	struct loop *loop;
	void (*fn)(void *arg);
	void *arg;
};
void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg);
void timer_start(struct timer *timer, int64_t ms); /* again: the new time counts; 0: at the next turn */
void timer_stop(struct timer *timer);              /* also when not running */
void timer_fini(struct timer *timer);

/* Call `fn` on the loop when the process gets `signo`. */
struct loop_signal;
struct loop_signal *loop_signal_add(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg) MUST_USE;
void loop_signal_remove(struct loop_signal **signal);

#endif
