/* relay/relayq/top_verb.h - the verb top: what goes on, drawn anew every few seconds. */
#ifndef RELAYQ_TOP_VERB_H
#define RELAYQ_TOP_VERB_H

#include <stdio.h>

#include "relay/relayq/verb.h"

/*
 * On a terminal until q, ^C or SIGTERM; a daemon that cannot be reached is waited for. Elsewhere, with "once" or with --json one look, which takes
 * a second to see how fast things go: as text, or as objects with "part", one a line.
 *
 * OPS_DONE; OPS_USAGE: no configuration; OPS_UNREACHABLE: one look, and no daemon; OPS_REFUSED: `out` cannot be written.
 */
enum ops_exit top_verb_run(const struct verb_call *call, FILE *out, FILE *err);

#endif
