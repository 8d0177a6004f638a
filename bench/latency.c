/* bench/latency.c - how long one client waits for its 250, beside lone LMDB commits on the same disk in the same run.
 *
 * usage: latency PORT FOLDER COUNT
 * Interleaved: one message (time from the final dot to the reply), then one put of the same size with a commit of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <lmdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define BODY 4096

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void talk(int fd, const char *text, size_t len, char code)
{
	char in[1024];
	size_t got = 0;

	must(len == 0 || send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len);
	do {
		ssize_t n = recv(fd, in + got, sizeof(in) - 1 - got, 0);

		must(n > 0);
		got += (size_t)n;
		in[got] = '\0';
	} while (in[got - 1] != '\n' || (got > 4 && strstr(in, "250-") && !strstr(in, "250 ")));
	if (in[0] != code) {
		fprintf(stderr, "latency: unexpected reply: %s", in);
		exit(1);
	}
}

static int hello(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	talk(fd, "", 0, '2');
	talk(fd, "EHLO bench.example\r\n", 20, '2');
	return fd;
}

static double one_message(int fd, const char *body, size_t len)
{
	double start;

	talk(fd, "MAIL FROM:<a@bench.example>\r\n", 29, '2');
	talk(fd, "RCPT TO:<b@bench.example>\r\n", 27, '2');
	talk(fd, "DATA\r\n", 6, '3');
	must(send(fd, body, len, MSG_NOSIGNAL) == (ssize_t)len);
	start = now_ms();
	talk(fd, ".\r\n", 3, '2');
	return now_ms() - start;
}

static double one_commit(MDB_env *env, MDB_dbi dbi, unsigned n, const char *body)
{
	double start = now_ms();
	MDB_val key = {sizeof(n), &n}, value = {BODY, (void *)(uintptr_t)body};
	MDB_txn *txn;

	must(mdb_txn_begin(env, NULL, 0, &txn) == 0);
	must(mdb_put(txn, dbi, &key, &value, 0) == 0);
	must(mdb_txn_commit(txn) == 0);
	return now_ms() - start;
}

static MDB_env *env_open(const char *folder, MDB_dbi *dbi)
{
	MDB_env *env;
	MDB_txn *txn;

	(void)mkdir(folder, 0700);
	must(mdb_env_create(&env) == 0 && mdb_env_set_mapsize(env, (size_t)1 << 30) == 0);
	must(mdb_env_open(env, folder, 0, 0600) == 0);
	must(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, dbi) == 0);
	must(mdb_txn_commit(txn) == 0);
	return env;
}

int main(int argc, char **argv)
{
	char body[BODY + 128];
	double *mail, *lone;
	unsigned count;
	size_t len;
	MDB_env *env;
	MDB_dbi dbi;
	int fd;

	if (argc != 4) {
		fputs("usage: latency PORT FOLDER COUNT\n", stderr);
		return 2;
	}
	count = (unsigned)strtoul(argv[3], NULL, 10);
	mail = xcalloc(count, sizeof(*mail));
	lone = xcalloc(count, sizeof(*lone));
	len = (size_t)snprintf(body, sizeof(body), "Subject: latency\r\n\r\n");
	for (; len + 66 <= BODY; len += 66)
		memcpy(body + len, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 66);
	env = env_open(argv[2], &dbi);
	fd = hello(argv[1]);
	for (unsigned i = 0; i < count; i++) {
		mail[i] = one_message(fd, body, len);
		lone[i] = one_commit(env, dbi, i, body);
	}
	qsort(mail, count, sizeof(*mail), by_value);
	qsort(lone, count, sizeof(*lone), by_value);
	printf("one connection: 250 after p50 %.3f ms, p99 %.3f ms; lone commit p50 %.3f ms, p99 %.3f ms; ratio p50 %.2f, p99/p50lone %.2f, p99/p99lone %.2f\n",
	    mail[count / 2], mail[count * 99 / 100], lone[count / 2], lone[count * 99 / 100], mail[count / 2] / lone[count / 2],
	    mail[count * 99 / 100] / lone[count / 2], mail[count * 99 / 100] / lone[count * 99 / 100]);
	return 0;
}
