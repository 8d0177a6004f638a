/* tests/support/dns_server.h - a real nsd on a loopback port with zones that the test writes, some of them signed. */
#ifndef TESTS_SUPPORT_DNS_SERVER_H
#define TESTS_SUPPORT_DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dns_server {
	char dir[64]; /* temporary: zones, keys, logs; removed at the end */
	uint16_t port; /* on 127.0.0.1, UDP and TCP */
	pid_t pid;
};

struct dns_zone {
	const char *name;    /* "plain.test" */
	const char *records; /* zone file text; $ORIGIN, $TTL and the SOA are put before it */
	bool sign;           /* with a fresh key, whose DS goes to DIR/NAME.ds */
	bool broken;         /* configured, but without a zone file: SERVFAIL */
	const char *tamper, *into; /* after signing replace one text by another of the same meaning to the parser; NULL: do not */
};

/* Write the zones, start nsd and wait until it answers. Fails the test when it does not. */
void dns_server_start(struct dns_server *server, const struct dns_zone *zones, size_t count);
void dns_server_stop(struct dns_server *server);

/* A UDP socket on 127.0.0.1 that never answers; its port. Close the socket. */
int dns_silent_socket(uint16_t *port_out);

#endif
