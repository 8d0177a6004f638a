/* bench/sink.c - an SMTP sink that costs little: takes (or defers) everything, counts in a file that others map or read.
 *
 * usage: sink ADDRESS PORT COUNTFILE [defer | CERT KEY]     CERT KEY: STARTTLS is offered
 * COUNTFILE holds three native 64-bit numbers: messages taken, connections, recipients deferred. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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
	SSL *ssl;          /* NULL: in clear */
	int begin_tls;     /* when what is to be said has been */
	size_t len;
	char in[8192];
	size_t out_len;
	char out[4096];
};

static uint64_t *counts;
static int defer_all;
static SSL_CTX *tls; /* NULL: not offered */

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
		say(c, tls && !c->ssl ? "250-sink\r\n250-STARTTLS\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n" : "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0 && defer_all) {
		counts[2]++;
		say(c, "451 4.3.0 later\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		c->in_data = !defer_all;
		say(c, defer_all ? "503 5.5.1 no recipients\r\n" : "354 go on\r\n");
	} else if (strncasecmp(line, "STARTTLS", 8) == 0 && tls) {
		c->begin_tls = 1;
		say(c, "220 go\r\n");
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
	if (c->begin_tls) {
		c->begin_tls = 0;
		c->ssl = SSL_new(tls);
		must(c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1);
		SSL_set_accept_state(c->ssl);
	}
	return 1;
}

/* What OpenSSL holds does not show at the socket: read until it wants more. */
static int serve_tls(struct client *c)
{
	for (;;) {
		ERR_clear_error(); /* of other clients */
		int n = SSL_read(c->ssl, c->in + c->len, (int)(sizeof(c->in) - c->len));

		if (n <= 0)
			return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
		c->len += (size_t)n;
		consume(c);
		if (c->out_len > 0 && SSL_write(c->ssl, c->out, (int)c->out_len) <= 0)
			return 0;
		c->out_len = 0;
	}
}

static void tls_load(const char *cert, const char *key)
{
	tls = SSL_CTX_new(TLS_server_method());
	must(tls != NULL && SSL_CTX_use_certificate_chain_file(tls, cert) == 1 && SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1);
	SSL_CTX_set_session_id_context(tls, (const unsigned char *)"sink", 4);
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
		fputs("usage: sink ADDRESS PORT COUNTFILE [defer | CERT KEY]\n", stderr);
		return 2;
	}
	defer_all = argc == 5;
	if (argc > 5)
		tls_load(argv[4], argv[5]);
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
			} else if (!(c->ssl ? serve_tls(c) : serve(c))) {
				SSL_free(c->ssl);
				(void)close(c->fd);
				free(c);
			}
		}
	}
}
