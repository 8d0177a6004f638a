/* relay/intake/admission.h - asks main whether a client may stay whose address has become known after its connection was counted. */
#ifndef INTAKE_ADMISSION_H
#define INTAKE_ADMISSION_H

#include "relay/intake/intake.h"

/* `busy`: NULL, or the static text of a 421. */
typedef void (*admission_fn)(void *arg, const char *busy);

/* Tell main that the client counted as `before` is `now`; from here on its session ends as `now`. `fn` is called with the answer, maybe before this
 * returns. Returns a number for admission_forget; 0: the answer has come. */
uint64_t admission_ask(struct intake *intake, const struct ip_port *before, const struct ip_port *now, admission_fn fn, void *arg);

/* The asker ends: it will not be called. Sets the number to 0. */
void admission_forget(struct intake *intake, uint64_t *number);

#endif
