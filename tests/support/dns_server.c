/* tests/support/dns_server.c - a real nsd on a loopback port with zones that the test writes, some of them signed. */
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ip.h"
#include "tests/support/dns_server.h"

extern char **environ;

static int bound_socket(int type, uint16_t port, uint16_t *port_out)
{
	struct ip_port at;
	struct sockaddr_storage sa;
	socklen_t len;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(ip_parse("127.0.0.1", &at.addr));
	len = ip_to_sockaddr(&at.addr, port, &sa);
	if (bind(fd, (struct sockaddr *)&sa, len) != 0) {
		close(fd);
		return -1;
	}
	len = sizeof(sa);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	assert_true(ip_from_sockaddr((struct sockaddr *)&sa, &at));
	*port_out = at.port;
	return fd;
}

int dns_silent_socket(uint16_t *port_out)
{
	return bound_socket(SOCK_DGRAM, 0, port_out);
}

/* A port that is free for both UDP and TCP right now. */
static uint16_t free_port(void)
{
	for (;;) {
		uint16_t port, same;
		int udp = bound_socket(SOCK_DGRAM, 0, &port);
		int tcp = bound_socket(SOCK_STREAM, port, &same);

		close(udp);
		if (tcp < 0)
			continue;
		close(tcp);
		return port;
	}
}

static char *path_of(const struct dns_server *server, const char *name, const char *suffix)
{
	return xasprintf("%s/%s%s", server->dir, name, suffix);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static char *read_file(const char *path)
{
	static char text[65536];
	FILE *in = fopen(path, "re");
	size_t len;

	assert_non_null(in);
	len = fread(text, 1, sizeof(text) - 1, in);
	assert_true(len < sizeof(text) - 1);
	fclose(in);
	text[len] = '\0';
	return text;
}

/* Run a program of ldns in the server's folder; its output, without the line end, goes to `out` (may be NULL). */
static void run(const struct dns_server *server, const char *const argv[], char *out, size_t size)
{
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], status;
	ssize_t len;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, server->dir);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, pipe_fds[0]);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	len = out != NULL ? read(pipe_fds[0], out, size - 1) : 0;
	close(pipe_fds[0]);
	assert_true(len >= 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s failed", argv[0]);
	if (out == NULL)
		return;
	out[len] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static void tamper(const char *path, const struct dns_zone *zone)
{
	char *text = read_file(path);
	char *at = strstr(text, zone->tamper);

	assert_non_null(at);
	assert_int_equal(strlen(zone->tamper), strlen(zone->into));
	memcpy(at, zone->into, strlen(zone->into));
	write_file(path, text);
}

static void sign(const struct dns_server *server, const struct dns_zone *zone)
{
	char *file = path_of(server, zone->name, ""), *signed_file = path_of(server, zone->name, ".signed");
	char key[128], ds[160], *ds_from, *ds_to;

	run(server, (const char *[]){ "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", zone->name, NULL }, key,
	    sizeof(key));
	run(server, (const char *[]){ "ldns-signzone", zone->name, key, NULL }, NULL, 0);
	if (zone->tamper != NULL)
		tamper(signed_file, zone);
	assert_int_equal(rename(signed_file, file), 0);
	snprintf(ds, sizeof(ds), "%s.ds", key);
	ds_from = path_of(server, ds, "");
	ds_to = path_of(server, zone->name, ".ds");
	assert_int_equal(rename(ds_from, ds_to), 0);
	free(file);
	free(signed_file);
	free(ds_from);
	free(ds_to);
}

static void write_zone(const struct dns_server *server, const struct dns_zone *zone)
{
	char *path = path_of(server, zone->name, "");
	char *text = xasprintf("$ORIGIN %s.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 120\n@ NS ns\nns A 127.0.0.1\n%s", zone->name,
	    zone->records);

	if (!zone->broken)
		write_file(path, text);
	if (zone->sign)
		sign(server, zone);
	free(path);
	free(text);
}

static void write_config(const struct dns_server *server, const struct dns_zone *zones, size_t count)
{
	char *path = path_of(server, "nsd.conf", "");
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	fprintf(out, "server:\n ip-address: 127.0.0.1@%u\n server-count: 1\n username: \"\"\n chroot: \"\"\n database: \"\"\n"
	    " zonesdir: \"%s\"\n pidfile: \"%s/pid\"\n xfrdfile: \"%s/xfrd\"\n xfrdir: \"%s\"\n zonelistfile: \"%s/zones\"\n"
	    " logfile: \"%s/log\"\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n",
	    server->port, server->dir, server->dir, server->dir, server->dir, server->dir, server->dir);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "zone:\n name: \"%s\"\n zonefile: \"%s\"\n", zones[i].name, zones[i].name);
	assert_int_equal(fclose(out), 0);
	free(path);
}

/* Ask for the root's SOA, which it refuses, until it does. */
static void await(const struct dns_server *server)
{
	static const uint8_t question[] = { 1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1 };
	struct timeval wait = { .tv_usec = 20000 };
	struct ip_addr loopback;
	struct sockaddr_storage sa;
	uint16_t port;
	uint8_t answer[512];
	int fd = bound_socket(SOCK_DGRAM, 0, &port);
	socklen_t len;

	assert_true(ip_parse("127.0.0.1", &loopback));
	len = ip_to_sockaddr(&loopback, server->port, &sa);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	for (int i = 0; i < 500; i++) {
		sendto(fd, question, sizeof(question), 0, (struct sockaddr *)&sa, len);
		if (recv(fd, answer, sizeof(answer), 0) > 0) {
			close(fd);
			return;
		}
	}
	fail_msg("nsd does not answer; see %s/log", server->dir);
}

void dns_server_start(struct dns_server *server, const struct dns_zone *zones, size_t count)
{
	char *config;

	snprintf(server->dir, sizeof(server->dir), "/tmp/test-dns-XXXXXX");
	assert_non_null(mkdtemp(server->dir));
	server->port = free_port();
	for (size_t i = 0; i < count; i++)
		write_zone(server, &zones[i]);
	write_config(server, zones, count);
	config = path_of(server, "nsd.conf", "");
	assert_int_equal(posix_spawnp(&server->pid, "/usr/sbin/nsd", NULL, NULL,
	    (char *const *)(const char *[]){ "nsd", "-d", "-c", config, NULL }, environ), 0);
	free(config);
	await(server);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void dns_server_stop(struct dns_server *server)
{
	int status;

	kill(server->pid, SIGTERM);
	assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
	assert_int_equal(nftw(server->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}
