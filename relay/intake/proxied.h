/* relay/intake/proxied.h - connections of load balancers: whom they speak for is read before a session begins. */
#ifndef INTAKE_PROXIED_H
#define INTAKE_PROXIED_H

#include "relay/intake/intake.h"

/* Read the PROXY header from an accepted socket of a listener with `proxy`, ask main about the client that it names, and begin its session.
 * Whoever is not trusted, or says something else, is disconnected with a line in the log. Takes what intake_start takes. */
void proxied_create(struct intake *intake, int fd, const struct ip_port *peer, struct conf *conf, const struct conf_listen *listen,
    struct tls_server *tls);

/* Shutdown: all that have no session yet are disconnected. */
void proxied_drain(struct intake *intake);

#endif
