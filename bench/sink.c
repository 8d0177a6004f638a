/* bench/sink.c - an SMTP sink that costs little: takes (or defers) everything, counts in a file that others map or read.
 *
 * usage: sink ADDRESS PORT COUNTFILE [defer]
 * COUNTFILE holds three native 64-bit numbers: messages taken, connections, recipients deferred. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

struct client {
	int fd;
	int in_data;
	size_t len;
	char in[8192];
	size_t out_len;
	char out[4096];
};

static uint64_t *counts;
static int defer_all;

static void say(struct client *c, const char *text)
{
	size_t len = strlen(text);

	must(c->out_len + len <= sizeof(c->out));
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
}

static void on_line(struct client *c, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0 && defer_all) {
		counts[2]++;
		say(c, "451 4.3.0 later\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		c->in_data = !defer_all;
		say(c, defer_all ? "503 5.5.1 no recipients\r\n" : "354 go on\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(c, "221 bye\r\n");
	} else {
		say(c, "250 ok\r\n");
	}
}

/* The end of the content, by CRLF.CRLF alone; what precedes it is dropped, but for the last four bytes. */
static size_t skip_data(struct client *c)
{
	char *end = memmem(c->in, c->len, "\r\n.\r\n", 5);

	if (end) {
		c->in_data = 0;
		counts[0]++;
		say(c, "250 taken\r\n");
		return (size_t)(end + 5 - c->in);
	}
	return c->len > 4 ? c->len - 4 : 0;
}

static void consume(struct client *c)
{
	for (size_t used;; ) {
		if (c->in_data) {
			used = skip_data(c);
			if (used == 0)
				return;
		} else {
			char *lf = memchr(c->in, '\n', c->len);

			if (!lf)
				return;
			*lf = '\0';
			on_line(c, c->in);
			used = (size_t)(lf + 1 - c->in);
			if (c->in_data) { /* the CRLF before a lone dot belongs to the command line */
				used -= 2;
				c->in[used] = '\r';
				c->in[used + 1] = '\n';
			}
		}
		memmove(c->in, c->in + used, c->len - used);
		c->len -= used;
	}
}

static int serve(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->len += (size_t)n;
	consume(c);
	if (c->out_len > 0 && send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) < 0)
		return 0;
	c->out_len = 0;
	return 1;
}

static void welcome(int poll_fd, int listener)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct client *c;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		c = xcalloc(1, sizeof(*c));
		c->fd = fd;
		ev.data.ptr = c;
		must(epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev) == 0);
		(void)!send(fd, "220 sink ESMTP\r\n", 16, MSG_NOSIGNAL);
		counts[1]++;
	}
}

static int listen_on(const char *address, const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	must(inet_pton(AF_INET, address, &at.sin_addr) == 1);
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0) {
		perror("sink");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	int listener, poll_fd, file;

	if (argc < 4) {
		fputs("usage: sink ADDRESS PORT COUNTFILE [defer]\n", stderr);
		return 2;
	}
	defer_all = argc > 4;
	file = open(argv[3], O_RDWR | O_CREAT, 0644);
	must(file >= 0 && ftruncate(file, 3 * sizeof(uint64_t)) == 0);
	counts = mmap(NULL, 3 * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	must(counts != MAP_FAILED);
	listener = listen_on(argv[1], argv[2]);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

	must(epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &ev) == 0);
	for (;;) {
		int n = epoll_wait(poll_fd, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (!c) {
				welcome(poll_fd, listener);
			} else if (!serve(c)) {
				(void)close(c->fd);
				free(c);
			}
		}
	}
}
