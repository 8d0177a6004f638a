/* relay/net/unix_socket.c - a listening unix socket and line-wise connections on it, on the main loop. */
#include "relay/net/unix_socket.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define BACKLOG          16
#define ACCEPTS_PER_TURN 16
#define PAUSE_MS         SECONDS(1) /* out of descriptors: the next try */

struct unix_listener {
	struct loop *loop;
	struct event *event;
	struct timer pause;
	int fd;
	char *path;
	struct stat file; /* as we made it */
	void (*fn)(void *arg, int fd);
	void *arg;
};

struct unix_conn {
	const struct unix_conn_ops *ops;
	struct loop *loop;
	struct bufferevent *bev;
	struct timer next; /* a line that is there already */
	void *arg;
	bool wants_line, refused, destroyed;
};

/* --- listening -------------------------------------------------------------------------------------------------------------- */

static enum err fail(const char *doing, const char *path, struct err_detail *why)
{
	return err_set(why, ERR_IO, "%s %s: %s", doing, path, strerror(errno));
}

static enum err address_of(const char *path, struct sockaddr_un *sa, struct err_detail *why)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa->sun_path))
		return err_set(why, ERR_INVALID, "%s: the path of a socket has at most %zu bytes", path, sizeof(sa->sun_path) - 1);
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return OK;
}

/* Remove what an earlier run has left; never what somebody uses or what is no socket. */
static enum err clear_path(const char *path, const struct sockaddr_un *sa, struct err_detail *why)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? OK : fail("look at", path, why);
	if (!S_ISSOCK(st.st_mode))
		return err_set(why, ERR_EXISTS, "%s is there and is no socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail("open a socket for", path, why);
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ? 0 : errno;
	close(fd);
	if (rc == 0 || rc == EAGAIN || rc == EINPROGRESS)
		return err_set(why, ERR_BUSY, "%s: somebody answers there already", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return fail("remove", path, why);
	return OK;
}

static void on_rested(void *arg)
{
	struct unix_listener *listener = arg;

	event_add(listener->event, NULL);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct unix_listener *listener = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			listener->fn(listener->arg, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			event_del(listener->event);
			timer_start(&listener->pause, PAUSE_MS);
		}
		return;
	}
}

struct unix_listener *unix_listener_open(struct loop *loop, const char *path, mode_t mode, void (*fn)(void *arg, int fd), void *arg,
    struct err_detail *why)
{
	struct unix_listener *listener;
	struct sockaddr_un sa;
	struct stat st;
	int fd;

	if (address_of(path, &sa, why) != OK || clear_path(path, &sa, why) != OK)
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		fail("open a socket for", path, why);
		return NULL;
	}
	/* Nobody can connect before listen, so the mode counts from the first moment. */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || chmod(path, mode) != 0 || listen(fd, BACKLOG) != 0 ||
	    lstat(path, &st) != 0) {
		fail("listen on", path, why);
		close(fd);
		return NULL;
	}
	listener = xcalloc(1, sizeof(*listener));
	*listener = (struct unix_listener){ .loop = loop, .fd = fd, .path = xstrdup(path), .file = st, .fn = fn, .arg = arg };
	timer_init(&listener->pause, loop, on_rested, listener);
	listener->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_acceptable, listener);
	must(listener->event != NULL && event_add(listener->event, NULL) == 0);
	return listener;
}

static void listener_free(void *arg)
{
	struct unix_listener *listener = arg;

	event_free(listener->event);
	timer_fini(&listener->pause);
	free(listener->path);
	free(listener);
}

void unix_listener_close(struct unix_listener **listener)
{
	struct unix_listener *l = *listener;
	struct stat st;

	*listener = NULL;
	if (l == NULL)
		return;
	event_del(l->event);
	timer_stop(&l->pause);
	if (lstat(l->path, &st) == 0 && st.st_ino == l->file.st_ino && st.st_dev == l->file.st_dev)
		(void)unlink(l->path);
	close(l->fd);
	l->fd = -1;
	loop_later(l->loop, listener_free, l);
}

/* --- connections ------------------------------------------------------------------------------------------------------------ */

/* A stalled peer counts only while we wait for it: for a line, or for room to write. */
static void watch(struct unix_conn *conn)
{
	struct timeval tv = { .tv_sec = conn->ops->idle_ms / 1000, .tv_usec = conn->ops->idle_ms % 1000 * 1000 };

	bufferevent_set_timeouts(conn->bev, conn->wants_line ? &tv : NULL, &tv);
}

/* Tell one line when there is one. */
static void tell_line(struct unix_conn *conn)
{
	struct evbuffer *in = bufferevent_get_input(conn->bev);
	size_t len;
	char *line;

	if (!conn->wants_line || conn->refused || conn->destroyed)
		return;
	line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF);
	if (line == NULL && evbuffer_get_length(in) <= conn->ops->line_max)
		return;
	conn->wants_line = false;
	watch(conn);
	if (line == NULL || len > conn->ops->line_max) {
		conn->refused = true;
		evbuffer_drain(in, evbuffer_get_length(in));
		bufferevent_disable(conn->bev, EV_READ);
		conn->ops->on_line(conn->arg, NULL, 0);
	} else {
		conn->ops->on_line(conn->arg, line, len);
	}
	free(line);
}

static void on_next(void *arg)
{
	tell_line(arg);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	tell_line(arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct unix_conn *conn = arg;

	if (!conn->destroyed)
		conn->ops->on_drained(conn->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct unix_conn *conn = arg;

	if (!conn->destroyed && what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		conn->ops->on_end(conn->arg);
}

struct unix_conn *unix_conn_create(struct loop *loop, int fd, const struct unix_conn_ops *ops, void *arg)
{
	struct unix_conn *conn = xcalloc(1, sizeof(*conn));

	*conn = (struct unix_conn){ .ops = ops, .loop = loop, .arg = arg };
	conn->bev = bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);
	must(conn->bev != NULL);
	timer_init(&conn->next, loop, on_next, conn);
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	/* One line and its end fit; what follows stays in the kernel until it is wanted. */
	bufferevent_setwatermark(conn->bev, EV_READ, 0, ops->line_max + 2);
	watch(conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	return conn;
}

void unix_conn_resume(struct unix_conn *conn)
{
	conn->wants_line = true;
	watch(conn);
	timer_start(&conn->next, 0);
}

void unix_conn_send(struct unix_conn *conn, const void *data, size_t len)
{
	must(bufferevent_write(conn->bev, data, len) == 0);
}

size_t unix_conn_pending(const struct unix_conn *conn)
{
	return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

static void conn_free(void *arg)
{
	struct unix_conn *conn = arg;

	bufferevent_free(conn->bev);
	timer_fini(&conn->next);
	free(conn);
}

void unix_conn_destroy(struct unix_conn **conn)
{
	struct unix_conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	c->destroyed = true;
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	timer_stop(&c->next);
	loop_later(c->loop, conn_free, c);
}
