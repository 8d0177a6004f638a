/* relay/deliver/sts_found.h - what MTA-STS says of a domain: a policy, or why there is none; shared by reference count. */
#ifndef DELIVER_STS_FOUND_H
#define DELIVER_STS_FOUND_H

#include "relay/deliver/sts_policy.h"

/* How the policy of a domain was not to be had. */
enum sts_trouble { STS_TROUBLE_NONE, STS_TROUBLE_FETCH, STS_TROUBLE_TRUST, STS_TROUBLE_INVALID };

/* What counts for a domain now; immutable once shared, any thread. */
struct sts_found {
	_Atomic unsigned refs;
	struct sts_policy policy;  /* mode NONE: nothing is demanded */
	bool has_policy;           /* there is one, of mode none or another */
	char id[STS_ID_MAX + 1];
	wall_ms until;             /* it counts; 0: no policy */
	enum sts_trouble trouble;  /* DNS names a policy that could not be had: has_policy is false, or it is an older one */
	char why[200];
};

/* One reference, nothing in it. Never NULL. */
struct sts_found *sts_found_create(void) MUST_USE;

/* What `found` has (NULL: nothing), and that the policy of now could not be had. One reference. Never NULL. */
struct sts_found *sts_found_troubled(const struct sts_found *found, enum sts_trouble trouble, const char *why) MUST_USE;

struct sts_found *sts_found_ref(struct sts_found *found); /* NULL is accepted */
void sts_found_unref(struct sts_found **found);           /* any thread; sets the pointer to NULL */

#endif
