/* relay/deliver/wording.h - a reply on one line, taken apart for the rules: codes, and the words without what differs from one reply to the
 * next. Pure. */
#ifndef DELIVER_WORDING_H
#define DELIVER_WORDING_H

#include "base/err.h"

#define WORDING_MAX 2048 /* bytes of the words */

struct wording {
	int code;            /* 400..599 as a rule; 0: none */
	char enhanced[16];   /* the first in the reply, wherever it stands; "" none. Its class may differ from the code's */
	char text[WORDING_MAX]; /* all behind the first codes; lines joined by one blank, an enhanced code at the start of a further line left out;
	                         * an address of a mailbox is "@", a curved apostrophe a straight one */
	size_t len;
};

/* `reply` as in logs and records: "550 5.1.1 words / more words". Any bytes; cut at WORDING_MAX. */
void wording_read(struct wording *out, const char *reply);

#endif
