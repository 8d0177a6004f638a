/* relay/relayq/providers_verb.h - the verb providers: destinations known by name, their limits, and where each figure comes from. */
#ifndef RELAYQ_PROVIDERS_VERB_H
#define RELAYQ_PROVIDERS_VERB_H

#include <stdio.h>

#include "relay/relayq/verb.h"

/* Asks no daemon: the shipped list with the changes of the configuration. Without operands a row for each; with names all of those.
 * OPS_REFUSED: no provider has that name; OPS_USAGE: the configuration cannot be read. */
enum ops_exit providers_verb_run(const struct verb_call *call, FILE *out, FILE *err);

#endif
