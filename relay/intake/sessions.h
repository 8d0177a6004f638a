/* relay/intake/sessions.h - what all sessions of one worker share: struct intake. Inside intake/ only. */
#ifndef INTAKE_SESSIONS_H
#define INTAKE_SESSIONS_H

#include "relay/intake/chunk_pool.h"
#include "relay/intake/intake.h"
#include "relay/intake/login_cache.h"

struct login_check;

struct intake {
	struct intake_env *env;
	struct dialog *dialogs;
	struct proxied *proxied; /* connections whose client is not known yet */
	struct admission *admissions; /* what main has been asked */
	uint64_t admission_last;
	size_t session_count; /* of both kinds */
	size_t pending; /* transactions and password checks: they may outlive their sessions */
	struct login_cache logins;
	struct login_check *checking; /* with a helper, or on the way there */
	size_t checking_count;        /* those and their followers */
	struct chunk_pool pool;
	bool draining, drained;
	void (*done)(void *arg);
	void *done_arg;
};

/* A session or something pending has ended: when draining, maybe that was the last. */
void sessions_one_less(struct intake *intake);

#endif
