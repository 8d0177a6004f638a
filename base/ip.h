/* base/ip.h - IP addresses, networks and endpoints as values. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"

#define IP_TEXT      46 /* bytes for ip_format */
#define IP_PORT_TEXT 56 /* bytes for ip_port_format */

/* family is AF_INET (first 4 bytes used) or AF_INET6; 0 means none. */
struct ip_addr {
	uint8_t family;
	uint8_t bytes[16];
};

struct ip_net {
	struct ip_addr addr;
	uint8_t prefix; /* bits */
};

struct ip_port {
	struct ip_addr addr;
	uint16_t port;
};

/* Text to value: "192.0.2.1", "2001:db8::1"; networks "10.1.0.0/16" or a lone address (host bits must be zero);
 * endpoints "127.0.0.1:25", "[::]:465", port 1..65535. False: not of that form, and `out` is as it was. Pure. */
bool ip_parse(const char *text, struct ip_addr *out);
bool ip_net_parse(const char *text, struct ip_net *out);
bool ip_port_parse(const char *text, struct ip_port *out);

/* Value to text; returns `out`. No address is "none". */
char *ip_format(const struct ip_addr *addr, char out[IP_TEXT]);
char *ip_port_format(const struct ip_port *at, char out[IP_PORT_TEXT]);

/* Family and bytes; an IPv4-mapped address is not equal to its IPv4 form: ip_unmap first. Pure. */
bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);

/* An IPv4-mapped IPv6 address (::ffff:a.b.c.d) becomes its IPv4 form; others stay. */
void ip_unmap(struct ip_addr *addr);

/* An IPv4-mapped address is compared as IPv4. */
bool ip_net_contains(const struct ip_net *net, const struct ip_addr *addr);

/* To and from the socket API. to: returns the length to hand to bind/connect. from: false for other families. */
socklen_t ip_to_sockaddr(const struct ip_addr *addr, uint16_t port, struct sockaddr_storage *out);
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip_port *out);

#endif
