/* relay/daemon/helpers.h - threads for what takes more than a millisecond (password hashes): a mailbox and somebody who empties it. */
#ifndef DAEMON_HELPERS_H
#define DAEMON_HELPERS_H

#include "base/mailbox.h"

#define HELPER_COUNT 2

struct helper;

/* Start one thread. Never NULL. */
struct helper *helper_create(void) MUST_USE;

/* Where to post items whose run() may take its time. */
struct mailbox *helper_mailbox(struct helper *helper);

/* Finish what is inside, join, free. Sets the pointer to NULL. */
void helper_destroy(struct helper **helper);

#endif
