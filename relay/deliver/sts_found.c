/* relay/deliver/sts_found.c - what MTA-STS says of a domain: a policy, or why there is none; shared by reference count. */
#include "relay/deliver/sts_found.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sts_found *sts_found_create(void)
{
	struct sts_found *found = xcalloc(1, sizeof(*found));

	atomic_init(&found->refs, 1);
	return found;
}

struct sts_found *sts_found_troubled(const struct sts_found *found, enum sts_trouble trouble, const char *why)
{
	struct sts_found *copy = sts_found_create();

	if (found) {
		copy->policy = found->policy;
		copy->policy.mx = xcalloc(found->policy.mx_count + 1, sizeof(copy->policy.mx[0]));
		for (size_t i = 0; i < found->policy.mx_count; i++)
			copy->policy.mx[i] = xstrdup(found->policy.mx[i]);
		copy->has_policy = found->has_policy;
		copy->until = found->until;
		memcpy(copy->id, found->id, sizeof(copy->id));
	}
	copy->trouble = trouble;
	(void)snprintf(copy->why, sizeof(copy->why), "%s", why);
	return copy;
}

struct sts_found *sts_found_ref(struct sts_found *found)
{
	if (found)
		atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
	return found;
}

void sts_found_unref(struct sts_found **found)
{
	struct sts_found *f = *found;

	*found = NULL;
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
		return;
	sts_policy_fini(&f->policy);
	free(f);
}
