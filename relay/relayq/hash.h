/* relay/relayq/hash.h - the verb hash: a password into the string of logins[].hash. */
#ifndef RELAYQ_HASH_H
#define RELAYQ_HASH_H

#include <stdio.h>

#include "relay/ops/task.h"

/* Read one line from `in` (asked for without echo, twice, when it is a terminal), print its yescrypt hash. OPS_REFUSED: no password, or
 * one that crypt(3) does not take. */
enum ops_exit hash_run(FILE *in, FILE *out, FILE *err);

#endif
