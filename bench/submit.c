/* bench/submit.c - clients that log in over TLS: each connection makes a full handshake, says AUTH PLAIN, brings one message and ends.
 *
 * usage: submit ADDRESS PORT CONNECTIONS MESSAGES USER PASSWORD     (implicit TLS; CONNECTIONS at once; the certificate is not verified)
 * Ends with 0 when every message was taken. Tickets are not used again: programs that live for one request have none. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

#define BODY    4096
#define THREADS 1000

static struct sockaddr_in server = { .sin_family = AF_INET };
static SSL_CTX *tls;
static char login[512];
static char content[BODY + 128];
static atomic_long left;

/* Send a line, and read one reply of that class to its last line. */
static void talk(SSL *ssl, const char *text, char want)
{
	char reply[4096];
	size_t len = 0;
	const char *line = reply;

	if (*text)
		must(SSL_write(ssl, text, (int)strlen(text)) > 0);
	for (;;) {
		int got = SSL_read(ssl, reply + len, (int)(sizeof(reply) - 1 - len));
		const char *end;

		must(got > 0);
		len += (size_t)got;
		reply[len] = '\0';
		while ((end = strchr(line, '\n')) != NULL && line[3] == '-')
			line = end + 1;
		if (end)
			break;
	}
	if (reply[0] == want)
		return;
	fprintf(stderr, "submit: %s", reply);
	exit(1);
}

static void one_message(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(tls);

	must(fd >= 0 && ssl != NULL);
	must(connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0);
	must(SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1);
	talk(ssl, "", '2');
	talk(ssl, "EHLO bench.example\r\n", '2');
	talk(ssl, login, '2');
	talk(ssl, "MAIL FROM:<a@bench.example>\r\n", '2');
	talk(ssl, "RCPT TO:<b@bench.example>\r\n", '2');
	talk(ssl, "DATA\r\n", '3');
	talk(ssl, content, '2');
	talk(ssl, "QUIT\r\n", '2');
	SSL_free(ssl);
	(void)close(fd);
}

static void *run(void *arg)
{
	(void)arg;
	while (atomic_fetch_sub(&left, 1) > 0)
		one_message();
	return NULL;
}

static void make_texts(const char *user, const char *password)
{
	unsigned char plain[256], coded[400];
	size_t len = (size_t)snprintf((char *)plain, sizeof(plain), "%c%s%c%s", 0, user, 0, password);

	must(len < sizeof(plain));
	(void)EVP_EncodeBlock(coded, plain, (int)len);
	(void)snprintf(login, sizeof(login), "AUTH PLAIN %s\r\n", (char *)coded);
	len = (size_t)snprintf(content, sizeof(content),
	    "From: <a@bench.example>\r\nTo: <b@bench.example>\r\nSubject: bench\r\n"
	    "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@bench.example>\r\n\r\n");
	for (; len + 66 <= BODY; len += 66)
		memcpy(content + len, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 66);
	memcpy(content + len, ".\r\n", 4);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	long count;

	if (argc != 7) {
		fputs("usage: submit ADDRESS PORT CONNECTIONS MESSAGES USER PASSWORD\n", stderr);
		return 2;
	}
	server.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	must(inet_pton(AF_INET, argv[1], &server.sin_addr) == 1);
	count = strtol(argv[3], NULL, 10);
	must(count > 0 && count <= THREADS);
	atomic_store(&left, strtol(argv[4], NULL, 10));
	make_texts(argv[5], argv[6]);
	(void)signal(SIGPIPE, SIG_IGN);
	tls = SSL_CTX_new(TLS_client_method());
	must(tls != NULL);
	for (long i = 0; i < count; i++)
		must(pthread_create(&threads[i], NULL, run, NULL) == 0);
	for (long i = 0; i < count; i++)
		must(pthread_join(threads[i], NULL) == 0);
	SSL_CTX_free(tls);
	return 0;
}
