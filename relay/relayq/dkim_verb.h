/* relay/relayq/dkim_verb.h - the verb dkim: make signing keys, and show those of the configuration with their DNS records. */
#ifndef RELAYQ_DKIM_VERB_H
#define RELAYQ_DKIM_VERB_H

#include <stdio.h>

#include "relay/relayq/verb.h"

/*
 * `dkim new DOMAIN`: make key files and tell the DNS record and the line for relay.yaml of each; asks no daemon and needs no configuration.
 * `dkim list`: the keys that the configuration names.
 *
 * OPS_REFUSED: a file exists already or cannot be written, a listed key cannot be used; OPS_USAGE: the words or options are wrong, or the
 * configuration cannot be read. All has been told on `err`.
 */
enum ops_exit dkim_verb_run(const struct verb_call *call, FILE *out, FILE *err);

#endif
