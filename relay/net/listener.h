/* relay/net/listener.h - bound, listening sockets on the main loop. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/ip.h"
#include "relay/net/loop.h"

struct listener;

/* Bind and listen (SO_REUSEADDR, IPV6_V6ONLY, close-on-exec, non-blocking) without accepting yet: may be done while still root.
 * ERR_EXISTS: the address is in use; ERR_DENIED: no right to the port; ERR_NOT_FOUND: not an address of this host; ERR_IO. */
struct listener *listener_open(const struct ip_port *at, struct err_detail *why) MUST_USE;

/* Accept on `loop`: `fn` owns each socket (non-blocking, TCP_NODELAY). Out of descriptors: pauses for a while, with one warning. */
void listener_start(struct listener *listener, struct loop *loop, void (*fn)(void *arg, int fd, const struct ip_port *peer), void *arg);

void listener_close(struct listener **listener);

/* Give its socket away: for who accepts by himself. Before listener_start. Sets the pointer to NULL. */
int listener_release(struct listener **listener) MUST_USE;

/* Where it listens; the port that the kernel chose when 0 was asked for. */
struct ip_port listener_at(const struct listener *listener);

#endif
