/* relay/net/loop.c - one libevent loop for each thread, with its mailbox, timers and signals.
 *
 * A turn is: wait, run the callbacks that are ready, run what loop_later collected. Only the mailbox's eventfd crosses threads,
 * so the event_base is used without locks. */
#include "relay/net/loop.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Items of the mailbox in one turn: sockets and timers get their chance in between. */
#define MAIL_PER_TURN 512
/* How often a turn starts over with what loop_later calls queued themselves, before it looks at the sockets again. */
#define LATER_ROUNDS 4

struct later {
	void (*fn)(void *arg);
	void *arg;
};

struct later_list {
	struct later *items;
	size_t count, cap;
};

/* Owned by the thread that runs it; `stop` and `stop_item` are the only fields that others touch. */
struct loop {
	const char *name;
	struct event_base *base;
	struct mailbox *box;
	struct event *box_event;
	struct later_list later, running; /* running: the list being worked off; swapped, so that no call extends its own list */
	struct loop_orphan *orphans;
	char *scratch;
	bool now_known;
	mono_ms now;
	atomic_bool stop, stop_posted;
	struct mail_item stop_item;
};

struct loop_signal {
	struct event *event;
	void (*fn)(void *arg, int signo);
	void *arg;
};

void loop_setup(void)
{
	must(evthread_use_pthreads() == 0);
	signal(SIGPIPE, SIG_IGN);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	mailbox_run(loop->box, MAIL_PER_TURN);
}

static void on_stop(struct mail_item *item)
{
	struct loop *loop = CONTAINER_OF(item, struct loop, stop_item);

	atomic_store(&loop->stop_posted, false);
}

struct loop *loop_create(const char *name)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	must(config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
	loop->name = name;
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	must(loop->base != NULL);
	loop->box = mailbox_create();
	loop->box_event = event_new(loop->base, mailbox_fd(loop->box), EV_READ | EV_PERSIST, on_mail, loop);
	must(loop->box_event != NULL && event_add(loop->box_event, NULL) == 0);
	loop->scratch = xcalloc(1, LOOP_SCRATCH);
	loop->stop_item.run = on_stop;
	return loop;
}

/* One pass over what was queued until now. */
static void run_later(struct loop *loop)
{
	struct later_list list = loop->later;

	loop->later = loop->running;
	loop->running = list;
	for (size_t i = 0; i < list.count; i++)
		list.items[i].fn(list.items[i].arg);
	loop->running.count = 0;
}

void loop_destroy(struct loop **loop)
{
	struct loop *l = *loop;

	if (l == NULL)
		return;
	while (l->later.count > 0)
		run_later(l);
	while (l->orphans != NULL)
		l->orphans->end(l->orphans);
	event_free(l->box_event);
	event_base_free(l->base);
	mailbox_destroy(&l->box);
	free(l->later.items);
	free(l->running.items);
	free(l->scratch);
	free(l);
	*loop = NULL;
}

void loop_run(struct loop *loop)
{
	if (getpid() != gettid()) /* the name of the main thread is that of the process */
		pthread_setname_np(pthread_self(), loop->name);
	while (!atomic_load(&loop->stop)) {
		for (int round = 0; round < LATER_ROUNDS && loop->later.count > 0; round++)
			run_later(loop);
		loop->now_known = false;
		event_base_loop(loop->base, EVLOOP_ONCE | (loop->later.count > 0 ? EVLOOP_NONBLOCK : 0));
	}
	run_later(loop);
	atomic_store(&loop->stop, false);
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	if (!atomic_exchange(&loop->stop_posted, true))
		mailbox_post(loop->box, &loop->stop_item);
}

void loop_post(struct loop *loop, struct mail_item *item)
{
	mailbox_post(loop->box, item);
}

struct mailbox *loop_mailbox(struct loop *loop)
{
	return loop->box;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

char *loop_scratch(struct loop *loop)
{
	return loop->scratch;
}

void loop_later(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct later_list *list = &loop->later;

	if (list->count == list->cap) {
		list->cap = list->cap > 0 ? 2 * list->cap : 64;
		list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
	}
	list->items[list->count++] = (struct later){ fn, arg };
}

void loop_orphan_add(struct loop *loop, struct loop_orphan *orphan, void (*end)(struct loop_orphan *orphan))
{
	*orphan = (struct loop_orphan){ .next = loop->orphans, .link = &loop->orphans, .end = end };
	if (orphan->next != NULL)
		orphan->next->link = &orphan->next;
	loop->orphans = orphan;
}

void loop_orphan_remove(struct loop_orphan *orphan)
{
	if (orphan->link == NULL)
		return;
	*orphan->link = orphan->next;
	if (orphan->next != NULL)
		orphan->next->link = orphan->link;
	orphan->link = NULL;
}

mono_ms loop_now(struct loop *loop)
{
	if (!loop->now_known) {
		loop->now = clock_mono();
		loop->now_known = true;
	}
	return loop->now;
}

/* --- timers -------------------------------------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;

	timer->fn(timer->arg);
}

void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg)
{
	*timer = (struct timer){ .loop = loop, .fn = fn, .arg = arg };
	timer->event = evtimer_new(loop->base, on_timer, timer);
	must(timer->event != NULL);
}

void timer_start(struct timer *timer, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	must(event_add(timer->event, &tv) == 0);
}

void timer_stop(struct timer *timer)
{
	if (timer->event != NULL)
		event_del(timer->event);
}

void timer_fini(struct timer *timer)
{
	if (timer->event != NULL)
		event_free(timer->event);
	timer->event = NULL;
}

/* --- signals ------------------------------------------------------------------------------------------------------------- */

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *signal = arg;

	signal->fn(signal->arg, (int)signo);
}

struct loop_signal *loop_signal_add(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg)
{
	struct loop_signal *signal = xcalloc(1, sizeof(*signal));

	signal->fn = fn;
	signal->arg = arg;
	signal->event = evsignal_new(loop->base, signo, on_signal, signal);
	must(signal->event != NULL && event_add(signal->event, NULL) == 0);
	return signal;
}

void loop_signal_remove(struct loop_signal **signal)
{
	if (*signal == NULL)
		return;
	event_free((*signal)->event);
	free(*signal);
	*signal = NULL;
}
