/* relay/intake/suppressed.h - recipients that nothing is taken for (queue/suppress.h): what RCPT hears. */
#ifndef INTAKE_SUPPRESSED_H
#define INTAKE_SUPPRESSED_H

#include "relay/intake/dialog.h"

#define SUPPRESSED_REPLY 480

/*
 * Is the recipient suppressed for this tenant, or for all?
 *
 *   reply  filled in unless it is not: the refusal, with reason and date
 *
 * UNSET: it is not, or the store cannot say: the message is taken then. One short read of the store.
 */
enum conf_answer suppressed_answer(const struct dialog *d, const struct address *rcpt, char reply[SUPPRESSED_REPLY]);

/* Count and log a recipient that was accepted and will not be delivered. */
void suppressed_log_drop(const struct transaction *tx, const char *rcpt);

#endif
