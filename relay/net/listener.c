/* relay/net/listener.c - bound, listening sockets on the main loop. */
#include "relay/net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Sockets taken in one turn: other events get their chance in between. */
#define ACCEPTS_PER_TURN 64
#define BACKLOG          1024
/* Out of descriptors or memory: connections end all the time, so a short rest is enough. */
#define PAUSE_MS         SECONDS(1)
#define WARN_EVERY_MS    MINUTES(1)

struct listener {
	int fd;
	struct ip_port at;
	struct loop *loop; /* NULL until started */
	struct event *event;
	struct timer pause;
	mono_ms warned; /* 0: never */
	void (*fn)(void *arg, int fd, const struct ip_port *peer);
	void *arg;
};

static enum err open_error(const char *doing, const struct ip_port *at, struct err_detail *why)
{
	char text[IP_PORT_TEXT];
	int cause = errno;
	enum err err = ERR_IO;

	if (cause == EADDRINUSE)
		err = ERR_EXISTS;
	else if (cause == EACCES || cause == EPERM)
		err = ERR_DENIED;
	else if (cause == EADDRNOTAVAIL)
		err = ERR_NOT_FOUND;
	return err_set(why, err, "%s %s: %s", doing, ip_port_format(at, text), strerror(cause));
}

static enum err bind_and_listen(int fd, const struct ip_port *at, struct err_detail *why)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(&at->addr, at->port, &sa);
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return open_error("set up", at, why);
	if (at->addr.family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		return open_error("set up", at, why);
	if (bind(fd, (struct sockaddr *)&sa, len) != 0)
		return open_error("bind", at, why);
	if (listen(fd, BACKLOG) != 0)
		return open_error("listen on", at, why);
	return OK;
}

/* With port 0 the kernel has chosen one. */
static void read_address(struct listener *listener)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(listener->fd, (struct sockaddr *)&sa, &len) == 0)
		ip_from_sockaddr((struct sockaddr *)&sa, &listener->at);
}

struct listener *listener_open(const struct ip_port *at, struct err_detail *why)
{
	struct listener *listener;
	int fd = socket(at->addr.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		open_error("open a socket for", at, why);
		return NULL;
	}
	if (bind_and_listen(fd, at, why) != OK) {
		close(fd);
		return NULL;
	}
	listener = xcalloc(1, sizeof(*listener));
	listener->fd = fd;
	listener->at = *at;
	read_address(listener);
	return listener;
}

static void take_rest(struct listener *listener, int cause)
{
	mono_ms now = loop_now(listener->loop);
	char text[IP_PORT_TEXT];

	if (listener->warned == 0 || now - listener->warned >= WARN_EVERY_MS) {
		listener->warned = now;
		log_text(LOG_WARN, "accept-failed", "%s: %s; trying again every second", ip_port_format(&listener->at, text),
		    strerror(cause));
	}
	event_del(listener->event);
	timer_start(&listener->pause, PAUSE_MS);
}

static void hand_over(struct listener *listener, int fd, const struct sockaddr_storage *sa)
{
	struct ip_port peer = { .port = 0 };
	int on = 1;

	ip_from_sockaddr((const struct sockaddr *)sa, &peer);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener->fn(listener->arg, fd, &peer);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *listener = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(sa);
		int fd = accept4(listener->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			hand_over(listener, fd, &sa);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			take_rest(listener, errno);
		return;
	}
}

static void on_rested(void *arg)
{
	struct listener *listener = arg;

	event_add(listener->event, NULL);
}

void listener_start(struct listener *listener, struct loop *loop, void (*fn)(void *arg, int fd, const struct ip_port *peer),
    void *arg)
{
	listener->loop = loop;
	listener->fn = fn;
	listener->arg = arg;
	timer_init(&listener->pause, loop, on_rested, listener);
	listener->event = event_new(loop_base(loop), listener->fd, EV_READ | EV_PERSIST, on_acceptable, listener);
	must(listener->event != NULL && event_add(listener->event, NULL) == 0);
}

static void listener_free(void *arg)
{
	struct listener *listener = arg;

	if (listener->loop != NULL) {
		event_free(listener->event);
		timer_fini(&listener->pause);
	}
	free(listener);
}

void listener_close(struct listener **listener)
{
	struct listener *l = *listener;

	*listener = NULL;
	if (l == NULL)
		return;
	if (l->loop == NULL) {
		close(l->fd);
		listener_free(l);
		return;
	}
	/* Maybe called by `fn`, from the middle of on_acceptable. */
	event_del(l->event);
	timer_stop(&l->pause);
	close(l->fd);
	l->fd = -1;
	loop_later(l->loop, listener_free, l);
}

int listener_release(struct listener **listener)
{
	int fd = (*listener)->fd;

	must((*listener)->loop == NULL);
	listener_free(*listener);
	*listener = NULL;
	return fd;
}

struct ip_port listener_at(const struct listener *listener)
{
	return listener->at;
}
