/* relay/relayq/tail_verb.h - the verb tail: events as they come, read along the event log. */
#ifndef RELAYQ_TAIL_VERB_H
#define RELAYQ_TAIL_VERB_H

#include <stdio.h>

#include "relay/relayq/verb.h"

/*
 * Print the events that pass the filters (relay/relayq/event.h) until SIGINT, SIGTERM or until nobody reads `out`; with "last" so many that were
 * written before come first, with "once" nothing is waited for, and
 * without "last" all that is kept comes. It reads the files of the event log alone: the daemon is not asked, may be
 * stopped and started anew, and is not slowed by a slow reader.
 *
 * OPS_DONE: ended by whoever reads; OPS_REFUSED: there is no event log, or it or `out` fails; OPS_USAGE: no configuration, wrong arguments.
 */
enum ops_exit tail_verb_run(const struct verb_call *call, FILE *out, FILE *err);

#endif
