/* relay/daemon/certificates.h - the certificates that a configuration names, loaded for its listeners. */
#ifndef DAEMON_CERTIFICATES_H
#define DAEMON_CERTIFICATES_H

#include "conf/conf.h"
#include "relay/net/tls.h"

/*
 * Load tls.cert and tls.more with their keys, and ask clients for certificates where some login has one.
 *
 *   strict  a certificate out of its time is an error (relayd -n); else a warning: it must not keep a relay from starting
 *   faults  what is wrong, with its place in the file: missing, unreadable or broken files, a key of another certificate
 *
 * Returns a reference; NULL with new faults, or without any when no certificate is named.
 */
struct tls_server *certificates_load(const struct conf *conf, bool strict, struct conf_faults *faults) MUST_USE;

#endif
