/* relay/relayq/hash.h - the verb hash: a password into the string of logins[].hash. */
#ifndef RELAYQ_HASH_H
#define RELAYQ_HASH_H

#include <stdio.h>

#include "relay/ops/task.h"

#define HASH_LENGTH_LEAST 10 /* characters of a password where nobody says otherwise */

struct hash_wish {
	bool scram;            /* a SCRAM-SHA-256 verifier instead of a yescrypt hash */
	uint32_t length_least; /* in characters; half as many of them, up to 5, must differ */
};

/* Read one line from `in` (asked for without echo, twice, when it is a terminal), print its hash. OPS_REFUSED: no password, one that is too
 * weak, one that crypt(3) does not take, or for a verifier one beyond ASCII: its normal form (RFC 4013) is not made here. */
enum ops_exit hash_run(const struct hash_wish *wish, FILE *in, FILE *out, FILE *err);

#endif
