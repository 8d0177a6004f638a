/* relay/notify/resend.c - when news that could not be handed over are tried again. Pure. */
#include "relay/notify/resend.h"

int64_t resend_pause(unsigned tries, int64_t first_ms)
{
	int64_t ms = first_ms;

	if (tries >= RESEND_TRIES)
		return -1;
	for (unsigned i = 1; i < tries && ms < RESEND_PAUSE_MAX; i++)
		ms *= 2;
	return ms < RESEND_PAUSE_MAX ? ms : RESEND_PAUSE_MAX;
}
