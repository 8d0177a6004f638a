/* relay/intake/admit.h - the tenant that a session acts for: found by login or address, and its connections counted. */
#ifndef INTAKE_ADMIT_H
#define INTAKE_ADMIT_H

#include "base/err.h"

struct dialog;

#define ADMIT_BUSY "too many connections of this tenant, try again later"

/* Find the tenant anew, because the session is new or has logged in, and count the session as its. False: the tenant has too many connections;
 * the session counts for nobody and must end. */
bool admit_enter(struct dialog *d) MUST_USE;

/* Find it anew under another configuration; who is in may stay. */
void admit_again(struct dialog *d);

/* The session is over. */
void admit_leave(struct dialog *d);

#endif
