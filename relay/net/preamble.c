/* relay/net/preamble.c - reads what stands before a connection's own protocol, and not a byte more.
 *
 * Bytes are looked at where they are (MSG_PEEK) and then taken as far as they were used, so that what follows is left for TLS or SMTP. */
#include "relay/net/preamble.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE 4096 /* bytes looked at in one go */

struct preamble {
	struct loop *loop;
	int fd;
	struct event *event;
	struct timer deadline;
	const struct preamble_ops *ops;
	void *arg;
	bool over;
};

static void preamble_free(void *arg)
{
	struct preamble *p = arg;

	event_free(p->event);
	timer_fini(&p->deadline);
	free(p);
}

static void stop(struct preamble *p)
{
	p->over = true;
	event_del(p->event);
	timer_stop(&p->deadline);
	loop_later(p->loop, preamble_free, p);
}

static void end(struct preamble *p, const char *trouble)
{
	stop(p);
	p->ops->on_end(p->arg, trouble);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct preamble *p = arg;
	char data[PIECE];
	ssize_t len = recv(p->fd, data, sizeof(data), MSG_PEEK);
	bool done = false;
	size_t used;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		end(p, len == 0 ? "connection closed" : strerror(errno));
		return;
	}
	used = p->ops->take(p->arg, data, (size_t)len, &done);
	/* They are in the socket: this neither blocks nor falls short. */
	if (used > 0 && recv(p->fd, data, used, 0) != (ssize_t)used)
		end(p, strerror(errno));
	else if (done)
		end(p, NULL);
}

static void on_deadline(void *arg)
{
	end(arg, "timeout");
}

struct preamble *preamble_start(struct loop *loop, int fd, int64_t ms, const struct preamble_ops *ops, void *arg)
{
	struct preamble *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->fd = fd;
	p->ops = ops;
	p->arg = arg;
	timer_init(&p->deadline, loop, on_deadline, p);
	timer_start(&p->deadline, ms);
	p->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable, p);
	must(p->event != NULL && event_add(p->event, NULL) == 0);
	return p;
}

void preamble_cancel(struct preamble **preamble)
{
	struct preamble *p = *preamble;

	*preamble = NULL;
	if (p != NULL && !p->over)
		stop(p);
}
