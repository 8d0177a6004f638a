/* relay/notify/resend.h - when news that could not be handed over are tried again. Pure. */
#ifndef NOTIFY_RESEND_H
#define NOTIFY_RESEND_H

#include "base/clock.h"

#define RESEND_TRIES     12
#define RESEND_PAUSE_MAX HOURS(1)

/* The pause after `tries` failed ones: `first_ms` after the first, then twice as long each time, RESEND_PAUSE_MAX at most. -1: it is given up. With a
 * minute the last try begins six hours and three minutes after the first, and the time that the tries take. */
int64_t resend_pause(unsigned tries, int64_t first_ms);

#endif
