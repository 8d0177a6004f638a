/* relay/intake/seal.h - the DKIM signatures of a transaction's message. */
#ifndef INTAKE_SEAL_H
#define INTAKE_SEAL_H

struct transaction;

/* The content begins: see what signs mail of this tenant. */
void seal_begin(struct transaction *tx);

/* The content is complete: add the signatures to our fields. What takes longer than a millisecond goes to a helper and counts as under way
 * until transaction_on_stored. A message that cannot be signed goes without; one line of the log says why. */
void seal_sign(struct transaction *tx);

#endif
