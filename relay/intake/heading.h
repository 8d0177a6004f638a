/* relay/intake/heading.h - the header section of a transaction's message, once it is complete: refused, put right, or left as it is. */
#ifndef INTAKE_HEADING_H
#define INTAKE_HEADING_H

struct transaction;

/* The header section is here, and nothing of the content is on its way to the store yet. After that the signer has seen all that there is. */
void heading_close(struct transaction *tx);

#endif
