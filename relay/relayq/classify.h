/* relay/relayq/classify.h - the verb classify: what replies mean, by the rules of conf/replies.h. */
#ifndef RELAYQ_CLASSIFY_H
#define RELAYQ_CLASSIFY_H

#include <stdio.h>

#include "relay/ops/task.h"

/*
 * Read a line "provider TAB reply" after another (without a TAB: a reply of nobody in particular), print "class TAB action TAB rule" for each,
 * or an object with these and scope and wait (in seconds) when `json`.
 *
 *   file  configuration whose rules come first; NULL: the shipped ones alone
 *
 * OPS_USAGE: the rules cannot be used, `err` tells why. OPS_REFUSED: the output cannot be written.
 */
enum ops_exit classify_run(const char *file, bool json, FILE *in, FILE *out, FILE *err);

#endif
