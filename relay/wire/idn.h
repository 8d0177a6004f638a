/* relay/wire/idn.h - domain names in ASCII (RFC 5891). Pure. */
#ifndef WIRE_IDN_H
#define WIRE_IDN_H

#include "base/err.h"

/* The name with A-labels, as DNS is asked for it; one in ASCII as it is. malloc'ed. NULL: it can be no name. */
char *idn_ascii(const char *name) MUST_USE;

/* The same for an address whose local part is in ASCII; others, and what has no domain, as they are. malloc'ed, never NULL. */
char *idn_ascii_address(const char *address) MUST_USE;

#endif
