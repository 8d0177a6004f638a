/* relay/relayq/encoded.h - header texts as their readers see them. */
#ifndef RELAYQ_ENCODED_H
#define RELAYQ_ENCODED_H

#include "base/err.h"

/* A copy of `text` with its encoded words (RFC 2047) as UTF-8; those that cannot be read stay as they are. malloc'ed. Pure. */
char *encoded_read(const char *text) MUST_USE;

#endif
